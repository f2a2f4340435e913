namespace Ata.Data;

/// <summary>Which column of a list means what. Names are compared without regard to case, spaces and hyphens.</summary>
internal sealed class ListColumns
{
    // What comes first is taken where a list has several.
    private static readonly string[] s_path =
        ["path", "video_path", "file_path", "filepath", "relative_path", "clip_path", "file_name", "filename", "file", "video", "video_file", "video_name", "clip", "clip_name"];

    private static readonly string[] s_label =
        ["label", "class", "action", "category", "label_name", "class_name", "activity", "target", "labels", "label_id", "class_id"];

    private static readonly string[] s_group = ["group", "subject", "person", "actor", "performer"];
    private static readonly string[] s_split = ["split", "set", "subset", "partition"];
    private static readonly string[] s_youtube = ["youtube_id"];
    private static readonly string[] s_start = ["start_time", "time_start", "start", "start_seconds", "start_sec", "start_timestamp", "begin"];
    private static readonly string[] s_end = ["end_time", "time_end", "end", "end_seconds", "end_sec", "end_timestamp", "stop_timestamp", "stop"];
    private static readonly string[] s_frames = ["start_frame", "frame_start", "end_frame", "frame_end", "stop_frame"];

    private ListColumns(int count) => Count = count;

    internal int Count { get; }

    /// <summary>The column of the path; -1 if it follows from <see cref="Youtube"/>.</summary>
    internal int Path { get; private init; } = -1;

    /// <summary>The column of the label; -1 if it is the folder's name.</summary>
    internal int Label { get; private init; } = -1;

    internal int Group { get; private init; } = -1;

    internal int Split { get; private init; } = -1;

    internal int Youtube { get; private init; } = -1;

    /// <summary>The columns of the part's beginning and end in the video, or in the name of a Kinetics clip.</summary>
    internal int Start { get; private init; } = -1;

    internal int End { get; private init; } = -1;

    internal IReadOnlyList<string> Used { get; private init; } = [];

    internal IReadOnlyList<string> Ignored { get; private init; } = [];

    internal static bool IsKnown(string name) =>
        new[] { s_path, s_label, s_group, s_split, s_youtube, s_start, s_end }.Any(names => names.Contains(Normalize(name)));

    /// <summary>The columns that a header names.</summary>
    internal static ListColumns OfHeader(string file, DelimitedText.Record header)
    {
        string[] names = header.Fields.Select(Normalize).ToArray();
        if (names.Where(n => n.Length > 0).GroupBy(n => n, StringComparer.Ordinal).FirstOrDefault(g => g.Count() > 1) is { } twice)
        {
            throw new DatasetException(file, header.Line, $"the header names the column \"{twice.Key}\" twice.");
        }

        int Find(string[] known) => known.Select(k => Array.IndexOf(names, k)).FirstOrDefault(i => i >= 0, -1);
        int path = Find(s_path);
        int label = Find(s_label);
        int youtube = Find(s_youtube);
        int start = Find(s_start);
        int end = Find(s_end);
        string shown = string.Join(", ", header.Fields);
        if (label < 0)
        {
            throw new DatasetException(file, header.Line, $"the header ({shown}) names no column \"label\"; rename the column of the class to it.");
        }

        if (path < 0 && (youtube < 0 || start < 0 || end < 0))
        {
            throw new DatasetException(file, header.Line, $"the header ({shown}) names neither a column \"path\" nor \"youtube_id\", \"time_start\" and \"time_end\"; rename the column of the file to path.");
        }

        if (start < 0 && end < 0 && names.FirstOrDefault(s_frames.Contains) is { } frames)
        {
            throw new DatasetException(file, header.Line, $"the column \"{frames}\" says by frames which part of a video is meant; give the part in seconds, as start_time and end_time.");
        }

        if (path >= 0 && youtube >= 0)
        {
            // They are those of the recording on YouTube, which the file is already cut from.
            youtube = start = end = -1;
        }

        int group = Find(s_group);
        int split = Find(s_split);
        int[] used = new[] { path, label, group, split, youtube, start, end }.Where(i => i >= 0).Order().ToArray();
        return new ListColumns(names.Length)
        {
            Path = path,
            Label = label,
            Group = group,
            Split = split,
            Youtube = youtube,
            Start = start,
            End = end,
            Used = used.Select(i => header.Fields[i]).ToArray(),
            Ignored = Enumerable.Range(0, names.Length).Except(used).Select(i => header.Fields[i].Length > 0 ? header.Fields[i] : $"without a name ({i + 1})").ToArray(),
        };
    }

    /// <summary>The columns of a list without a header: a path, and a label unless the folder is it.</summary>
    internal static ListColumns OfLine(string file, DelimitedText.Record line) => line.Fields.Count <= 2
        ? new ListColumns(line.Fields.Count) { Path = 0, Label = line.Fields.Count == 2 ? 1 : -1 }
        : throw new DatasetException(file, line.Line, $"the line has {line.Fields.Count} fields and no header says what they are; begin the list with a line such as path,label, and quote fields that contain the separator.");

    private static string Normalize(string name) => name.Trim().ToLowerInvariant().Replace(' ', '_').Replace('-', '_');
}
