using System.Text.Json.Serialization;

namespace Ata.Cli.Explorer;

/// <summary>What the script of the page works on.</summary>
/// <param name="Rows">Patch rows of a frame.</param>
/// <param name="Columns">Patch columns of a frame.</param>
/// <param name="Times">Start times of the frames in seconds.</param>
/// <param name="Selected">Index of the method that is shown first.</param>
/// <param name="Methods">The alignments to choose from.</param>
/// <param name="Colors">Base64 of three bytes a trajectory: red, green, blue.</param>
/// <param name="Frames">The frames as data URIs.</param>
internal sealed record ExplorerData(
    int Rows,
    int Columns,
    IReadOnlyList<double> Times,
    int Selected,
    IReadOnlyList<ExplorerMethod> Methods,
    string Colors,
    IReadOnlyList<string> Frames);

/// <summary>One alignment.</summary>
/// <param name="Name">Its name on the command line.</param>
/// <param name="Positions">Base64 of 16-bit unsigned integers, little endian, <c>[T, N]</c>: the patch of each trajectory.</param>
/// <param name="Similarities">Base64 of 16-bit integers, little endian, <c>[T - 1, N]</c>: cosine times 32767.</param>
/// <param name="MeanSimilarity">Mean of each pair of frames.</param>
/// <param name="MovedShare">Share of the patches that moved, of each pair of frames.</param>
internal sealed record ExplorerMethod(
    string Name,
    string Positions,
    string Similarities,
    IReadOnlyList<double> MeanSimilarity,
    IReadOnlyList<double> MovedShare);

/// <summary>Writes the data without reflection, and so that it can stand inside a script element.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(ExplorerData))]
internal sealed partial class ExplorerJson : JsonSerializerContext;
