using Ata.Data;

namespace Ata.Cli.Synth;

/// <summary>A colour texture that repeats without seams: several octaves of smooth noise between three colours.</summary>
internal sealed class Texture
{
    private const int Size = 128;
    private const int Octaves = 4;

    // Amplitude of an octave over that of the next coarser one: fine detail, so that patches can be told apart.
    private const float Persistence = 0.7f;
    private readonly float[] _rgb = new float[Size * Size * 3];

    /// <summary>Draws a texture.</summary>
    /// <param name="random">Source of its noise and colours.</param>
    /// <param name="cells">Cells of the coarsest octave along one side; a power of two. More cells, finer
    /// grain.</param>
    /// <param name="contrast">How far the colours lie from their mean, 0 to 1.</param>
    /// <param name="mean">The colours' mean, of 255.</param>
    public Texture(SampleRandom random, int cells, double contrast, double mean = 128)
    {
        float[] blend = Noise(random, cells);
        float[] accent = Noise(random, cells * 2);
        float[][] colors = new float[3][];
        for (int i = 0; i < colors.Length; ++i)
        {
            colors[i] = new float[3];
            for (int channel = 0; channel < 3; ++channel)
            {
                colors[i][channel] = (float)(mean + (contrast * random.Uniform(-127, 127)));
            }
        }

        for (int i = 0; i < Size * Size; ++i)
        {
            // The accent colour covers the third of the texture where its noise is high.
            float high = Math.Clamp((accent[i] - 0.55f) * 10, 0, 1);
            for (int channel = 0; channel < 3; ++channel)
            {
                float ground = colors[0][channel] + ((colors[1][channel] - colors[0][channel]) * blend[i]);
                _rgb[(i * 3) + channel] = ground + ((colors[2][channel] - ground) * high);
            }
        }
    }

    /// <summary>Reads the colour at a point by linear interpolation.</summary>
    /// <param name="x">Column in texels, any number.</param>
    /// <param name="y">Row in texels, any number.</param>
    /// <param name="rgb">Receives three values from 0 to 255.</param>
    public void Sample(double x, double y, Span<float> rgb)
    {
        double left = Math.Floor(x);
        double top = Math.Floor(y);
        float fx = (float)(x - left);
        float fy = (float)(y - top);
        int x0 = (int)((long)left & (Size - 1));
        int y0 = (int)((long)top & (Size - 1));
        int x1 = (x0 + 1) & (Size - 1);
        int y1 = (y0 + 1) & (Size - 1);
        for (int channel = 0; channel < 3; ++channel)
        {
            float upper = Mix(At(x0, y0, channel), At(x1, y0, channel), fx);
            float lower = Mix(At(x0, y1, channel), At(x1, y1, channel), fx);
            rgb[channel] = Mix(upper, lower, fy);
        }
    }

    /// <summary>Fills a frame.</summary>
    /// <param name="frame">Receives three values a pixel.</param>
    /// <param name="width">Width of the frame.</param>
    /// <param name="height">Height of the frame.</param>
    /// <param name="texelsPerPixel">How much of the texture a pixel spans.</param>
    /// <param name="offset">How far the texture has moved, in pixels.</param>
    public void Fill(Span<float> frame, int width, int height, double texelsPerPixel, (double X, double Y) offset)
    {
        for (int y = 0; y < height; ++y)
        {
            for (int x = 0; x < width; ++x)
            {
                Sample((x + offset.X) * texelsPerPixel, (y + offset.Y) * texelsPerPixel, frame.Slice(((y * width) + x) * 3, 3));
            }
        }
    }

    private float At(int x, int y, int channel) => _rgb[(((y * Size) + x) * 3) + channel];

    private static float Mix(float a, float b, float weight) => a + ((b - a) * weight);

    // Smooth value noise in [0, 1], periodic over the texture.
    private static float[] Noise(SampleRandom random, int cells)
    {
        float[] sum = new float[Size * Size];
        float amplitude = (1 - Persistence) / (1 - MathF.Pow(Persistence, Octaves));
        for (int octave = 0; octave < Octaves && cells <= Size; ++octave, cells *= 2, amplitude *= Persistence)
        {
            float[] lattice = new float[cells * cells];
            for (int i = 0; i < lattice.Length; ++i)
            {
                lattice[i] = (float)random.NextDouble();
            }

            AddOctave(sum, lattice, cells, amplitude);
        }

        return sum;
    }

    private static void AddOctave(float[] sum, float[] lattice, int cells, float amplitude)
    {
        for (int y = 0; y < Size; ++y)
        {
            (int y0, float fy) = Cell(y, cells);
            int y1 = (y0 + 1) % cells;
            for (int x = 0; x < Size; ++x)
            {
                (int x0, float fx) = Cell(x, cells);
                int x1 = (x0 + 1) % cells;
                float upper = Mix(lattice[(y0 * cells) + x0], lattice[(y0 * cells) + x1], fx);
                float lower = Mix(lattice[(y1 * cells) + x0], lattice[(y1 * cells) + x1], fx);
                sum[(y * Size) + x] += amplitude * Mix(upper, lower, fy);
            }
        }
    }

    // The lattice cell of a texel and its eased position in it.
    private static (int Index, float Weight) Cell(int texel, int cells)
    {
        float position = texel * (float)cells / Size;
        int index = (int)position;
        float t = position - index;
        return (index, t * t * (3 - (2 * t)));
    }
}
