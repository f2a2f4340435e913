using System.Text.Json;
using System.Text.Json.Serialization;

namespace Ata.Cli;

/// <summary>One class of a prediction.</summary>
internal sealed record PredictionJson(string Label, int Index, float Probability);

/// <summary>The result for one clip: predictions, or an error.</summary>
internal sealed record ClipPredictionJson(
    string Clip, IReadOnlyList<PredictionJson>? Predictions, int? Views, double? Seconds, string? Error);

/// <summary>A model that was written.</summary>
internal sealed record ModelJson(
    string Path,
    long Parameters,
    int ImageSize,
    int PatchSize,
    int Dim,
    int Depth,
    int Heads,
    int Frames,
    int Classes,
    string Temporal,
    string Alignment,
    string Activation,
    float NormEps,
    IReadOnlyList<float> Mean,
    IReadOnlyList<float> Std,
    IReadOnlyList<ImportNoteJson>? Found = null,
    IReadOnlyList<ImportNoteJson>? Assumed = null,
    IReadOnlyList<ImportNoteJson>? Converted = null,
    IReadOnlyList<ImportNoteJson>? New = null,
    IReadOnlyList<ImportNoteJson>? Ignored = null);

/// <summary>What is to be said of one thing about an import.</summary>
internal sealed record ImportNoteJson(string Subject, string Text);

/// <summary>A clip that was sampled.</summary>
internal sealed record SampleJson(
    string Clip, string Output, IReadOnlyList<int> Shape, IReadOnlyList<double> FrameTimes, IReadOnlyList<string> Pictures);

/// <summary>A forward pass.</summary>
internal sealed record ForwardJson(
    string Output, IReadOnlyList<int> LogitsShape, double? Loss, int Gradients, int Trajectories, double Seconds);

/// <summary>An alignment.</summary>
internal sealed record AlignmentJson(
    string Clip,
    string Alignment,
    string Features,
    int Frames,
    int GridHeight,
    int GridWidth,
    double Seconds,
    IReadOnlyList<double> FrameTimes,
    IReadOnlyList<double> MeanSimilarity,
    IReadOnlyList<double> MovedShare,
    IReadOnlyList<IReadOnlyList<int>> Trajectories,
    string? Overlay,
    string? Html,
    IReadOnlyList<InformationJson>? Information);

/// <summary>A benchmark.</summary>
internal sealed record BenchJson(
    string Model,
    string Temporal,
    string Precision,
    string Device,
    IReadOnlyList<int> ClipShape,
    int Threads,
    int Runs,
    double MedianMilliseconds,
    double MinimumMilliseconds,
    double MeanMilliseconds,
    double ClipsPerSecond,
    double NativeMedianMilliseconds,
    double NativeMinimumMilliseconds,
    double ManagedOverheadPercent,
    long ManagedBytesPerCall);

/// <summary>A run of training.</summary>
internal sealed record TrainJson(
    string Run,
    long Steps,
    bool StoppedEarly,
    double? Best,
    long BestStep,
    double? Top1,
    double? Top5,
    double? MeanClassAccuracy,
    double? Loss,
    int BrokenVideos);

/// <summary>A comparison of the temporal modes.</summary>
/// <param name="Modes">A result for each variant and seed.</param>
/// <param name="Information">A result for each estimator and seed.</param>
/// <param name="PatchesPerFrame">How far objects move from one frame of a clip to the next.</param>
/// <param name="Sweep">The results at each value of the option that was swept; null where none was.</param>
internal sealed record CompareJson(
    IReadOnlyList<Train.VariantResult> Modes, IReadOnlyList<Train.InformationResult> Information, double? PatchesPerFrame, IReadOnlyList<Train.SweepPoint>? Sweep);

/// <summary>What verbs print for programs, written without reflection.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(IReadOnlyList<ClipPredictionJson>))]
[JsonSerializable(typeof(ModelJson))]
[JsonSerializable(typeof(SampleJson))]
[JsonSerializable(typeof(ForwardJson))]
[JsonSerializable(typeof(AlignmentJson))]
[JsonSerializable(typeof(BenchJson))]
[JsonSerializable(typeof(TrainJson))]
[JsonSerializable(typeof(CompareJson))]
[JsonSerializable(typeof(Synth.FollowTruth))]
internal sealed partial class CliJson : JsonSerializerContext
{
    /// <summary>Prints a value as one line.</summary>
    public static void Print<T>(T value) =>
        Console.Out.WriteLine(Text(value));

    /// <summary>Writes a value as one line.</summary>
    public static string Text<T>(T value) =>
        JsonSerializer.Serialize(value, (System.Text.Json.Serialization.Metadata.JsonTypeInfo<T>)Default.GetTypeInfo(typeof(T))!);
}
