using System.CommandLine;
using Ata.Cli.Synth;

namespace Ata.Cli.Verbs;

/// <summary><c>ata synth</c>: makes videos whose class lies in what objects do over time.</summary>
internal sealed class SynthVerb : Verb<SynthVerb.Arguments>
{
    private static readonly IReadOnlyDictionary<string, SynthTask> s_tasks = new Dictionary<string, SynthTask>
    {
        ["act"] = SynthTask.Act,
        ["follow"] = SynthTask.Follow,
    };

    private static readonly IReadOnlyDictionary<string, SynthDifficulty> s_difficulties = new Dictionary<string, SynthDifficulty>
    {
        ["easy"] = SynthDifficulty.Easy,
        ["medium"] = SynthDifficulty.Medium,
        ["hard"] = SynthDifficulty.Hard,
    };

    private static readonly ActionOptions s_act = new();
    private static readonly FollowOptions s_follow = new();

    private readonly PathArgument _output = new("output", PathRole.OutputFolder)
    {
        Description = "New or empty folder to write: videos, list.csv (path,label,group,split), labels.txt, and what an image model can learn from: shapes.csv (act) or pictures.csv (follow). Follow also writes truth.json: where every object is in every frame.",
    };

    private readonly ValueOption<SynthTask> _task = Options.Choice("--task", "act: what does the one object do that does more than move? follow: in which quadrant does the object end that wears a ring in the first frame?", s_tasks)
        .WithDefault(SynthTask.Act);
    private readonly ValueOption<int> _clips = Options.Whole("--clips", "Number of videos.", most: 1_000_000).WithDefault(10 * ActionSet.MostClasses);
    private readonly ValueOption<double> _test = Options.Real("--test", "Share of each class whose split is test, 0 to 1.", most: 1).WithDefault(0.25);
    private readonly ValueOption<(int Width, int Height)> _size = Options.FrameSize("--size", "Width and height in pixels, even.", SynthOptions.LeastSide, SynthOptions.MostSide)
        .WithDefault((s_act.Width, s_act.Height));
    private readonly ValueOption<int> _frames = Options.Whole("--frames", "Frames of a video, at least 2.", least: 2, most: 100_000).WithDefault(s_act.Frames);
    private readonly ValueOption<double> _fps = Options.Real("--fps", "Frames per second.", 0.01, 1000).WithDefault(s_act.Fps);
    private readonly ValueOption<ulong> _seed = Options.Seed().WithDefault(0);

    private readonly Option<int?> _classes = Options.Whole("--classes", $"act: how many of the {ActionSet.MostClasses} actions. Default all.", most: ActionSet.MostClasses);
    private readonly ValueOption<SynthDifficulty> _difficulty = Options.Choice("--difficulty", "act: number of other objects, speed, noise.", s_difficulties)
        .WithDefault(s_act.Difficulty);

    private readonly ValueOption<int> _objects = Options.Whole("--objects", "follow: number of discs.", most: 100).WithDefault(s_follow.Objects);
    private readonly ValueOption<double> _radius = Options.Real("--radius", "follow: radius of a disc, as a fraction of the frame's shorter side.", 0.01, FollowOptions.MostRadius).WithDefault(s_follow.Radius);
    private readonly ValueOption<double> _speed = Options.Real("--speed", "follow: movement of a disc from one frame to the next, on average, as a fraction of the shorter side.", most: 10).WithDefault(s_follow.Speed);
    private readonly ValueOption<double> _likeness = Options.Real("--likeness", "follow: how much of their colours and stripes the discs of a video share, 0 to 1.", most: 1).WithDefault(s_follow.Likeness);
    private readonly ValueOption<int> _posts = Options.Whole("--posts", "follow: posts that the discs pass behind.", least: 0, most: 100).WithDefault(s_follow.Posts);
    private readonly ValueOption<int> _marked = Options.Whole("--marked", "follow: in how many frames, from the first on, the ring is seen.").WithDefault(s_follow.Marked);
    private readonly ValueOption<double> _backgroundSpeed = Options.Real("--background-speed", "follow: movement of the background from one frame to the next, as a fraction of the shorter side.", most: 10).WithDefault(s_follow.BackgroundSpeed);
    private readonly ValueOption<double> _noise = Options.Real("--noise", "follow: standard deviation of a pixel's noise, of 255.", most: 255).WithDefault(s_follow.Noise);
    private readonly ValueOption<int> _pictures = Options.Whole("--pictures", "follow: number of single frames to write for an image model.", least: 0, most: 10_000_000).WithDefault(0);

