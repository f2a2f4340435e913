using System.Globalization;

namespace Ata.Data;

/// <summary>Reads the split files of UCF101 (<c>trainlist01.txt</c>, <c>testlist01.txt</c>, <c>classInd.txt</c>).</summary>
internal static class UcfReader
{
    internal static bool IsList(string file) => DatasetReader.UcfListName().IsMatch(Path.GetFileName(file));

    internal static DatasetContents Read(string path, string root, DatasetOptions options)
    {
        string[] lists = Directory.Exists(path)
            ? Directory.GetFiles(path, $"*list{options.Fold:D2}.txt").Where(IsList).Order(StringComparer.Ordinal).ToArray()
            : [path];
        if (lists.Length == 0)
        {
            throw new DatasetException(path, 0, $"there is no trainlist{options.Fold:D2}.txt and no testlist{options.Fold:D2}.txt.");
        }

        string classes = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(lists[0]))!, "classInd.txt");
        var contents = new DatasetContents { Names = ClassNames.Read(options.LabelsFile ?? (File.Exists(classes) ? classes : null)) };
        contents.Files.AddRange(lists);
        contents.Files.AddRange(new[] { classes }.Where(File.Exists));
        foreach (string list in lists)
        {
            ReadList(list, root, contents);
        }

        return contents;
    }

    private static void ReadList(string list, string root, DatasetContents contents)
    {
        IReadOnlyList<string>? names = contents.Names;
        string split = DatasetReader.SplitName(DatasetReader.UcfListName().Match(Path.GetFileName(list)).Groups[1].Value);
        var conflicts = new DatasetReader.Conflicts(list, contents);
        foreach ((int line, string text) in DelimitedText.Lines(list))
        {
            // The number that training lists add is 1 + the class's place.
            string video = text.Trim();
            int space = video.LastIndexOf(' ');
            int? number = null;
            if (space > 0 && int.TryParse(video.AsSpan(space + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int given))
            {
                number = given;
                video = video[..space].Trim();
            }

            int slash = video.IndexOf('/', StringComparison.Ordinal);
            if (slash <= 0 || slash == video.Length - 1)
            {
                throw new DatasetException(list, line, "CLASS/VIDEO is expected.");
            }

            string label = video[..slash];
            if (names is not null && !names.Contains(label))
            {
                throw new DatasetException(list, line, $"the class \"{label}\" is not one of the {names.Count} classes.");
            }

            if (names is not null && number is { } place && names.ElementAtOrDefault(place - 1) != label)
            {
                throw new DatasetException(list, line, $"the class {place} is \"{names.ElementAtOrDefault(place - 1) ?? "none"}\", but the folder is called \"{label}\".");
            }

            string group = DatasetReader.UcfGroup().Match(Path.GetFileNameWithoutExtension(video)).Groups[1].Value;
            var item = new VideoItem(DatasetReader.Resolve(list, line, root, video), label, group.Length > 0 ? $"{label}/g{group}" : "", split);
            conflicts.Check(item, line);
            contents.Items.Add(item);
        }
    }
}
