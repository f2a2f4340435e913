using System.CommandLine;
using Ata.Cli.Synth;
using Ata.Cli.Train;
using Ata.Data;
using Ata.Training;

namespace Ata.Cli.Verbs;

/// <summary><c>ata compare</c>: trains one model in each temporal mode and compares them.</summary>
internal sealed class CompareVerb : Verb<CompareVerb.Arguments>
{
    private static readonly TemporalMode[] s_modes = [TemporalMode.SpaceOnly, TemporalMode.Divided, TemporalMode.Joint, TemporalMode.Ata];

    /// <summary>The test videos are looked at so often during a run, for its curve.</summary>
    private const int CurvePoints = 10;

    private readonly ConfigOptions _data = TrainArguments.Data("List or folder of videos, with a split to test on. With truth.json beside it, as ata synth --task follow writes, trajectories are compared with where objects really are.");
    private readonly Option<string> _output = Options.OutputFolder("--out", "New or empty folder for the runs, results.json, table.md and report.html.", required: true);
    private readonly Option<IReadOnlyList<TemporalMode>?> _modes = Options.Choices("--modes", "Temporal modes to compare, comma-separated. Default all.", Names.Temporal);
    private readonly Option<IReadOnlyList<AlignmentMethod>?> _alignments = Options.Choices("--alignments", "How mode ata aligns, comma-separated; each is compared. Default exact.", Names.Alignment);
    private readonly Option<string> _sweep = new("--sweep")
    {
        Description = $"Option of ata synth --task follow and the values that it takes, such as speed=0.02,0.04,0.08: the videos of --data are made anew with each, and compared. Options: {string.Join(", ", FollowSweep.Options)}.",
        HelpName = "option=x,...",
    };

    private readonly ValueOption<int> _seeds = Options.Whole("--seeds", "How many seeds, from --seed on.", most: 1000).WithDefault(1);
    private readonly Option<string> _imageData = Options.Input("--image-data", "List of videos whose single frames the image model learns to tell apart, such as shapes.csv or pictures.csv of ata synth. Default: --data.");
    private readonly ValueOption<double> _imageRate = Options.PositiveReal("--image-lr", "Largest learning rate of the image model. Default: --lr.");
    private readonly Option<int?> _imageSteps = Options.Whole("--image-steps", "Updates of the image model. Default: as many as --steps.");
    private readonly ConfigOptions _training = TrainArguments.Training();
    private readonly Option<string> _device = Options.Device();
    private readonly SpeedArguments _speed = new();
    private readonly Option<bool> _json = Options.Json();

    public CompareVerb()
        : base(
            "compare",
            "Compares temporal modes and alignments: trains an image model on single frames, or takes that of --model, plugs the temporal modules in at zero, and fine-tunes it on clips in each mode, with equal steps on equal data.",
            "ata compare --data clips/list.csv --image-data clips/shapes.csv --out compared --arch vit-tiny --image-size 32 --patch-size 8 --dim 64 --depth 2 --frames 6 --stride 1",
            "ata compare --data clips/list.csv --out compared --arch vit-tiny --steps 2000 --seeds 5",
            "ata compare --data clips/list.csv --out compared --model vit.safetensors --frames 8 --modes divided,ata --seeds 5",
            "ata compare --data shells/list.csv --image-data shells/pictures.csv --out swept --arch vit-tiny --image-size 48 --patch-size 4 --modes divided,ata --alignments exact,nearest --sweep speed=0.02,0.08,0.16") =>
        Add([.. _data.All, _output, _modes, _alignments, _sweep, _seeds, _imageData, _imageSteps, _imageRate, .. _training.All, _device, .. _speed.All, _json]);

    /// <summary>What a command line means.</summary>
    /// <param name="Config">What is trained on what, and how.</param>
    /// <param name="Folder">Receives the runs and the results.</param>
    /// <param name="Variants">What is compared.</param>
    /// <param name="Sweep">What is swept; null for nothing.</param>
    /// <param name="Seeds">How many seeds.</param>
    /// <param name="ImageData">List of the image model's videos; null for those of the configuration.</param>
    /// <param name="ImageSteps">Updates of the image model; null for as many as in each mode.</param>
    /// <param name="ImageRate">Largest learning rate of the image model; null for that of the modes.</param>
    /// <param name="Device">Where models are trained and run.</param>
    /// <param name="Speed">How fast videos are read.</param>
    /// <param name="Json">Whether a program reads the result.</param>
    internal sealed record Arguments(
        RunConfig Config, string Folder, IReadOnlyList<ComparedVariant> Variants, FollowSweep? Sweep, int Seeds, string? ImageData, int? ImageSteps, double? ImageRate, string Device, Speed Speed, bool Json);

