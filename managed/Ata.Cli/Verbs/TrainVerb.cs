using System.CommandLine;
using System.Globalization;
using Ata.Cli.Train;
using Ata.Data;
using Ata.Training;
using Spectre.Console;

namespace Ata.Cli.Verbs;

/// <summary><c>ata train</c>: trains a model on labelled videos.</summary>
internal sealed class TrainVerb : Verb<TrainVerb.Arguments>
{
    private readonly ConfigOptions _data = TrainArguments.Data("List or folder of training videos.");
    private readonly Option<string> _output = Options.OutputFolder("--out", "Folder for checkpoints, metrics and report.");
    private readonly Option<string> _resume = Options.Input("--resume", "Continue the run in this folder, or from this checkpoint.");
    private readonly Option<string> _config = Options.Input("--config", "Take from this file, such as another run's run.json, what no option says.");
    private readonly ConfigOptions _training = TrainArguments.Training();
    private readonly Option<string> _device = Options.Device();
    private readonly SpeedArguments _speed = new();
    private readonly ValueOption<int> _keep = Options.Whole("--keep", "Checkpoints to keep, the newest; 0 for all.", least: 0).WithDefault(new TrainingRunOptions().KeepCheckpoints);
    private readonly Option<bool> _json = Options.Json();

    public TrainVerb()
        : base(
            "train",
            "Trains a model on labelled videos. A run that was stopped, even by a crash, continues with --resume.",
            "ata train --data train.csv --val val.csv --out runs/first --model pretrained.safetensors --epochs 20 --lr 1e-4",
            "ata train --data clips/list.csv --val-split test --out runs/tiny --arch vit-tiny --image-size 64 --patch-size 8 --steps 500",
            "ata train --config runs/first/run.json --out runs/second --seed 1",
            "ata train --resume runs/first") =>
        Add([.. _data.All, _output, _resume, _config, .. _training.All, _device, .. _speed.All, _keep, _json]);

    /// <summary>What a command line means, with the file of a configuration that it names.</summary>
    /// <param name="Directory">The run's folder.</param>
    /// <param name="Checkpoint">Where the run continues; null to begin it.</param>
    /// <param name="Config">What is trained on what, and how.</param>
    /// <param name="Device">Where the model is trained; a run may continue on another.</param>
    /// <param name="Speed">How fast videos are read.</param>
    /// <param name="Keep">Checkpoints to keep.</param>
    /// <param name="Json">Whether a program reads the result.</param>
    internal sealed record Arguments(RunDirectory Directory, string? Checkpoint, RunConfig Config, string Device, Speed Speed, int Keep, bool Json);

    public override Arguments Parse(ParseResult parse)
    {
        (RunDirectory directory, string? checkpoint, RunConfig config) = parse.GetValue(_resume) is { } from ? Continued(parse, from) : Begun(parse);
        return config.Data.Train is null
            ? throw new UsageException("--data is missing: name the list or folder of training videos.")
            : new Arguments(directory, checkpoint, config, Options.DeviceIn(parse, _device), _speed.Of(parse), _keep.In(parse), parse.GetValue(_json));
    }

    protected override int Run(Arguments arguments, FileGuard files, CancellationToken cancellationToken)
    {
        using RunLock held = arguments.Directory.Lock();
        if (arguments.Checkpoint is null)
        {
            RequireNew(arguments.Directory, files);
        }

        return Run(arguments, held, files, cancellationToken);
    }

    private (RunDirectory Directory, string? Checkpoint, RunConfig Config) Continued(ParseResult parse, string from)
    {
        Option? other = _data.FirstGiven(parse) ?? _training.FirstGiven(parse) ?? ((Option[])[_output, _config]).FirstOrDefault(o => parse.GetResult(o) is { Implicit: false });
        if (other is not null)
        {
            throw new UsageException($"{other.Name} cannot be changed with --resume: a run continues as it began. Begin another with --config and --out.");
        }

        RunDirectory directory = File.Exists(from) ? new RunDirectory(Path.GetDirectoryName(Path.GetFullPath(from))!) : new RunDirectory(from);
        string checkpoint = File.Exists(from) ? from : directory.LastCheckpoint();
        return (directory, checkpoint, RunConfig.Read(directory.Configuration));
    }

    private (RunDirectory Directory, string? Checkpoint, RunConfig Config) Begun(ParseResult parse)
    {
        var directory = new RunDirectory(parse.GetValue(_output) ?? throw new UsageException("--out is missing: name a folder for the run."));
        RunConfig config = parse.GetValue(_config) is { } path ? RunConfig.Read(path) with { Resolved = null } : new RunConfig();
        return (directory, null, _training.Applied(parse, _data.Applied(parse, config)));
    }

