using Ata.Data;

namespace Ata.Cli.Synth;

/// <summary>The way of a disc: on bends from one random place to the next, each reached after the same number of frames, so
/// that discs whose places are far apart move fast.</summary>
internal sealed class FollowPath
{
    // Mean distance of two random places in a square, over its side; a bend makes the way longer by about so much.
    private const double MeanDistance = 0.52;
    private const double Detour = 1.2;

    // How far a bend leads aside, of the frame's shorter side.
    private const double MostBend = 0.15;

    private readonly (double X, double Y)[] _centers;

    /// <summary>Draws a way.</summary>
    /// <param name="random">Source of its places and bends.</param>
    /// <param name="options">Size of the frame, number of frames, radius, speed.</param>
    public FollowPath(SampleRandom random, FollowOptions options)
    {
        double radius = options.Radius * options.ShorterSide;
        (double right, double bottom) = (options.Width - radius, options.Height - radius);
        double side = Math.Sqrt((((right - radius) * (right - radius)) + ((bottom - radius) * (bottom - radius))) / 2);
        double placesPerFrame = options.Speed * options.ShorterSide / (MeanDistance * Detour * side);
        (double X, double Y) Place() => (random.Uniform(radius, right), random.Uniform(radius, bottom));
        double Bend() => random.Uniform(-MostBend, MostBend) * options.ShorterSide;

        ((double X, double Y) from, (double X, double Y) to, (double X, double Y) bend) = (Place(), Place(), (Bend(), Bend()));
        int leg = 0;
        _centers = new (double, double)[options.Frames];
        for (int i = 0; i < _centers.Length; ++i)
        {
            double way = placesPerFrame * i;
            for (; leg < (int)way; ++leg)
            {
                (from, to, bend) = (to, Place(), (Bend(), Bend()));
            }

            double t = way - leg;
            double aside = 4 * t * (1 - t);
            _centers[i] = (
                Math.Clamp(from.X + ((to.X - from.X) * t) + (bend.X * aside), radius, right),
                Math.Clamp(from.Y + ((to.Y - from.Y) * t) + (bend.Y * aside), radius, bottom));
        }
    }

    /// <summary>Centre in every frame, in pixels from the top left corner.</summary>
    public IReadOnlyList<(double X, double Y)> Centers => _centers;

    /// <summary>Where it begins.</summary>
    public (double X, double Y) Start => _centers[0];

    /// <summary>Where it ends.</summary>
    public (double X, double Y) End => _centers[^1];
}
