namespace Ata.Data;

/// <summary>Finds the clips of Kinetics under the names that the usual tools give them: <c>ID_000010_000020.mp4</c> in one
/// folder, in a folder for each class, or in one for each split.</summary>
internal sealed class KineticsClips(string root)
{
    private static readonly string[] s_extensions = [".mp4", ".mkv", ".webm", ".avi"];

    // Where the last clip was: nearly always, the next one is there too.
    private (int Folder, int Extension) _last;

    internal string Find(string file, int line, string name, string label, string split)
    {
        string under = label.Replace(' ', '_');
        string[] folders = [label, "", under, Path.Combine(split, label), split, Path.Combine(split, under)];
        string At((int Folder, int Extension) place) =>
            DatasetReader.Resolve(file, line, root, Path.Combine(folders[place.Folder], name + s_extensions[place.Extension]));
        if (!File.Exists(At(_last)))
        {
            for (int i = 0; i < folders.Length * s_extensions.Length; ++i)
            {
                (int Folder, int Extension) place = Math.DivRem(i, s_extensions.Length);
                if (File.Exists(At(place)))
                {
                    _last = place;
                    break;
                }
            }
        }

        return At(_last);
    }
}
