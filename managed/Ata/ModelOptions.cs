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
    /// <summary><c>cpu</c>, <c>cuda</c> or <c>cuda:1</c>. A device that was asked for is never replaced by another.</summary>
    public string Device { get; init; } = "cpu";

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

    /// <summary>Interpolates the spatial embedding bicubically instead of by nearest neighbour.</summary>
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

/// <summary>Origin of a foreign checkpoint.</summary>
public enum CheckpointSource
{
    /// <summary>Recognised by the tensors' names.</summary>
    Auto = 0,

    /// <summary>timm's VisionTransformer.</summary>
    Timm = 1,

    /// <summary>The visual tower of CLIP.</summary>
    Clip = 2,

    /// <summary>TimeSformer.</summary>
    TimeSformer = 3,
}

/// <summary>How to import a foreign checkpoint.</summary>
public sealed record ImportOptions
{
    /// <summary>Origin.</summary>
    public CheckpointSource Source { get; init; } = CheckpointSource.Auto;

    /// <summary>Frames of a clip; null for the checkpoint's, else 8.</summary>
    public int? Frames { get; init; }

    /// <summary>Temporal mode.</summary>
    public TemporalMode Temporal { get; init; } = TemporalMode.Ata;

    /// <summary>Number of classes; null for as many as the checkpoint's head has, or 400 without one. A head of another
    /// size is replaced by a new one.</summary>
    public int? Classes { get; init; }

    /// <summary>Attention heads; null for one for every 64 channels. No checkpoint records them.</summary>
    public int? Heads { get; init; }

    /// <summary>Seed of what must be initialised.</summary>
    public ulong Seed { get; init; }

    /// <summary>Whether a time embedding that the checkpoint lacks is random, as a new model's, so that in fine-tuning
    /// attention over time tells before from after at once. Otherwise it is zero, which leaves an image model as it
    /// was.</summary>
    public bool RandomTimes { get; init; }

    internal unsafe ata_import_options ToNative() => new()
    {
        struct_size = (nuint)sizeof(ata_import_options),
        source = (ata_source)Source,
        frames = OptionValue.PositiveOrZero(Frames),
        temporal = (ata_temporal_mode)Temporal,
        classes = OptionValue.PositiveOrZero(Classes),
        heads = OptionValue.PositiveOrZero(Heads),
        seed = Seed,
        random_times = RandomTimes ? 1 : 0,
    };
}
