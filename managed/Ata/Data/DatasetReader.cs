using System.Text.RegularExpressions;

namespace Ata.Data;

/// <summary>Recognises how a dataset is described and reads it.</summary>
internal static partial class DatasetReader
{
    private const int VideosLookedFor = 16;

    internal static VideoDataset Read(string path, DatasetOptions options)
    {
        if (!File.Exists(path) && !Directory.Exists(path))
        {
            throw new DatasetException(path, 0, "there is no such file or folder.");
        }

        DatasetFormat format = options.Format == DatasetFormat.Auto ? Recognise(path) : options.Format;
        string root = options.Root ?? (Directory.Exists(path) ? path : Path.GetDirectoryName(Path.GetFullPath(path))!);
        VideoDataset dataset = format switch
        {
            DatasetFormat.Table => TableReader.Read(FileOnly(path, format), root, options),
            DatasetFormat.Kinetics => LineReader.Read(FileOnly(path, format), root, options),
            DatasetFormat.SomethingSomething => SomethingReader.Read(FileOnly(path, format), root, options),
            DatasetFormat.Ucf101 => UcfReader.Read(path, root, options),
            DatasetFormat.Hmdb51 => HmdbReader.Read(FolderOnly(path, format), root, options),
            DatasetFormat.Folder => FolderReader.Read(FolderOnly(path, format), options),
            _ => throw new ArgumentOutOfRangeException(nameof(options), format, "Unknown dataset format."),
        };
        if (dataset.Count == 0)
        {
            throw new DatasetException(path, 0, "it lists no videos.");
        }

        DemandSomeVideo(path, dataset, root);
        return dataset;
    }

    /// <summary>The path of a video as a list writes it; errors name the line.</summary>
    internal static string Resolve(string file, int line, string root, string path)
    {
        if (path.Length == 0)
        {
            throw new DatasetException(file, line, "the path is empty.");
        }

        if (path.Contains('\0') || path.Contains('\n') || path.Contains('\r'))
        {
            throw new DatasetException(file, line, "the path contains a zero byte or a line break.");
        }

        return Path.GetFullPath(Path.Combine(root, path.Replace('\\', Path.DirectorySeparatorChar)));
    }

    /// <summary>Puts the usual names of splits into one form.</summary>
    internal static string SplitName(string name) => name.Trim().ToLowerInvariant() switch
    {
        "train" or "training" => "train",
        "val" or "valid" or "validate" or "validation" => "val",
        "test" or "testing" => "test",
        var other => other,
    };

    /// <summary>Refuses a video that is listed with two labels or in two splits.</summary>
    internal sealed class Conflicts(string file)
    {
        private readonly Dictionary<string, (VideoItem Item, int Line)> _seen = new(StringComparer.Ordinal);

        internal void Check(VideoItem item, int line)
        {
            if (!_seen.TryAdd(item.Path, (item, line)))
            {
                (VideoItem earlier, int at) = _seen[item.Path];
                if (earlier.Label != item.Label || earlier.Split != item.Split)
                {
                    throw new DatasetException(file, line, $"{item.Path} is \"{item.Label}\"{In(item)} here and \"{earlier.Label}\"{In(earlier)} in line {at}; remove one.");
                }
            }
        }

        private static string In(VideoItem item) => item.Split.Length > 0 ? $" ({item.Split})" : "";
    }

    private static DatasetFormat Recognise(string path)
    {
        if (Directory.Exists(path))
        {
            return Directory.EnumerateFiles(path, "*_test_split?.txt").Any() ? DatasetFormat.Hmdb51
                : Directory.EnumerateFiles(path, "*list*.txt").Any(f => UcfReader.IsList(f)) ? DatasetFormat.Ucf101
                : DatasetFormat.Folder;
        }

        if (UcfReader.IsList(path))
        {
            return DatasetFormat.Ucf101;
        }

        string first = DelimitedText.Lines(path).Select(l => l.Text).FirstOrDefault("").TrimStart();
        return first.StartsWith('[') || first.StartsWith('{') ? DatasetFormat.SomethingSomething
            : TableReader.IsHeader(first) ? DatasetFormat.Table
            : DatasetFormat.Kinetics;
    }

    private static string FileOnly(string path, DatasetFormat format) => File.Exists(path)
        ? path
        : throw new DatasetException(path, 0, $"the format {format} is a file, and this is a folder.");

    private static string FolderOnly(string path, DatasetFormat format) => Directory.Exists(path)
        ? path
        : throw new DatasetException(path, 0, $"the format {format} is a folder, and this is a file.");

    /// <summary>A wrong root makes every video missing; that must be said at once and not as thousands of broken
    /// videos during training.</summary>
    private static void DemandSomeVideo(string path, VideoDataset dataset, string root)
    {
        IEnumerable<VideoItem> first = dataset.Items.Take(VideosLookedFor);
        if (!first.Any(i => File.Exists(i.Path) || Directory.Exists(i.Path)))
        {
            throw new DatasetException(path, 0, $"none of the first {Math.Min(VideosLookedFor, dataset.Count)} videos exists, for example {dataset[0].Path}; relative paths start from {root}.");
        }
    }

    [GeneratedRegex(@"_g(\d+)_c\d+$", RegexOptions.CultureInvariant)]
    internal static partial Regex UcfGroup();

    [GeneratedRegex(@"^(train|test|val)list(\d+)\.txt$", RegexOptions.CultureInvariant)]
    internal static partial Regex UcfListName();
}
