namespace Ata.Cli.Synth;

/// <summary>What the clips of the task "follow" look like. Lengths are fractions of the frame's shorter side.</summary>
internal sealed record FollowOptions : SynthOptions
{
    /// <summary>Largest radius: larger discs would not fit into a quadrant.</summary>
    public const double MostRadius = 0.2;

    /// <summary>How many discs there are, at least 1.</summary>
    public int Objects { get; init; } = 3;

    /// <summary>Radius of a disc.</summary>
    public double Radius { get; init; } = 0.16;

    /// <summary>Movement between two frames, on average over discs: some hardly move, some twice as fast.</summary>
    public double Speed { get; init; } = 0.02;

    /// <summary>How much of their colours and stripes the discs of a clip share: 0 for none, 1 for all.</summary>
    public double Likeness { get; init; }

    /// <summary>Posts that the discs pass behind.</summary>
    public int Posts { get; init; }

    /// <summary>In how many frames, from the first on, the mark is seen; at least 1.</summary>
    public int Marked { get; init; } = 1;

    /// <summary>Movement of the background between two frames.</summary>
    public double BackgroundSpeed { get; init; }

    /// <summary>Standard deviation of the noise of a pixel, of 255.</summary>
    public double Noise { get; init; } = 3;
}