    /// <summary>Refuses a folder in which a run would write over something. A run that came to nothing begins again.</summary>
    private static void RequireNew(RunDirectory directory, FileGuard files)
    {
        if (directory.Checkpoints().Count > 0)
        {
            throw new UsageException($"{directory.Path} holds a run already. Continue it with 'ata train --resume {directory.Path}', or name another folder.");
        }

        string[] models = [directory.BestModel, directory.FinalModel];
        string[] logs = [directory.Metrics, directory.Events, directory.Validation, directory.Report, directory.Configuration];
        foreach (string file in models.Concat(logs))
        {
            files.Writes(file, "--out");
        }

        string? there = models.FirstOrDefault(Path.Exists) ?? (IsOfRun(directory.Configuration) ? null : logs.FirstOrDefault(Path.Exists));
        if (there is not null)
        {
            throw new UsageException($"{directory.Path} holds {Path.GetFileName(there)}, which the run would overwrite; name another folder.");
        }

        if (logs.Any(Path.Exists))
        {
            Terminal.WriteNote($"{directory.Path} holds a run that ended before its first checkpoint; it begins again.");
        }
    }

    private static bool IsOfRun(string configuration)
    {
        try
        {
            return RunConfig.Read(configuration).Resolved is not null;
        }
        catch (Exception error) when (error is IOException or UsageException)
        {
            return false;
        }
    }

    private static int Run(Arguments arguments, RunLock held, FileGuard files, CancellationToken cancellationToken)
    {
        RunDirectory directory = arguments.Directory;
        RunConfig config = arguments.Config;
        (VideoDataset train, VideoDataset? validation) = RunData.Load(config.Data, config.Training.Seed, files);
        files.Reads(new[] { config.Model.Checkpoint }.OfType<string>());
        using Model model = config.Resolved is { } before
            ? Model.Create(before.Config, device: arguments.Device)
            : RunModel.Create(config.Model, train.Labels, config.Training.Seed, arguments.Device);
        if (config.Resolved is { } known)
        {
            model.SetLabels(known.Labels);
        }

        train = train.WithLabels(model.Labels);
        validation = validation?.WithLabels(model.Labels);
        TrainingRunOptions options = arguments.Speed.Applied(config.Training) with { KeepCheckpoints = arguments.Keep, OutputDirectory = directory.Path };
        using var run = new TrainingRun(model, train, validation, options, new WarningLogger()) { HeldLock = held };
        if (arguments.Checkpoint is { } checkpoint)
        {
            run.Resume(checkpoint);
        }
        else
        {
            (config with { Resolved = new ResolvedModel { Config = model.Config, Labels = model.Labels } }).Write(directory.Configuration);
        }

        Introduce(train, validation, model.Config, run);
        return Fit(run, validation?.Count ?? 0, directory, arguments.Json, cancellationToken);
    }

    private static int Fit(TrainingRun run, int validationVideos, RunDirectory directory, bool json, CancellationToken cancellationToken)
    {
        try
        {
            TrainingResult result = TrainingScreen.ShowAsync(validationVideos, progress => run.FitAsync(progress, cancellationToken)).GetAwaiter().GetResult();
            Conclude(directory, result, json);
            return 0;
        }
        catch (OperationCanceledException)
        {
            Terminal.WriteNote($"Stopped at step {run.Step} of {run.TotalSteps}; everything is saved. Continue with: ata train --resume {directory.Path}");
            return CommandLine.Failed;
        }
        catch (Exception error) when (directory.Checkpoints() is [var last, ..] && error is IOException or AtaException or UnauthorizedAccessException)
        {
            Terminal.WriteError(CommandLine.Describe(error));
            Terminal.WriteNote($"The run is saved up to {Path.GetFileName(last)}. Continue with: ata train --resume {directory.Path}");
            return CommandLine.Failed;
        }
    }

    private static void Introduce(VideoDataset train, VideoDataset? validation, ModelConfig model, TrainingRun run)
    {
        string shown = validation is null ? "no validation" : $"{validation.Count} for validation";
        Terminal.WriteNote($"{train.Count} videos of {train.Labels.Count} classes, {shown}; {model.Depth} blocks of width {model.Dim}, {Names.Temporal.Of(model.Temporal)}, {model.Frames} frames of {model.ImageSize} pixels; step {run.Step} of {run.TotalSteps}");
    }

    private static void Conclude(RunDirectory directory, TrainingResult result, bool json)
    {
        if (json)
        {
            CliJson.Print(new TrainJson(
                directory.Path, result.Steps, result.StoppedEarly, result.Best, result.BestStep, result.Validation?.Top1, result.Validation?.Top5, result.Validation?.MeanClassAccuracy, result.Validation?.Loss, result.BrokenVideos.Count));
            return;
        }

        string best = result.Best is { } number
            ? string.Create(CultureInfo.InvariantCulture, $"; best validation {number:0.0000} at step {result.BestStep}")
            : string.Empty;
        Terminal.WriteLine($"[bold]{directory.Path}[/]: {result.Steps} updates{(result.StoppedEarly ? ", stopped early" : string.Empty)}{best}");
        foreach (string file in new[] { directory.BestModel, directory.FinalModel, directory.Report }.Where(File.Exists))
        {
            Terminal.WriteLine($"  {file}");
        }
    }
}
