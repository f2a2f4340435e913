namespace Ata.Data;

/// <summary>Changes of colour and sharpness, the same in all frames. Clips are <c>[3, T, H, W]</c> on the 0..1
/// scale, and stay in it.</summary>
internal static class ColorTransforms
{
    private const float Red = 0.299f;
    private const float Green = 0.587f;
    private const float Blue = 0.114f;
    private const int Levels = 256;

    /// <summary>Random brightness, contrast and saturation, in random order, and hue.</summary>
    internal static void Jitter(Span<float> clip, ClipShape shape, double amount, double hue, SampleRandom random)
    {
        Span<int> order = [0, 1, 2];
        random.Shuffle(order);
        foreach (int change in order)
        {
            float factor = (float)random.Uniform(1 - amount, 1 + amount);
            switch (change)
            {
                case 0:
                    Brightness(clip, factor);
                    break;
                case 1:
                    Contrast(clip, shape, factor);
                    break;
                default:
                    Saturation(clip, shape, factor);
                    break;
            }
        }

        if (hue > 0)
        {
            RotateHue(clip, shape, random.Uniform(-hue, hue));
        }
    }

    internal static void Brightness(Span<float> clip, float factor)
    {
        foreach (ref float value in clip)
        {
            value = Math.Clamp(value * factor, 0, 1);
        }
    }

    /// <summary>Moves all values away from, or towards, the mean grey of the clip.</summary>
    internal static void Contrast(Span<float> clip, ClipShape shape, float factor)
    {
        double sum = 0;
        for (int i = 0; i < shape.Channel; ++i)
        {
            sum += Grey(clip, shape, i);
        }

        float mean = (float)(sum / shape.Channel);
        foreach (ref float value in clip)
        {
            value = Math.Clamp(mean + ((value - mean) * factor), 0, 1);
        }
    }

    /// <summary>Moves the colours away from, or towards, their greys.</summary>
    internal static void Saturation(Span<float> clip, ClipShape shape, float factor)
    {
        for (int i = 0; i < shape.Channel; ++i)
        {
            float grey = Grey(clip, shape, i);
            for (int c = 0; c < ClipShape.Channels; ++c)
            {
                ref float value = ref clip[(c * shape.Channel) + i];
                value = Math.Clamp(grey + ((value - grey) * factor), 0, 1);
            }
        }
    }

    /// <summary>Rotates the colours about the grey axis by a fraction of the circle.</summary>
    internal static void RotateHue(Span<float> clip, ClipShape shape, double fraction)
    {
        // The rotation about (1, 1, 1) by the angle, as a circulant matrix (Rodrigues).
        double cos = Math.Cos(2 * Math.PI * fraction);
        double sin = Math.Sin(2 * Math.PI * fraction);
        float same = (float)(cos + ((1 - cos) / 3));
        float next = (float)(((1 - cos) / 3) - (sin / Math.Sqrt(3)));
        float last = (float)(((1 - cos) / 3) + (sin / Math.Sqrt(3)));
        Span<float> red = clip[..shape.Channel];
        Span<float> green = clip.Slice(shape.Channel, shape.Channel);
        Span<float> blue = clip.Slice(2 * shape.Channel, shape.Channel);
        for (int i = 0; i < red.Length; ++i)
        {
            (float r, float g, float b) = (red[i], green[i], blue[i]);
            red[i] = Math.Clamp((same * r) + (next * g) + (last * b), 0, 1);
            green[i] = Math.Clamp((last * r) + (same * g) + (next * b), 0, 1);
            blue[i] = Math.Clamp((next * r) + (last * g) + (same * b), 0, 1);
        }
    }

    /// <summary>Keeps the given number of bits of each value.</summary>
    internal static void Posterize(Span<float> clip, int bits)
    {
        float steps = 1 << bits;
        foreach (ref float value in clip)
        {
            value = Math.Min(MathF.Floor(value * steps), steps - 1) / (steps - 1);
        }
    }

    /// <summary>Inverts the values above a threshold.</summary>
    internal static void Solarize(Span<float> clip, float threshold)
    {
        foreach (ref float value in clip)
        {
            value = value > threshold ? 1 - value : value;
        }
    }

    /// <summary>Stretches each channel to the whole scale.</summary>
    internal static void AutoContrast(Span<float> clip, ClipShape shape)
    {
        for (int c = 0; c < ClipShape.Channels; ++c)
        {
            Span<float> channel = clip.Slice(c * shape.Channel, shape.Channel);
            float low = float.PositiveInfinity;
            float high = float.NegativeInfinity;
            foreach (float value in channel)
            {
                low = Math.Min(low, value);
                high = Math.Max(high, value);
            }

            if (high > low)
            {
                foreach (ref float value in channel)
                {
                    value = (value - low) / (high - low);
                }
            }
        }
    }

    /// <summary>Makes the values of each channel equally frequent.</summary>
    internal static void Equalize(Span<float> clip, ClipShape shape)
    {
        Span<int> upTo = stackalloc int[Levels];
        for (int c = 0; c < ClipShape.Channels; ++c)
        {
            Span<float> channel = clip.Slice(c * shape.Channel, shape.Channel);
            upTo.Clear();
            foreach (float value in channel)
            {
                ++upTo[Level(value)];
            }

            for (int i = 1; i < Levels; ++i)
            {
                upTo[i] += upTo[i - 1];
            }

            int lowest = upTo[Level(Min(channel))];
            if (lowest == channel.Length)
            {
                continue;
            }

            foreach (ref float value in channel)
            {
                value = (float)(upTo[Level(value)] - lowest) / (channel.Length - lowest);
            }
        }
    }

    /// <summary>Moves the values away from, or towards, those of a smoothed frame.</summary>
    internal static void Sharpness(Span<float> clip, ClipShape shape, float factor)
    {
        int n = shape.Size;
        var original = new float[shape.Plane];
        for (int p = 0; p < clip.Length; p += shape.Plane)
        {
            Span<float> plane = clip.Slice(p, shape.Plane);
            plane.CopyTo(original);
            for (int y = 1; y < n - 1; ++y)
            {
                for (int x = 1; x < n - 1; ++x)
                {
                    int at = (y * n) + x;
                    float around = original[at - n - 1] + original[at - n] + original[at - n + 1] + original[at - 1]
                        + original[at + 1] + original[at + n - 1] + original[at + n] + original[at + n + 1];
                    float smooth = (around + (5 * original[at])) / 13;
                    plane[at] = Math.Clamp(smooth + ((original[at] - smooth) * factor), 0, 1);
                }
            }
        }
    }

    /// <summary>Brings values on the 0..1 scale to a model's normalisation.</summary>
    internal static void Normalize(Span<float> clip, ClipShape shape, ReadOnlySpan<float> mean, ReadOnlySpan<float> deviation)
    {
        for (int c = 0; c < ClipShape.Channels; ++c)
        {
            float scale = 1 / deviation[c];
            float shift = -mean[c] * scale;
            foreach (ref float value in clip.Slice(c * shape.Channel, shape.Channel))
            {
                value = (value * scale) + shift;
            }
        }
    }

    private static float Grey(ReadOnlySpan<float> clip, ClipShape shape, int at) =>
        (Red * clip[at]) + (Green * clip[shape.Channel + at]) + (Blue * clip[(2 * shape.Channel) + at]);

    private static int Level(float value) => Math.Clamp((int)(value * Levels), 0, Levels - 1);

    private static float Min(ReadOnlySpan<float> values)
    {
        float min = float.PositiveInfinity;
        foreach (float value in values)
        {
            min = Math.Min(min, value);
        }

        return min;
    }
}
