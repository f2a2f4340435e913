using System.Globalization;
using System.Text.Json;

namespace Ata.Data;

/// <summary>Reads the files that name classes.</summary>
internal static class ClassNames
{
    /// <summary>The names in a labels file, or null if no file is given.</summary>
    internal static IReadOnlyList<string>? Read(string? file) =>
        file is null ? null : file.EndsWith(".json", StringComparison.OrdinalIgnoreCase) ? ReadJson(file) : ReadLines(file);

    /// <summary>The name of a label that a list gives as a name or as a number.</summary>
    internal static string Name(string file, int line, string label, IReadOnlyList<string>? names)
    {
        if (label.Length == 0)
        {
            throw new DatasetException(file, line, "the label is empty.");
        }

        if (names is null || names.Contains(label))
        {
            return label;
        }

        return int.TryParse(label, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number < names.Count
            ? names[number]
            : throw new DatasetException(file, line, $"the label \"{label}\" is neither one of the {names.Count} classes nor a number below {names.Count}.");
    }

    /// <summary>One name a line; a number before each name, as in UCF101's <c>classInd.txt</c>, must count up.</summary>
    private static IReadOnlyList<string> ReadLines(string file)
    {
        (int Line, string Text)[] lines = DelimitedText.Lines(file).Where(l => !DelimitedText.IsComment(l.Text)).Select(l => (l.Line, l.Text.Trim())).ToArray();
        if (lines.Length == 0)
        {
            throw new DatasetException(file, 0, "the file names no classes.");
        }

        int written = 0;
        foreach ((int line, string _) in DelimitedText.Lines(file))
        {
            if (line != ++written)
            {
                throw new DatasetException(file, written, "the line is empty; every line names a class.");
            }
        }

        if (lines.GroupBy(l => l.Text, StringComparer.Ordinal).FirstOrDefault(g => g.Count() > 1) is { } twice)
        {
            throw new DatasetException(file, twice.ElementAt(1).Line, $"the class \"{twice.Key}\" is named in line {twice.First().Line} already.");
        }

        if (!lines.All(l => NumberAndName(l.Text) is not null))
        {
            return lines.Select(l => l.Text).ToArray();
        }

        int first = NumberAndName(lines[0].Text)!.Value.Number;
        for (int i = 0; i < lines.Length; ++i)
        {
            int number = NumberAndName(lines[i].Text)!.Value.Number;
            if (first > 1 || number != first + i)
            {
                throw new DatasetException(file, lines[i].Line, $"the class number {number} stands where {Math.Min(first, 1) + i} is expected.");
            }
        }

        return lines.Select(l => NumberAndName(l.Text)!.Value.Name).ToArray();
    }

    private static (int Number, string Name)? NumberAndName(string text)
    {
        int space = text.IndexOf(' ', StringComparison.Ordinal);
        return space > 0 && int.TryParse(text.AsSpan(0, space), NumberStyles.None, CultureInfo.InvariantCulture, out int number)
            ? (number, text[(space + 1)..].Trim())
            : null;
    }

    /// <summary>A JSON object of names and their numbers (Something-Something), or a JSON list of names.</summary>
    private static IReadOnlyList<string> ReadJson(string file)
    {
        using JsonDocument document = ParseJson(file);
        if (document.RootElement.ValueKind == JsonValueKind.Array)
        {
            return document.RootElement.EnumerateArray()
                .Select((e, i) => e.ValueKind == JsonValueKind.String ? e.GetString()! : throw new DatasetException(file, 0, $"element {i} is not a string."))
                .ToArray();
        }

        if (document.RootElement.ValueKind != JsonValueKind.Object)
        {
            throw new DatasetException(file, 0, "a JSON object of class names and numbers is expected.");
        }

        JsonProperty[] classes = document.RootElement.EnumerateObject().ToArray();
        var names = new string?[classes.Length];
        foreach (JsonProperty property in classes)
        {
            string text = property.Value.ValueKind == JsonValueKind.String ? property.Value.GetString()! : property.Value.GetRawText();
            if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) || number >= names.Length || names[number] is not null)
            {
                throw new DatasetException(file, 0, $"the number {text} of \"{property.Name}\" is not one of 0 to {names.Length - 1}, each used once.");
            }

            names[number] = property.Name;
        }

        return names!;
    }

    internal static JsonDocument ParseJson(string file)
    {
        try
        {
            return JsonDocument.Parse(DelimitedText.ReadAll(file));
        }
        catch (JsonException error)
        {
            throw new DatasetException(file, (int)(error.LineNumber ?? 0) + 1, $"this is not JSON: {error.Message}");
        }
    }
}
