using System.Globalization;

namespace Ata.Data;

/// <summary>Reads lists of a video a line: with a header that names the columns (<c>path,label,group,split,start_time,
/// end_time</c> in any order, or Kinetics' own), or of a path and a label. Separator, header and columns are decided once
/// for a file.</summary>
internal static class ListReader
{
    internal static DatasetContents Read(string file, string root, DatasetOptions options)
    {
        string content = DelimitedText.ReadAll(file);
        char separator = ListLayout.FindSeparator(file, content);
        var contents = new DatasetContents { Names = ClassNames.Read(options.LabelsFile) };
        var records = new List<DelimitedText.Record>();
        foreach (DelimitedText.Record record in ListLayout.Records(file, content, separator))
        {
            if (!record.FirstIsQuoted && DelimitedText.IsComment(record.Fields[0]))
            {
                RefuseCommentThatNamesAVideo(file, record, root, separator);
                ++contents.Comments;
            }
            else
            {
                records.Add(record);
            }
        }

        if (records.Count == 0)
        {
            return contents;
        }

        bool header = options.Format switch
        {
            DatasetFormat.Table => true,
            DatasetFormat.Kinetics => false,
            _ => ListLayout.IsHeader(records, root),
        };
        ListColumns columns = header ? ListColumns.OfHeader(file, records[0]) : ListColumns.OfLine(file, records[0]);
        contents.Format = header ? DatasetFormat.Table : DatasetFormat.Kinetics;
        contents.Layout = header ? $"{ListLayout.NameOf(separator)} columns {string.Join(", ", columns.Used)}" : $"{ListLayout.NameOf(separator)}, no header";
        contents.IgnoredColumns = columns.Ignored;
        var rows = new Rows(file, root, columns, contents, options.Labels, HasFrameCounts(records, root, separator, header));
        foreach (DelimitedText.Record record in records.Skip(header ? 1 : 0))
        {
            rows.Add(record);
        }

        return contents;
    }

    /// <summary>Videos of HMDB51 have names that begin with <c>#</c>: such a line is no comment, and cannot be told from
    /// one.</summary>
    private static void RefuseCommentThatNamesAVideo(string file, DelimitedText.Record comment, string root, char separator)
    {
        string text = comment.Fields[0].Trim();
        int end = separator == ' ' ? text.LastIndexOf(separator) : text.IndexOf(separator, StringComparison.Ordinal);
        string path = end > 0 ? text[..end].Trim() : text;
        if (VideoFiles.IsVideo(path) && File.Exists(Path.Combine(root, path)))
        {
            throw new DatasetException(file, comment.Line, $"the line begins with # and would be a comment, but there is a video {path}; put the path into quotes, or ./ before it.");
        }
    }

    /// <summary>Whether the lines are <c>FOLDER FRAMES LABEL</c>, as lists of extracted frames are: the number of frames is
    /// not needed.</summary>
    private static bool HasFrameCounts(List<DelimitedText.Record> records, string root, char separator, bool header)
    {
        if (separator != ' ' || header || Path.Exists(Path.Combine(root, records[0].Fields[0])))
        {
            return false;
        }

        return records.All(r => WithoutCount(r.Fields[0]) is not null) && Path.Exists(Path.Combine(root, WithoutCount(records[0].Fields[0])!));
    }

    private static string? WithoutCount(string path)
    {
        int space = path.LastIndexOf(' ');
        return space > 0 && int.TryParse(path.AsSpan(space + 1), NumberStyles.None, CultureInfo.InvariantCulture, out _) ? path[..space].Trim() : null;
    }

    /// <summary>"train", "val" or "test" if the file is called so and not by two of them (train.csv, kinetics_val.txt).</summary>
    private static string SplitOfName(string file)
    {
        string[] splits = Path.GetFileNameWithoutExtension(file).Split('_', '-', '.', ' ')
            .Select(DatasetReader.SplitName).Where(w => w is "train" or "val" or "test").Distinct().ToArray();
        return splits.Length == 1 ? splits[0] : "";
    }

    private sealed class Rows
    {
        private readonly string _file;
        private readonly string _root;
        private readonly ListColumns _columns;
        private readonly DatasetContents _contents;
        private readonly DatasetReader.Conflicts _conflicts;
        private readonly KineticsClips _kinetics;
        private readonly string _split;
        private readonly IReadOnlyList<string>? _labels;
        private readonly HashSet<string>? _known;
        private readonly bool _frameCounts;

