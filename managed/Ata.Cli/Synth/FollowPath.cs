using Ata.Data;

namespace Ata.Cli.Synth;

/// <summary>The way of a disc: steps of one length, half to one and a half of the usual, along a bend, thrown back by the edges of the frame.</summary>
internal sealed class FollowPath
{
    private readonly (double X, double Y)[] _centers;

    /// <summary>Draws a way.</summary>
    /// <param name="random">Source of its start, direction and bend.</param>
    /// <param name="options">Size of the frame, number of frames, radius, speed.</param>
    public FollowPath(SampleRandom random, FollowOptions options)
    {
        double radius = options.Radius * options.ShorterSide;
        (double right, double bottom) = (options.Width - radius, options.Height - radius);
        double x = random.Uniform(radius, right);
        double y = random.Uniform(radius, bottom);
        double heading = random.Uniform(0, 2 * Math.PI);
        double turn = random.Uniform(-0.5, 0.5) * Math.PI / options.Frames;
        double step = random.Uniform(0.5, 1.5) * options.Speed * options.ShorterSide;
        _centers = new (double, double)[options.Frames];
        for (int i = 0; i < _centers.Length; ++i)
        {
            _centers[i] = (x, y);
            (x, bool turnedX) = Advance(x, step * Math.Cos(heading), radius, right);
            (y, bool turnedY) = Advance(y, step * Math.Sin(heading), radius, bottom);
            heading = turnedX ? Math.PI - heading : heading;
            heading = (turnedY ? -heading : heading) + turn;
        }
    }

    /// <summary>Centre in every frame, in pixels from the top left corner.</summary>
    public IReadOnlyList<(double X, double Y)> Centers => _centers;

    /// <summary>Where it begins.</summary>
    public (double X, double Y) Start => _centers[0];

    /// <summary>Where it ends.</summary>
    public (double X, double Y) End => _centers[^1];

    // One step; whether it was thrown back an odd number of times.
    private static (double Position, bool Turned) Advance(double position, double step, double low, double high)
    {
        double range = high - low;
        double phase = (position + step - low) / range;
        phase -= 2 * Math.Floor(phase / 2);
        bool turned = Math.Floor((position + step - low) / range) % 2 != 0;
        return (low + (range * (phase <= 1 ? phase : 2 - phase)), turned);
    }
}
