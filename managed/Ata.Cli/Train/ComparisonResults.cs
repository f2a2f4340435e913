namespace Ata.Cli.Train;

/// <summary>How one variant did with one seed.</summary>
/// <param name="Name">See <see cref="ComparedVariant.Name"/>.</param>
/// <param name="Seed">The seed.</param>
/// <param name="Mode">The temporal mode.</param>
/// <param name="Alignment">How frames were aligned; null in modes without alignment.</param>
/// <param name="Accuracy">Share of the test videos that was right.</param>
/// <param name="Loss">Mean cross-entropy of the test videos.</param>
/// <param name="MillisecondsPerClip">Median time of a forward pass of one clip.</param>
/// <param name="TrainingSeconds">Time that fine-tuning took.</param>
/// <param name="Curve">The test videos during fine-tuning, which nothing is chosen by.</param>
/// <param name="OnObject">For each block, of the patches that are on an object in the first frame, the share whose trajectory
/// is on the same object in the last one; null without a truth to compare with, and without trajectories.</param>
internal sealed record VariantResult(
    [property: System.Text.Json.Serialization.JsonIgnore] string Name,
    ulong Seed,
    string Mode,
    string? Alignment,
    double Accuracy,
    double Loss,
    double MillisecondsPerClip,
    double TrainingSeconds,
    IReadOnlyList<CurvePoint> Curve,
    IReadOnlyList<double>? OnObject);

/// <summary>The test videos after some updates.</summary>
/// <param name="Step">Updates made.</param>
/// <param name="Accuracy">Share of the test videos that was right.</param>
/// <param name="Loss">Mean cross-entropy of the test videos.</param>
internal sealed record CurvePoint(long Step, double Accuracy, double Loss);

/// <summary>Mutual information of neighbouring frames' patches, in nats.</summary>
/// <param name="Seed">The seed.</param>
/// <param name="Estimator">How it was estimated.</param>
/// <param name="Before">Of patches at the same position; null when undefined.</param>
/// <param name="After">Of patches on the same trajectory; null when undefined.</param>
/// <param name="Undefined">Why the estimator is not defined for these patches, or null.</param>
internal sealed record InformationResult(ulong Seed, string Estimator, double? Before, double? After, string? Undefined);

/// <summary>What came out on one set of videos, so far.</summary>
internal sealed class ComparisonResults
{
    /// <summary>A result for each seed and variant.</summary>
    public List<VariantResult> Modes { get; } = [];

    /// <summary>A result for each seed and estimator; empty where exact alignment was not tried.</summary>
    public List<InformationResult> Information { get; } = [];

    /// <summary>How far objects move from one frame of a clip to the next, in patches; null where that is not known.</summary>
    public double? PatchesPerFrame { get; set; }

    /// <summary>The results of each variant, in the order in which they were tried.</summary>
    public IEnumerable<IGrouping<string, VariantResult>> ByVariant() => Modes.GroupBy(m => m.Name);
}

/// <summary>The results at one value of the option that is swept.</summary>
/// <param name="Option">Its name, as in ata synth.</param>
/// <param name="Value">Its value.</param>
/// <param name="Results">What came out.</param>
internal sealed record SweepPoint(string Option, double Value, ComparisonResults Results);
