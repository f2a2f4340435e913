using System.CommandLine;
using System.CommandLine.Parsing;
using Ata.Bindings;

namespace Ata.Cli;

/// <summary>The options by which verbs choose frames of a video.</summary>
/// <param name="offset">Whether a clip's start can be given.</param>
internal sealed class SamplingArguments(bool offset = true)
{
    private static readonly ClipOptions s_defaults = new();

    private readonly ValueOption<double> _stride = Options.PositiveReal("--stride", "Distance between frames, in frames.", NativeMethods.ATA_MAX_RATE)
        .WithDefault(s_defaults.Stride);

    private readonly Option<double?> _fps = Options.PositiveReal(
        "--fps", "Rate that the stride counts in, in frames per second; the video's own if not given.", NativeMethods.ATA_MAX_RATE);

    private readonly Option<double?>? _offset = !offset ? null : Options.Real(
        "--offset", "Start of the clip in seconds; in the middle of the video if not given.", most: NativeMethods.ATA_MAX_SECONDS);

    private readonly Option<bool> _segments = new("--segments")
    {
        Description = "One frame from each of equal segments of the whole video, instead of a stride.",
    };

    private readonly ValueOption<ShortVideoPolicy> _short = ShortVideos();

    /// <summary>All of them, in the order of help.</summary>
    public IEnumerable<Option> All => ((Option?[])[_stride, _fps, _offset, _segments, _short]).OfType<Option>();

    /// <summary>The option for videos that are too short.</summary>
    public static ValueOption<ShortVideoPolicy> ShortVideos() => Options.Choice(
        "--short", "What to do with a video that is shorter than the clip.", Names.ShortVideo).WithDefault(s_defaults.ShortPolicy);

    /// <summary>Says what excludes each other, to the parser.</summary>
    public void Validate(CommandResult command)
    {
        Option? other = ((Option?[])[_stride, _fps, _offset]).OfType<Option>().FirstOrDefault(o => command.GetResult(o) is not null);
        if (command.ValueOf(_segments) && other is not null)
        {
            command.AddError($"--segments and {other.Name} exclude each other: segments cover the whole video.");
        }
    }

    /// <summary>Which frames to take.</summary>
    public ClipOptions Of(ParseResult parse) => new()
    {
        Sampling = parse.GetValue(_segments) ? FrameSampling.Segments : s_defaults.Sampling,
        Stride = _stride.In(parse),
        FramesPerSecond = parse.GetValue(_fps),
        Offset = _offset is not null && parse.GetValue(_offset) is { } seconds ? TimeSpan.FromSeconds(seconds) : null,
        ShortPolicy = _short.In(parse),
    };
}
