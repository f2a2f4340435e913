using Ata.Interop;

namespace Ata.Training;

/// <summary>Appends records to a file of JSON lines. Not thread-safe.</summary>
internal sealed class MetricsLog : IDisposable
{
    private readonly FileStream _file;

    /// <summary>Opens the log and keeps its first bytes, as a checkpoint remembers them.</summary>
    internal MetricsLog(string path, long length) => _file = AppendableFile.Open(path, length);

    internal long Length => _file.Position;

    internal void Add(MetricsRecord record)
    {
        _file.Write(record.ToLine());
        _file.Flush();
    }

    internal void Flush() => _file.Flush(flushToDisk: true);

    public void Dispose() => _file.Dispose();

    /// <summary>Reads a log. Lines that are no records, such as the last one after a crash, are left out.</summary>
    internal static IReadOnlyList<MetricsRecord> Read(string path) => Records(NativeFile.Read(path)).OfType<MetricsRecord>().ToArray();

    /// <summary>Makes sure that a run can continue its log, which is not worth losing the run for: what cannot be used of a
    /// damaged one is left out, and the damaged file keeps its content under another name.</summary>
    /// <param name="path">The log.</param>
    /// <param name="length">Bytes of it that the run had written.</param>
    /// <param name="step">The last update that they are about.</param>
    /// <param name="warn">Told of damage.</param>
    /// <returns>Bytes of the log that belong to the run.</returns>
    internal static long Repair(string path, long length, long step, Action<string> warn)
    {
        if (length > 0 && !Path.Exists(path))
        {
            warn($"{path} is missing; a new one begins at step {step}.");
            return 0;
        }

        byte[] content = [];
        try
        {
            content = length > 0 ? NativeFile.Read(path) : [];
        }
        catch (IOException)
        {
            // It is no file any more.
        }

        if (content.Length >= length && Records(content.AsMemory(0, (int)length)).All(r => r is not null))
        {
            return length;
        }

        MetricsRecord[] kept = Records(content).OfType<MetricsRecord>().Where(r => r.Step <= step).ToArray();
        string aside = AppendableFile.SetAside(path);
        byte[] lines = kept.SelectMany(r => r.ToLine()).ToArray();
        NativeFile.Write(path, lines);
        warn($"{path} is damaged: it is no longer what the checkpoint remembers. {kept.Length} records could be read and were kept; the damaged file is now {aside}.");
        return lines.Length;
    }

    /// <summary>The records of complete lines and of what follows the last of them; null for what is no record.</summary>
    private static IEnumerable<MetricsRecord?> Records(ReadOnlyMemory<byte> content)
    {
        while (!content.IsEmpty)
        {
            int end = content.Span.IndexOf((byte)'\n');
            ReadOnlyMemory<byte> line = end < 0 ? content : content[..end];
            content = end < 0 ? default : content[(end + 1)..];
            yield return end < 0 ? null : MetricsRecord.TryParse(line);
        }
    }
}
