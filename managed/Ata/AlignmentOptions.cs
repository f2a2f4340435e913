using Ata.Bindings;
using Ata.Interop;

namespace Ata;

/// <summary>How neighbouring frames are aligned.</summary>
public enum AlignmentMethod
{
    /// <summary>One-to-one matching of maximum total similarity, solved exactly (Kuhn-Munkres).</summary>
    Exact = 0,

    /// <summary>Identity: every trajectory stays at its position.</summary>
    None = 1,

    /// <summary>Each trajectory takes the most similar patch of the next frame; many-to-one.</summary>
    Nearest = 2,

    /// <summary>Exact, but a patch moves at most <see cref="AlignmentOptions.WindowRadius"/> patches.</summary>
    Window = 3,

    /// <summary>Entropic optimal transport rounded to a matching.</summary>
    Sinkhorn = 4,

    /// <summary>Softmax-weighted average of the next frame's tokens; it has no trajectories.</summary>
    Soft = 5,
}

/// <summary>Parameters of an alignment.</summary>
public sealed record AlignmentOptions
{
    /// <summary>The method.</summary>
    public AlignmentMethod Method { get; init; } = AlignmentMethod.Exact;

    /// <summary><see cref="AlignmentMethod.Window"/>: largest move in patches along each axis.</summary>
    public int WindowRadius { get; init; } = 3;

    /// <summary><see cref="AlignmentMethod.Sinkhorn"/> and <see cref="AlignmentMethod.Soft"/>: temperature on the
    /// cosine scale, above 0.</summary>
    public float Temperature { get; init; } = 0.05f;

    /// <summary><see cref="AlignmentMethod.Sinkhorn"/>: number of iterations, at least 1.</summary>
    public int Iterations { get; init; } = 50;

    /// <summary><see cref="AlignmentMethod.Window"/>: patch rows of a frame; 0 when the grid is square.</summary>
    public int GridHeight { get; init; }

    /// <summary><see cref="AlignmentMethod.Window"/>: patch columns of a frame; 0 when the grid is square.</summary>
    public int GridWidth { get; init; }

    /// <summary>Where frames are aligned: <c>cpu</c>, <c>cuda</c> or <c>cuda:1</c>; null for <c>cpu</c>. A device that was
    /// asked for is never replaced by another. A <see cref="TemporalBlock"/> aligns on its own device, which alone may be
    /// named then.</summary>
    public string? Device { get; init; }

    /// <summary>Most threads that a call uses; null for <see cref="AtaRuntime.ThreadCount"/>. A <see cref="TemporalBlock"/>
    /// has a limit of its own (<see cref="TemporalBlockOptions.Threads"/>), and takes none here.</summary>
    public int? Threads { get; init; }

    /// <param name="device">The device's name, alive as long as the result.</param>
    internal unsafe ata_alignment_options ToNative(byte* device) => new()
    {
        struct_size = (nuint)sizeof(ata_alignment_options),
        method = (ata_alignment)Method,
        window_radius = WindowRadius,
        temperature = Temperature,
        iterations = Iterations,
        grid_height = GridHeight,
        grid_width = GridWidth,
        device = device,
        threads = OptionValue.PositiveOrZero(Threads),
    };
}
