namespace Ata.Training;

/// <summary>Replaces files so that a crash leaves the old content or the new, never a part.</summary>
internal static class WholeFile
{
    internal static void Write(string path, ReadOnlySpan<byte> content)
    {
        string temporary = path + ".part";
        using (var file = new FileStream(temporary, FileMode.Create, FileAccess.Write))
        {
            file.Write(content);
            file.Flush(flushToDisk: true);
        }

        File.Move(temporary, path, overwrite: true);
    }
}
