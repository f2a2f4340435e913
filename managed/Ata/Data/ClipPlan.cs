namespace Ata.Data;

/// <summary>How one clip is taken from its video: everything about sampling that a random draw decides. Equal plans
/// give equal pixels.</summary>
/// <param name="Offset">Start in seconds; negative to place clip <paramref name="ClipIndex"/> evenly.</param>
/// <param name="Stride">Distance of the frames in frames of the rate that applies.</param>
/// <param name="ClipIndex">Which of the clips in time.</param>
/// <param name="CropIndex">Which of the crops.</param>
/// <param name="Left">Left edge of the crop as a fraction of the frame.</param>
/// <param name="Top">Upper edge of the crop as a fraction of the frame.</param>
/// <param name="Width">Width of the crop as a fraction of the frame; 0 for the even crops.</param>
/// <param name="Height">Height of the crop as a fraction of the frame.</param>
/// <param name="Flip">Whether the clip is mirrored.</param>
internal readonly record struct ClipPlan(
    double Offset, double Stride, int ClipIndex, int CropIndex, float Left, float Top, float Width, float Height, bool Flip)
{
    private const int Attempts = 10;

    /// <summary>Draws the plan of a training clip.</summary>
    internal static ClipPlan Draw(LoaderOptions options, VideoProperties video, string label, SampleRandom random)
    {
        (double offset, double stride) = DrawTime(options, video, random);
        (float left, float top, float width, float height) = DrawCrop(options.Augmentation, video, random);
        bool flip = random.NextDouble() < options.Augmentation.FlipProbability && options.Augmentation.MayFlip(label);
        return new ClipPlan(offset, stride, 0, 0, left, top, width, height, flip);
    }

    /// <summary>The plan of one view of an evaluation.</summary>
    internal static ClipPlan View(LoaderOptions options, int clip, int crop)
    {
        float whole = options.Augmentation.Crop == CropMode.Full ? 1 : 0;
        return new ClipPlan(-1, options.Stride, clip, crop, 0, 0, whole, whole, false);
    }

    private static (double Offset, double Stride) DrawTime(LoaderOptions options, VideoProperties video, SampleRandom random)
    {
        double place = random.NextDouble();
        if (options.Spread == FrameSpread.Segments)
        {
            return (place * video.Duration / options.Frames, SegmentStride(options, video));
        }

        double rate = options.FramesPerSecond > 0 ? options.FramesPerSecond : video.FramesPerSecond;
        double length = (options.Frames - 1) * options.Stride / rate;

        // The start lies within a frame of the video, away from its borders, where rounding would decide which frame
        // is shown; the clip's last frame exists if the video is long enough.
        int starts = 1 + (int)Math.Max(0, Math.Floor(((video.Duration - length) * video.FramesPerSecond) - 1 + 1e-6));
        return ((Math.Min((int)(place * starts), starts - 1) + 0.25) / video.FramesPerSecond, options.Stride);
    }

    /// <summary>The distance, in frames of the video, of one frame from each of the equal parts.</summary>
    private static double SegmentStride(LoaderOptions options, VideoProperties video) =>
        Math.Max(video.Duration * video.FramesPerSecond / options.Frames, 1e-3);

    private static (float Left, float Top, float Width, float Height) DrawCrop(AugmentationOptions options, VideoProperties video, SampleRandom random) =>
        options.Crop switch
        {
            CropMode.Center => (0, 0, 0, 0),
            CropMode.Full => (0, 0, 1, 1),
            CropMode.RandomResized => DrawRectangle(options, video, random),
            CropMode.ScaleJitter => Place(1 / random.Uniform(options.MinScale, options.MaxScale) * Math.Min(video.Width, video.Height), 1, video, random),
            _ => throw new ArgumentOutOfRangeException(nameof(options), options.Crop, "Unknown crop."),
        };

    private static (float Left, float Top, float Width, float Height) DrawRectangle(AugmentationOptions options, VideoProperties video, SampleRandom random)
    {
        for (int attempt = 0; attempt < Attempts; ++attempt)
        {
            double area = random.Uniform(options.MinArea, options.MaxArea) * video.Width * video.Height;
            double aspect = Math.Exp(random.Uniform(-Math.Log(options.MaxAspect), Math.Log(options.MaxAspect)));
            double width = Math.Sqrt(area * aspect);
            if (width <= video.Width && width / aspect <= video.Height)
            {
                return Place(width, aspect, video, random);
            }
        }

        // A frame much wider or higher than the aspect ratios allow: the largest square.
        return Place(Math.Min(video.Width, video.Height), 1, video, random);
    }

    private static (float Left, float Top, float Width, float Height) Place(double width, double aspect, VideoProperties video, SampleRandom random)
    {
        float w = Math.Min(1, (float)(width / video.Width));
        float h = Math.Min(1, (float)(width / aspect / video.Height));
        return ((float)random.NextDouble() * (1 - w), (float)random.NextDouble() * (1 - h), w, h);
    }
}

/// <summary>What a plan needs to know of a video.</summary>
/// <param name="Width">Width in pixels.</param>
/// <param name="Height">Height in pixels.</param>
/// <param name="FramesPerSecond">Average frame rate.</param>
/// <param name="Duration">Seconds from the first frame to the end of the last.</param>
internal readonly record struct VideoProperties(int Width, int Height, double FramesPerSecond, double Duration);
