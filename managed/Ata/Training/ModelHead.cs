using System.Text.Json;
using System.Text.Json.Nodes;
using Ata.Data;

namespace Ata.Training;

/// <summary>Prepares a checkpoint for other classes.</summary>
public static class ModelHead
{
    private const string Weight = "head.weight";
    private const string Bias = "head.bias";
    private const double Deviation = 0.02;

    /// <summary>Copies a checkpoint with a new classifier: random weights of deviation 0.02, biases of zero. Everything
    /// else stays.</summary>
    /// <param name="checkpoint">Checkpoint to read: safetensors with a configuration.</param>
    /// <param name="output">Checkpoint to write; never half-written.</param>
    /// <param name="labels">The names of the new classes.</param>
    /// <param name="seed">Seed of the new weights.</param>
    /// <exception cref="AtaModelException">The checkpoint is malformed.</exception>
    public static void Replace(string checkpoint, string output, IReadOnlyList<string> labels, ulong seed = 0)
    {
        ArgumentException.ThrowIfNullOrEmpty(checkpoint);
        ArgumentException.ThrowIfNullOrEmpty(output);
        ArgumentNullException.ThrowIfNull(labels);
        ArgumentOutOfRangeException.ThrowIfLessThan(labels.Count, 1, nameof(labels));
        using TensorFile file = TensorFile.Open(checkpoint);
        JsonObject config = ReadConfig(checkpoint, file);
        config["classes"] = labels.Count;
        config["labels"] = new JsonArray(labels.Select(l => (JsonNode)JsonValue.Create(l)).ToArray());
        nint dim = WidthOf(checkpoint, file);
        var random = new SampleRandom(seed, 0, 0);
        var weights = new float[labels.Count * dim];
        foreach (ref float weight in weights.AsSpan())
        {
            weight = (float)(Deviation * Math.Clamp(random.Normal(), -2, 2));
        }

        file.Set(Weight, new ReadOnlySpan<float>(weights), labels.Count, dim);
        file.Set(Bias, new ReadOnlySpan<float>(new float[labels.Count]), labels.Count);
        file.SetMetadata("config", config.ToJsonString());
        file.Save(output);
    }

    private static JsonObject ReadConfig(string checkpoint, TensorFile file)
    {
        try
        {
            return JsonNode.Parse(file.GetMetadata("config") ?? "null") as JsonObject
                ?? throw new AtaModelException($"{checkpoint} has no configuration; import it first.");
        }
        catch (JsonException error)
        {
            throw new AtaModelException($"{checkpoint}: the configuration is not JSON: {error.Message}");
        }
    }

    private static nint WidthOf(string checkpoint, TensorFile file)
    {
        if (!file.Contains(Weight))
        {
            throw new AtaModelException($"{checkpoint} has no {Weight}.");
        }

        using AtaTensor weight = file.Get(Weight);
        return weight.Rank == 2 ? weight.Shape[1] : throw new AtaModelException($"{checkpoint}: {Weight} is {weight}, not a matrix.");
    }
}
