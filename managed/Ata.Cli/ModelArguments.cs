using System.CommandLine;

namespace Ata.Cli;

/// <summary>The options by which verbs load a model.</summary>
internal sealed class ModelArguments
{
    private readonly Option<string> _device = new("--device")
    {
        Description = "Device: cpu, cuda or cuda:1. Default cpu.",
        HelpName = "name",
    };

    private readonly Option<Precision?> _precision = Options.Choice("--precision", "Arithmetic. Default f32.", Names.Precision);

    private readonly Option<TemporalMode?> _temporal =
        Options.Choice("--temporal", "Temporal mode; the model's if not given.", Names.Temporal);

    private readonly Option<AlignmentMethod?> _alignment =
        Options.Choice("--alignment", "Alignment of mode ata; the model's if not given.", Names.Alignment);

    private readonly Option<int?> _frames = Options.Positive("--frames", "Frames of a clip; the model's if not given.");

    private readonly Option<int?> _imageSize = Options.Positive("--image-size", "Frame size in pixels; the model's if not given.");

    private readonly Option<PositionInterpolation?> _positions = Options.Choice(
        "--interpolation", "How positions are interpolated to --image-size: nearest (the default), or bicubic as in timm.", Names.Positions);

    /// <summary>Adds the options to a verb.</summary>
    public ModelArguments(Command command, bool modelRequired = true)
    {
        Path = Options.Input("--model", "Checkpoint (safetensors with a configuration).", modelRequired);
        foreach (Option option in (Option[])[Path, _device, _precision, _temporal, _alignment, _frames, _imageSize, _positions])
        {
            command.Add(option);
        }
    }

    /// <summary>The checkpoint.</summary>
    public Option<string> Path { get; }

    /// <summary>How to load the model.</summary>
    public ModelOptions Of(ParseResult parse, bool trainable = false) => new()
    {
        Device = parse.GetValue(_device) ?? "cpu",
        Precision = parse.GetValue(_precision) ?? Precision.Float32,
        Temporal = parse.GetValue(_temporal),
        Alignment = parse.GetValue(_alignment),
        Frames = parse.GetValue(_frames),
        ImageSize = parse.GetValue(_imageSize),
        BicubicPositions = parse.GetValue(_positions) == PositionInterpolation.Bicubic,
        Trainable = trainable,
    };
}
