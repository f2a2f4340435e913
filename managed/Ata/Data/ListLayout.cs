using System.Globalization;

namespace Ata.Data;

/// <summary>How the lines of a list are divided into fields, and whether the first names the columns: decided once for the
/// whole file.</summary>
internal static class ListLayout
{
    /// <summary>Stands for a line that is a path and no more.</summary>
    internal const char None = '\0';

    // A path may hold a comma or a space, so that what is rarer in paths goes first.
    private static readonly char[] s_separators = ['\t', ',', ';'];

    internal static string NameOf(char separator) => separator switch
    {
        '\t' => "tab-separated",
        ',' => "comma-separated",
        ';' => "semicolon-separated",
        ' ' => "space-separated",
        _ => "one path a line",
    };

    /// <summary>Finds the separator: the first of tab, comma and semicolon that divides the first line and at least half of
    /// the others into equally many fields, else a space.</summary>
    internal static char FindSeparator(string file, string content)
    {
        string[] lines = DelimitedText.Lines(file, content).Select(l => l.Text).Where(l => !DelimitedText.IsComment(l)).ToArray();
        if (lines.Length == 0)
        {
            return ',';
        }

        foreach (char separator in s_separators)
        {
            int fields = CountFields(lines[0], separator);
            if (fields > 1 && 2 * lines.Count(l => CountFields(l, separator) == fields) >= lines.Length)
            {
                return separator;
            }
        }

        return lines.All(l => VideoFiles.IsVideo(l.Trim().Trim('"'))) ? None : ' ';
    }

    /// <summary>The fields of every line.</summary>
    internal static IEnumerable<DelimitedText.Record> Records(string file, string content, char separator) => separator switch
    {
        None => DelimitedText.Lines(file, content).Select(l => new DelimitedText.Record(l.Line, [Unquote(l.Text)], l.Text.StartsWith('"'))),
        ' ' => DelimitedText.Lines(file, content).Select(l => DelimitedText.IsComment(l.Text)
            ? new DelimitedText.Record(l.Line, [l.Text], false)
            : new DelimitedText.Record(l.Line, AtLastSpace(file, l.Line, l.Text.Trim()), l.Text.StartsWith('"'))),
        _ => DelimitedText.Records(file, content, separator),
    };

    /// <summary>Decides whether the first line is a header. A line with a number or the name of a video in it is none. One
    /// that names a column is. So is one that differs in kind from all lines after it: their labels are numbers, or their
    /// paths end as those of videos do.</summary>
    internal static bool IsHeader(IReadOnlyList<DelimitedText.Record> records, string root)
    {
        IReadOnlyList<string> first = records[0].Fields;
        if (first.Count < 2 || first.Any(f => VideoFiles.IsVideo(f) || IsNumber(f)))
        {
            return false;
        }

        if (first.Any(ListColumns.IsKnown))
        {
            return true;
        }

        DelimitedText.Record[] others = records.Skip(1).ToArray();
        bool differs = others.Length > 0
            && (others.All(o => o.Fields.Any(VideoFiles.IsVideo)) || Enumerable.Range(0, first.Count).Any(c => others.All(o => c < o.Fields.Count && IsNumber(o.Fields[c]))));
        return differs && !Path.Exists(Path.Combine(root, first[0]));
    }

    internal static bool IsNumber(string text) => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out _);

    private static int CountFields(string line, char separator)
    {
        int fields = 1;
        bool quoted = false;
        foreach (char c in line)
        {
            quoted ^= c == '"';
            fields += c == separator && !quoted ? 1 : 0;
        }

        return fields;
    }

    /// <summary>A path may contain spaces; the label after it, in such a list, is one word.</summary>
    private static string[] AtLastSpace(string file, int line, string text)
    {
        int at = text.LastIndexOfAny([' ', '\t']);
        return at > 0
            ? [Unquote(text[..at]), Unquote(text[(at + 1)..])]
            : throw new DatasetException(file, line, "a path and a label, separated by a comma, a tab, a semicolon or a space, are expected.");
    }

    private static string Unquote(string text)
    {
        string trimmed = text.Trim();
        return trimmed.Length > 1 && trimmed[0] == '"' && trimmed[^1] == '"' ? trimmed[1..^1].Replace("\"\"", "\"", StringComparison.Ordinal) : trimmed;
    }
}
