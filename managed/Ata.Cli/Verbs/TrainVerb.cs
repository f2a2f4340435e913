using System.CommandLine;
using System.Globalization;
using Ata.Cli.Train;
using Ata.Data;
using Ata.Training;
using Spectre.Console;

namespace Ata.Cli.Verbs;

/// <summary><c>ata train</c>: trains a model on labelled videos.</summary>
internal static class TrainVerb
{
    public static Command Create()
    {
        var command = new Verb(
            "train",
            "Trains a model on labelled videos. A run that was stopped, even by a crash, continues with --resume.",
            "ata train --data train.csv --val val.csv --out runs/first --model pretrained.safetensors --epochs 20 --lr 1e-4",
            "ata train --data clips/list.csv --val-split test --out runs/tiny --arch vit-tiny --image-size 64 --patch-size 8 --steps 500",
            "ata train --config runs/first/run.json --out runs/second --seed 1",
            "ata train --resume runs/first");
        var config = new ConfigOptions(command);
        TrainArguments.AddData(config, "List or folder of training videos.");
        Option<string> output = Options.OutputFolder("--out", "Folder for checkpoints, metrics and report.");
        Option<string> resume = Options.Input("--resume", "Continue the run in this folder, or from this checkpoint.");
        Option<string> file = Options.Input("--config", "Take from this file, such as another run's run.json, what no option says.");
        command.Add(output);
        command.Add(resume);
        command.Add(file);
        TrainArguments.AddTraining(config);
        var speed = new SpeedArguments(command);
        Option<int?> keep = Options.Whole("--keep", "Checkpoints to keep, the newest; 0 for all. Default 1.", least: 0);
        Option<bool> json = Options.Json();
        command.Add(keep);
        command.Add(json);
        command.SetWork((parse, files, cancellationToken) =>
        {
            RunDirectory directory;
            RunConfig resolved;
            string? checkpoint = null;
            if (parse.GetValue(resume) is { } from)
            {
                if ((config.FirstGiven(parse) ?? new Option[] { output, file }.FirstOrDefault(o => parse.GetResult(o) is { Implicit: false })) is { } other)
                {
                    throw new UsageException($"{other.Name} cannot be changed with --resume: a run continues as it began. Begin another with --config and --out.");
                }

                directory = File.Exists(from) ? new RunDirectory(Path.GetDirectoryName(Path.GetFullPath(from))!) : new RunDirectory(from);
                checkpoint = File.Exists(from) ? from : directory.LastCheckpoint();
                resolved = RunConfig.Read(directory.Configuration);
            }
            else
            {
                directory = new RunDirectory(parse.GetValue(output) ?? throw new UsageException("--out is missing: name a folder for the run."));
                resolved = config.Apply(parse, parse.GetValue(file) is { } path ? RunConfig.Read(path) with { Resolved = null } : new RunConfig());
            }

            if (resolved.Data.Train is null)
            {
                throw new UsageException("--data is missing: name the list or folder of training videos.");
            }

            using RunLock held = directory.Lock();
            if (checkpoint is null)
            {
                RequireNew(directory, files);
            }

            return Run(directory, held, files, resolved, checkpoint, o => speed.Apply(parse, o) with { KeepCheckpoints = parse.GetValue(keep) ?? 1 }, parse.GetValue(json), cancellationToken);
        });
        return command;
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

    private static int Run(
        RunDirectory directory, RunLock held, FileGuard files, RunConfig config, string? checkpoint, Func<TrainerOptions, TrainerOptions> speed, bool json, CancellationToken cancellationToken)
    {
        (VideoDataset train, VideoDataset? validation) = RunData.Load(config.Data, config.Training.Seed, files);
        files.Reads(new[] { config.Model.Checkpoint }.OfType<string>());
        using Model model = config.Resolved is { } before
            ? Model.Create(before.Config)
            : RunModel.Create(config.Model, train.Labels, config.Training.Seed);
        if (config.Resolved is { } known)
        {
            model.SetLabels(known.Labels);
        }

        train = train.WithLabels(model.Labels);
        validation = validation?.WithLabels(model.Labels);
        TrainerOptions options = speed(config.Training) with { OutputDirectory = directory.Path };
        using var trainer = new Trainer(model, train, validation, options, new WarningLogger()) { HeldLock = held };
        if (checkpoint is not null)
        {
            trainer.Resume(checkpoint);
        }
        else
        {
            (config with { Resolved = new ResolvedModel { Config = model.Config, Labels = model.Labels } }).Write(directory.Configuration);
        }

        Introduce(train, validation, model.Config, trainer);
        try
        {
            TrainingResult result = TrainingScreen.ShowAsync(validation?.Count ?? 0, progress => trainer.FitAsync(progress, cancellationToken)).GetAwaiter().GetResult();
            Conclude(directory, result, json);
            return 0;
        }
        catch (OperationCanceledException)
        {
            Terminal.WriteNote($"Stopped at step {trainer.Step} of {trainer.TotalSteps}; everything is saved. Continue with: ata train --resume {directory.Path}");
            return CommandLine.Failed;
        }
        catch (Exception error) when (directory.Checkpoints() is [var last, ..] && error is IOException or AtaException or UnauthorizedAccessException)
        {
            Terminal.WriteError(CommandLine.Describe(error));
            Terminal.WriteNote($"The run is saved up to {Path.GetFileName(last)}. Continue with: ata train --resume {directory.Path}");
            return CommandLine.Failed;
        }
    }

    private static void Introduce(VideoDataset train, VideoDataset? validation, ModelConfig model, Trainer trainer)
    {
        string shown = validation is null ? "no validation" : $"{validation.Count} for validation";
        Terminal.WriteNote($"{train.Count} videos of {train.Labels.Count} classes, {shown}; {model.Depth} blocks of width {model.Dim}, {Names.Temporal.Of(model.Temporal)}, {model.Frames} frames of {model.ImageSize} pixels; step {trainer.Step} of {trainer.TotalSteps}");
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
