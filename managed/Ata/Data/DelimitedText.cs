using System.Globalization;
using System.Text;
using Ata.Interop;

namespace Ata.Data;

/// <summary>Reads lines of text and records of CSV (RFC 4180: quotes, doubled quotes, line breaks in quotes) from
/// files that may be malformed; errors name file and line.</summary>
internal static class DelimitedText
{
    /// <summary>Longest record that is believed, in characters: no path and label come near it.</summary>
    private const int LongestRecord = 64 * 1024;

    /// <summary>The fields of one record, the line that it begins on, and whether the first field is quoted.</summary>
    internal readonly record struct Record(int Line, IReadOnlyList<string> Fields, bool FirstIsQuoted);

    /// <summary>Opens a file as strict UTF-8.</summary>
    internal static string ReadAll(string file)
    {
        try
        {
            return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(WithoutMark(NativeFile.Read(file)));
        }
        catch (DecoderFallbackException)
        {
            throw new DatasetException(file, 0, "the file is not UTF-8 text; convert it (for example with iconv).");
        }
        catch (FileNotFoundException)
        {
            throw new DatasetException(file, 0, "the file does not exist.");
        }
        catch (IOException error)
        {
            throw new DatasetException(file, 0, $"the file cannot be read: {error.Message}");
        }
    }

    /// <summary>The lines that are not blank, with their numbers.</summary>
    internal static IEnumerable<(int Line, string Text)> Lines(string file) => Lines(file, ReadAll(file));

    /// <summary>The lines of a text that are not blank, with their numbers.</summary>
    internal static IEnumerable<(int Line, string Text)> Lines(string file, string content)
    {
        var reader = new StringReader(content);
        int line = 0;
        while (reader.ReadLine() is { } text)
        {
            ++line;
            if (text.Contains('\0'))
            {
                throw new DatasetException(file, line, "the line contains a zero byte; this is not a text file.");
            }

            if (text.Length > LongestRecord)
            {
                throw new DatasetException(file, line, $"the line has {text.Length} characters; at most {LongestRecord} are allowed.");
            }

            if (!string.IsNullOrWhiteSpace(text))
            {
                yield return (line, text);
            }
        }
    }

    /// <summary>The records of a delimited text that are not blank. A comment is a record of its line as the only field.</summary>
    internal static IEnumerable<Record> Records(string file, string text, char separator)
    {
        int at = 0;
        int line = 1;
        while (at < text.Length)
        {
            int first = line;
            if (IsComment(text.AsSpan(at)))
            {
                int end = text.AsSpan(at).IndexOfAny('\r', '\n');
                end = end < 0 ? text.Length : at + end;
                string comment = text[at..end];
                at = end;
                SkipLineBreak(text, ref at, ref line);
                yield return new Record(first, [comment], false);
                continue;
            }

            bool quoted = text[at] == '"';
            List<string> fields = ReadRecord(file, text, separator, ref at, ref line);
            if (fields.Count > 1 || !string.IsNullOrWhiteSpace(fields[0]))
            {
                yield return new Record(first, fields, quoted);
            }
        }
    }

    /// <summary>Whether a line is a comment: it begins with <c>#</c>.</summary>
    internal static bool IsComment(ReadOnlySpan<char> line) => line.TrimStart(" \t").StartsWith('#');

    /// <summary>Writes a field so that <see cref="Records"/> reads it back.</summary>
    internal static string Quote(string field) =>
        field.AsSpan().IndexOfAny(",\"\r\n") < 0 && !IsComment(field) ? field : "\"" + field.Replace("\"", "\"\"", StringComparison.Ordinal) + "\"";

    /// <summary>Writes a time as lists have it: seconds, or nothing.</summary>
    internal static string Seconds(TimeSpan? time) => time?.TotalSeconds.ToString("0.#######", CultureInfo.InvariantCulture) ?? "";

    private static ReadOnlySpan<byte> WithoutMark(ReadOnlySpan<byte> bytes) =>
        bytes.StartsWith("\uFEFF"u8) ? bytes[3..] : bytes;

    private static List<string> ReadRecord(string file, string text, char separator, ref int at, ref int line)
    {
        int first = line;
        int start = at;
        var fields = new List<string>();
        var field = new StringBuilder();
        while (true)
        {
            bool quoted = at < text.Length && text[at] == '"';
            if (quoted)
            {
                ReadQuoted(file, text, ref at, ref line, first, field);
            }

            while (at < text.Length && text[at] != separator && text[at] is not ('\n' or '\r'))
            {
                if (quoted && !char.IsWhiteSpace(text[at]))
                {
                    throw new DatasetException(file, line, "text follows a closing quote; double a quote that belongs to the field.");
                }

                if (text[at] == '\0')
                {
                    throw new DatasetException(file, line, "the line contains a zero byte; this is not a text file.");
                }

                field.Append(text[at++]);
            }

            if (at - start > LongestRecord)
            {
                throw new DatasetException(file, first, $"the record is longer than {LongestRecord} characters.");
            }

            fields.Add(field.ToString().Trim());
            field.Clear();
            if (at < text.Length && text[at] == separator)
            {
                ++at;
                continue;
            }

            SkipLineBreak(text, ref at, ref line);
            return fields;
        }
    }

    private static void SkipLineBreak(string text, ref int at, ref int line)
    {
        if (at < text.Length && text[at] == '\r')
        {
            ++at;
        }

        if (at < text.Length && text[at] == '\n')
        {
            ++at;
        }

        ++line;
    }

    private static void ReadQuoted(string file, string text, ref int at, ref int line, int first, StringBuilder field)
    {
        for (++at; at < text.Length; ++at)
        {
            if (text[at] == '"')
            {
                if (at + 1 >= text.Length || text[at + 1] != '"')
                {
                    ++at;
                    return;
                }

                ++at;
            }
            else if (text[at] == '\n')
            {
                ++line;
            }

            field.Append(text[at]);
        }

        throw new DatasetException(file, first, "a quote is opened and never closed.");
    }
}
