using System.Globalization;

namespace Ata.Data;

/// <summary>A dataset that a list describes, held in memory.</summary>
public sealed class VideoDataset : IVideoDataset
{
    private readonly IReadOnlyList<VideoItem> _items;

    /// <summary>Makes a dataset of given videos.</summary>
    /// <param name="items">The videos.</param>
    /// <param name="labels">The names of the classes in the order of their indices, or null to take them from the
    /// items: sorted by name, or, when every label is a number, the numbers from 0 to the largest.</param>
    /// <exception cref="DatasetException">An item's label is not in <paramref name="labels"/>.</exception>
    public VideoDataset(IEnumerable<VideoItem> items, IReadOnlyList<string>? labels = null)
    {
        ArgumentNullException.ThrowIfNull(items);
        _items = items.ToArray();
        Labels = labels ?? ClassNames(_items);
        var known = new HashSet<string>(Labels, StringComparer.Ordinal);
        if (known.Count != Labels.Count)
        {
            string twice = Labels.GroupBy(l => l, StringComparer.Ordinal).First(g => g.Count() > 1).Key;
            throw new DatasetException($"The class \"{twice}\" is named twice.");
        }

        foreach (VideoItem item in _items)
        {
            if (!known.Contains(item.Label))
            {
                throw new DatasetException($"{item.Path}: its label \"{item.Label}\" is not one of the {Labels.Count} classes.");
            }
        }
    }

    /// <inheritdoc/>
    public int Count => _items.Count;

    /// <inheritdoc/>
    public IReadOnlyList<string> Labels { get; }

    /// <inheritdoc/>
    public VideoItem this[int index] => _items[index];

    /// <summary>All videos.</summary>
    public IReadOnlyList<VideoItem> Items => _items;

    /// <summary>The names of the splits that occur, sorted; an empty name for items without one.</summary>
    public IReadOnlyList<string> Splits =>
        _items.Select(i => i.Split).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToArray();

    /// <summary>Reads a list or a folder. Videos are not opened.</summary>
    /// <param name="path">The list, or the folder.</param>
    /// <param name="options">How to read it; null for the defaults.</param>
    /// <exception cref="DatasetException">The list is malformed, or none of its first videos exists.</exception>
    public static VideoDataset Load(string path, DatasetOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return DatasetReader.Read(path, options ?? new DatasetOptions());
    }

    /// <summary>The videos of one split, with the same classes.</summary>
    /// <param name="split">Name of the split.</param>
    public VideoDataset OfSplit(string split) =>
        new(_items.Where(i => string.Equals(i.Split, split, StringComparison.Ordinal)), Labels);

    /// <summary>The same videos, numbered by another list of classes, such as a model's.</summary>
    /// <param name="labels">The classes; every label of the items must be among them.</param>
    public VideoDataset WithLabels(IReadOnlyList<string> labels) => new(_items, labels);

    /// <summary>Divides the videos at random, keeping each group on one side.</summary>
    /// <param name="fraction">Share of the groups that goes to the second part, above 0 and below 1.</param>
    /// <param name="seed">Seed; the same seed divides in the same way.</param>
    /// <returns>The larger and the smaller part; neither is empty.</returns>
    public (VideoDataset Train, VideoDataset Validation) Divide(double fraction, ulong seed)
    {
        if (!(fraction > 0 && fraction < 1))
        {
            throw new ArgumentOutOfRangeException(nameof(fraction), fraction, "The fraction must lie between 0 and 1.");
        }

        string[] groups = _items.Select(GroupOf).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToArray();
        if (groups.Length < 2)
        {
            throw new DatasetException("All videos belong to one group, so none can be set aside for validation; name a validation list.");
        }

        new SampleRandom(seed, 0, 0).Shuffle(groups);
        int held = Math.Clamp((int)Math.Round(fraction * groups.Length), 1, groups.Length - 1);
        var validation = new HashSet<string>(groups.AsSpan(0, held).ToArray(), StringComparer.Ordinal);
        return (new VideoDataset(_items.Where(i => !validation.Contains(GroupOf(i))), Labels),
            new VideoDataset(_items.Where(i => validation.Contains(GroupOf(i))), Labels));
    }

    /// <summary>Writes the videos as <c>path,label,group,split</c>, with paths relative to the file's folder where
    /// they lie below it.</summary>
    /// <param name="path">File to write.</param>
    public void Save(string path)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        using var writer = new StreamWriter(path);
        writer.NewLine = "\n";
        writer.WriteLine("path,label,group,split");
        foreach (VideoItem item in _items)
        {
            string relative = Path.GetRelativePath(folder, item.Path);
            string shown = relative.StartsWith("..", StringComparison.Ordinal) ? Path.GetFullPath(item.Path) : relative.Replace('\\', '/');
            writer.WriteLine(string.Join(',', new[] { shown, item.Label, item.Group, item.Split }.Select(DelimitedText.Quote)));
        }
    }

    private static string GroupOf(VideoItem item) => item.Group.Length > 0 ? "g:" + item.Group : "p:" + item.Path;

    private static IReadOnlyList<string> ClassNames(IReadOnlyList<VideoItem> items)
    {
        string[] names = items.Select(i => i.Label).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToArray();
        var numbers = new int[names.Length];
        for (int i = 0; i < names.Length; ++i)
        {
            if (!int.TryParse(names[i], NumberStyles.None, CultureInfo.InvariantCulture, out numbers[i])
                || names[i] != numbers[i].ToString(CultureInfo.InvariantCulture))
            {
                return names;
            }
        }

        const int MostClasses = 100_000;
        int largest = numbers.DefaultIfEmpty(-1).Max();
        if (largest >= MostClasses)
        {
            throw new DatasetException($"The label {largest} is too large for a class number; give a file with the classes' names.");
        }

        return Enumerable.Range(0, largest + 1).Select(n => n.ToString(CultureInfo.InvariantCulture)).ToArray();
    }
}
