using System.Globalization;
using System.Text;
using Ata.Interop;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Ata.Data;

/// <summary>A dataset that a list describes, held in memory.</summary>
public sealed class VideoDataset : IVideoDataset
{
    private readonly IReadOnlyList<VideoItem> _items;

    /// <summary>Makes a dataset of given videos.</summary>
    /// <param name="items">The videos.</param>
    /// <param name="labels">The names of the classes in the order of their indices, or null to take them from the
    /// items: sorted by name, or, when every label is a number, the numbers from 0 to the largest.</param>
    /// <exception cref="DatasetException">An item's label is not in <paramref name="labels"/>, or the labels are numbers of
    /// which most do not occur.</exception>
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
                throw new DatasetException($"{item.Path}: {DatasetReader.UnknownLabel(item.Label, Labels)}");
            }
        }
    }

    /// <inheritdoc/>
    public int Count => _items.Count;

    /// <inheritdoc/>
    public IReadOnlyList<string> Labels { get; }

    /// <inheritdoc/>
    public VideoItem this[int index] => _items[index];

    /// <summary>What was read of the list or folder, and what was not; null for a dataset that was not read. Parts of a
    /// dataset have the report of the whole.</summary>
    public DatasetReport? Report { get; internal set; }

    /// <summary>All videos.</summary>
    public IReadOnlyList<VideoItem> Items => _items;

    /// <summary>The names of the splits that occur, sorted; an empty name for items without one.</summary>
    public IReadOnlyList<string> Splits =>
        _items.Select(i => i.Split).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToArray();

    /// <summary>Reads a list or a folder. Videos are not opened.</summary>
    /// <param name="path">The list, or the folder.</param>
    /// <param name="options">How to read it; null for the defaults.</param>
    /// <param name="logger">Told what was read and, as warnings, what was not (<see cref="Report"/>); null for none.</param>
    /// <exception cref="DatasetException">The list is malformed, or none of its first videos exists.</exception>
    public static VideoDataset Load(string path, DatasetOptions? options = null, ILogger? logger = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return DatasetReader.Read(path, options ?? new DatasetOptions(), logger ?? NullLogger.Instance);
    }

    /// <summary>The videos that another dataset has too, under whatever names: the same file, through links too.</summary>
    /// <param name="other">The other dataset, such as that of the validation.</param>
    /// <returns>Their paths in this dataset, each once.</returns>
    public IReadOnlyList<string> SharedWith(VideoDataset other)
    {
        ArgumentNullException.ThrowIfNull(other);
        var theirs = other.FilesByPath().Select(f => f.File).ToHashSet();
        return FilesByPath().Where(f => theirs.Contains(f.File)).Select(f => f.Path).ToArray();
    }

    /// <summary>The videos of one split, with the same classes.</summary>
    /// <param name="split">Name of the split.</param>
    public VideoDataset OfSplit(string split) =>
        new(_items.Where(i => string.Equals(i.Split, split, StringComparison.Ordinal)), Labels) { Report = Report };

    /// <summary>The same videos, numbered by another list of classes, such as a model's.</summary>
    /// <param name="labels">The classes; every label of the items must be among them.</param>
    public VideoDataset WithLabels(IReadOnlyList<string> labels) => new(_items, labels) { Report = Report };

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
        return (new VideoDataset(_items.Where(i => !validation.Contains(GroupOf(i))), Labels) { Report = Report },
            new VideoDataset(_items.Where(i => validation.Contains(GroupOf(i))), Labels) { Report = Report });
    }

    /// <summary>Writes the videos as <c>path,label,group,split</c>, and <c>start_time,end_time</c> where they are parts of
    /// files, with paths relative to the file's folder where they lie below it.</summary>
    /// <param name="path">File to write.</param>
    /// <exception cref="IOException">The file cannot be written; an existing one is intact.</exception>
    public void Save(string path)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        bool parts = _items.Any(i => i.Start is not null || i.End is not null);
        var text = new StringBuilder(parts ? "path,label,group,split,start_time,end_time\n" : "path,label,group,split\n");
        foreach (VideoItem item in _items)
        {
            string relative = Path.GetRelativePath(folder, item.Path);
            string shown = relative.StartsWith("..", StringComparison.Ordinal) ? Path.GetFullPath(item.Path) : relative.Replace('\\', '/');
            string[] fields = [shown, item.Label, item.Group, item.Split];
            text.AppendJoin(',', (parts ? [.. fields, DelimitedText.Seconds(item.Start), DelimitedText.Seconds(item.End)] : fields).Select(DelimitedText.Quote)).Append('\n');
        }

        NativeFile.Write(path, Encoding.UTF8.GetBytes(text.ToString()));
    }

    /// <summary>Each path that exists, once, and the file that it leads to.</summary>
    private IEnumerable<(string Path, FileIdentity File)> FilesByPath() =>
        _items.Select(i => i.Path).Distinct(StringComparer.Ordinal).AsParallel().AsOrdered()
            .Select(p => (Path: p, File: NativeFile.Identify(p)))
            .Where(f => f.File is not null).Select(f => (f.Path, f.File!.Value));

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

        // Half of the numbers at least: a list of a few of many classes leaves some out, but identifiers of another kind
        // would make thousands of classes that no video belongs to.
        int largest = numbers.DefaultIfEmpty(-1).Max();
        if (largest >= 2L * numbers.Length)
        {
            string shown = string.Join(", ", names.OrderBy(n => int.Parse(n, CultureInfo.InvariantCulture)).Take(5)) + (names.Length > 5 ? ", ..." : "");
            throw new DatasetException($"The labels are numbers up to {largest}, but only {names.Length} of these occur ({shown}), and numbers of classes leave no such gaps. Give a file with the name of each class on a line, in the order of the classes' numbers; it may name the classes {shown}.");
        }

        return Enumerable.Range(0, largest + 1).Select(n => n.ToString(CultureInfo.InvariantCulture)).ToArray();
    }
}
