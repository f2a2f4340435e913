namespace Ata.Data;

/// <summary>Draws the videos of each pass over the data, in random order. Thread-safe.</summary>
internal sealed class PassOrder
{
    private readonly int _count;

    /// <summary>For each video, how many draws of a pass all videos up to it have, on average; null if each has one.</summary>
    private readonly double[]? _upTo;

    /// <summary>Prepares the draws.</summary>
    /// <param name="dataset">The videos.</param>
    /// <param name="balanceClasses">Draw the classes equally often, instead of each video once.</param>
    internal PassOrder(IVideoDataset dataset, bool balanceClasses)
    {
        _count = dataset.Count;
        if (!balanceClasses)
        {
            return;
        }

        string[] labels = Enumerable.Range(0, _count).Select(i => dataset[i].Label).ToArray();
        Dictionary<string, int> sizes = labels.CountBy(label => label, StringComparer.Ordinal).ToDictionary(StringComparer.Ordinal);
        double drawsOfClass = (double)_count / sizes.Count;
        _upTo = new double[_count];
        double sum = 0;
        for (int i = 0; i < _count; ++i)
        {
            sum += drawsOfClass / sizes[labels[i]];
            _upTo[i] = sum;
        }
    }

    /// <summary>The videos of a pass in random order, as many as there are. A video that is drawn x times on average is
    /// drawn x times rounded down or up (systematic sampling; Madow, 1949).</summary>
    /// <param name="random">Random numbers of the pass.</param>
    internal int[] Draw(SampleRandom random)
    {
        int[] order = Enumerable.Range(0, _count).ToArray();
        if (_upTo is not null)
        {
            double start = random.NextDouble();
            for (int draw = 0, item = 0; draw < _count; ++draw)
            {
                while (item < _count - 1 && _upTo[item] <= start + draw)
                {
                    ++item;
                }

                order[draw] = item;
            }
        }

        random.Shuffle(order.AsSpan());
        return order;
    }
}
