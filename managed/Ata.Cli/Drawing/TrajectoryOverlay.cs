namespace Ata.Cli.Drawing;

/// <summary>
/// Paints trajectories over a clip: each has the colour of the place where it begins, so that a part of the picture that
/// is followed keeps its colour while it moves.
/// </summary>
internal sealed class TrajectoryOverlay
{
    // Share of the colour; the rest is the brightness of the picture, so that both can be seen.
    private const float Opacity = 0.55f;

    // Pictures are magnified to about this many pixels.
    private const int ShownSize = 448;

    private const int Gap = 8;

    private const int ColumnsOfSheet = 8;

    private readonly VideoClip _clip;
    private readonly Trajectories _trajectories;
    private readonly int _grid;

    public TrajectoryOverlay(VideoClip clip, Trajectories trajectories, int grid)
    {
        _clip = clip;
        _trajectories = trajectories;
        _grid = grid;
    }

    /// <summary>Writes a video: the clip on the left, the trajectories on the right, at the clip's speed.</summary>
    public void WriteVideo(string path, CancellationToken cancellationToken)
    {
        int scale = Math.Max(1, (ShownSize + _clip.Width - 1) / _clip.Width);
        int size = _clip.Width * scale;
        int width = Even((2 * size) + Gap);
        using VideoWriter writer = VideoWriter.Create(path, width, Even(size), FramesPerSecond());
        var shown = new Picture(width, Even(size));
        for (int frame = 0; frame < _clip.Frames; ++frame)
        {
            cancellationToken.ThrowIfCancellationRequested();
            Picture original = FrameOf(frame);
            shown.Paste(original, 0, 0, scale);
            shown.Paste(Painted(original, frame), size + Gap, 0, scale);
            writer.Add(shown.Pixels);
        }

        writer.Finish();
    }

    /// <summary>Writes a picture: rows of frames, each with its trajectories below.</summary>
    public void WriteSheet(string path)
    {
        int columns = Math.Min(ColumnsOfSheet, _clip.Frames);
        int rows = (_clip.Frames + columns - 1) / columns;
        int size = _clip.Width;
        var sheet = new Picture((columns * (size + Gap)) - Gap, (rows * 2 * (size + Gap)) - Gap);
        for (int frame = 0; frame < _clip.Frames; ++frame)
        {
            int left = frame % columns * (size + Gap);
            int top = frame / columns * 2 * (size + Gap);
            Picture original = FrameOf(frame);
            sheet.Paste(original, left, top);
            sheet.Paste(Painted(original, frame), left, top + size + Gap);
        }

        ImageFile.Write(path, sheet.Pixels, sheet.Width, sheet.Height);
    }

    private static int Even(int value) => value + (value % 2);

    private double FramesPerSecond()
    {
        const double Slowest = 2;
        const double Fastest = 60;
        ReadOnlySpan<double> times = _clip.FrameTimes;
        double duration = times[^1] - times[0];
        return duration > 0 ? Math.Clamp((times.Length - 1) / duration, Slowest, Fastest) : Slowest;
    }

    private Picture FrameOf(int frame)
    {
        var picture = new Picture(_clip.Width, _clip.Height);
        _clip.CopyFrame(frame, picture.Pixels);
        return picture;
    }

    private Picture Painted(Picture original, int frame)
    {
        (float Red, float Green, float Blue)?[] colors = ColorsOf(frame);
        var picture = new Picture(original.Width, original.Height);
        int patchSize = original.Width / _grid;
        for (int y = 0; y < original.Height; ++y)
        {
            for (int x = 0; x < original.Width; ++x)
            {
                ReadOnlySpan<byte> from = original.PixelAt(x, y);
                Span<byte> to = picture.PixelAt(x, y);
                if (colors[(y / patchSize * _grid) + (x / patchSize)] is not { } color)
                {
                    // No trajectory passes here.
                    from.CopyTo(to);
                    continue;
                }

                float grey = (0.299f * from[0]) + (0.587f * from[1]) + (0.114f * from[2]);
                to[0] = Blend(grey, color.Red);
                to[1] = Blend(grey, color.Green);
                to[2] = Blend(grey, color.Blue);
            }
        }

        return picture;
    }

    private static byte Blend(float grey, float color) => (byte)(((1 - Opacity) * grey) + (Opacity * color));

    // The mean colour of the trajectories through each patch; null where there are none.
    private (float Red, float Green, float Blue)?[] ColorsOf(int frame)
    {
        ReadOnlySpan<int> positions = _trajectories.OfFrame(0, frame);
        var visits = new int[positions.Length];
        var sums = new (float Red, float Green, float Blue)[positions.Length];
        for (int trajectory = 0; trajectory < positions.Length; ++trajectory)
        {
            int patch = positions[trajectory];
            (float red, float green, float blue) = PositionColors.Of(trajectory, _grid, _grid);
            sums[patch] = (sums[patch].Red + red, sums[patch].Green + green, sums[patch].Blue + blue);
            ++visits[patch];
        }

        return sums.Zip(visits, (sum, count) => count == 0
            ? ((float Red, float Green, float Blue)?)null
            : (sum.Red / count, sum.Green / count, sum.Blue / count)).ToArray();
    }
}
