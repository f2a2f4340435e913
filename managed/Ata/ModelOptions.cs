using Ata.Bindings;
using Ata.Interop;

namespace Ata;

/// <summary>Arithmetic of a model.</summary>
public enum Precision
{
    /// <summary>32-bit floating point.</summary>
    Float32 = 0,

    /// <summary>bfloat16 products with 32-bit accumulation.</summary>
    BFloat16 = 1,
}

/// <summary>How to load a model.</summary>
public sealed record ModelOptions
{
    /// <summary>Where the model is and runs, and is trained: <c>cpu</c>, <c>cuda</c> or <c>cuda:1</c>. A device that was asked for is never replaced by another.</summary>
    public string Device { get; init; } = "cpu";

    /// <summary>Most bytes of a stream that are read into memory, 1 to <see cref="Array.MaxLength"/>; a longer one is an
    /// <see cref="IOException"/>. Larger models are loaded by path.</summary>
    public long MaxStreamBytes { get; init; } = Array.MaxLength;

    /// <summary>Arithmetic.</summary>
    public Precision Precision { get; init; } = Precision.Float32;

    /// <summary>Temporal mode; null for the checkpoint's.</summary>
    public TemporalMode? Temporal { get; init; }

    /// <summary>Alignment method; null for the checkpoint's.</summary>
    public AlignmentMethod? Alignment { get; init; }

    /// <summary>Mode <see cref="TemporalMode.Ata"/>: every how many blocks frames are aligned; null for the
    /// checkpoint's.</summary>
    public int? AlignEvery { get; init; }

    /// <summary>See <see cref="AlignmentOptions.WindowRadius"/>; null for the checkpoint's.</summary>
    public int? WindowRadius { get; init; }

    /// <summary>See <see cref="AlignmentOptions.Temperature"/>; null for the checkpoint's.</summary>
    public float? Temperature { get; init; }

    /// <summary>See <see cref="AlignmentOptions.Iterations"/>; null for the checkpoint's.</summary>
    public int? Iterations { get; init; }

    /// <summary>Frames of a clip; null for the checkpoint's. The time embedding is interpolated.</summary>
    public int? Frames { get; init; }

    /// <summary>Frame size in pixels; null for the checkpoint's. The spatial embedding is interpolated.</summary>
    public int? ImageSize { get; init; }

    /// <summary>Interpolates the spatial embedding bicubically, as timm does, instead of by nearest neighbour.</summary>
    public bool BicubicPositions { get; init; }

    /// <summary>Keeps what gradients and saving need; otherwise weights are kept only in the form that inference
    /// reads.</summary>
    public bool Trainable { get; init; }

    /// <param name="device">The device's name, alive as long as the result.</param>
    internal unsafe ata_model_options ToNative(byte* device) => new()
    {
        struct_size = (nuint)sizeof(ata_model_options),
        device = device,
        precision = (ata_precision)Precision,
        temporal = (int?)Temporal ?? -1,
        alignment = (int?)Alignment ?? -1,
        align_every = OptionValue.PositiveOrZero(AlignEvery),
        window_radius = OptionValue.NotNegativeOr(-1, WindowRadius),
        temperature = OptionValue.PositiveOrZero(Temperature),
        iterations = OptionValue.PositiveOrZero(Iterations),
        frames = OptionValue.PositiveOrZero(Frames),
        image_size = OptionValue.PositiveOrZero(ImageSize),
        bicubic_positions = BicubicPositions ? 1 : 0,
        trainable = Trainable ? 1 : 0,
    };
}
