namespace Ata.Data;

/// <summary>Reads folders of videos named after their classes: <c>CLASS/VIDEO</c> or <c>SPLIT/CLASS/VIDEO</c>. A video is
/// a file, a picture (a video of one frame) or a folder of pictures (its frames).</summary>
internal static class FolderReader
{
    internal static DatasetContents Read(string folder, DatasetOptions options)
    {
        var contents = new DatasetContents { Names = ClassNames.Read(options.LabelsFile) };
        string[] below = Subfolders(folder);
        contents.SkippedFiles.AddRange(FilesOf(folder));
        bool bySplit = below.Length > 0 && below.All(f => DatasetReader.SplitName(Path.GetFileName(f)) is "train" or "val" or "test");
        if (bySplit)
        {
            foreach (string split in below)
            {
                contents.SkippedFiles.AddRange(FilesOf(split));
                AddClasses(split, DatasetReader.SplitName(Path.GetFileName(split)), contents);
            }
        }
        else
        {
            AddClasses(folder, "", contents);
        }

        contents.EmptyClasses.RemoveAll(c => contents.Items.Any(i => i.Label == c));
        return contents;
    }

    private static void AddClasses(string folder, string split, DatasetContents contents)
    {
        foreach (string of in Subfolders(folder))
        {
            string label = ClassNames.Name(of, 0, Path.GetFileName(of), contents.Names);
            var videos = new List<string>();
            foreach (string entry in FilesOf(of).Concat(Subfolders(of)))
            {
                bool isVideo = Directory.Exists(entry) ? FilesOf(entry).Any(VideoFiles.IsPicture) : VideoFiles.IsVideo(entry);
                (isVideo ? videos : contents.SkippedFiles).Add(entry);
            }

            contents.Items.AddRange(videos.Order(StringComparer.Ordinal).Select(v => new VideoItem(Path.GetFullPath(v), label, "", split)));
            if (videos.Count == 0)
            {
                contents.EmptyClasses.Add(label);
            }
        }
    }

    // What is hidden is not meant to be seen: .DS_Store, or ._clip.mp4, which is no video.
    private static IEnumerable<string> FilesOf(string folder) => Directory.EnumerateFiles(folder).Where(f => !Path.GetFileName(f).StartsWith('.'));

    private static string[] Subfolders(string folder) => Directory.GetDirectories(folder)
        .Where(f => !Path.GetFileName(f).StartsWith('.')).Order(StringComparer.Ordinal).ToArray();
}
