using System.Globalization;
using System.Text.Json;

namespace Ata.Data;

/// <summary>Reads the lists of Something-Something V2.</summary>
internal static class SomethingReader
{
    private static readonly string[] Containers = [".webm", ".mp4", ".mkv", ".avi", ""];

    internal static DatasetContents Read(string file, string root, DatasetOptions options)
    {
        string labels = options.LabelsFile ?? FindLabels(file);
        IReadOnlyList<string> names = ClassNames.Read(labels)!;
        var known = new HashSet<string>(names, StringComparer.Ordinal);
        string name = Path.GetFileNameWithoutExtension(file).ToLowerInvariant();
        string split = name.Contains("train", StringComparison.Ordinal) ? "train" : name.Contains("val", StringComparison.Ordinal) ? "val" : "";
        var contents = new DatasetContents { Names = names };
        contents.Files.Add(labels);
        var conflicts = new DatasetReader.Conflicts(file, contents);
        foreach ((int line, string id, string template) in Entries(file))
        {
            string label = template.Replace("[", "", StringComparison.Ordinal).Replace("]", "", StringComparison.Ordinal);
            if (!known.Contains(label))
            {
                throw new DatasetException(file, line, $"the template \"{label}\" of video {id} is not one of the {names.Count} classes.");
            }

            var item = new VideoItem(FindVideo(file, line, root, id), label, "", split);
            conflicts.Check(item, line);
            contents.Items.Add(item);
        }

        return contents;
    }

    /// <summary>The labels file that lies beside the list.</summary>
    private static string FindLabels(string file)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(file))!;
        return Directory.EnumerateFiles(folder, "*labels.json").Order(StringComparer.Ordinal).FirstOrDefault()
            ?? throw new DatasetException(file, 0, "no file *labels.json lies beside it; name the file that numbers the templates.");
    }

    private static string FindVideo(string file, int line, string root, string id)
    {
        foreach (char c in id)
        {
            if (!char.IsLetterOrDigit(c) && c is not ('-' or '_'))
            {
                throw new DatasetException(file, line, $"the id \"{id}\" is not a video's name.");
            }
        }

        string path = DatasetReader.Resolve(file, line, root, id);
        string found = Containers.Select(c => path + c).FirstOrDefault(File.Exists) ?? (Directory.Exists(path) ? path : path + Containers[0]);
        return found;
    }

    private static List<(int Line, string Id, string Template)> Entries(string file)
    {
        byte[] bytes = System.Text.Encoding.UTF8.GetBytes(DelimitedText.ReadAll(file));
        var entries = new List<(int, string, string)>();
        var reader = new Utf8JsonReader(bytes);
        var lines = new LineCounter(bytes);
        try
        {
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartArray)
            {
                throw new DatasetException(file, 1, "a JSON array of videos is expected.");
            }

            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            {
                int line = lines.LineOf((int)reader.TokenStartIndex);
                entries.Add(ReadEntry(ref reader, file, line));
            }

            return entries;
        }
        catch (JsonException error)
        {
            throw new DatasetException(file, (int)(error.LineNumber ?? 0) + 1, $"this is not JSON: {error.Message}");
        }
    }

    private static (int Line, string Id, string Template) ReadEntry(ref Utf8JsonReader reader, string file, int line)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw new DatasetException(file, line, "a JSON object with \"id\" and \"template\" is expected.");
        }

        string? id = null;
        string? template = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string? property = reader.GetString();
            reader.Read();
            string? value = reader.TokenType switch
            {
                JsonTokenType.String => reader.GetString(),
                JsonTokenType.Number when reader.TryGetInt64(out long number) => number.ToString(CultureInfo.InvariantCulture),
                _ => null,
            };
            reader.Skip();
            id = property == "id" ? value : id;
            template = property == "template" ? value : template;
        }

        return string.IsNullOrEmpty(id) || string.IsNullOrEmpty(template)
            ? throw new DatasetException(file, line, "the video has no \"id\" or no \"template\" (the test list has no labels and cannot be trained or evaluated on).")
            : (line, id, template);
    }

    /// <summary>Turns ascending byte offsets into line numbers.</summary>
    private sealed class LineCounter(byte[] bytes)
    {
        private int _at;
        private int _line = 1;

        internal int LineOf(int offset)
        {
            for (; _at < offset; ++_at)
            {
                _line += bytes[_at] == '\n' ? 1 : 0;
            }

            return _line;
        }
    }
}
