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

/// <summary>What the clips look like.</summary>
/// <param name="Width">Width in pixels; even.</param>
/// <param name="Height">Height in pixels; even.</param>
/// <param name="Frames">Frames of a clip, at least 2.</param>
/// <param name="Fps">Frames per second.</param>
/// <param name="Difficulty">Number of objects, speed, noise.</param>
internal sealed record SynthOptions(int Width, int Height, int Frames, double Fps, SynthDifficulty Difficulty)
{
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

    /// <summary>Pixels of the shorter side.</summary>
    public int ShorterSide => Math.Min(Width, Height);
}
