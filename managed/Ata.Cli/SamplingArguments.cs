using System.CommandLine;
using Ata.Bindings;

namespace Ata.Cli;

/// <summary>The options by which verbs choose frames of a video.</summary>
internal sealed class SamplingArguments
{
    private readonly Option<double?> _stride = Options.PositiveReal("--stride", "Distance between frames, in frames. Default 4.", NativeMethods.ATA_MAX_RATE);

    private readonly Option<double?> _fps = Options.PositiveReal(
        "--fps", "Rate that the stride counts in, in frames per second; the video's own if not given.", NativeMethods.ATA_MAX_RATE);

    private readonly Option<double?> _offset = Options.Real(
        "--offset", "Start of the clip in seconds; in the middle of the video if not given.", most: NativeMethods.ATA_MAX_SECONDS);

    private readonly Option<bool> _segments = new("--segments")
    {
        Description = "One frame from each of equal segments of the whole video, instead of a stride.",
    };

    private readonly Option<ShortVideoPolicy?> _short = ShortVideos();

    private readonly bool _hasOffset;

    /// <summary>Adds the options to a verb.</summary>
    public SamplingArguments(Command command, bool offset = true)
    {
        _hasOffset = offset;
        command.Add(_stride);
        command.Add(_fps);
        if (offset)
        {
            command.Add(_offset);
        }

        command.Add(_segments);
        command.Add(_short);
        command.Validators.Add(result =>
        {
            Option? other = new Option[] { _stride, _fps, _offset }.FirstOrDefault(o => result.GetResult(o) is not null);
            if (result.ValueOf(_segments) && other is not null)
            {
                result.AddError($"--segments and {other.Name} exclude each other: segments cover the whole video.");
            }
        });
    }

    /// <summary>The option for videos that are too short.</summary>
    public static Option<ShortVideoPolicy?> ShortVideos() => Options.Choice(
        "--short", "What to do with a video that is shorter than the clip. Default error.", Names.ShortVideo);

    /// <summary>Which frames to take.</summary>
    public ClipOptions Of(ParseResult parse) => new()
    {
        Sampling = parse.GetValue(_segments) ? FrameSampling.Segments : FrameSampling.Dense,
        Stride = parse.GetValue(_stride) ?? 4,
        FramesPerSecond = parse.GetValue(_fps),
        Offset = _hasOffset && parse.GetValue(_offset) is { } seconds ? TimeSpan.FromSeconds(seconds) : null,
        ShortPolicy = parse.GetValue(_short) ?? ShortVideoPolicy.Error,
    };
}
