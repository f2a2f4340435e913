using System.Text;
using System.Text.Json;
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

    /// <summary>Reads a log. A last line that is not complete, as after a crash, is left out.</summary>
    /// <exception cref="InvalidDataException">A line is no record.</exception>
    internal static IReadOnlyList<MetricsRecord> Read(string path)
    {
        string text = File.ReadAllText(path, Encoding.UTF8);
        int complete = text.LastIndexOf('\n') + 1;
        try
        {
            return text[..complete].Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(MetricsRecord.Parse).ToArray();
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new InvalidDataException(PrintableText.Of($"{path} is not a log of metrics: {error.Message}"), error);
        }
    }
}
