using Ata.Bindings;

namespace Ata.Interop;

/// <summary>What a path leads to.</summary>
internal enum FileKind
{
    /// <summary>A file with content.</summary>
    Regular = 0,

    /// <summary>A folder.</summary>
    Folder = 1,

    /// <summary>A pipe, a socket or a device.</summary>
    Other = 2,
}

/// <summary>Which file a path leads to, whatever it is called: paths to one file, through links or other spellings, have
/// equal identities.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Volume">Number of the volume.</param>
/// <param name="Number">Number of the file on its volume.</param>
internal readonly record struct FileIdentity(FileKind Kind, ulong Volume, ulong Number);

/// <summary>The native library's way to read, write and recognise files, which the managed code shares. Thread-safe.</summary>
internal static unsafe class NativeFile
{
    /// <summary>The file that a path leads to, or null if there is none.</summary>
    /// <exception cref="IOException">It cannot be looked at.</exception>
    internal static FileIdentity? Identify(string path)
    {
        using var text = new Utf8Text(path, stackalloc byte[Utf8Text.BufferSize]);
        ata_file_kind kind;
        ulong volume;
        ulong number;
        ata_status status = NativeMethods.ata_file_identify(text.Pointer, &kind, &volume, &number);
        if (status == ata_status.ATA_NOT_FOUND)
        {
            return null;
        }

        NativeStatus.Check(status, path);
        return new FileIdentity((FileKind)kind, volume, number);
    }

    /// <summary>Reads a file whole. What is no regular file is refused at once, where opening a pipe would wait.</summary>
    /// <param name="path">File to read.</param>
    /// <param name="largest">Largest size that is believed, in bytes.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="IOException">It cannot be read, is no regular file, or is larger than allowed.</exception>
    internal static byte[] Read(string path, int largest = 1 << 30)
    {
        using var text = new Utf8Text(path, stackalloc byte[Utf8Text.BufferSize]);
        byte[] content = [];
        while (true)
        {
            nuint size;
            fixed (byte* data = content)
            {
                NativeStatus.Check(NativeMethods.ata_file_read(text.Pointer, data, (nuint)content.Length, &size), path);
            }

            if (size <= (nuint)content.Length)
            {
                return size == (nuint)content.Length ? content : content[..(int)size];
            }

            content = size <= (nuint)largest
                ? new byte[(int)size]
                : throw new IOException($"'{path}' has {size} bytes; at most {largest} are read.");
        }
    }

    /// <summary>Writes a file whole; an existing one is replaced (<c>ata_file_write</c> says how).</summary>
    /// <exception cref="IOException">The file cannot be written; an existing one is intact.</exception>
    internal static void Write(string path, ReadOnlySpan<byte> content)
    {
        using var text = new Utf8Text(path, stackalloc byte[Utf8Text.BufferSize]);
        fixed (byte* data = content)
        {
            NativeStatus.Check(NativeMethods.ata_file_write(text.Pointer, data, (nuint)content.Length), path);
        }
    }

    /// <summary>Finds out whether a file could be written, before the work that makes its content.</summary>
    /// <exception cref="IOException">It could not.</exception>
    internal static void CheckWritable(string path)
    {
        using var text = new Utf8Text(path, stackalloc byte[Utf8Text.BufferSize]);
        NativeStatus.Check(NativeMethods.ata_file_check_writable(text.Pointer), path);
    }
}
