using Ata.Bindings;
using Ata.Interop;

namespace Ata;

/// <summary>How the frames of a clip are spread over time.</summary>
public enum FrameSampling
{
    /// <summary>Frames at an equal distance, starting at an offset.</summary>
    Dense = 0,

    /// <summary>One frame from each of equal segments of the whole video (TSN).</summary>
    Segments = 1,
}

/// <summary>What to do with a video that is shorter than the clip.</summary>
public enum ShortVideoPolicy
{
    /// <summary>Fail with <see cref="AtaVideoException"/>.</summary>
    Error = 0,

    /// <summary>Repeat the last frame.</summary>
    RepeatLast = 1,

    /// <summary>Start again from the first frame.</summary>
    Loop = 2,
}

/// <summary>Interpolation when resizing.</summary>
public enum Interpolation
{
    /// <summary>Linear, widened when shrinking (antialiased).</summary>
    Bilinear = 0,

    /// <summary>Cubic, widened when shrinking (antialiased).</summary>
    Bicubic = 1,
}

/// <summary>A rectangle in fractions of a frame's width and height.</summary>
/// <param name="Left">Distance from the left edge.</param>
/// <param name="Top">Distance from the top edge.</param>
/// <param name="Width">Width.</param>
/// <param name="Height">Height.</param>
public readonly record struct CropRectangle(float Left, float Top, float Width, float Height);

/// <summary>Which frames make up a clip and what is done to them.</summary>
public sealed record ClipOptions
{
    /// <summary>Spread over time.</summary>
    public FrameSampling Sampling { get; init; } = FrameSampling.Dense;

    /// <summary>Number of frames, T: 1 to 8192.</summary>
    public int Frames { get; init; } = 8;

    /// <summary><see cref="FrameSampling.Dense"/>: distance between frames, in frames of <see cref="FramesPerSecond"/>; above
    /// 0 and at most 1000000.</summary>
    public double Stride { get; init; } = 4;

    /// <summary><see cref="FrameSampling.Dense"/>: rate that <see cref="Stride"/> counts in, in frames per second; null
    /// for the video's own.</summary>
    public double? FramesPerSecond { get; init; }

    /// <summary><see cref="FrameSampling.Dense"/>: start of the clip; null to place clip <see cref="ClipIndex"/> of
    /// <see cref="ClipCount"/> evenly, a single one in the middle.</summary>
    public TimeSpan? Offset { get; init; }

    /// <summary>Which of <see cref="ClipCount"/> clips in time.</summary>
    public int ClipIndex { get; init; }

    /// <summary>Number of clips in time.</summary>
    public int ClipCount { get; init; } = 1;

    /// <summary>What to do with a short video.</summary>
    public ShortVideoPolicy ShortPolicy { get; init; } = ShortVideoPolicy.Error;

    /// <summary>The shorter side is resized to this many pixels; null for <see cref="Size"/>.</summary>
    public int? Resize { get; init; }

    /// <summary>Height and width of the square crop: 1 to 8192.</summary>
    public int Size { get; init; } = 224;

    /// <summary>Which of <see cref="CropCount"/> crops, placed evenly along the longer side.</summary>
    public int CropIndex { get; init; }

    /// <summary>1 for the centre, or 3 for left, centre and right (top, centre and bottom in portrait).</summary>
    public int CropCount { get; init; } = 1;

    /// <summary>A crop that is resized to <see cref="Size"/> instead of <see cref="Resize"/> and
    /// <see cref="CropIndex"/>; null for those.</summary>
    public CropRectangle? Crop { get; init; }

    /// <summary>Mirrors horizontally.</summary>
    public bool Flip { get; init; }

    /// <summary>Interpolation.</summary>
    public Interpolation Interpolation { get; init; } = Interpolation.Bilinear;

    /// <summary>Mean that is subtracted, on the 0..1 scale.</summary>
    public ChannelValues Mean { get; init; } = ChannelValues.Uniform(0.45f);

    /// <summary>Standard deviation that is divided by.</summary>
    public ChannelValues Std { get; init; } = ChannelValues.Uniform(0.225f);

    /// <summary>Start of the part of the video that the clip is taken from, as if the rest were not there; null for the
    /// video's. <see cref="Offset"/> counts from here.</summary>
    public TimeSpan? Start { get; init; }

    /// <summary>End of that part, after its start; null, or an end after the video's, for the end of the video.</summary>
    public TimeSpan? End { get; init; }

    /// <summary>Options that suit a model: its frames, size and normalisation.</summary>
    /// <param name="model">The model's configuration.</param>
    public static ClipOptions For(ModelConfig model)
    {
        ArgumentNullException.ThrowIfNull(model);
        return new ClipOptions { Frames = model.Frames, Size = model.ImageSize, Mean = model.Mean, Std = model.Std };
    }

    internal unsafe ata_clip_options ToNative()
    {
        OptionRange.Check(Frames, 1, NativeMethods.ATA_MAX_FRAMES);
        OptionRange.CheckPositive(Stride, NativeMethods.ATA_MAX_RATE);
        if (FramesPerSecond is { } rate)
        {
            OptionRange.CheckPositive(rate, NativeMethods.ATA_MAX_RATE, nameof(FramesPerSecond));
        }

        if (Offset is { } start)
        {
            OptionRange.Check(start.TotalSeconds, 0, NativeMethods.ATA_MAX_SECONDS, nameof(Offset));
        }

        if (Start is { } begin)
        {
            OptionRange.Check(begin.TotalSeconds, 0, NativeMethods.ATA_MAX_SECONDS, nameof(Start));
        }

        if (End is { } end)
        {
            OptionRange.CheckPositive(end.TotalSeconds, NativeMethods.ATA_MAX_SECONDS, nameof(End));
        }

        OptionRange.Check(Size, 1, NativeMethods.ATA_MAX_IMAGE_SIZE);
        var options = new ata_clip_options
        {
            struct_size = (nuint)sizeof(ata_clip_options),
            sampling = (ata_sampling_kind)Sampling,
            frames = Frames,
            stride = Stride,
            fps = FramesPerSecond ?? 0,
            offset = Offset?.TotalSeconds ?? -1,
            clip_index = ClipIndex,
            clip_count = ClipCount,
            short_policy = (ata_short_policy)ShortPolicy,
            resize = OptionValue.PositiveOrZero(Resize),
            size = Size,
            crop_index = CropIndex,
            crop_count = CropCount,
            flip = Flip ? 1 : 0,
            interpolation = (ata_interpolation)Interpolation,
            interval_start = Start?.TotalSeconds ?? 0,
            interval_end = End?.TotalSeconds ?? 0,
        };
        if (Crop is { } crop)
        {
            if (!(crop.Width > 0 && crop.Height > 0))
            {
                throw new ArgumentOutOfRangeException(nameof(Crop), crop, "The crop must have a width and a height above 0.");
            }

            options.crop_rectangle[0] = crop.Left;
            options.crop_rectangle[1] = crop.Top;
            options.crop_rectangle[2] = crop.Width;
            options.crop_rectangle[3] = crop.Height;
        }

        Mean.Write(options.mean);
        Std.Write(options.std);
        return options;
    }
}
