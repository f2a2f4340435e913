using Ata.Data;

namespace Ata.Cli.Synth;

/// <summary>The pattern of a disc: stripes of two colours, at any angle.</summary>
internal sealed class Stripes
{
    // A pair of stripes, of the disc's radius.
    private const double Period = 0.9;

    private readonly double _across;
    private readonly double _down;
    private readonly float[] _first;
    private readonly float[] _second;

    /// <summary>Draws colours and an angle.</summary>
    public Stripes(SampleRandom random)
    {
        double angle = random.Uniform(0, Math.PI);
        _across = Math.Cos(angle) * 2 * Math.PI / Period;
        _down = Math.Sin(angle) * 2 * Math.PI / Period;
        _first = Color(random);
        _second = Color(random);
    }

    /// <summary>Reads the colour at a point.</summary>
    /// <param name="x">Distance to the right of the disc's centre, in radii.</param>
    /// <param name="y">Distance below the disc's centre, in radii.</param>
    /// <param name="softness">Width of the edge between two stripes, in radii: that of a pixel.</param>
    /// <param name="rgb">Receives three values from 0 to 255.</param>
    public void Sample(double x, double y, double softness, Span<float> rgb)
    {
        double slope = Period / (2 * Math.PI * softness);
        float second = (float)Math.Clamp(0.5 + (slope * Math.Sin((_across * x) + (_down * y))), 0, 1);
        for (int channel = 0; channel < 3; ++channel)
        {
            rgb[channel] = _first[channel] + ((_second[channel] - _first[channel]) * second);
        }
    }

    private static float[] Color(SampleRandom random) =>
        [(float)random.Uniform(55, 255), (float)random.Uniform(55, 255), (float)random.Uniform(55, 255)];
}
