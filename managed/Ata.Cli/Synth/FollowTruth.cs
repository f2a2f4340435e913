namespace Ata.Cli.Synth;

/// <summary>Where everything is in the clips of a folder: <c>truth.json</c>. Lengths are in pixels, places count from the
/// frame's top left corner.</summary>
/// <param name="Task">What the clips are for: "follow".</param>
/// <param name="Options">What the clips look like, to make others with one thing changed; lengths in it are fractions of the
/// shorter side.</param>
/// <param name="Pictures">How many pictures there are.</param>
/// <param name="TestShare">Share of each class whose split is "test".</param>
/// <param name="Seed">Seed of everything.</param>
/// <param name="Clips">The clips, in the order of the list.</param>
internal sealed record FollowTruth(
    string Task,
    FollowOptions Options,
    int Pictures,
    double TestShare,
    ulong Seed,
    IReadOnlyList<FollowTruth.Clip> Clips)
{
    /// <summary>Name of the task.</summary>
    public const string TaskName = "follow";

    /// <summary>Name of the file.</summary>
    public const string FileName = "truth.json";

    /// <summary>Width of a frame.</summary>
    public int Width => Options.Width;

    /// <summary>Height of a frame.</summary>
    public int Height => Options.Height;

    /// <summary>Frames per second.</summary>
    public double Fps => Options.Fps;

    /// <summary>Radius of the discs.</summary>
    public double Radius => Options.Radius * Options.ShorterSide;

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

    /// <summary>Checks what was read from a file.</summary>
    /// <exception cref="ArgumentException">It contradicts itself.</exception>
    public void Check()
    {
        static void Require([System.Diagnostics.CodeAnalysis.DoesNotReturnIf(false)] bool holds, string problem)
        {
            if (!holds)
            {
                throw new ArgumentException(problem);
            }
        }

        Require(Task == TaskName, $"its task is \"{Task}\"");
        Require(Options is not null && Clips is not null, "options or clips are missing");
        Require(Width > 0 && Height > 0 && Fps > 0 && Radius > 0 && Options.Frames > 0 && Options.Objects > 0, "a size, rate or count is not above 0");
        foreach (Clip clip in Clips)
        {
            if (clip is not { Path: not null, Order: not null, Posts: not null, Centers: not null })
            {
                throw new ArgumentException("a clip lacks path, order, posts or centers");
            }

            Require(clip.Centers.Count == Options.Objects && clip.Centers.All(c => c?.Count == Options.Frames && c.All(p => p?.Count == 2)), $"{clip.Path}: its centers are not [{Options.Objects}][{Options.Frames}][2]");
            Require(clip.Order.Order().SequenceEqual(Enumerable.Range(0, Options.Objects)), $"{clip.Path}: its order does not name every disc once");
            Require(clip.Posts.All(p => p?.Count == 2), $"{clip.Path}: its posts are not pairs");
        }
    }

    private static double[] Point(double x, double y) => [Math.Round(x, 3), Math.Round(y, 3)];
}
