namespace Ata.Data;

/// <summary>Reads the split files of HMDB51: <c>ACTION_test_split1.txt</c> with lines <c>VIDEO 0|1|2</c>, where 1 is
/// for training, 2 for testing and 0 for neither.</summary>
internal static class HmdbReader
{
    internal static DatasetContents Read(string folder, string root, DatasetOptions options)
    {
        string ending = $"_test_split{options.Fold}.txt";
        string[] lists = Directory.GetFiles(folder, "*" + ending).Order(StringComparer.Ordinal).ToArray();
        if (lists.Length == 0)
        {
            throw new DatasetException(folder, 0, $"there is no file ACTION{ending}.");
        }

        var contents = new DatasetContents { Names = ClassNames.Read(options.LabelsFile) };
        contents.Files.AddRange(lists);
        foreach (string list in lists)
        {
            var conflicts = new DatasetReader.Conflicts(list, contents);
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
                    var item = new VideoItem(path, ClassNames.Name(list, line, action, contents.Names), "", words[1] == "1" ? "train" : "test");
                    conflicts.Check(item, line);
                    contents.Items.Add(item);
                }
            }
        }

        return contents;
    }
}
