using Ata.Bindings;
using Ata.Interop;

namespace Ata;

/// <summary>Parameters of a <see cref="TemporalBlock"/>.</summary>
public sealed record TemporalBlockOptions
{
    /// <summary>Where the block is and runs: <c>cpu</c>, <c>cuda</c> or <c>cuda:1</c>. A device that was asked for is never replaced by another.</summary>
    public string Device { get; init; } = "cpu";

    /// <summary>Arithmetic; features and weights are Float32 either way.</summary>
    public Precision Precision { get; init; } = Precision.Float32;

    /// <summary>Attention heads, which divide the channels; null for one for every 64 channels.</summary>
    public int? Heads { get; init; }

    /// <summary>How frames are aligned; <see cref="AlignmentMethod.None"/> attends at fixed positions.</summary>
    public AlignmentOptions Alignment { get; init; } = new();

    /// <summary>Seed of the initial weights.</summary>
    public ulong Seed { get; init; }

    /// <summary>Most threads that a call uses; null for <see cref="AtaRuntime.ThreadCount"/>. Results do not depend on
    /// it.</summary>
    public int? Threads { get; init; }

    /// <param name="device">The device's name, alive as long as the result.</param>
    internal unsafe ata_temporal_block_options ToNative(byte* device) => new()
    {
        struct_size = (nuint)sizeof(ata_temporal_block_options),
        device = device,
        precision = (ata_precision)Precision,
        heads = OptionValue.PositiveOrZero(Heads),
        seed = Seed,
        threads = OptionValue.PositiveOrZero(Threads),
    };
}
