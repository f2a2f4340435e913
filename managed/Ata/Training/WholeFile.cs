using System.Text;

namespace Ata.Training;

/// <summary>A file that is never half-written: it takes its place, whole, when it is committed.</summary>
internal sealed class WholeFile : IDisposable
{
    private readonly string _path;
    private readonly string _temporary;
    private readonly FileStream _stream;
    private bool _committed;

    /// <summary>Begins to write a file, so that one that cannot be written is known before the work that fills it.</summary>
    /// <exception cref="IOException">The file cannot be written.</exception>
    internal WholeFile(string path)
    {
        _path = path;
        _temporary = path + ".part";
        if (Directory.Exists(path))
        {
            throw new IOException($"cannot write '{path}': it is a folder");
        }

        try
        {
            _stream = new FileStream(_temporary, FileMode.Create, FileAccess.Write);
        }
        catch (DirectoryNotFoundException error)
        {
            throw new IOException($"cannot write '{path}': its folder does not exist", error);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"cannot write '{path}': {error.Message}", error);
        }
    }

    /// <summary>Writes a whole file; an existing one is replaced.</summary>
    internal static void Write(string path, ReadOnlySpan<byte> content)
    {
        using var file = new WholeFile(path);
        file.Commit(content);
    }

    /// <summary>Writes a whole file of text in UTF-8; an existing one is replaced.</summary>
    internal static void Write(string path, string text) => Write(path, Encoding.UTF8.GetBytes(text));

    /// <summary>Writes the content and puts the file in its place.</summary>
    internal void Commit(ReadOnlySpan<byte> content)
    {
        _stream.Write(content);
        _stream.Flush(flushToDisk: true);
        _stream.Dispose();
        File.Move(_temporary, _path, overwrite: true);
        _committed = true;
    }

    /// <summary>Forgets what was not committed.</summary>
    public void Dispose()
    {
        _stream.Dispose();
        if (!_committed)
        {
            File.Delete(_temporary);
        }
    }
}
