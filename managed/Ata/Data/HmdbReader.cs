namespace Ata.Data;

/// <summary>Reads the split files of HMDB51: <c>ACTION_test_split1.txt</c> with lines <c>VIDEO 0|1|2</c>, where 1 is
/// for training, 2 for testing and 0 for neither.</summary>
internal static class HmdbReader
{
    internal static VideoDataset Read(string folder, string root, DatasetOptions options)
    {
        string ending = $"_test_split{options.Fold}.txt";
        string[] lists = Directory.GetFiles(folder, "*" + ending).Order(StringComparer.Ordinal).ToArray();
        if (lists.Length == 0)
        {
            throw new DatasetException(folder, 0, $"there is no file ACTION{ending}.");
        }

        IReadOnlyList<string>? names = ClassNames.Read(options.LabelsFile);
        var items = new List<VideoItem>();
        foreach (string list in lists)
        {
            string action = Path.GetFileName(list)[..^ending.Length];
            foreach ((int line, string text) in DelimitedText.Lines(list))
            {
                string[] words = text.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
                if (words.Length != 2 || words[1] is not ("0" or "1" or "2"))
                {
                    throw new DatasetException(list, line, "a video and 0, 1 or 2 are expected.");
                }

                if (words[1] != "0")
                {
                    string path = DatasetReader.Resolve(list, line, root, Path.Combine(action, words[0]));
                    items.Add(new VideoItem(path, ClassNames.Name(list, line, action, names), "", words[1] == "1" ? "train" : "test"));
                }
            }
        }

        return new VideoDataset(items, names);
    }
}
