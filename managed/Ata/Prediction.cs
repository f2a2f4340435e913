using System.Collections;

namespace Ata;

/// <summary>One class of a prediction.</summary>
/// <param name="Label">Name of the class, or <c>class 7</c> if the model has no names.</param>
/// <param name="Index">Index of the class.</param>
/// <param name="Probability">Its probability, 0 to 1.</param>
public readonly record struct Prediction(string Label, int Index, float Probability);

/// <summary>The most probable classes of a video, best first.</summary>
public sealed class Predictions : IReadOnlyList<Prediction>
{
    private readonly Prediction[] _best;
    private readonly float[] _probabilities;

    internal Predictions(Prediction[] best, float[] probabilities, int views)
    {
        _best = best;
        _probabilities = probabilities;
        Views = views;
    }

    /// <summary>The most probable class.</summary>
    public Prediction Best => _best[0];

    /// <summary>The probabilities of all classes, by index; they add up to 1.</summary>
    public ReadOnlySpan<float> Probabilities => _probabilities;

    /// <summary>Number of views that were averaged.</summary>
    public int Views { get; }

    /// <summary>How many classes are listed.</summary>
    public int Count => _best.Length;

    /// <summary>A class.</summary>
    /// <param name="index">Its rank; 0 for the most probable one.</param>
    public Prediction this[int index] => _best[index];

    /// <inheritdoc/>
    public IEnumerator<Prediction> GetEnumerator() => ((IEnumerable<Prediction>)_best).GetEnumerator();

    /// <inheritdoc/>
    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
