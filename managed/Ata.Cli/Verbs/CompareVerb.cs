using System.CommandLine;
using System.Globalization;
using System.Text;
using Ata.Cli.Train;
using Ata.Data;
using Ata.Interop;
using Ata.Training;
using Spectre.Console;

namespace Ata.Cli.Verbs;

/// <summary><c>ata compare</c>: trains one model in each temporal mode and compares them.</summary>
internal sealed class CompareVerb : Verb<CompareVerb.Arguments>
{
    private readonly ConfigOptions _data = TrainArguments.Data("List or folder of videos, with a split to test on.");
    private readonly Option<string> _output = Options.OutputFolder("--out", "New or empty folder for the runs, results.json and table.md.", required: true);
    private readonly ValueOption<int> _seeds = Options.Whole("--seeds", "How many seeds, from --seed on.", most: 1000).WithDefault(1);
    private readonly Option<string> _imageData = Options.Input("--image-data", "List of videos whose single frames the image model learns to tell apart, such as shapes.csv of ata synth. Default: --data.");
    private readonly Option<int?> _imageSteps = Options.Whole("--image-steps", "Updates of the image model. Default: as many as --steps.");
    private readonly ConfigOptions _training = TrainArguments.Training();
    private readonly Option<string> _device = Options.Device();
    private readonly SpeedArguments _speed = new();
    private readonly Option<bool> _json = Options.Json();

    public CompareVerb()
        : base(
            "compare",
            "Compares the temporal modes: trains an image model on single frames, plugs the temporal modules in at zero, and fine-tunes it on clips in each mode, with equal steps on equal data.",
            "ata compare --data clips/list.csv --image-data clips/shapes.csv --out compared --arch vit-tiny --image-size 32 --patch-size 8 --dim 64 --depth 2 --frames 6 --stride 1",
            "ata compare --data clips/list.csv --out compared --arch vit-tiny --steps 2000 --seeds 5") =>
        Add([.. _data.All, _output, _seeds, _imageData, _imageSteps, .. _training.All, _device, .. _speed.All, _json]);

    /// <summary>What a command line means.</summary>
    /// <param name="Config">What is trained on what, and how.</param>
    /// <param name="Folder">Receives the runs and the results.</param>
    /// <param name="Seeds">How many seeds.</param>
    /// <param name="ImageData">List of the image model's videos; null for those of the configuration.</param>
    /// <param name="ImageSteps">Updates of the image model; null for as many as in each mode.</param>
    /// <param name="Device">Where models are trained and run.</param>
    /// <param name="Speed">How fast videos are read.</param>
    /// <param name="Json">Whether a program reads the result.</param>
    internal sealed record Arguments(RunConfig Config, string Folder, int Seeds, string? ImageData, int? ImageSteps, string Device, Speed Speed, bool Json);

    public override Arguments Parse(ParseResult parse)
    {
        RunConfig config = _training.Applied(parse, _data.Applied(parse, new RunConfig()));
        if (config.Model.Checkpoint is not null || config.Model.Temporal is not null)
        {
            throw new UsageException("--model and --temporal have no place here: the comparison trains its own image model and tries every mode.");
        }

        string? split = config.Data.ValidationSplit ?? (config.Data.Validation is null ? "test" : null);
        return new Arguments(
            config with { Data = config.Data with { ValidationSplit = split } },
            parse.GetRequiredValue(_output),
            _seeds.In(parse),
            parse.GetValue(_imageData),
            parse.GetValue(_imageSteps),
            Options.DeviceIn(parse, _device),
            _speed.Of(parse),
            parse.GetValue(_json));
    }

    protected override int Run(Arguments arguments, FileGuard files, CancellationToken cancellationToken)
    {
        var directory = new RunDirectory(arguments.Folder);
        using RunLock held = directory.Lock();
        FileGuard.RequireEmpty(arguments.Folder, Path.GetFileName(directory.LockFile));
        TemporalComparison comparison = Prepare(arguments, files);
        var results = new List<ModeResult>();
        var information = new List<InformationResult>();
        for (int i = 0; i < arguments.Seeds; ++i)
        {
            comparison.RunAsync(arguments.Config.Training.Seed + (ulong)i, results, information, cancellationToken).GetAwaiter().GetResult();
            Write(arguments.Folder, results, information);
        }

        if (arguments.Json)
        {
            CliJson.Print(new CompareJson(results, information));
        }
        else
        {
            Print(results, information);
        }

        return 0;
    }

