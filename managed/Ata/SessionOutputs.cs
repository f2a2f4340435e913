namespace Ata;

/// <summary>
/// What one run of a model gives, into the caller's memory: see
/// <see cref="Session.Run(AtaTensor, in SessionOutputs, CancellationToken)"/>. What is left empty is not wanted.
/// </summary>
public readonly ref struct SessionOutputs
{
    /// <summary>Receives the logits, <c>[B, classes]</c>.</summary>
    public Span<float> Logits { get; init; }

    /// <summary>Receives the class token that the head reads, after the last normalisation, <c>[B, D]</c>; in mode
    /// <see cref="TemporalMode.SpaceOnly"/> its mean over the frames.</summary>
    public Span<float> ClassToken { get; init; }

    /// <summary>Blocks whose features are wanted, in any order, each once: 0 to depth - 1; depth for the output of the
    /// last block.</summary>
    public ReadOnlySpan<int> FeatureBlocks { get; init; }

    /// <summary>Receives the patch tokens that enter each of <see cref="FeatureBlocks"/>,
    /// <c>[FeatureBlocks.Length, B, T, N, D]</c>.</summary>
    public Span<float> Features { get; init; }

    /// <summary>Blocks whose trajectories are wanted, in any order, each once: 0 to depth - 1.</summary>
    public ReadOnlySpan<int> TrajectoryBlocks { get; init; }

    /// <summary>Receives the trajectories that each of <see cref="TrajectoryBlocks"/> follows,
    /// <c>[TrajectoryBlocks.Length, B, T, N]</c>.</summary>
    public Span<int> Trajectories { get; init; }
}
