namespace Ata.Cli.Drawing;

/// <summary>Colours of positions: neighbours look alike, and distant places differ.</summary>
internal static class PositionColors
{
    private static readonly (float Red, float Green, float Blue) TopLeft = (235, 64, 52);
    private static readonly (float Red, float Green, float Blue) TopRight = (250, 214, 35);
    private static readonly (float Red, float Green, float Blue) BottomLeft = (68, 60, 240);
    private static readonly (float Red, float Green, float Blue) BottomRight = (30, 205, 140);

    /// <summary>The colour of a patch of a grid.</summary>
    public static (float Red, float Green, float Blue) Of(int patch, int gridHeight, int gridWidth)
    {
        float x = gridWidth > 1 ? (float)(patch % gridWidth) / (gridWidth - 1) : 0.5f;
        float y = gridHeight > 1 ? (float)(patch / gridWidth) / (gridHeight - 1) : 0.5f;
        return Mix(Mix(TopLeft, TopRight, x), Mix(BottomLeft, BottomRight, x), y);
    }

    private static (float Red, float Green, float Blue) Mix(
        (float Red, float Green, float Blue) a, (float Red, float Green, float Blue) b, float share) =>
        (a.Red + (share * (b.Red - a.Red)), a.Green + (share * (b.Green - a.Green)), a.Blue + (share * (b.Blue - a.Blue)));
}
