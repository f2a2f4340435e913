namespace Ata.Data;

/// <summary>Reads lists of a path and a label a line without a header, as Kinetics' users share them.</summary>
internal static class LineReader
{
    internal static VideoDataset Read(string file, string root, DatasetOptions options)
    {
        IReadOnlyList<string>? names = ClassNames.Read(options.LabelsFile);
        var items = new List<VideoItem>();
        var conflicts = new DatasetReader.Conflicts(file);
        string split = SplitOfName(file);
        foreach ((int line, string text) in DelimitedText.Lines(file))
        {
            (string path, string label) = Divide(file, line, text.Trim());
            var item = new VideoItem(DatasetReader.Resolve(file, line, root, path), ClassNames.Name(file, line, label, names), "", split);
            conflicts.Check(item, line);
            items.Add(item);
        }

        return new VideoDataset(items, names);
    }

    /// <summary>Divides at the last comma or tab, else at the last space: a path may contain them, a label in such
    /// a list is one word.</summary>
    private static (string Path, string Label) Divide(string file, int line, string text)
    {
        int at = text.LastIndexOf('\t');
        at = at >= 0 ? at : text.LastIndexOf(',');
        at = at >= 0 ? at : text.LastIndexOf(' ');
        if (at <= 0 || at == text.Length - 1)
        {
            throw new DatasetException(file, line, "a path and a label, separated by a space, a tab or a comma, are expected.");
        }

        return (text[..at].Trim().Trim('"'), text[(at + 1)..].Trim().Trim('"'));
    }

    /// <summary>"train", "val" or "test" if the file is called so (train.csv, kinetics_val.txt).</summary>
    private static string SplitOfName(string file)
    {
        string[] words = Path.GetFileNameWithoutExtension(file).Split('_', '-', '.', ' ');
        return words.Select(DatasetReader.SplitName).FirstOrDefault(w => w is "train" or "val" or "test", "");
    }
}
