using System.Runtime.InteropServices;
using Ata.Bindings;
using Ata.Interop;

namespace Ata;

/// <summary>Origin of a foreign checkpoint.</summary>
public enum CheckpointSource
{
    /// <summary>Recognised by the tensors' names.</summary>
    Auto = 0,

    /// <summary>timm's VisionTransformer: AugReg, DINO, MAE, DeiT, DeiT-3, DINOv2, CLIP.</summary>
    Timm = 1,

    /// <summary>The visual tower of CLIP, under the names of OpenAI (and OpenCLIP) or Hugging Face.</summary>
    Clip = 2,

    /// <summary>TimeSformer, under its own names or Hugging Face's.</summary>
    TimeSformer = 3,

    /// <summary>DINOv2, under its own names or Hugging Face's.</summary>
    DinoV2 = 4,

    /// <summary>Hugging Face's ViT, which DeiT and MAE are there too.</summary>
    HfVit = 5,
}

/// <summary>How a spatial embedding is interpolated to another grid of patches.</summary>
public enum PositionInterpolation
{
    /// <summary>As the original's own code does it: nearest for TimeSformer, else bicubic.</summary>
    Auto = 0,

    /// <summary>The nearest position.</summary>
    Nearest = 1,

    /// <summary>Bicubically, as timm does (with antialiasing).</summary>
    Bicubic = 2,
}

/// <summary>How to import a foreign checkpoint. What is null is read from the configuration files beside the checkpoint,
/// else taken from what all models of the family share; what nobody says is an error that names it.</summary>
public sealed record ImportOptions
{
    /// <summary>Origin.</summary>
    public CheckpointSource Source { get; init; } = CheckpointSource.Auto;

    /// <summary>Frames of a clip; null for the checkpoint's, else 8.</summary>
    public int? Frames { get; init; }

    /// <summary>Temporal mode; null for the one that the checkpoint's network has, which is <see cref="TemporalMode.Ata"/>
    /// for a network of images.</summary>
    public TemporalMode? Temporal { get; init; }

    /// <summary>Number of classes; null for as many as the checkpoint's head has, or 400 without one. A head of another
    /// size is replaced by a new one.</summary>
    public int? Classes { get; init; }

    /// <summary>Attention heads. No tensor tells.</summary>
    public int? Heads { get; init; }

    /// <summary>Seed of what must be initialised.</summary>
    public ulong Seed { get; init; }

    /// <summary>Whether a time embedding that the checkpoint lacks is random, as a new model's, so that in fine-tuning
    /// attention over time tells before from after at once. Otherwise it is zero, which leaves an image model as it
    /// was.</summary>
    public bool RandomTimes { get; init; }

    /// <summary>Height and width of a frame in pixels; null for what the spatial embedding was made for. It is
    /// interpolated to another size.</summary>
    public int? ImageSize { get; init; }

    /// <summary>How the spatial embedding is interpolated.</summary>
    public PositionInterpolation Positions { get; init; } = PositionInterpolation.Auto;

    /// <summary>Activation of the MLPs.</summary>
    public Activation? Activation { get; init; }

    /// <summary>See <see cref="ModelConfig.NormEps"/>.</summary>
    public float? NormEps { get; init; }

    /// <summary>Mean that the original's pixels were normalised with, on the 0..1 scale; together with
    /// <see cref="Std"/>.</summary>
    public ChannelValues? Mean { get; init; }

    /// <summary>Standard deviation that the original's pixels were normalised with.</summary>
    public ChannelValues? Std { get; init; }

    /// <summary>Where the weights are among the nested dictionaries of a PyTorch file, such as <c>model_state</c>; null
    /// for the usual keys.</summary>
    public string? Key { get; init; }

    /// <summary>Patterns of tensor names, with <c>*</c> and <c>?</c>: such tensors are left out, whatever they do.</summary>
    public IReadOnlyList<string> Ignore { get; init; } = [];

    /// <summary>Leaves the configuration files beside the checkpoint unread.</summary>
    public bool TensorsOnly { get; init; }

    /// <summary>Where the model is and runs, and is trained: <c>cpu</c>, <c>cuda</c> or <c>cuda:1</c>. Weights are converted
    /// on the CPU.</summary>
    public string Device { get; init; } = "cpu";

    /// <param name="key">The key, alive as long as the result.</param>
    /// <param name="ignore">The patterns, alive as long as the result.</param>
    /// <param name="device">The device's name, alive as long as the result.</param>
    internal unsafe ata_import_options ToNative(byte* key, byte** ignore, byte* device)
    {
        if (Mean is null != Std is null)
        {
            throw new ArgumentException("Mean and Std go together; give both or neither.");
        }

        var options = new ata_import_options
        {
            struct_size = (nuint)sizeof(ata_import_options),
            source = (ata_checkpoint_source)Source,
            frames = OptionValue.PositiveOrZero(Frames),
            temporal = (int?)Temporal ?? -1,
            classes = OptionValue.PositiveOrZero(Classes),
            heads = OptionValue.PositiveOrZero(Heads),
            seed = Seed,
            random_times = RandomTimes ? 1 : 0,
            image_size = OptionValue.PositiveOrZero(ImageSize),
            positions = (ata_positions)Positions,
            activation = (int?)Activation ?? -1,
            norm_eps = OptionValue.PositiveOrZero(NormEps),
            key = key,
            ignore = ignore,
            ignore_count = (nuint)Ignore.Count,
            tensors_only = TensorsOnly ? 1 : 0,
            device = device,
        };
        if (Std is { } std)
        {
            if (!(std.Red > 0 && std.Green > 0 && std.Blue > 0))
            {
                throw new ArgumentOutOfRangeException(nameof(Std), std, "Deviations must be above 0.");
            }

            Mean!.Value.Write(options.mean);
            std.Write(options.std);
        }

        return options;
    }
}

/// <summary>What a note about an import is about.</summary>
public enum ImportNoteKind
{
    /// <summary>Something that the file, or a configuration file beside it, says.</summary>
    Found = 0,

    /// <summary>Something that nobody said, taken from what models of the family share.</summary>
    Assumed = 1,

    /// <summary>Weights that were converted.</summary>
    Converted = 2,

    /// <summary>Weights that the file does not have; they need training.</summary>
    New = 3,

    /// <summary>A tensor, or another object of the file, that was left out.</summary>
    Ignored = 4,
}

/// <summary>How something about an imported model came about that is not simply the file's.</summary>
/// <param name="Kind">Its kind.</param>
/// <param name="Subject">The field, the weights or the tensor that it is about.</param>
/// <param name="Text">What is to be said of it.</param>
public sealed record ImportNote(ImportNoteKind Kind, string Subject, string Text)
{
    internal static unsafe ImportNote Read(ata_model* model, nuint index)
    {
        ata_import_note_kind kind;
        byte* subject;
        byte* text;
        NativeStatus.Check(NativeMethods.ata_model_get_import_note(model, index, &kind, &subject, &text));
        return new ImportNote(
            (ImportNoteKind)kind, Marshal.PtrToStringUTF8((nint)subject)!, Marshal.PtrToStringUTF8((nint)text)!);
    }
}
