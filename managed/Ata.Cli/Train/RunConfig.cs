using System.Text.Json;
using System.Text.Json.Serialization;
using Ata.Data;
using Ata.Interop;
using Ata.Training;

namespace Ata.Cli.Train;

/// <summary>Where a run's videos come from.</summary>
internal sealed record DataConfig
{
    /// <summary>The list or folder of the training videos.</summary>
    public string? Train { get; init; }

    /// <summary>How the lists are written.</summary>
    public DatasetFormat Format { get; init; } = DatasetFormat.Auto;

    /// <summary>Folder that relative paths start from.</summary>
    public string? Root { get; init; }

    /// <summary>File that names the classes.</summary>
    public string? Labels { get; init; }

    /// <summary>Split of UCF101 and HMDB51.</summary>
    public int Fold { get; init; } = 1;

    /// <summary>Split to train on; null for <c>train</c> where the list has splits.</summary>
    public string? TrainSplit { get; init; }

    /// <summary>The list or folder of the validation videos; null for a split of the training list.</summary>
    public string? Validation { get; init; }

    /// <summary>Split to validate on; null for <c>val</c> where the list has it.</summary>
    public string? ValidationSplit { get; init; }

    /// <summary>Share of the training videos' groups that is set aside for validation; 0 for none.</summary>
    public double ValidationFraction { get; init; }
}

/// <summary>What a run's model is made of.</summary>
internal sealed record ModelSource
{
    /// <summary>Checkpoint to start from; null for random weights.</summary>
    public string? Checkpoint { get; init; }

    /// <summary>Architecture of a model with random weights; null for a checkpoint.</summary>
    public string? Architecture { get; init; }

    /// <summary>Frame size in pixels.</summary>
    public int? ImageSize { get; init; }

    /// <summary>Patch size in pixels.</summary>
    public int? PatchSize { get; init; }

    /// <summary>Width of a token.</summary>
    public int? Dim { get; init; }

    /// <summary>Number of blocks.</summary>
    public int? Depth { get; init; }

    /// <summary>Attention heads.</summary>
    public int? Heads { get; init; }

    /// <summary>Frames of a clip.</summary>
    public int? Frames { get; init; }

    /// <summary>Temporal mode.</summary>
    public TemporalMode? Temporal { get; init; }

    /// <summary>Alignment of mode ata.</summary>
    public AlignmentMethod? Alignment { get; init; }

    /// <summary>Every how many blocks mode ata aligns; the blocks between follow the last trajectories.</summary>
    public int? AlignEvery { get; init; }

    /// <summary>A new model of the architecture: what is null is the architecture's.</summary>
    /// <exception cref="ArgumentException">There is no such architecture.</exception>
    public ModelConfig NewModel()
    {
        ModelConfig named = ModelConfig.Named(Architecture!);
        return named with
        {
            ImageSize = ImageSize ?? named.ImageSize,
            PatchSize = PatchSize ?? named.PatchSize,
            Dim = Dim ?? named.Dim,
            Depth = Depth ?? named.Depth,
            Heads = Heads ?? named.Heads,
            Frames = Frames ?? named.Frames,
            Temporal = Temporal ?? named.Temporal,
            Alignment = Alignment ?? named.Alignment,
            AlignEvery = AlignEvery ?? named.AlignEvery,
        };
    }
}

/// <summary>What a run that continues needs of the model: its shape and its classes. The weights are in the
/// checkpoint.</summary>
internal sealed record ResolvedModel
{
    /// <summary>The configuration.</summary>
    public required ModelConfig Config { get; init; }

    /// <summary>The names of the classes in the order of their numbers.</summary>
    public required IReadOnlyList<string> Labels { get; init; }
}

/// <summary>A run in full, as <c>run.json</c> in its folder holds it. A file for <c>--config</c> has the same form and
/// may leave out what it does not change.</summary>
internal sealed record RunConfig
{
    /// <summary>Where the videos come from.</summary>
    public DataConfig Data { get; init; } = new();

    /// <summary>What the model is made of.</summary>
    public ModelSource Model { get; init; } = new();

    /// <summary>How it is trained.</summary>
    [JsonIgnore]
    public TrainingRunOptions Training { get; init; } = new();

    /// <summary><see cref="Training"/> in the form that its own type gives it.</summary>
    [JsonPropertyName("training")]
    public JsonElement TrainingJson
    {
        get => JsonElement.Parse(Training.ToJson());
        // A file may leave it out; the generated reader then gives an element of no kind.
        init => Training = value.ValueKind == JsonValueKind.Undefined ? new() : TrainingRunOptions.FromJson(value.GetRawText());
    }

    /// <summary>What became of <see cref="Model"/>; written by the run.</summary>
    public ResolvedModel? Resolved { get; init; }

    /// <summary>Reads a file.</summary>
    /// <exception cref="InvalidDataException">It is no such file; the message names the line or the field.</exception>
    public static RunConfig Read(string path)
    {
        try
        {
            return JsonSerializer.Deserialize(NativeFile.Read(path), RunJson.Default.RunConfig)
                ?? throw new InvalidDataException($"{path} holds null and not a configuration.");
        }
        catch (JsonException error)
        {
            throw new InvalidDataException($"{path}: line {(error.LineNumber ?? 0) + 1}: {error.Message}", error);
        }
        catch (ArgumentException error)
        {
            throw new InvalidDataException($"{path}: {error.Message}", error);
        }
    }

    /// <summary>Writes the file.</summary>
    public void Write(string path) => NativeFile.Write(path, JsonSerializer.SerializeToUtf8Bytes(this, RunJson.Default.RunConfig));
}

/// <summary>Generated readers and writers of run files.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    WriteIndented = true,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    ReadCommentHandling = JsonCommentHandling.Skip,
    AllowTrailingCommas = true,
    Converters = [typeof(LowerCaseName<DatasetFormat>), typeof(LowerCaseName<TemporalMode>), typeof(LowerCaseName<AlignmentMethod>)])]
[JsonSerializable(typeof(RunConfig))]
internal sealed partial class RunJson : JsonSerializerContext;

/// <summary>Writes the members of an enumeration as <c>lower_case</c> names.</summary>
/// <typeparam name="T">The enumeration.</typeparam>
internal sealed class LowerCaseName<T>() : JsonStringEnumConverter<T>(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false)
    where T : struct, Enum;
