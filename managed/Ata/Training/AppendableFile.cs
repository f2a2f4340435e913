namespace Ata.Training;

/// <summary>Opens logs that a resumed run continues from where its checkpoint left them.</summary>
internal static class AppendableFile
{
    /// <summary>Opens a file at a position and cuts off what follows it.</summary>
    internal static FileStream Open(string path, long length)
    {
        var file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
        try
        {
            if (file.Length < length)
            {
                throw new IOException($"{path} has {file.Length} bytes, but {length} had been written when the checkpoint was saved; restore the file or begin a new run.");
            }

            file.SetLength(length);
            file.Seek(length, SeekOrigin.Begin);
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Gives a damaged file another name, so that nothing of it is lost.</summary>
    /// <returns>The new name.</returns>
    internal static string SetAside(string path)
    {
        string aside = path + ".damaged";
        for (int i = 2; Path.Exists(aside); ++i)
        {
            aside = $"{path}.damaged-{i}";
        }

        File.Move(path, aside);
        return aside;
    }
}
