namespace Ata.Training;

/// <summary>Counts how often a classifier is right. Not thread-safe.</summary>
public sealed class ClassificationMetrics
{
    private const int Top = 5;
    private readonly int[,] _confusion;
    private double _loss;

    /// <summary>Creates empty counts.</summary>
    /// <param name="classes">Number of classes.</param>
    public ClassificationMetrics(int classes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(classes, 1);
        _confusion = new int[classes, classes];
    }

    /// <summary>Number of classes.</summary>
    public int Classes => _confusion.GetLength(0);

    /// <summary>Clips counted.</summary>
    public long Count { get; private set; }

    /// <summary>Clips whose most likely class was right.</summary>
    public long Correct { get; private set; }

    /// <summary>Clips whose class was among the five most likely.</summary>
    public long CorrectInTop5 { get; private set; }

    /// <summary>Share of clips whose most likely class was right; 0 of none.</summary>
    public double Top1 => Count > 0 ? (double)Correct / Count : 0;

    /// <summary>Share of clips whose class was among the five most likely; 0 of none.</summary>
    public double Top5 => Count > 0 ? (double)CorrectInTop5 / Count : 0;

    /// <summary>Mean loss; 0 of none.</summary>
    public double Loss => Count > 0 ? _loss / Count : 0;

    /// <summary>Mean over the classes that occurred of the share of their clips that was right.</summary>
    public double MeanClassAccuracy
    {
        get
        {
            double[] seen = PerClass().Where(c => c.Count > 0).Select(c => (double)c.Correct / c.Count).ToArray();
            return seen.Length > 0 ? seen.Average() : 0;
        }
    }

    /// <summary>How many clips of each true class (row) were given each class (column).</summary>
    /// <param name="actual">The true class.</param>
    /// <param name="predicted">The class given.</param>
    public int Confusion(int actual, int predicted) => _confusion[actual, predicted];

    /// <summary>Clips and right answers of each class.</summary>
    public IReadOnlyList<(int Count, int Correct)> PerClass() => Enumerable.Range(0, Classes)
        .Select(a => (Enumerable.Range(0, Classes).Sum(p => _confusion[a, p]), _confusion[a, a])).ToArray();

    /// <summary>Counts one clip.</summary>
    /// <param name="scores">Logits or probabilities.</param>
    /// <param name="label">The true class.</param>
    /// <param name="loss">Loss of the clip.</param>
    public void Add(ReadOnlySpan<float> scores, int label, double loss)
    {
        if (scores.Length != Classes)
        {
            throw new ArgumentException($"{scores.Length} scores were given for {Classes} classes.", nameof(scores));
        }

        ArgumentOutOfRangeException.ThrowIfNegative(label);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(label, Classes);
        // A class that ties with the true one ranks before it when its index is lower, as in a stable sort.
        int rank = 0;
        int best = 0;
        for (int i = 0; i < scores.Length; ++i)
        {
            rank += scores[i] > scores[label] || (scores[i] == scores[label] && i < label) ? 1 : 0;
            best = scores[i] > scores[best] ? i : best;
        }

        ++_confusion[label, best];
        ++Count;
        Correct += best == label ? 1 : 0;
        CorrectInTop5 += rank < Top ? 1 : 0;
        _loss += loss;
    }
}
