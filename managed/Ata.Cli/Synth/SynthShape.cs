namespace Ata.Cli.Synth;

/// <summary>The outline that all objects of a clip share. Any single frame shows it, and it says nothing about the
/// action: a task for an image model.</summary>
internal enum SynthShape
{
    /// <summary>A disc.</summary>
    Disc,

    /// <summary>A square.</summary>
    Square,

    /// <summary>A triangle.</summary>
    Triangle,

    /// <summary>A cross.</summary>
    Cross,
}
