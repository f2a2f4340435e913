namespace Ata.Data;

/// <summary>Mixes the clips of a batch and their targets in pairs: clip i with clip B - 1 - i.</summary>
internal static class ClipMixing
{
    /// <summary>Mixes a batch in place.</summary>
    /// <param name="clips">f32 <c>[B, 3, T, H, W]</c>.</param>
    /// <param name="targets">f32 <c>[B, classes]</c>, one-hot.</param>
    /// <param name="shape">Extents of a clip.</param>
    /// <param name="options">Parameters of the Beta distributions.</param>
    /// <param name="random">Random numbers of the batch.</param>
    internal static void Apply(Span<float> clips, Span<float> targets, ClipShape shape, AugmentationOptions options, SampleRandom random)
    {
        int batch = clips.Length / shape.Count;
        int classes = targets.Length / batch;
        bool cut = options.CutMix > 0 && (options.Mixup <= 0 || random.NextDouble() < 0.5);
        float share = (float)random.Beta(cut ? options.CutMix : options.Mixup);
        (int left, int top, int width, int height) = cut ? Box(shape.Size, share, random) : default;
        if (cut)
        {
            share = 1 - ((float)(width * height) / shape.Plane);
        }

        for (int i = 0; i < batch / 2; ++i)
        {
            int other = batch - 1 - i;
            Span<float> a = clips.Slice(i * shape.Count, shape.Count);
            Span<float> b = clips.Slice(other * shape.Count, shape.Count);
            if (cut)
            {
                Exchange(a, b, shape, left, top, width, height);
            }
            else
            {
                Blend(a, b, share);
            }

            Blend(targets.Slice(i * classes, classes), targets.Slice(other * classes, classes), share);
        }
    }

    private static (int Left, int Top, int Width, int Height) Box(int size, float share, SampleRandom random)
    {
        int side = (int)Math.Round(size * Math.Sqrt(1 - share));
        int centerX = random.Below(size);
        int centerY = random.Below(size);
        int left = Math.Max(0, centerX - (side / 2));
        int top = Math.Max(0, centerY - (side / 2));
        return (left, top, Math.Min(size, centerX - (side / 2) + side) - left, Math.Min(size, centerY - (side / 2) + side) - top);
    }

    private static void Blend(Span<float> a, Span<float> b, float share)
    {
        for (int i = 0; i < a.Length; ++i)
        {
            (a[i], b[i]) = ((share * a[i]) + ((1 - share) * b[i]), (share * b[i]) + ((1 - share) * a[i]));
        }
    }

    private static void Exchange(Span<float> a, Span<float> b, ClipShape shape, int left, int top, int width, int height)
    {
        for (int plane = 0; plane < ClipShape.Channels * shape.Frames; ++plane)
        {
            for (int y = top; y < top + height; ++y)
            {
                int at = (plane * shape.Plane) + (y * shape.Size) + left;
                for (int x = 0; x < width; ++x)
                {
                    (a[at + x], b[at + x]) = (b[at + x], a[at + x]);
                }
            }
        }
    }
}