    private static TemporalComparison Prepare(Arguments arguments, FileGuard files)
    {
        RunConfig config = arguments.Config;
        (VideoDataset train, VideoDataset? test) = RunData.Load(config.Data, config.Training.Seed, files);
        VideoDataset images = arguments.ImageData is { } list
            ? RunData.Load(config.Data with { Train = list, Validation = null, ValidationSplit = null, Labels = null }, config.Training.Seed, files).Train
            : train;
        TrainingRunOptions video = arguments.Speed.Applied(config.Training) with { ValidateEveryEpochs = 0, CheckpointEverySteps = int.MaxValue };
        video = video with { Steps = video.TotalSteps(train.Count) };
        using Model shape = RunModel.Create(config.Model, train.Labels, 0, arguments.Device);
        return new TemporalComparison(shape.Config, images, train, test!, video with { Steps = arguments.ImageSteps ?? video.Steps }, video, arguments.Folder, arguments.Device);
    }

    private static void Write(string folder, List<ModeResult> results, List<InformationResult> information)
    {
        NativeFile.Write(Path.Combine(folder, "results.json"), Encoding.UTF8.GetBytes(CliJson.Text(new CompareJson(results, information)) + "\n"));
        var text = new StringBuilder("| mode | test accuracy | test loss | time per clip |\n| --- | --- | --- | --- |\n");
        foreach (string[] row in ModeRows(results))
        {
            text.Append(CultureInfo.InvariantCulture, $"| {string.Join(" | ", row)} |\n");
        }

        text.Append("\n| estimator of mutual information | same position | same trajectory |\n| --- | --- | --- |\n");
        foreach (string[] row in InformationRows(information))
        {
            text.Append(CultureInfo.InvariantCulture, $"| {string.Join(" | ", row)} |\n");
        }

        foreach (string line in Undefined(information))
        {
            text.Append(CultureInfo.InvariantCulture, $"\n{line}\n");
        }

        NativeFile.Write(Path.Combine(folder, "table.md"), Encoding.UTF8.GetBytes(text.ToString()));
    }

    private static void Print(List<ModeResult> results, List<InformationResult> information)
    {
        Table modes = new Table().AddColumn("mode").AddColumn("test accuracy").AddColumn("test loss").AddColumn("time per clip");
        foreach (string[] row in ModeRows(results))
        {
            modes.AddRow(row);
        }

        Table estimates = new Table().AddColumn("mutual information").AddColumn("same position").AddColumn("same trajectory");
        foreach (string[] row in InformationRows(information))
        {
            estimates.AddRow(row);
        }

        Terminal.Write(modes);
        Terminal.Write(estimates);
        foreach (string line in Undefined(information))
        {
            Terminal.WriteLine($"{line}");
        }
    }

    private static IEnumerable<string[]> ModeRows(List<ModeResult> results) => results.GroupBy(r => r.Mode).Select(mode => new[]
    {
        mode.Key,
        Spread(mode.Select(r => 100 * r.Accuracy), "0.0") + " %",
        Spread(mode.Select(r => r.Loss), "0.000"),
        Spread(mode.Select(r => r.MillisecondsPerClip), "0.00") + " ms",
    });

    private static IEnumerable<string[]> InformationRows(List<InformationResult> information) => information.GroupBy(r => r.Estimator).Select(estimator => new[]
    {
        estimator.Key,
        Nats(estimator.Select(r => r.Before)),
        Nats(estimator.Select(r => r.After)),
    });

    private static string Nats(IEnumerable<double?> estimates)
    {
        double?[] all = estimates.ToArray();
        double[] defined = all.OfType<double>().ToArray();
        string text = defined.Length > 0 ? Spread(defined, "0.000") + " nats" : "undefined";
        return defined.Length is 0 || defined.Length == all.Length ? text : $"{text} ({all.Length - defined.Length} undefined)";
    }

    /// <summary>Why estimates are undefined, a line each.</summary>
    private static IEnumerable<string> Undefined(List<InformationResult> information) =>
        information.Where(r => r.Undefined is not null).Select(r => $"{r.Estimator}, seed {r.Seed}: {r.Undefined}");

    /// <summary>The mean, and the standard deviation where there are several seeds.</summary>
    private static string Spread(IEnumerable<double> values, string format)
    {
        double[] all = values.ToArray();
        double mean = all.Average();
        string text = mean.ToString(format, CultureInfo.InvariantCulture);
        return all.Length < 2
            ? text
            : $"{text} ± {Math.Sqrt(all.Sum(v => (v - mean) * (v - mean)) / (all.Length - 1)).ToString(format, CultureInfo.InvariantCulture)}";
    }
}
