using Ata.Bindings;
using Ata.Interop;

namespace Ata;

/// <summary>How a model looks over time. All modes share one set of parameters.</summary>
public enum TemporalMode
{
    /// <summary>Temporal attention along aligned patches, then spatial attention.</summary>
    Ata = 0,

    /// <summary>Temporal attention at fixed positions, then spatial attention.</summary>
    Divided = 1,

    /// <summary>One attention over all patches of all frames.</summary>
    Joint = 2,

    /// <summary>Frames one by one; their class tokens are averaged.</summary>
    SpaceOnly = 3,
}

/// <summary>What follows the first layer of a model's MLPs.</summary>
public enum Activation
{
    /// <summary>GELU by the error function.</summary>
    Gelu = 0,

    /// <summary>x sigmoid(1.702 x), of OpenAI's CLIP.</summary>
    QuickGelu = 1,

    /// <summary>GELU's approximation by the hyperbolic tangent.</summary>
    GeluTanh = 2,
}

/// <summary>One value for each colour channel.</summary>
/// <param name="Red">Red.</param>
/// <param name="Green">Green.</param>
/// <param name="Blue">Blue.</param>
public readonly record struct ChannelValues(float Red, float Green, float Blue)
{
    /// <summary>The same value for all channels.</summary>
    /// <param name="value">The value.</param>
    public static ChannelValues Uniform(float value) => new(value, value, value);

    internal static unsafe ChannelValues Read(float* values) => new(values[0], values[1], values[2]);

    internal unsafe void Write(float* values)
    {
        values[0] = Red;
        values[1] = Green;
        values[2] = Blue;
    }
}

/// <summary>A model's configuration, as in a checkpoint's <c>config</c>.</summary>
public sealed record ModelConfig
{
    /// <summary>Height and width of a frame in pixels.</summary>
    public required int ImageSize { get; init; }

    /// <summary>Height and width of a patch in pixels.</summary>
    public required int PatchSize { get; init; }

    /// <summary>Width of a token.</summary>
    public required int Dim { get; init; }

    /// <summary>Number of blocks.</summary>
    public required int Depth { get; init; }

    /// <summary>Attention heads; divides <see cref="Dim"/>.</summary>
    public required int Heads { get; init; }

    /// <summary>Hidden width of the MLP over <see cref="Dim"/>.</summary>
    public float MlpRatio { get; init; } = 4;

    /// <summary>Frames of a clip.</summary>
    public required int Frames { get; init; }

    /// <summary>Number of classes.</summary>
    public required int Classes { get; init; }

    /// <summary>Temporal mode.</summary>
    public TemporalMode Temporal { get; init; } = TemporalMode.Ata;

    /// <summary>Alignment of mode <see cref="TemporalMode.Ata"/>.</summary>
    public AlignmentMethod Alignment { get; init; } = AlignmentMethod.Exact;

    /// <summary>Mode <see cref="TemporalMode.Ata"/>: every how many blocks frames are aligned; the blocks between reuse
    /// the last trajectories.</summary>
    public int AlignEvery { get; init; } = 1;

    /// <summary>See <see cref="AlignmentOptions.WindowRadius"/>.</summary>
    public int WindowRadius { get; init; } = 3;

    /// <summary>See <see cref="AlignmentOptions.Temperature"/>.</summary>
    public float Temperature { get; init; } = 0.05f;

    /// <summary>See <see cref="AlignmentOptions.Iterations"/>.</summary>
    public int Iterations { get; init; } = 50;

    /// <summary>Mean that clips are normalised with, on the 0..1 scale.</summary>
    public ChannelValues Mean { get; init; } = ChannelValues.Uniform(0.45f);

    /// <summary>Standard deviation that clips are normalised with.</summary>
    public ChannelValues Std { get; init; } = ChannelValues.Uniform(0.225f);

    /// <summary>Activation of the MLPs.</summary>
    public Activation Activation { get; init; } = Activation.Gelu;

    /// <summary>Added to the variance in layer norms, 1e-15 to 1.</summary>
    public float NormEps { get; init; } = 1e-6f;

    /// <summary>Patches of a frame, N.</summary>
    public int Patches => ImageSize / PatchSize * (ImageSize / PatchSize);

    /// <summary>Values of one clip <c>[3, T, H, W]</c>.</summary>
    internal long ClipLength => 3L * Frames * ImageSize * ImageSize;

    /// <summary>Number of parameters that a new model of this configuration has. A checkpoint may hold more, which other
    /// modes read: see <see cref="Model.ParameterCount"/>.</summary>
    public long ParameterCount
    {
        get
        {
            long width = Dim;
            long hidden = (long)Math.Round(Dim * (double)MlpRatio);
            bool times = Temporal != TemporalMode.SpaceOnly;
            bool temporalStep = Temporal is TemporalMode.Ata or TemporalMode.Divided;
            long attention = (4 * width * width) + (4 * width);
            long temporal = temporalStep ? attention + (width * width) + width + (2 * width) : 0;
            long mlp = (2 * width * hidden) + hidden + width;
            long norms = 4 * width;
            long embeddings = width * ((3L * PatchSize * PatchSize) + 1 + 1 + (Patches + 1) + (times ? Frames : 0));
            return embeddings + (Depth * (attention + temporal + mlp + norms)) + (2 * width) + (Classes * (width + 1));
        }
    }

    /// <summary>The configuration of a named architecture: patch 16, 224 pixels, 8 frames, 400 classes.</summary>
    /// <param name="architecture"><c>vit-tiny</c>, <c>vit-small</c>, <c>vit-base</c> or <c>vit-large</c>.</param>
    /// <exception cref="ArgumentException">There is no such architecture.</exception>
    public static unsafe ModelConfig Named(string architecture)
    {
        ArgumentNullException.ThrowIfNull(architecture);
        using var text = new Utf8Text(architecture, stackalloc byte[Utf8Text.BufferSize]);
        ata_model_config config;
        NativeStatus.Check(NativeMethods.ata_model_config_init(text.Pointer, &config, (nuint)sizeof(ata_model_config)));
        return FromNative(&config);
    }

    internal static unsafe ModelConfig FromNative(ata_model_config* config) => new()
    {
        ImageSize = config->image_size,
        PatchSize = config->patch_size,
        Dim = config->dim,
        Depth = config->depth,
        Heads = config->heads,
        MlpRatio = config->mlp_ratio,
        Frames = config->frames,
        Classes = config->classes,
        Temporal = (TemporalMode)config->temporal,
        Alignment = (AlignmentMethod)config->alignment,
        AlignEvery = config->align_every,
        WindowRadius = config->window_radius,
        Temperature = config->temperature,
        Iterations = config->iterations,
        Mean = ChannelValues.Read(config->mean),
        Std = ChannelValues.Read(config->std),
        Activation = (Activation)config->activation,
        NormEps = config->norm_eps,
    };

    internal unsafe ata_model_config ToNative()
    {
        var config = new ata_model_config
        {
            struct_size = (nuint)sizeof(ata_model_config),
            image_size = ImageSize,
            patch_size = PatchSize,
            dim = Dim,
            depth = Depth,
            heads = Heads,
            mlp_ratio = MlpRatio,
            frames = Frames,
            classes = Classes,
            temporal = (ata_temporal_mode)Temporal,
            alignment = (ata_alignment)Alignment,
            align_every = AlignEvery,
            window_radius = WindowRadius,
            temperature = Temperature,
            iterations = Iterations,
            activation = (ata_activation)Activation,
            norm_eps = NormEps,
        };
        Mean.Write(config.mean);
        Std.Write(config.std);
        return config;
    }
}
