using System.Globalization;
using System.Text;
using System.Text.Json;
using Ata.Interop;

namespace Ata.Training;

/// <summary>What a model made of one video.</summary>
/// <param name="Path">The video.</param>
/// <param name="Label">Its true class.</param>
/// <param name="Predicted">The class given.</param>
/// <param name="Probabilities">Probability of every class, averaged over the views.</param>
/// <param name="Start">Where the part of the video begins that was classified; null for the beginning.</param>
/// <param name="End">Where it ends; null for the end.</param>
public sealed record VideoPrediction(string Path, string Label, string Predicted, IReadOnlyList<float> Probabilities, TimeSpan? Start = null, TimeSpan? End = null);

/// <summary>Accuracy of one class.</summary>
/// <param name="Label">Its name.</param>
/// <param name="Count">Videos of the class.</param>
/// <param name="Correct">How many of them were given the class.</param>
public sealed record ClassAccuracy(string Label, int Count, int Correct);

/// <summary>How well a model classified a dataset.</summary>
public sealed record EvaluationResult
{
    /// <summary>Names of the classes.</summary>
    public required IReadOnlyList<string> Labels { get; init; }

    /// <summary>Videos classified.</summary>
    public required long Videos { get; init; }

    /// <summary>Videos whose most likely class was right.</summary>
    public required long Correct { get; init; }

    /// <summary>Share of the videos whose most likely class was right.</summary>
    public required double Top1 { get; init; }

    /// <summary>Share of the videos whose class was among the five most likely.</summary>
    public required double Top5 { get; init; }

    /// <summary>Mean accuracy of the classes.</summary>
    public required double MeanClassAccuracy { get; init; }

    /// <summary>Mean cross-entropy of the averaged probabilities.</summary>
    public required double Loss { get; init; }

    /// <summary>Videos that could not be read and were left out.</summary>
    public required int BrokenVideos { get; init; }

    /// <summary>Seconds that the evaluation took.</summary>
    public required double Seconds { get; init; }

    /// <summary>Accuracy of each class.</summary>
    public required IReadOnlyList<ClassAccuracy> Classes { get; init; }

    /// <summary>How many videos of each true class (first index) were given each class (second index).</summary>
    public required IReadOnlyList<IReadOnlyList<int>> Confusion { get; init; }

    /// <summary>Every video's prediction, in the order of the dataset; empty if they were not asked for.</summary>
    public IReadOnlyList<VideoPrediction> Predictions { get; init; } = [];

    /// <summary>Writes everything but the predictions as JSON.</summary>
    /// <param name="stream">Receives the JSON.</param>
    public void WriteJson(Stream stream)
    {
        using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true });
        json.WriteStartObject();
        json.WriteNumber("videos", Videos);
        json.WriteNumber("correct", Correct);
        json.WriteNumber("top1", Top1);
        json.WriteNumber("top5", Top5);
        json.WriteNumber("mean_class_accuracy", MeanClassAccuracy);
        json.WriteNumber("loss", Loss);
        json.WriteNumber("broken_videos", BrokenVideos);
        json.WriteNumber("seconds", Seconds);
        json.WriteStartArray("classes");
        foreach (ClassAccuracy of in Classes)
        {
            json.WriteStartObject();
            json.WriteString("label", of.Label);
            json.WriteNumber("count", of.Count);
            json.WriteNumber("correct", of.Correct);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteStartArray("confusion");
        foreach (IReadOnlyList<int> row in Confusion)
        {
            json.WriteStartArray();
            foreach (int count in row)
            {
                json.WriteNumberValue(count);
            }

            json.WriteEndArray();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>Reads what <see cref="WriteJson"/> wrote.</summary>
    /// <param name="path">File to read.</param>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="InvalidDataException">The file is something else.</exception>
    public static EvaluationResult ReadJson(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        byte[] content = NativeFile.Read(path);
        try
        {
            using JsonDocument document = JsonDocument.Parse(content);
            return Read(document.RootElement);
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new InvalidDataException(PrintableText.Of($"{path} is not the result of an evaluation: {error.Message}"), error);
        }
    }

    private static EvaluationResult Read(JsonElement root)
    {
        ClassAccuracy[] classes = root.GetProperty("classes").EnumerateArray()
            .Select(c => new ClassAccuracy(c.GetProperty("label").GetString()!, c.GetProperty("count").GetInt32(), c.GetProperty("correct").GetInt32()))
            .ToArray();
        return new EvaluationResult
        {
            Labels = classes.Select(c => c.Label).ToArray(),
            Videos = root.GetProperty("videos").GetInt64(),
            Correct = root.GetProperty("correct").GetInt64(),
            Top1 = root.GetProperty("top1").GetDouble(),
            Top5 = root.GetProperty("top5").GetDouble(),
            MeanClassAccuracy = root.GetProperty("mean_class_accuracy").GetDouble(),
            Loss = root.GetProperty("loss").GetDouble(),
            BrokenVideos = root.GetProperty("broken_videos").GetInt32(),
            Seconds = root.GetProperty("seconds").GetDouble(),
            Classes = classes,
            Confusion = root.GetProperty("confusion").EnumerateArray()
                .Select(r => (IReadOnlyList<int>)r.EnumerateArray().Select(c => c.GetInt32()).ToArray()).ToArray(),
        };
    }

    /// <summary>Writes the predictions as CSV: path, label, predicted, correct, start_time and end_time in seconds where
    /// parts of videos were classified, then the probability of each class.</summary>
    /// <param name="path">File to write.</param>
    /// <exception cref="IOException">The file cannot be written; an existing one is intact.</exception>
    public void WritePredictions(string path)
    {
        using var writer = new StringWriter(CultureInfo.InvariantCulture) { NewLine = "\n" };
        bool parts = Predictions.Any(p => p.Start is not null || p.End is not null);
        string[] times = parts ? ["start_time", "end_time"] : [];
        writer.WriteLine(string.Join(',', new[] { "path", "label", "predicted", "correct" }.Concat(times).Concat(Labels.Select(l => "p_" + l)).Select(Data.DelimitedText.Quote)));
        foreach (VideoPrediction prediction in Predictions)
        {
            string[] head = [prediction.Path, prediction.Label, prediction.Predicted, prediction.Label == prediction.Predicted ? "1" : "0"];
            times = parts ? [Data.DelimitedText.Seconds(prediction.Start), Data.DelimitedText.Seconds(prediction.End)] : [];
            writer.WriteLine(string.Join(',', head.Concat(times).Select(Data.DelimitedText.Quote)
                .Concat(prediction.Probabilities.Select(p => p.ToString("G6", CultureInfo.InvariantCulture)))));
        }

        NativeFile.Write(path, Encoding.UTF8.GetBytes(writer.ToString()));
    }
}
