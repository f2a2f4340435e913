using System.Text.Json;
using System.Text.Json.Serialization;
using Ata.Data;

namespace Ata.Training;

/// <summary>Generated readers and writers of the JSON that training keeps: no reflection, so that it works after
/// trimming and ahead-of-time compilation.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    Converters =
    [
        typeof(NameOf<BestMetric>), typeof(NameOf<ScheduleKind>), typeof(NameOf<OptimizerKind>), typeof(NameOf<FrameSpread>),
        typeof(NameOf<CropMode>), typeof(PrecisionName),
    ],
    WriteIndented = true,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    ReadCommentHandling = JsonCommentHandling.Skip,
    AllowTrailingCommas = true)]
[JsonSerializable(typeof(TrainingRunOptions))]
[JsonSerializable(typeof(TrainingState))]
internal sealed partial class TrainingJson : JsonSerializerContext;

/// <summary>Writes the members of an enumeration as <c>lower_case</c> names.</summary>
/// <typeparam name="T">The enumeration.</typeparam>
internal sealed class NameOf<T>() : JsonStringEnumConverter<T>(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false)
    where T : struct, Enum;

/// <summary>Writes arithmetic under the names that the command line uses.</summary>
internal sealed class PrecisionName : JsonConverter<Precision>
{
    public override Precision Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.GetString() switch
    {
        "f32" => Precision.Float32,
        "bf16" => Precision.BFloat16,
        var other => throw new JsonException($"The precision is \"{other}\"; it must be f32 or bf16."),
    };

    public override void Write(Utf8JsonWriter writer, Precision value, JsonSerializerOptions options) =>
        writer.WriteStringValue(value == Precision.Float32 ? "f32" : "bf16");
}
