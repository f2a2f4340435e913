namespace Ata.Cli.Synth;

/// <summary>How hard the clips are to understand.</summary>
internal enum SynthDifficulty
{
    /// <summary>One slow object over a still background.</summary>
    Easy,

    /// <summary>One other object that only moves, a moving background, noise.</summary>
    Medium,

    /// <summary>Three other objects that pass in front and behind, fast movement, strong noise.</summary>
    Hard,
}

/// <summary>What the clips of the task "act" look like.</summary>
internal sealed record ActionOptions : SynthOptions
{
    /// <summary>Number of objects, speed, noise.</summary>
    public SynthDifficulty Difficulty { get; init; } = SynthDifficulty.Medium;

    /// <summary>Objects that move without acting.</summary>
    public int Distractors => Difficulty switch { SynthDifficulty.Easy => 0, SynthDifficulty.Medium => 1, _ => 3 };

    /// <summary>Typical movement between two frames, as a fraction of the shorter side.</summary>
    public double Speed => Difficulty switch
    {
        SynthDifficulty.Easy => 0.015,
        SynthDifficulty.Medium => 0.03,
        _ => 0.06,
    };

    /// <summary>Movement of the background between two frames, as a fraction of the shorter side.</summary>
    public double BackgroundSpeed => Difficulty == SynthDifficulty.Easy ? 0 : Speed / 4;

    /// <summary>Standard deviation of the noise of a pixel, of 255.</summary>
    public double Noise => Difficulty switch { SynthDifficulty.Easy => 0, SynthDifficulty.Medium => 4, _ => 10 };
}
