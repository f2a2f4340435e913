using Ata.Data;

namespace Ata.Cli.Synth;

/// <summary>Makes bytes of colours.</summary>
internal static class Pixels
{
    /// <summary>Adds noise and rounds.</summary>
    /// <param name="colors">Values from 0 to 255.</param>
    /// <param name="noise">Standard deviation of the noise.</param>
    /// <param name="random">Source of the noise.</param>
    /// <param name="rgb">Receives as many bytes.</param>
    public static void Round(ReadOnlySpan<float> colors, double noise, SampleRandom random, Span<byte> rgb)
    {
        for (int i = 0; i < colors.Length; ++i)
        {
            double added = noise > 0 ? noise * random.Normal() : 0;
            rgb[i] = (byte)Math.Clamp(Math.Round(colors[i] + added), 0, 255);
        }
    }
}
