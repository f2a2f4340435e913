using System.Text.Json;

namespace Ata.Training;

/// <summary>
/// What the loop remembers in a checkpoint beside the weights: with it a run continues as if it had never stopped.
/// Random numbers are derived from the seed and the place in the data, so the place is all there is to remember of
/// them.
/// </summary>
internal sealed record TrainingState
{
    internal const int CurrentVersion = 1;

    /// <summary>Layout of this record.</summary>
    public int Version { get; init; } = CurrentVersion;

    /// <summary>Batches trained on: the place in the data.</summary>
    public long Batches { get; set; }

    /// <summary>The best validation's number, and null before the first.</summary>
    public double? Best { get; set; }

    /// <summary>The step of the best validation.</summary>
    public long BestStep { get; set; }

    /// <summary>Validations since the best one.</summary>
    public int WithoutImprovement { get; set; }

    /// <summary>Whether the run has ended, and no batch may follow.</summary>
    public bool Ended { get; set; }

    /// <summary>Whether a validation of this state was due but did not finish.</summary>
    public bool ValidationPending { get; set; }

    /// <summary>Bytes of the metrics log that belong to this state.</summary>
    public long MetricsLength { get; set; }

    /// <summary>Bytes of the TensorBoard file that belong to this state.</summary>
    public long EventsLength { get; set; }

    /// <summary>Training metrics since the last record.</summary>
    public MetricsInterval Interval { get; set; }

    /// <summary>The options that decide about the weights, to refuse a run that would not continue this one.</summary>
    public required TrainingRunOptions Options { get; init; }

    /// <summary>Number of training videos, for the same reason.</summary>
    public required int Videos { get; init; }

    internal string ToJson() => JsonSerializer.Serialize(this, TrainingJson.Default.TrainingState);

    internal static TrainingState FromJson(string path, string? json)
    {
        TrainingState? state = null;
        try
        {
            state = json is null ? null : JsonSerializer.Deserialize(json, TrainingJson.Default.TrainingState);
        }
        catch (JsonException error)
        {
            throw new AtaModelException($"{path}: the state of the run cannot be read: {error.Message}");
        }

        return state switch
        {
            null => throw new AtaModelException($"{path} holds no state of a run; it is not a checkpoint that TrainingRun wrote."),
            { Version: not CurrentVersion } => throw new AtaModelException($"{path} has state version {state.Version}; this Ata reads version {CurrentVersion}."),
            { Options: null } => throw new AtaModelException($"{path} holds a state without options."),
            { Batches: < 0 } or { MetricsLength: < 0 } or { EventsLength: < 0 } or { WithoutImprovement: < 0 } => throw new AtaModelException($"{path} holds a state with negative counts."),
            _ => state,
        };
    }
}

/// <summary>Sums over the clips trained on since the last record.</summary>
/// <param name="Clips">Clips.</param>
/// <param name="Loss">Sum of their losses.</param>
/// <param name="Top1">How many had the right class first.</param>
/// <param name="Top5">How many had it among the first five.</param>
internal readonly record struct MetricsInterval(long Clips, double Loss, long Top1, long Top5);
