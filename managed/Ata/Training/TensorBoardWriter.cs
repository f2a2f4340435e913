using System.Buffers.Binary;
using System.Text;
using Ata.Interop;

namespace Ata.Training;

/// <summary>
/// Appends scalars to a TensorBoard event file: TFRecord frames (length, masked checksum, data, masked checksum)
/// around protobuf messages <c>Event { wall_time = 1, step = 2, file_version = 3, summary = 5 }</c> with
/// <c>Summary.Value { tag = 1, simple_value = 2 }</c>. Not thread-safe.
/// </summary>
public sealed class TensorBoardWriter : IDisposable
{
    private const byte WallTimeField = (1 << 3) | 1;
    private const byte StepField = 2 << 3;
    private const byte FileVersionField = (3 << 3) | 2;
    private const byte SummaryField = (5 << 3) | 2;
    private const byte ValueField = (1 << 3) | 2;
    private const byte TagField = (1 << 3) | 2;
    private const byte SimpleValueField = (2 << 3) | 5;

    // A length and two checksums around the data of a record.
    private const int FrameBytes = sizeof(ulong) + (2 * sizeof(uint));

    private readonly FileStream _file;

    /// <summary>Opens a file to append to, and creates it where it is missing.</summary>
    /// <param name="path">The file; TensorBoard finds names that contain "tfevents".</param>
    /// <param name="length">How much of an existing file to keep, in bytes; the rest is cut off.</param>
    /// <exception cref="IOException">The file cannot be written, or is shorter than <paramref name="length"/>.</exception>
    public TensorBoardWriter(string path, long length = 0)
    {
        _file = AppendableFile.Open(path, length);
        if (length == 0)
        {
            using var event_ = NewEvent(0);
            WriteString(event_, FileVersionField, "brain.Event:2");
            WriteRecord(event_);
        }
    }

    /// <summary>Size of the file in bytes.</summary>
    public long Length => _file.Position;

    /// <summary>Appends scalars.</summary>
    /// <param name="step">Update that they belong to.</param>
    /// <param name="scalars">Names and values.</param>
    public void Add(long step, IEnumerable<KeyValuePair<string, double>> scalars)
    {
        ArgumentNullException.ThrowIfNull(scalars);
        using var summary = new MemoryStream();
        Span<byte> bits = stackalloc byte[sizeof(float)];
        foreach ((string tag, double value) in scalars)
        {
            using var entry = new MemoryStream();
            WriteString(entry, TagField, tag);
            entry.WriteByte(SimpleValueField);
            BinaryPrimitives.WriteSingleLittleEndian(bits, (float)value);
            entry.Write(bits);
            WriteBytes(summary, ValueField, entry);
        }

        using var event_ = NewEvent(step);
        WriteBytes(event_, SummaryField, summary);
        WriteRecord(event_);
    }

    /// <summary>Makes sure that what was added is on the disk.</summary>
    public void Flush() => _file.Flush(flushToDisk: true);

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    /// <summary>Makes sure that a run can continue its events: a damaged file gets another name, under which TensorBoard
    /// still finds what can be read of it, and a new one begins.</summary>
    /// <param name="path">The file.</param>
    /// <param name="length">Bytes of it that the run had written.</param>
    /// <param name="warn">Told of damage.</param>
    /// <returns>Bytes of the file that belong to the run.</returns>
    internal static long Repair(string path, long length, Action<string> warn)
    {
        if (length == 0 || IsWhole(path, length))
        {
            return length;
        }

        string what = Path.Exists(path) ? $"damaged, and is now {AppendableFile.SetAside(path)}" : "missing";
        warn($"{path} is {what}; a new one begins.");
        return 0;
    }

    /// <summary>Whether the first bytes of a file are records whose checksums are right.</summary>
    private static bool IsWhole(string path, long length)
    {
        try
        {
            ReadOnlySpan<byte> rest = NativeFile.Read(path);
            if (rest.Length < length)
            {
                return false;
            }

            rest = rest[..(int)length];
            while (rest.Length >= FrameBytes)
            {
                ulong data = BinaryPrimitives.ReadUInt64LittleEndian(rest);
                if (data > (ulong)(rest.Length - FrameBytes)
                    || Crc32C.Masked(rest[..8]) != BinaryPrimitives.ReadUInt32LittleEndian(rest[8..])
                    || Crc32C.Masked(rest.Slice(12, (int)data)) != BinaryPrimitives.ReadUInt32LittleEndian(rest[(12 + (int)data)..]))
                {
                    return false;
                }

                rest = rest[(FrameBytes + (int)data)..];
            }

            return rest.IsEmpty;
        }
        catch (IOException)
        {
            return false;
        }
    }

    private static MemoryStream NewEvent(long step)
    {
        var event_ = new MemoryStream();
        event_.WriteByte(WallTimeField);
        Span<byte> bits = stackalloc byte[sizeof(double)];
        BinaryPrimitives.WriteDoubleLittleEndian(bits, DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() / 1000.0);
        event_.Write(bits);
        event_.WriteByte(StepField);
        WriteVarint(event_, (ulong)step);
        return event_;
    }

    private static void WriteString(MemoryStream to, byte field, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        to.WriteByte(field);
        WriteVarint(to, (ulong)bytes.Length);
        to.Write(bytes);
    }

    private static void WriteBytes(MemoryStream to, byte field, MemoryStream message)
    {
        to.WriteByte(field);
        WriteVarint(to, (ulong)message.Length);
        message.WriteTo(to);
    }

    private static void WriteVarint(MemoryStream to, ulong value)
    {
        for (; value >= 0x80; value >>= 7)
        {
            to.WriteByte((byte)(value | 0x80));
        }

        to.WriteByte((byte)value);
    }

    private void WriteRecord(MemoryStream message)
    {
        ReadOnlySpan<byte> data = message.GetBuffer().AsSpan(0, (int)message.Length);
        var record = new byte[sizeof(ulong) + sizeof(uint) + data.Length + sizeof(uint)];
        BinaryPrimitives.WriteUInt64LittleEndian(record, (ulong)data.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(8), Crc32C.Masked(record.AsSpan(0, 8)));
        data.CopyTo(record.AsSpan(12));
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(12 + data.Length), Crc32C.Masked(data));
        _file.Write(record);
        _file.Flush();
    }
}
