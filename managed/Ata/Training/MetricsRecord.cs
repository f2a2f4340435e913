using System.Text.Json;

namespace Ata.Training;

/// <summary>What a metrics record is about.</summary>
public enum MetricsKind
{
    /// <summary>Training since the record before.</summary>
    Train,

    /// <summary>A validation.</summary>
    Validation,
}

/// <summary>One line of the metrics log. What depends on the machine's speed is kept apart in
/// <see cref="ClipsPerSecond"/> and <see cref="DataWait"/>; everything else is the same in every run of one seed.</summary>
public sealed record MetricsRecord
{
    /// <summary>What the record is about.</summary>
    public required MetricsKind Kind { get; init; }

    /// <summary>Updates made.</summary>
    public required long Step { get; init; }

    /// <summary>Passes over the data made, with fractions.</summary>
    public required double Epoch { get; init; }

    /// <summary>Mean cross-entropy.</summary>
    public required double Loss { get; init; }

    /// <summary>Share of clips whose most likely class was right.</summary>
    public required double Top1 { get; init; }

    /// <summary>Share of clips whose class was among the five most likely.</summary>
    public required double Top5 { get; init; }

    /// <summary>Validation: mean accuracy of the classes.</summary>
    public double? MeanClassAccuracy { get; init; }

    /// <summary>Training: rate of the last update.</summary>
    public double? LearningRate { get; init; }

    /// <summary>Training: norm of the last update's gradient before clipping.</summary>
    public double? GradientNorm { get; init; }

    /// <summary>Clips processed per second.</summary>
    public double ClipsPerSecond { get; init; }

    /// <summary>Share of the time in which computation waited for data.</summary>
    public double DataWait { get; init; }

    /// <summary>Writes the record as a line of JSON.</summary>
    internal byte[] ToLine()
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream))
        {
            json.WriteStartObject();
            json.WriteString("kind", Kind == MetricsKind.Train ? "train" : "validation");
            json.WriteNumber("step", Step);
            WriteScalars(json.WriteNumber, timing: false);
            json.WriteStartObject("timing");
            WriteScalars(json.WriteNumber, timing: true);
            json.WriteEndObject();
            json.WriteEndObject();
        }

        stream.WriteByte((byte)'\n');
        return stream.ToArray();
    }

    /// <summary>The numbers of the record by their names.</summary>
    internal void WriteScalars(Action<string, double> write, bool timing)
    {
        if (timing)
        {
            write("clips_per_second", ClipsPerSecond);
            write("data_wait", DataWait);
            return;
        }

        write("epoch", Epoch);
        write("loss", Loss);
        write("top1", Top1);
        write("top5", Top5);
        if (MeanClassAccuracy is { } accuracy)
        {
            write("mean_class_accuracy", accuracy);
        }

        if (LearningRate is { } rate)
        {
            write("learning_rate", rate);
        }

        if (GradientNorm is { } norm)
        {
            write("gradient_norm", norm);
        }
    }

    /// <summary>Reads a line that <see cref="ToLine"/> wrote; null for any other.</summary>
    internal static MetricsRecord? TryParse(ReadOnlyMemory<byte> line)
    {
        try
        {
            return Parse(line);
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            return null;
        }
    }

    private static MetricsRecord Parse(ReadOnlyMemory<byte> line)
    {
        using JsonDocument document = JsonDocument.Parse(line);
        JsonElement root = document.RootElement;
        double? Optional(string name) => root.TryGetProperty(name, out JsonElement value) ? value.GetDouble() : null;
        JsonElement timing = root.GetProperty("timing");
        return new MetricsRecord
        {
            Kind = root.GetProperty("kind").GetString() == "train" ? MetricsKind.Train : MetricsKind.Validation,
            Step = root.GetProperty("step").GetInt64(),
            Epoch = root.GetProperty("epoch").GetDouble(),
            Loss = root.GetProperty("loss").GetDouble(),
            Top1 = root.GetProperty("top1").GetDouble(),
            Top5 = root.GetProperty("top5").GetDouble(),
            MeanClassAccuracy = Optional("mean_class_accuracy"),
            LearningRate = Optional("learning_rate"),
            GradientNorm = Optional("gradient_norm"),
            ClipsPerSecond = timing.GetProperty("clips_per_second").GetDouble(),
            DataWait = timing.GetProperty("data_wait").GetDouble(),
        };
    }
}
