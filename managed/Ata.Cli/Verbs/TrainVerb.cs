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
        Option<string> output = Options.Path("--out", "Folder for checkpoints, metrics and report.");
        Option<string> resume = Options.Path("--resume", "Continue the run in this folder, or from this checkpoint.");
        Option<string> file = Options.Path("--config", "Take from this file, such as another run's run.json, what no option says.");
        command.Add(output);
        command.Add(resume);
        command.Add(file);
        TrainArguments.AddTraining(config);
        var speed = new SpeedArguments(command);
        Option<int?> keep = Options.Whole("--keep", "Checkpoints to keep, the newest; 0 for all. Default 1.", least: 0);
        Option<bool> json = Options.Json();
        command.Add(keep);
        command.Add(json);
        command.SetWork((parse, cancellationToken) =>
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

                checkpoint = File.Exists(from) ? from : new RunDirectory(from).LastCheckpoint();
                directory = new RunDirectory(Path.GetDirectoryName(Path.GetFullPath(checkpoint))!);
                resolved = RunConfig.Read(directory.Configuration);
            }
            else
            {
                directory = NewDirectory(parse.GetValue(output));
                resolved = config.Apply(parse, parse.GetValue(file) is { } path ? RunConfig.Read(path) with { Resolved = null } : new RunConfig());
            }

            return Run(directory, resolved, checkpoint, o => speed.Apply(parse, o) with { KeepCheckpoints = parse.GetValue(keep) ?? 1 }, parse.GetValue(json), cancellationToken);
        });
        return command;
    }

    private static RunDirectory NewDirectory(string? path)
    {
        var directory = new RunDirectory(path ?? throw new UsageException("--out is missing: name a folder for the run."));
        return directory.Checkpoints().Count > 0
            ? throw new UsageException($"{path} holds a run already. Continue it with 'ata train --resume {path}', or name another folder.")
            : directory;
    }

    private static int Run(
        RunDirectory directory, RunConfig config, string? checkpoint, Func<TrainerOptions, TrainerOptions> speed, bool json, CancellationToken cancellationToken)
    {
        (VideoDataset train, VideoDataset? validation) = RunData.Load(config.Data, config.Training.Seed);
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
        using var trainer = new Trainer(model, train, validation, options, new WarningLogger());
        if (checkpoint is not null)
        {
            trainer.Resume(checkpoint);
        }
        else
        {
            Directory.CreateDirectory(directory.Path);
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
