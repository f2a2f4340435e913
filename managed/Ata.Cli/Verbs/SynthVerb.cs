using System.CommandLine;
using Ata.Cli.Synth;

namespace Ata.Cli.Verbs;

/// <summary><c>ata synth</c>: makes videos whose class lies in what an object does over time.</summary>
internal sealed class SynthVerb : Verb<SynthVerb.Arguments>
{
    private static readonly IReadOnlyDictionary<string, SynthDifficulty> s_difficulties = new Dictionary<string, SynthDifficulty>
    {
        ["easy"] = SynthDifficulty.Easy,
        ["medium"] = SynthDifficulty.Medium,
        ["hard"] = SynthDifficulty.Hard,
    };

    private static readonly SynthOptions s_defaults = new();

    private readonly PathArgument _output = new("output", PathRole.OutputFolder)
    {
        Description = "New or empty folder to write: videos, list.csv (path,label,group,split), labels.txt, and shapes.csv, which says what the objects of each video look like.",
    };

    private readonly ValueOption<int> _clips = Options.Whole("--clips", "Number of videos.", most: 1_000_000).WithDefault(10 * ClipSet.MostClasses, ", ten of each class");
    private readonly Option<int?> _classes = Options.Whole("--classes", $"How many of the {ClipSet.MostClasses} actions. Default all.", most: ClipSet.MostClasses);
    private readonly ValueOption<double> _test = Options.Real("--test", "Share of each class whose split is test, 0 to 1.", most: 1).WithDefault(0.25);
    private readonly ValueOption<(int Width, int Height)> _size = Options.FrameSize("--size", "Width and height in pixels, even.", SynthOptions.LeastSide, SynthOptions.MostSide)
        .WithDefault((s_defaults.Width, s_defaults.Height));
    private readonly ValueOption<int> _frames = Options.Whole("--frames", "Frames of a video, at least 2.", least: 2, most: 100_000).WithDefault(s_defaults.Frames);
    private readonly ValueOption<double> _fps = Options.Real("--fps", "Frames per second.", 0.01, 1000).WithDefault(s_defaults.Fps);
    private readonly ValueOption<SynthDifficulty> _difficulty = Options.Choice("--difficulty", "Number of other objects, speed, noise.", s_difficulties)
        .WithDefault(s_defaults.Difficulty);
    private readonly ValueOption<ulong> _seed = Options.Seed().WithDefault(0);

    public SynthVerb()
        : base(
            "synth",
            "Makes a folder of labelled videos: textured objects move over a textured background, and one of them acts.",
            "ata synth clips --clips 8",
            "ata synth bench --clips 2000 --test 0.2 --size 64x64 --frames 16 --difficulty hard --seed 1")
    {
        Command.Add(_output);
        Add(_clips, _classes, _test, _size, _frames, _fps, _difficulty, _seed);
    }

    /// <summary>What a command line means.</summary>
    internal sealed record Arguments(string Folder, int Clips, int Classes, double TestShare, SynthOptions Options, ulong Seed);

    public override Arguments Parse(ParseResult parse)
    {
        (int width, int height) = _size.In(parse);
        var options = new SynthOptions
        {
            Width = width,
            Height = height,
            Frames = _frames.In(parse),
            Fps = _fps.In(parse),
            Difficulty = _difficulty.In(parse),
        };
        return new Arguments(
            parse.GetRequiredValue(_output), _clips.In(parse), parse.GetValue(_classes) ?? ClipSet.MostClasses, _test.In(parse), options, _seed.In(parse));
    }

    protected override int Run(Arguments arguments, FileGuard files, CancellationToken cancellationToken)
    {
        FileGuard.RequireEmpty(arguments.Folder);
        var set = new ClipSet(arguments.Options, arguments.Clips, arguments.TestShare, arguments.Seed, arguments.Classes);
        Terminal.WithProgress("Rendering", arguments.Clips, progress =>
        {
            set.Write(arguments.Folder, progress, cancellationToken);
            return arguments.Clips;
        });
        Terminal.WriteLine(
            $"[bold]{arguments.Folder}[/]: {arguments.Clips} videos of {arguments.Options.Frames} frames, {arguments.Options.Width} x {arguments.Options.Height} pixels, {set.Labels.Count} classes; listed in list.csv");
        return 0;
    }
}