    public SynthVerb()
        : base(
            "synth",
            "Makes a folder of labelled videos: textured objects move over a textured background, and the class is what one of them does, or where it ends.",
            "ata synth clips --clips 8",
            "ata synth bench --clips 2000 --test 0.2 --size 64x64 --frames 16 --difficulty hard --seed 1",
            "ata synth shells --task follow --clips 4000 --pictures 6000 --size 48x48 --frames 8 --fps 8 --speed 0.08")
    {
        Command.Add(_output);
        Add(_task, _clips, _test, _size, _frames, _fps, _seed);
        Add([.. Act, .. Follow]);
    }

    private enum SynthTask
    {
        /// <summary>An object does something.</summary>
        Act,

        /// <summary>An object goes somewhere.</summary>
        Follow,
    }

    /// <summary>Options of one task alone.</summary>
    private Option[] Act => [_classes, _difficulty];

    private Option[] Follow => [_objects, _radius, _speed, _likeness, _posts, _marked, _backgroundSpeed, _noise, _pictures];

    /// <summary>What a command line means.</summary>
    /// <param name="Folder">Receives the videos.</param>
    /// <param name="Videos">What they are.</param>
    /// <param name="Clips">How many there are.</param>
    /// <param name="Pictures">How many single frames.</param>
    /// <param name="Set">Writes them.</param>
    internal sealed record Arguments(string Folder, SynthOptions Videos, int Clips, int Pictures, ClipSet Set);

    public override Arguments Parse(ParseResult parse)
    {
        SynthTask task = _task.In(parse);
        (SynthTask otherTask, Option[] others) = task == SynthTask.Act ? (SynthTask.Follow, Follow) : (SynthTask.Act, Act);
        if (others.FirstOrDefault(o => parse.GetResult(o) is { Implicit: false }) is { } other)
        {
            throw new UsageException($"{other.Name} has no meaning with --task {s_tasks.Of(task)}; it belongs to --task {s_tasks.Of(otherTask)}.");
        }

        int clips = _clips.In(parse);
        double test = _test.In(parse);
        ulong seed = _seed.In(parse);
        string folder = parse.GetRequiredValue(_output);
        if (task == SynthTask.Follow)
        {
            FollowOptions follow = WithFrames(s_follow, parse) with
            {
                Objects = _objects.In(parse),
                Radius = _radius.In(parse),
                Speed = _speed.In(parse),
                Likeness = _likeness.In(parse),
                Posts = _posts.In(parse),
                Marked = _marked.In(parse),
                BackgroundSpeed = _backgroundSpeed.In(parse),
                Noise = _noise.In(parse),
            };
            int pictures = _pictures.In(parse);
            return new Arguments(folder, follow, clips, pictures, new FollowSet(follow, clips, pictures, test, seed));
        }

        ActionOptions act = WithFrames(s_act, parse) with { Difficulty = _difficulty.In(parse) };
        return new Arguments(folder, act, clips, 0, new ActionSet(act, clips, test, seed, parse.GetValue(_classes) ?? ActionSet.MostClasses));
    }

    /// <summary>The options with what all tasks have: the size, number and rate of frames.</summary>
    private T WithFrames<T>(T options, ParseResult parse)
        where T : SynthOptions
    {
        (int width, int height) = _size.In(parse);
        return (T)(options with { Width = width, Height = height, Frames = _frames.In(parse), Fps = _fps.In(parse) });
    }

    protected override int Run(Arguments arguments, FileGuard files, CancellationToken cancellationToken)
    {
        FileGuard.RequireEmpty(arguments.Folder);
        Terminal.WithProgress("Rendering", arguments.Set.Count, progress =>
        {
            arguments.Set.Write(arguments.Folder, progress, cancellationToken);
            return arguments.Set.Count;
        });
        SynthOptions videos = arguments.Videos;
        Terminal.WriteLine(
            $"[bold]{arguments.Folder}[/]: {arguments.Clips} videos of {videos.Frames} frames, {videos.Width} x {videos.Height} pixels, {arguments.Set.Labels.Count} classes; listed in list.csv");
        if (arguments.Pictures > 0)
        {
            Terminal.WriteLine($"{arguments.Pictures} pictures, listed in pictures.csv");
        }

        return 0;
    }
}