        internal Rows(string file, string root, ListColumns columns, DatasetContents contents, IReadOnlyList<string>? labels, bool frameCounts)
        {
            _file = file;
            _labels = labels;
            _known = labels?.ToHashSet(StringComparer.Ordinal);
            _root = root;
            _columns = columns;
            _contents = contents;
            _conflicts = new DatasetReader.Conflicts(file, contents);
            _kinetics = new KineticsClips(root);
            _split = SplitOfName(file);
            _frameCounts = frameCounts;
            if (frameCounts)
            {
                contents.IgnoredColumns = ["2 (numbers of frames)"];
            }
        }

        internal void Add(DelimitedText.Record record)
        {
            int line = record.Line;
            if (record.Fields.Count != _columns.Count)
            {
                throw new DatasetException(_file, line, $"the line has {record.Fields.Count} fields and the {(_columns.Used.Count > 0 ? "header" : "first line")} {_columns.Count}; quote fields that contain the separator.");
            }

            string split = _columns.Split >= 0 ? DatasetReader.SplitName(record.Fields[_columns.Split]) : _split;
            string group = _columns.Group >= 0 ? record.Fields[_columns.Group] : "";
            if (_columns.Youtube >= 0)
            {
                string of = ClassNames.Name(_file, line, record.Fields[_columns.Label], _contents.Names);
                string name = $"{record.Fields[_columns.Youtube]}_{(int)Time(record, _columns.Start)!.Value.TotalSeconds:D6}_{(int)Time(record, _columns.End)!.Value.TotalSeconds:D6}";
                Add(new VideoItem(_kinetics.Find(_file, line, name, record.Fields[_columns.Label], split), of, group, split), line);
                return;
            }

            string written = record.Fields[_columns.Path];
            string path = DatasetReader.Resolve(_file, line, _root, _frameCounts ? WithoutCount(written)! : written);
            string text = _columns.Label >= 0 ? record.Fields[_columns.Label] : Path.GetFileName(Path.GetDirectoryName(path)) ?? "";
            string label = ClassNames.Name(_file, line, text, _contents.Names);
            if (_columns.Used.Count == 0 && _columns.Label >= 0 && VideoFiles.IsVideo(text))
            {
                throw new DatasetException(_file, line, $"the label \"{text}\" is the name of a video; a path and a label are expected.");
            }

            TimeSpan? start = Time(record, _columns.Start);
            TimeSpan? end = Time(record, _columns.End);
            if (end is { } last && last <= (start ?? TimeSpan.Zero))
            {
                throw new DatasetException(_file, line, $"the part ends at {record.Fields[_columns.End]}, which is not after its start.");
            }

            Add(new VideoItem(path, label, group, split, start, end), line);
        }

        private void Add(VideoItem item, int line)
        {
            if (_contents.Names is null && _known?.Contains(item.Label) == false)
            {
                throw new DatasetException(_file, line, DatasetReader.UnknownLabel(item.Label, _labels!));
            }

            _conflicts.Check(item, line);
            _contents.Items.Add(item);
        }

        /// <summary>A time in seconds or as [hours:]minutes:seconds; null for an empty field or no column.</summary>
        private TimeSpan? Time(DelimitedText.Record record, int column)
        {
            const double Longest = 1e7;
            string text = column >= 0 ? record.Fields[column] : "";
            if (text.Length == 0 && _columns.Youtube < 0)
            {
                return null;
            }

            double seconds = 0;
            string[] parts = text.Split(':');
            for (int i = 0; i < parts.Length; ++i)
            {
                bool valid = double.TryParse(parts[i], NumberStyles.Float, CultureInfo.InvariantCulture, out double value)
                    && value >= 0 && value < Longest && (i == 0 || value < 60) && (i == parts.Length - 1 || value == Math.Floor(value));
                seconds = valid && parts.Length <= 3
                    ? (60 * seconds) + value
                    : throw new DatasetException(_file, record.Line, $"\"{text}\" is not a time; give seconds, or hours:minutes:seconds.");
            }

            return TimeSpan.FromSeconds(seconds);
        }
    }
}
