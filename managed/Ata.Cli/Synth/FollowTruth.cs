namespace Ata.Cli.Synth;

/// <summary>Where everything is in the clips of a folder: <c>truth.json</c>. Lengths are in pixels, places count from the
/// frame's top left corner.</summary>
/// <param name="Task">What the clips are for: "follow".</param>
/// <param name="Width">Width of a frame.</param>
/// <param name="Height">Height of a frame.</param>
/// <param name="Fps">Frames per second.</param>
/// <param name="Radius">Radius of the discs.</param>
/// <param name="Clips">The clips, in the order of the list.</param>
internal sealed record FollowTruth(string Task, int Width, int Height, double Fps, double Radius, IReadOnlyList<FollowTruth.Clip> Clips)
{
    /// <summary>Name of the file.</summary>
    public const string FileName = "truth.json";

    /// <summary>A clip.</summary>
    /// <param name="Path">Its file, as in the list.</param>
    /// <param name="Marked">Index of the disc that wears the ring.</param>
    /// <param name="Order">The discs from the hindmost to the foremost.</param>
    /// <param name="Posts">Left and right edge of each post in front.</param>
    /// <param name="Centers">x and y of each disc's centre in every frame: <c>[discs][frames][2]</c>.</param>
    internal sealed record Clip(
        string Path, int Marked, IReadOnlyList<int> Order, IReadOnlyList<IReadOnlyList<double>> Posts, IReadOnlyList<IReadOnlyList<IReadOnlyList<double>>> Centers);

    /// <summary>What is true of a scene.</summary>
    public static Clip Of(string path, FollowScene scene) => new(
        path,
        scene.Marked,
        scene.Order,
        scene.Posts.Select(p => Point(p.Left, p.Right)).ToArray(),
        scene.Paths.Select(p => p.Centers.Select(c => Point(c.X, c.Y)).ToArray()).ToArray());

    private static double[] Point(double x, double y) => [Math.Round(x, 3), Math.Round(y, 3)];
}
