using System.Globalization;
using System.Text;
using Ata.Interop;

namespace Ata.Training;

/// <summary>Another run writes into the folder.</summary>
/// <param name="message">Which folder, which process, and what to do.</param>
public sealed class RunInUseException(string message) : IOException(message);

/// <summary>The right to write into the folder of a run, which one holder at a time has. The system takes it back when
/// the process dies, however it dies; a file <c>run.lock</c> that stays then means nothing.</summary>
public sealed class RunLock : IDisposable
{
    // EWOULDBLOCK of Linux and of macOS, ERROR_SHARING_VIOLATION of Windows.
    private static readonly int[] s_held = [11, 35, unchecked((int)0x80070020)];

    private readonly FileStream _file;
    private readonly bool _madeFolder;

    private RunLock(FileStream file, bool madeFolder)
    {
        _file = file;
        _madeFolder = madeFolder;
    }

    /// <summary>Takes the lock; the folder is made if it is missing.</summary>
    /// <exception cref="RunInUseException">Somebody else has it.</exception>
    internal static RunLock Take(string folder, string path)
    {
        bool makes = !Directory.Exists(folder);
        while (true)
        {
            Directory.CreateDirectory(folder);
            FileStream file;
            try
            {
                file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0, FileOptions.DeleteOnClose);
            }
            catch (IOException error) when (s_held.Contains(error.HResult))
            {
                throw new RunInUseException($"{folder} is in use by another run{Holder(path)}; wait for it or stop it, or name another folder.");
            }

            byte[] content = Encoding.ASCII.GetBytes($"{Environment.ProcessId}\n{Guid.NewGuid():N}\n");
            try
            {
                file.SetLength(0);
                file.Write(content);
            }
            catch
            {
                file.Dispose();
                throw;
            }

            // The holder before may have removed the file between our opening and our locking it. Then it has no name any
            // more, and the next one would lock another file.
            if (OperatingSystem.IsWindows() || IsContent(path, content))
            {
                return new RunLock(file, makes);
            }

            file.Dispose();
        }
    }

    /// <summary>Gives the right back. A folder that was made for it and got nothing is removed again.</summary>
    public void Dispose()
    {
        string folder = Path.GetDirectoryName(_file.Name)!;
        _file.Dispose();
        if (_madeFolder && Directory.Exists(folder) && !Directory.EnumerateFileSystemEntries(folder).Any())
        {
            Directory.Delete(folder);
        }
    }

    private static bool IsContent(string path, ReadOnlySpan<byte> content)
    {
        try
        {
            return content.SequenceEqual(NativeFile.Read(path));
        }
        catch (IOException)
        {
            return false;
        }
    }

    /// <summary>The process that has the lock, where it can be told: on Windows nobody else may read the file.</summary>
    private static string Holder(string path)
    {
        try
        {
            return int.TryParse(Encoding.ASCII.GetString(NativeFile.Read(path, largest: 64)).Split('\n')[0], NumberStyles.None, CultureInfo.InvariantCulture, out int process)
                ? $" (process {process})"
                : string.Empty;
        }
        catch (IOException)
        {
            return string.Empty;
        }
    }
}
