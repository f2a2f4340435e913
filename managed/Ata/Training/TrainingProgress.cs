namespace Ata.Training;

/// <summary>What a run is doing.</summary>
public enum TrainingPhase
{
    /// <summary>Updating the weights.</summary>
    Training,

    /// <summary>Classifying the validation videos.</summary>
    Validating,

    /// <summary>Writing a checkpoint.</summary>
    Saving,
}

/// <summary>How far a run is.</summary>
public sealed record TrainingProgress
{
    /// <summary>What it is doing.</summary>
    public required TrainingPhase Phase { get; init; }

    /// <summary>Updates made.</summary>
    public required long Step { get; init; }

    /// <summary>Updates of the whole run.</summary>
    public required long TotalSteps { get; init; }

    /// <summary>Passes over the data made, with fractions.</summary>
    public required double Epoch { get; init; }

    /// <summary>Loss of the last update's clips.</summary>
    public double Loss { get; init; }

    /// <summary>The last record of training metrics, or null before the first.</summary>
    public MetricsRecord? Train { get; init; }

    /// <summary>The last record of a validation, or null before the first.</summary>
    public MetricsRecord? Validation { get; init; }

    /// <summary>The best validation's number so far, or null before the first.</summary>
    public double? Best { get; init; }

    /// <summary>Validation videos done, while validating.</summary>
    public int ValidatedVideos { get; init; }

    /// <summary>Training videos found unreadable.</summary>
    public int BrokenVideos { get; init; }

    /// <summary>Time since this process began to train.</summary>
    public TimeSpan Elapsed { get; init; }

    /// <summary>Estimate of the time left.</summary>
    public TimeSpan Remaining { get; init; }
}

/// <summary>How a run ended.</summary>
public sealed record TrainingResult
{
    /// <summary>Updates made.</summary>
    public required long Steps { get; init; }

    /// <summary>Whether the run ended because validations no longer improved.</summary>
    public required bool StoppedEarly { get; init; }

    /// <summary>The step of the best validation; 0 without validations.</summary>
    public required long BestStep { get; init; }

    /// <summary>The best validation's number, or null without validations.</summary>
    public required double? Best { get; init; }

    /// <summary>The last validation, or null without validations.</summary>
    public required EvaluationResult? Validation { get; init; }

    /// <summary>Training videos found unreadable.</summary>
    public required IReadOnlyList<Data.BrokenVideo> BrokenVideos { get; init; }
}
