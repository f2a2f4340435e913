using System.Globalization;

namespace Ata.Data;

/// <summary>Reads a CSV with a header: <c>path,label,group,split</c> in any order, or Kinetics' own.</summary>
internal static class TableReader
{
    private static readonly string[] PathColumns = ["path", "video", "video_path", "file", "filename"];
    private static readonly string[] LabelColumns = ["label", "class", "action"];

    internal static bool IsHeader(string firstLine)
    {
        string[] names = firstLine.Split(',').Select(n => n.Trim().Trim('"').ToLowerInvariant()).ToArray();
        return names.Any(LabelColumns.Contains) && (names.Any(PathColumns.Contains) || names.Contains("youtube_id"));
    }

    internal static VideoDataset Read(string file, string root, DatasetOptions options)
    {
        IReadOnlyList<string>? names = ClassNames.Read(options.LabelsFile);
        var items = new List<VideoItem>();
        var conflicts = new DatasetReader.Conflicts(file);
        Columns? columns = null;
        foreach (DelimitedText.Record record in DelimitedText.Records(file))
        {
            if (columns is null)
            {
                columns = new Columns(file, record);
                continue;
            }

            VideoItem item = columns.Item(file, record, root, names);
            conflicts.Check(item, record.Line);
            items.Add(item);
        }

        return new VideoDataset(items, names);
    }

    private sealed class Columns
    {
        private readonly int _count;
        private readonly int _path;
        private readonly int _label;
        private readonly int _group;
        private readonly int _split;
        private readonly int _youtube;
        private readonly int _start;
        private readonly int _end;

        internal Columns(string file, DelimitedText.Record header)
        {
            string[] names = header.Fields.Select(f => f.ToLowerInvariant()).ToArray();
            int Find(params string[] known) => Array.FindIndex(names, known.Contains);
            _count = names.Length;
            _path = Find(PathColumns);
            _label = Find(LabelColumns);
            _group = Find("group", "subject", "person");
            _split = Find("split", "set", "subset");
            _youtube = Find("youtube_id");
            _start = Find("time_start");
            _end = Find("time_end");
            if (_label < 0)
            {
                throw new DatasetException(file, header.Line, "the header names no column \"label\".");
            }

            if (_path < 0 && (_youtube < 0 || _start < 0 || _end < 0))
            {
                throw new DatasetException(file, header.Line, "the header names neither a column \"path\" nor \"youtube_id\", \"time_start\" and \"time_end\".");
            }
        }

        internal VideoItem Item(string file, DelimitedText.Record record, string root, IReadOnlyList<string>? names)
        {
            if (record.Fields.Count != _count)
            {
                throw new DatasetException(file, record.Line, $"the line has {record.Fields.Count} fields and the header {_count}; quote fields that contain commas.");
            }

            string label = ClassNames.Name(file, record.Line, record.Fields[_label], names);
            string path = _path >= 0
                ? DatasetReader.Resolve(file, record.Line, root, record.Fields[_path])
                : KineticsPath(file, record, root, label);
            return new VideoItem(path, label, _group >= 0 ? record.Fields[_group] : "", _split >= 0 ? DatasetReader.SplitName(record.Fields[_split]) : "");
        }

        /// <summary>The name under which the usual tools store a Kinetics clip: below the folder of its class, or
        /// all in one folder.</summary>
        private string KineticsPath(string file, DelimitedText.Record record, string root, string label)
        {
            string clip = $"{record.Fields[_youtube]}_{Second(file, record, _start):D6}_{Second(file, record, _end):D6}.mp4";
            string flat = DatasetReader.Resolve(file, record.Line, root, clip);
            string inClass = DatasetReader.Resolve(file, record.Line, root, Path.Combine(label, clip));
            return File.Exists(flat) && !File.Exists(inClass) ? flat : inClass;
        }

        private static int Second(string file, DelimitedText.Record record, int column) =>
            double.TryParse(record.Fields[column], NumberStyles.Float, CultureInfo.InvariantCulture, out double second) && second is >= 0 and < 1e6
                ? (int)second
                : throw new DatasetException(file, record.Line, $"\"{record.Fields[column]}\" is not a time in seconds.");
    }
}
