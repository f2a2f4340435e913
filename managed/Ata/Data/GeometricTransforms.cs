using System.Buffers;

namespace Ata.Data;

/// <summary>Affine changes and erasing, the same in all frames. Clips are <c>[3, T, H, W]</c>.</summary>
internal static class GeometricTransforms
{
    /// <summary>Grey that fills what comes from outside the frame, on the 0..1 scale.</summary>
    private const float Outside = 0.5f;

    /// <summary>Rotates about the centre by an angle in radians.</summary>
    internal static void Rotate(Span<float> clip, ClipShape shape, double angle) =>
        Warp(clip, shape, Math.Cos(angle), -Math.Sin(angle), 0, Math.Sin(angle), Math.Cos(angle), 0);

    /// <summary>Shears horizontally and vertically by the given slopes.</summary>
    internal static void Shear(Span<float> clip, ClipShape shape, double x, double y) =>
        Warp(clip, shape, 1, x, 0, y, 1, 0);

    /// <summary>Moves by fractions of the frame.</summary>
    internal static void Translate(Span<float> clip, ClipShape shape, double x, double y) =>
        Warp(clip, shape, 1, 0, x * shape.Size, 0, 1, y * shape.Size);

    /// <summary>Fills a random rectangle (2 % to a third of the frame) with noise, constant over time. The clip is
    /// normalised.</summary>
    internal static void Erase(Span<float> clip, ClipShape shape, SampleRandom random)
    {
        const int Attempts = 10;
        for (int attempt = 0; attempt < Attempts; ++attempt)
        {
            double area = random.Uniform(0.02, 1.0 / 3) * shape.Plane;
            double aspect = Math.Exp(random.Uniform(Math.Log(0.3), Math.Log(1 / 0.3)));
            int height = (int)Math.Round(Math.Sqrt(area * aspect));
            int width = (int)Math.Round(Math.Sqrt(area / aspect));
            if (height < 1 || width < 1 || height >= shape.Size || width >= shape.Size)
            {
                continue;
            }

            int top = random.Below(shape.Size - height + 1);
            int left = random.Below(shape.Size - width + 1);
            for (int c = 0; c < ClipShape.Channels; ++c)
            {
                EraseChannel(clip.Slice(c * shape.Channel, shape.Channel), shape, left, top, width, height, random);
            }

            return;
        }
    }

    private static void EraseChannel(Span<float> channel, ClipShape shape, int left, int top, int width, int height, SampleRandom random)
    {
        for (int y = top; y < top + height; ++y)
        {
            Span<float> first = channel.Slice((y * shape.Size) + left, width);
            foreach (ref float value in first)
            {
                value = (float)random.Normal();
            }

            for (int t = 1; t < shape.Frames; ++t)
            {
                first.CopyTo(channel.Slice((t * shape.Plane) + (y * shape.Size) + left, width));
            }
        }
    }

    /// <summary>Takes pixel (x, y), measured from the centre, from (a x + b y + c, d x + e y + f), bilinearly.</summary>
    private static void Warp(Span<float> clip, ClipShape shape, double a, double b, double c, double d, double e, double f)
    {
        int n = shape.Size;
        float[] source = ArrayPool<float>.Shared.Rent(shape.Plane);
        try
        {
            for (int p = 0; p < clip.Length; p += shape.Plane)
            {
                Span<float> plane = clip.Slice(p, shape.Plane);
                plane.CopyTo(source);
                double center = (n - 1) / 2.0;
                for (int y = 0; y < n; ++y)
                {
                    for (int x = 0; x < n; ++x)
                    {
                        double fromX = center + (a * (x - center)) + (b * (y - center)) + c;
                        double fromY = center + (d * (x - center)) + (e * (y - center)) + f;
                        plane[(y * n) + x] = Interpolate(source, n, fromX, fromY);
                    }
                }
            }
        }
        finally
        {
            ArrayPool<float>.Shared.Return(source);
        }
    }

    private static float Interpolate(float[] source, int n, double x, double y)
    {
        if (x <= -1 || y <= -1 || x >= n || y >= n)
        {
            return Outside;
        }

        int left = (int)Math.Floor(x);
        int top = (int)Math.Floor(y);
        float right = (float)(x - left);
        float down = (float)(y - top);
        float above = (At(source, n, left, top) * (1 - right)) + (At(source, n, left + 1, top) * right);
        float below = (At(source, n, left, top + 1) * (1 - right)) + (At(source, n, left + 1, top + 1) * right);
        return (above * (1 - down)) + (below * down);
    }

    private static float At(float[] source, int n, int x, int y) =>
        x < 0 || y < 0 || x >= n || y >= n ? Outside : source[(y * n) + x];
}