    public override Arguments Parse(ParseResult parse)
    {
        RunConfig config = _training.Applied(parse, _data.Applied(parse, new RunConfig()));
        if (config.Model.Temporal is not null)
        {
            throw new UsageException("--temporal has no place here: the comparison tries every mode of --modes.");
        }

        string? imageData = parse.GetValue(_imageData);
        int? imageSteps = parse.GetValue(_imageSteps);
        double? imageRate = parse.GetValue(_imageRate);
        if (config.Model.Checkpoint is not null && (imageData is not null || imageSteps is not null || imageRate is not null))
        {
            throw new UsageException("--image-data, --image-steps and --image-lr say how an image model is trained; with --model none is.");
        }

        IReadOnlyList<TemporalMode> modes = parse.GetValue(_modes) ?? s_modes;
        IReadOnlyList<AlignmentMethod>? alignments = parse.GetValue(_alignments);
        if (alignments is not null && !modes.Contains(TemporalMode.Ata))
        {
            throw new UsageException("--alignments has no meaning without mode ata among --modes.");
        }

        if (config.Model.AlignEvery > 1 && alignments?.Contains(AlignmentMethod.Soft) == true)
        {
            throw new UsageException("Alignment soft has no trajectories that other blocks could follow: leave out soft or --align-every.");
        }

        FollowSweep? sweep = parse.GetValue(_sweep) is { } text ? FollowSweep.Parse(text) : null;
        string? split = config.Data.ValidationSplit ?? (config.Data.Validation is null ? "test" : null);
        return new Arguments(
            config with { Data = config.Data with { ValidationSplit = split } },
            parse.GetRequiredValue(_output),
            ComparedVariant.Of(modes, alignments ?? [AlignmentMethod.Exact]),
            sweep,
            _seeds.In(parse),
            imageData,
            imageSteps,
            imageRate,
            Options.DeviceIn(parse, _device),
            _speed.Of(parse),
            parse.GetValue(_json));
    }

    protected override int Run(Arguments arguments, FileGuard files, CancellationToken cancellationToken)
    {
        var directory = new RunDirectory(arguments.Folder);
        using RunLock held = directory.Lock();
        FileGuard.RequireEmpty(arguments.Folder, Path.GetFileName(directory.LockFile));
        var report = new ComparisonReport(arguments.Folder);
        if (arguments.Sweep is { } sweep)
        {
            Sweep(arguments, sweep, report, files, cancellationToken);
        }
        else
        {
            Compare(arguments, arguments.Folder, report.Results, report, files, cancellationToken);
        }

        if (arguments.Json)
        {
            CliJson.Print(report.ToJson());
        }
        else
        {
            report.Print();
        }

        return 0;
    }

    private static void Sweep(Arguments arguments, FollowSweep sweep, ComparisonReport report, FileGuard files, CancellationToken cancellationToken)
    {
        string list = arguments.Config.Data.Train ?? throw new UsageException("--data is missing: name the list of videos that --sweep makes anew.");
        FollowTruth truth = TrajectoryTruth.Beside(list)?.Truth
            ?? throw new UsageException($"--sweep makes videos anew as ata synth --task follow made them, and there is no {FollowTruth.FileName} beside {list}.");
        foreach (double value in sweep.Values)
        {
            string folder = Path.Combine(arguments.Folder, $"{sweep.Option}-{Options.Text(value)}");
            string videos = Path.Combine(folder, "videos");
            FollowSet set = sweep.Remake(truth, value);
            Terminal.WithProgress($"Rendering with {sweep.Option} {Options.Text(value)}", set.Count, progress =>
            {
                set.Write(videos, progress, cancellationToken);
                return set.Count;
            });
            var point = new SweepPoint(sweep.Option, value, new ComparisonResults());
            report.Sweep.Add(point);
            Arguments there = arguments with
            {
                Config = arguments.Config with { Data = arguments.Config.Data with { Train = Path.Combine(videos, "list.csv"), Root = null } },
                ImageData = arguments.ImageData is not null && truth.Pictures > 0 ? Path.Combine(videos, "pictures.csv") : arguments.ImageData,
            };
            Compare(there, folder, point.Results, report, files, cancellationToken);
        }
    }

    private static void Compare(
        Arguments arguments, string folder, ComparisonResults results, ComparisonReport report, FileGuard files, CancellationToken cancellationToken)
    {
        RunConfig config = arguments.Config;
        (VideoDataset train, VideoDataset? test) = RunData.Load(config.Data, config.Training.Seed, files);
        VideoDataset images = arguments.ImageData is { } list
            ? RunData.Load(config.Data with { Train = list, Validation = null, ValidationSplit = null, Labels = null }, config.Training.Seed, files).Train
            : train;
        TrainingRunOptions video = arguments.Speed.Applied(config.Training) with { ValidateEveryEpochs = 0, CheckpointEverySteps = int.MaxValue };
        long steps = video.TotalSteps(train.Count);
        video = video with { Steps = steps, ValidateEverySteps = (int)Math.Max(1, steps / CurvePoints) };
        TrainingRunOptions image = video with
        {
            Steps = arguments.ImageSteps ?? steps,
            LearningRate = video.LearningRate with { Peak = arguments.ImageRate ?? video.LearningRate.Peak },
        };
        TrajectoryTruth? truth = TrajectoryTruth.Beside(config.Data.Train!);
        using Model shape = RunModel.Create(config.Model, train.Labels, 0, arguments.Device);
        RequireImageModel(config.Model, shape.Config);
        results.PatchesPerFrame = truth?.PatchesPerFrame(shape.Config, video);
        var comparison = new TemporalComparison(arguments.Variants, shape.Config, config.Model.Checkpoint, images, train, test!, image, video, folder, arguments.Device, truth);
        for (int i = 0; i < arguments.Seeds; ++i)
        {
            comparison.RunAsync(config.Training.Seed + (ulong)i, results, cancellationToken).GetAwaiter().GetResult();
            report.Write();
        }
    }

    private static void RequireImageModel(ModelSource source, ModelConfig config)
    {
        if (source.Checkpoint is { } path && config.Temporal != TemporalMode.SpaceOnly)
        {
            throw new UsageException($"{path} is a video model of mode {Names.Temporal.Of(config.Temporal)}; --model takes an image model, into which temporal modules are plugged (ata import --temporal space_only --frames 1 makes one of an image checkpoint).");
        }

        if (source.Checkpoint is not null && source.Frames is null)
        {
            throw new UsageException("--frames is missing: an image model does not say how many frames a clip has.");
        }
    }
}
