namespace Ata.Cli.Synth;

/// <summary>What the videos of any task are.</summary>
internal abstract record SynthOptions
{
    /// <summary>Smallest and largest width and height.</summary>
    public const int LeastSide = 32;
    public const int MostSide = 4096;

    /// <summary>Width in pixels; even.</summary>
    public int Width { get; init; } = 128;

    /// <summary>Height in pixels; even.</summary>
    public int Height { get; init; } = 128;

    /// <summary>Frames of a clip, at least 2.</summary>
    public int Frames { get; init; } = 32;

    /// <summary>Frames per second.</summary>
    public double Fps { get; init; } = 12;

    /// <summary>Pixels of the shorter side.</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public int ShorterSide => Math.Min(Width, Height);
}
