namespace Ata.Data;

/// <summary>Reads folders of videos named after their classes: <c>CLASS/VIDEO</c> or <c>SPLIT/CLASS/VIDEO</c>. A video is
/// a file, a picture (a video of one frame) or a folder of pictures (its frames).</summary>
internal static class FolderReader
{
    private static readonly HashSet<string> Videos = new(StringComparer.OrdinalIgnoreCase)
    {
        ".avi", ".mp4", ".m4v", ".mkv", ".webm", ".mov", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp", ".ts", ".ogv",
    };

    private static readonly HashSet<string> Pictures = new(StringComparer.OrdinalIgnoreCase) { ".jpg", ".jpeg", ".png" };

    internal static VideoDataset Read(string folder, DatasetOptions options)
    {
        IReadOnlyList<string>? names = ClassNames.Read(options.LabelsFile);
        string[] below = Subfolders(folder);
        bool bySplit = below.Length > 0 && below.All(f => DatasetReader.SplitName(Path.GetFileName(f)) is "train" or "val" or "test");
        var items = new List<VideoItem>();
        if (bySplit)
        {
            foreach (string split in below)
            {
                AddClasses(split, DatasetReader.SplitName(Path.GetFileName(split)), names, items);
            }
        }
        else
        {
            AddClasses(folder, "", names, items);
        }

        return new VideoDataset(items, names);
    }

    private static void AddClasses(string folder, string split, IReadOnlyList<string>? names, List<VideoItem> items)
    {
        foreach (string of in Subfolders(folder))
        {
            string label = ClassNames.Name(of, 0, Path.GetFileName(of), names);
            IEnumerable<string> files = Directory.EnumerateFiles(of).Where(f => Videos.Contains(Path.GetExtension(f)) || IsPicture(f));
            IEnumerable<string> framesOf = Subfolders(of).Where(f => Directory.EnumerateFiles(f).Any(IsPicture));
            items.AddRange(files.Concat(framesOf).Order(StringComparer.Ordinal).Select(v => new VideoItem(Path.GetFullPath(v), label, "", split)));
        }
    }

    private static bool IsPicture(string file) => Pictures.Contains(Path.GetExtension(file));

    private static string[] Subfolders(string folder) => Directory.GetDirectories(folder)
        .Where(f => !Path.GetFileName(f).StartsWith('.')).Order(StringComparer.Ordinal).ToArray();
}
