using System.Text.RegularExpressions;
using Microsoft.Extensions.Logging;

namespace Ata.Data;

/// <summary>Recognises how a dataset is described and reads it.</summary>
internal static partial class DatasetReader
{
    private const int VideosLookedFor = 16;

    internal static VideoDataset Read(string path, DatasetOptions options, ILogger logger)
    {
        if (!File.Exists(path) && !Directory.Exists(path))
        {
            throw new DatasetException(path, 0, "there is no such file or folder.");
        }

        DatasetFormat format = options.Format == DatasetFormat.Auto ? Recognise(path) : options.Format;
        string root = options.Root ?? (Directory.Exists(path) ? path : Path.GetDirectoryName(Path.GetFullPath(path))!);
        DatasetContents contents = format switch
        {
            DatasetFormat.Auto or DatasetFormat.Table or DatasetFormat.Kinetics => ListReader.Read(FileOnly(path, format), root, options),
            DatasetFormat.SomethingSomething => SomethingReader.Read(FileOnly(path, format), root, options),
            DatasetFormat.Ucf101 => UcfReader.Read(path, root, options),
            DatasetFormat.Hmdb51 => HmdbReader.Read(FolderOnly(path, format), root, options),
            DatasetFormat.Folder => FolderReader.Read(FolderOnly(path, format), options),
            _ => throw new ArgumentOutOfRangeException(nameof(options), format, "Unknown dataset format."),
        };
        if (contents.Items.Count == 0)
        {
            string skipped = contents.SkippedFiles.Count > 0 ? $" {DatasetReport.Count(contents.SkippedFiles.Count, "file or folder", "files or folders")} in it are no videos: {DatasetReport.Some(contents.SkippedFiles.Select(f => Path.GetFileName(f)).ToArray())}." : "";
            throw new DatasetException(path, 0, $"it lists no videos.{skipped}");
        }

        contents.Files.AddRange(new[] { options.LabelsFile, File.Exists(path) ? path : null }.OfType<string>());
        DemandSomeVideo(path, contents.Items, root);
        var dataset = new VideoDataset(contents.Items, contents.Names ?? options.Labels);
        dataset.Report = Report(path, format, contents, dataset);
        LogRead(logger, dataset.Report.Summary);
        foreach (string omission in dataset.Report.Omissions)
        {
            LogOmission(logger, path, omission);
        }

        return dataset;
    }

    private static DatasetReport Report(string path, DatasetFormat format, DatasetContents contents, VideoDataset dataset)
    {
        var used = contents.Items.Select(i => i.Label).ToHashSet(StringComparer.Ordinal);
        return new DatasetReport
        {
            Source = path,
            Format = contents.Format ?? format,
            Files = contents.Files,
            Layout = contents.Layout,
            Videos = dataset.Count,
            Classes = dataset.Labels.Count,
            Splits = contents.Items.GroupBy(i => i.Split, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.Count(), StringComparer.Ordinal),
            Parts = contents.Items.Count(i => i.Start is not null || i.End is not null),
            IgnoredColumns = contents.IgnoredColumns,
            SkippedFiles = contents.SkippedFiles,
            Comments = contents.Comments,
            Repetitions = contents.Repetitions,
            EmptyClasses = [.. dataset.Labels.Where(l => !used.Contains(l)), .. contents.EmptyClasses.Where(c => !dataset.Labels.Contains(c))],
            MissingVideos = contents.Items.Select(i => i.Path).Distinct(StringComparer.Ordinal).AsParallel().AsOrdered().Where(p => !Path.Exists(p)).ToArray(),
        };
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

    /// <summary>What is wrong with a label that is no class.</summary>
    internal static string UnknownLabel(string label, IReadOnlyList<string> classes) =>
        $"the label \"{label}\" is not one of the {DatasetReport.Count(classes.Count, "class")} ({DatasetReport.Some(classes)}); correct it, or give a file with the names of the classes in the order of their numbers.";

    /// <summary>Puts the usual names of splits into one form.</summary>
    internal static string SplitName(string name) => name.Trim().ToLowerInvariant() switch
    {
        "train" or "training" => "train",
        "val" or "valid" or "validate" or "validation" => "val",
        "test" or "testing" => "test",
        var other => other,
    };

    /// <summary>Refuses a video, or a part of one, that is listed with two labels or in two splits, and counts those that
    /// are listed twice.</summary>
    internal sealed class Conflicts(string file, DatasetContents contents)
    {
        private readonly Dictionary<(string Path, TimeSpan? Start, TimeSpan? End), (VideoItem Item, int Line)> _seen = [];

        internal void Check(VideoItem item, int line)
        {
            if (!_seen.TryAdd((item.Path, item.Start, item.End), (item, line)))
            {
                (VideoItem earlier, int at) = _seen[(item.Path, item.Start, item.End)];
                if (earlier.Label != item.Label || earlier.Split != item.Split)
                {
                    throw new DatasetException(file, line, $"{item.Path} is \"{item.Label}\"{In(item)} here and \"{earlier.Label}\"{In(earlier)} in line {at}; remove one.");
                }

                ++contents.Repetitions;
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
            : DatasetFormat.Auto;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "{Summary}")]
    private static partial void LogRead(ILogger logger, string summary);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Source}: {Omission}")]
    private static partial void LogOmission(ILogger logger, string source, string omission);

    private static string FileOnly(string path, DatasetFormat format) => File.Exists(path)
        ? path
        : throw new DatasetException(path, 0, $"the format {format} is a file, and this is a folder.");

    private static string FolderOnly(string path, DatasetFormat format) => Directory.Exists(path)
        ? path
        : throw new DatasetException(path, 0, $"the format {format} is a folder, and this is a file.");

    /// <summary>A wrong root makes every video missing; that must be said at once and not as thousands of broken
    /// videos during training.</summary>
    private static void DemandSomeVideo(string path, List<VideoItem> items, string root)
    {
        if (!items.Take(VideosLookedFor).Any(i => Path.Exists(i.Path)))
        {
            throw new DatasetException(path, 0, $"none of the first {Math.Min(VideosLookedFor, items.Count)} videos exists, for example {items[0].Path}; relative paths start from {root}.");
        }
    }

    [GeneratedRegex(@"_g(\d+)_c\d+$", RegexOptions.CultureInvariant)]
    internal static partial Regex UcfGroup();

    [GeneratedRegex(@"^(train|test|val)list(\d+)\.txt$", RegexOptions.CultureInvariant)]
    internal static partial Regex UcfListName();
}
