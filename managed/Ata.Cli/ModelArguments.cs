using System.CommandLine;
using System.CommandLine.Parsing;
using Ata.Bindings;

namespace Ata.Cli;

/// <summary>The options by which verbs load a model.</summary>
/// <param name="modelRequired">Whether a model must be named.</param>
internal sealed class ModelArguments(bool modelRequired = true)
{
    private static readonly ModelOptions s_defaults = new();

    private readonly Option<string> _device = Options.Device();

    private readonly ValueOption<Precision> _precision =
        Options.Choice("--precision", "Arithmetic.", Names.Precision).WithDefault(s_defaults.Precision);

    private readonly Option<TemporalMode?> _temporal =
        Options.Choice("--temporal", "Temporal mode; the model's if not given.", Names.Temporal);

    private readonly Option<AlignmentMethod?> _alignment =
        Options.Choice("--alignment", "Alignment of mode ata; the model's if not given.", Names.Alignment);

    private readonly Option<int?> _frames = Options.Whole("--frames", "Frames of a clip; the model's if not given.", most: NativeMethods.ATA_MAX_FRAMES);

    private readonly Option<int?> _imageSize = Options.Whole("--image-size", "Frame size in pixels; the model's if not given.", most: NativeMethods.ATA_MAX_IMAGE_SIZE);

    private readonly ValueOption<PositionInterpolation> _positions = Options.Choice(
        "--interpolation", "How positions are interpolated to --image-size; bicubic is as in timm.", Names.Positions)
        .WithDefault(s_defaults.BicubicPositions ? PositionInterpolation.Bicubic : PositionInterpolation.Nearest);

    /// <summary>The checkpoint.</summary>
    public Option<string> Path { get; } = Options.Input("--model", "Checkpoint (safetensors with a configuration).", modelRequired);

    /// <summary>All of them, in the order of help.</summary>
    public IEnumerable<Option> All => [Path, _device, _precision, _temporal, _alignment, _frames, _imageSize, _positions];

    /// <summary>Those that say nothing where there is no model.</summary>
    public IEnumerable<Option> OnlyWithModel => [_precision, _temporal, _imageSize, _positions];

    /// <summary>The alignment that was given, or null.</summary>
    public AlignmentMethod? AlignmentOf(CommandResult command) => command.ValueOf(_alignment);

    /// <summary>How to load the model.</summary>
    public ModelOptions Of(ParseResult parse, bool trainable = false) => new()
    {
        Device = Options.DeviceIn(parse, _device),
        Precision = _precision.In(parse),
        Temporal = parse.GetValue(_temporal),
        Alignment = parse.GetValue(_alignment),
        Frames = parse.GetValue(_frames),
        ImageSize = parse.GetValue(_imageSize),
        BicubicPositions = _positions.In(parse) == PositionInterpolation.Bicubic,
        Trainable = trainable,
    };
}
