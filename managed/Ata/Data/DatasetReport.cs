using System.Globalization;

namespace Ata.Data;

/// <summary>What was read of a list or folder, and what was not.</summary>
public sealed record DatasetReport
{
    private const int Shown = 5;

    /// <summary>The list or folder.</summary>
    public required string Source { get; init; }

    /// <summary>What it was taken for.</summary>
    public required DatasetFormat Format { get; init; }

    /// <summary>The files that it was read from: lists, and files that name classes.</summary>
    public IReadOnlyList<string> Files { get; init; } = [];

    /// <summary>How a list was understood, such as <c>comma-separated columns path, label</c>; empty where the format says
    /// it.</summary>
    public string Layout { get; init; } = "";

    /// <summary>Videos, or parts of videos.</summary>
    public required int Videos { get; init; }

    /// <summary>Classes.</summary>
    public required int Classes { get; init; }

    /// <summary>How many videos each split has; an empty name stands for none.</summary>
    public required IReadOnlyDictionary<string, int> Splits { get; init; }

    /// <summary>How many of the videos are parts of files, between a start and an end.</summary>
    public int Parts { get; init; }

    /// <summary>Columns of a list that were not used.</summary>
    public IReadOnlyList<string> IgnoredColumns { get; init; } = [];

    /// <summary>Files and folders that were passed over, because their names are not those of videos.</summary>
    public IReadOnlyList<string> SkippedFiles { get; init; } = [];

    /// <summary>Lines that are comments.</summary>
    public int Comments { get; init; }

    /// <summary>Lines that repeat a video.</summary>
    public int Repetitions { get; init; }

    /// <summary>Classes that no video belongs to.</summary>
    public IReadOnlyList<string> EmptyClasses { get; init; } = [];

    /// <summary>Listed videos that do not exist.</summary>
    public IReadOnlyList<string> MissingVideos { get; init; } = [];

    /// <summary>What was read, in one line.</summary>
    public string Summary
    {
        get
        {
            string splits = Splits.Count > 1 || !Splits.ContainsKey("")
                ? $" ({string.Join(", ", Splits.OrderBy(s => s.Key, StringComparer.Ordinal).Select(s => $"{s.Value} {(s.Key.Length > 0 ? s.Key : "without a split")}"))})"
                : "";
            string parts = Parts > 0 ? $", {Parts} of them parts of files" : "";
            string layout = Layout.Length > 0 ? $"; {Layout}" : "";
            return string.Create(CultureInfo.InvariantCulture, $"{Source}: {Count(Videos, "video")} of {Count(Classes, "class")}{splits}{parts}{layout}");
        }
    }

    /// <summary>What was not read or not used, a remark each; empty if all was.</summary>
    public IReadOnlyList<string> Omissions
    {
        get
        {
            var said = new List<string>();
            void Say(int count, string remark)
            {
                if (count > 0)
                {
                    said.Add(remark);
                }
            }

            Say(IgnoredColumns.Count, $"ignored {(IgnoredColumns.Count == 1 ? "column" : "columns")} {Some(IgnoredColumns)}");
            Say(SkippedFiles.Count, $"skipped {Count(SkippedFiles.Count, "file or folder", "files or folders")} that {(SkippedFiles.Count == 1 ? "is no video" : "are no videos")}: {Some(SkippedFiles.Select(f => Path.GetFileName(f)).ToArray())}");
            Say(Comments, $"skipped {Count(Comments, "comment")}");
            Say(Repetitions, $"{Count(Repetitions, "line repeats", "lines repeat")} a video");
            Say(EmptyClasses.Count, $"{Count(EmptyClasses.Count, "class")} without a video: {Some(EmptyClasses)}");
            Say(MissingVideos.Count, $"{Count(MissingVideos.Count, "video does", "videos do")} not exist: {Some(MissingVideos)}");
            return said;
        }
    }

    /// <summary>A number and what it counts.</summary>
    internal static string Count(int number, string one, string? many = null) =>
        string.Create(CultureInfo.InvariantCulture, $"{number} {(number == 1 ? one : many ?? (one.EndsWith('s') ? one + "es" : one + "s"))}");

    /// <summary>The first of some names, and how many there are more.</summary>
    internal static string Some(IReadOnlyCollection<string> names) =>
        string.Join(", ", names.Take(Shown)) + (names.Count > Shown ? $" and {names.Count - Shown} more" : "");
}

/// <summary>What a reader found, before it is a dataset.</summary>
internal sealed class DatasetContents
{
    internal List<VideoItem> Items { get; } = [];

    /// <summary>The classes in the order of their numbers, if a file names them.</summary>
    internal IReadOnlyList<string>? Names { get; init; }

    /// <summary>What a list without a name was found to be.</summary>
    internal DatasetFormat? Format { get; set; }

    internal List<string> Files { get; } = [];

    internal string Layout { get; set; } = "";

    internal IReadOnlyList<string> IgnoredColumns { get; set; } = [];

    internal List<string> SkippedFiles { get; } = [];

    internal int Comments { get; set; }

    internal int Repetitions { get; set; }

    /// <summary>Folders of classes that hold no video.</summary>
    internal List<string> EmptyClasses { get; } = [];
}
