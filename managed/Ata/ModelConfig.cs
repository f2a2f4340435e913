using System.Buffers;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
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

/// <summary>The configuration of a model whose backbone is a vision transformer, as in a checkpoint's
/// <c>config</c>.</summary>
public sealed record ModelConfig
{
    /// <summary>The only architecture that there is, in the native library's name.</summary>
    private const string VisionTransformer = "vit";

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
    /// <exception cref="ArgumentException">The configuration is of no model.</exception>
    public unsafe long ParameterCount
    {
        get
        {
            var dimensions = new ata_model_dimensions { struct_size = (nuint)sizeof(ata_model_dimensions) };
            using var native = new NativeConfig(this);
            ata_model_config config = native.Value;
            NativeStatus.Check(NativeMethods.ata_model_config_get_dimensions(&config, &dimensions));
            return dimensions.parameter_count;
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

    internal static unsafe ModelConfig FromNative(ata_model_config* config)
    {
        string architecture = Marshal.PtrToStringUTF8((nint)config->architecture)!;
        if (architecture != VisionTransformer)
        {
            throw new NotSupportedException($"The model's architecture is '{architecture}', which this version of the .NET API does not know.");
        }

        using JsonDocument backbone = JsonDocument.Parse(Marshal.PtrToStringUTF8((nint)config->backbone)!);
        JsonElement vit = backbone.RootElement;
        var result = new ModelConfig
        {
            ImageSize = config->image_size,
            PatchSize = vit.GetProperty("patch_size").GetInt32(),
            Dim = vit.GetProperty("dim").GetInt32(),
            Depth = vit.GetProperty("depth").GetInt32(),
            Heads = vit.GetProperty("heads").GetInt32(),
            MlpRatio = vit.GetProperty("mlp_ratio").GetSingle(),
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
        };

        // What is not there is as usual.
        if (vit.TryGetProperty("activation", out JsonElement activation))
        {
            result = result with { Activation = Enum.GetValues<Activation>().Single(value => NameOf(value) == activation.GetString()) };
        }

        return vit.TryGetProperty("norm_eps", out JsonElement eps) ? result with { NormEps = eps.GetSingle() } : result;
    }

    private static string NameOf(Activation activation) => JsonNamingPolicy.SnakeCaseLower.ConvertName(activation.ToString());

    private static float Finite(float value, string name) => float.IsFinite(value)
        ? value
        : throw new ArgumentOutOfRangeException(name, value, "The value must be a finite number.");

    /// <summary>The fields of the architecture, as the native library reads them.</summary>
    private string BackboneJson()
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteNumber("patch_size", PatchSize);
            json.WriteNumber("dim", Dim);
            json.WriteNumber("depth", Depth);
            json.WriteNumber("heads", Heads);
            json.WriteNumber("mlp_ratio", Finite(MlpRatio, nameof(MlpRatio)));
            json.WriteString("activation", NameOf(Activation));
            json.WriteNumber("norm_eps", Finite(NormEps, nameof(NormEps)));
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    /// <summary>The native form, whose strings live until it is disposed of.</summary>
    internal readonly unsafe ref struct NativeConfig : IDisposable
    {
        private readonly nint _architecture;
        private readonly nint _backbone;

        public NativeConfig(ModelConfig config)
        {
            string backbone = config.BackboneJson();
            _architecture = Marshal.StringToCoTaskMemUTF8(VisionTransformer);
            _backbone = Marshal.StringToCoTaskMemUTF8(backbone);
            var value = new ata_model_config
            {
                struct_size = (nuint)sizeof(ata_model_config),
                architecture = (byte*)_architecture,
                backbone = (byte*)_backbone,
                image_size = config.ImageSize,
                frames = config.Frames,
                classes = config.Classes,
                temporal = (ata_temporal_mode)config.Temporal,
                alignment = (ata_alignment)config.Alignment,
                align_every = config.AlignEvery,
                window_radius = config.WindowRadius,
                temperature = config.Temperature,
                iterations = config.Iterations,
            };
            config.Mean.Write(value.mean);
            config.Std.Write(value.std);
            Value = value;
        }

        public ata_model_config Value { get; }

        public void Dispose()
        {
            Marshal.FreeCoTaskMem(_architecture);
            Marshal.FreeCoTaskMem(_backbone);
        }
    }
}
