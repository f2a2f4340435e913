namespace Ata.Cli.Synth;

/// <summary>
/// What the acting object of a clip does: the clip's class. Actions come in pairs of which one is the other played
/// backwards, so that no single frame tells them apart.
/// </summary>
internal enum SynthAction
{
    /// <summary>Becomes brighter.</summary>
    Brighten,

    /// <summary>Becomes darker.</summary>
    Dim,

    /// <summary>Becomes larger.</summary>
    Grow,

    /// <summary>Becomes smaller.</summary>
    Shrink,

    /// <summary>Turns clockwise on the spot of its path.</summary>
    TurnClockwise,

    /// <summary>Turns counterclockwise on the spot of its path.</summary>
    TurnCounterclockwise,

    /// <summary>Moves along a circle clockwise.</summary>
    CircleClockwise,

    /// <summary>Moves along a circle counterclockwise.</summary>
    CircleCounterclockwise,
}
