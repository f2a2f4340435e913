using System.CommandLine;
using System.Globalization;
using Ata.Bindings;
using Ata.Cli.Train;
using Ata.Data;
using Ata.Training;
using Spectre.Console;

namespace Ata.Cli.Verbs;

/// <summary><c>ata eval</c>: measures how well a model classifies labelled videos.</summary>
internal static class EvalVerb
{
    private const int LongestTable = 60;

    public static Command Create()
    {
        var command = new Verb(
            "eval",
            "Measures how well a model classifies labelled videos.",
            "ata eval --data val.csv --model runs/first/best.safetensors --views 10x3",
            "ata eval --data clips/list.csv --split test --model runs/tiny/best.safetensors --json --csv predictions.csv");
        var config = new ConfigOptions(command);
        TrainArguments.AddData(config, "List or folder of videos.");
        config.Add(
            new Option<string>("--split") { Description = "Split to evaluate. Default test, else val, where the list has splits.", HelpName = "name" },
            (c, v) => c with { Data = c.Data with { ValidationSplit = v } });
        var model = new ModelArguments(command);
        Option<(int Clips, int Crops)?> views = Options.Views("--views", "Views to average: clips in time x crops. Default 1x1.");
        Option<double?> stride = Options.PositiveReal("--stride", "Distance between frames, in frames. Default: as the model's run trained, else 4.", NativeMethods.ATA_MAX_RATE);
        Option<double?> fps = Options.PositiveReal("--fps", "Rate that the stride counts in. Default: as the model's run trained, else each video's own.", NativeMethods.ATA_MAX_RATE);
        Option<bool> segments = new("--segments") { Description = "One frame from each of equal segments of the whole video, instead of a stride." };
        Option<bool> fullFrame = new("--full-frame") { Description = "Show the whole frame, squeezed to a square, instead of a crop." };
        Option<ShortVideoPolicy?> shortVideo = SamplingArguments.ShortVideos();
        Option<int?> batch = Options.Whole("--batch", "Videos of one batch. Default 4.", most: LoaderOptions.MostBatchSize);
        Option<double?> maxBroken = Options.Real("--max-broken", "Share of the videos that may be unreadable before the evaluation fails. Default 0.1.", most: 1);
        Option<string> csv = Options.Output("--csv", "Write every video's prediction to this file.");
        Option<bool> json = Options.Json();
        foreach (Option option in (Option[])[views, stride, fps, segments, shortVideo, fullFrame, batch, maxBroken])
        {
            command.Add(option);
        }

        var speed = new SpeedArguments(command);
        command.Add(csv);
        command.Add(json);
        command.Validators.Add(result =>
        {
            if (result.ValueOf(segments) && (result.GetResult(stride) ?? result.GetResult(fps)) is not null)
            {
                result.AddError("--segments excludes --stride and --fps: segments cover the whole video.");
            }

            if (result.ValueOf(fullFrame) && result.ValueOf(views)?.Crops == 3)
            {
                result.AddError("--full-frame excludes views of 3 crops.");
            }
        });
        command.SetWork((parse, files, cancellationToken) =>
        {
            DataConfig data = config.Apply(parse, new RunConfig()).Data;
            if (data.Train is null)
            {
                throw new UsageException("--data is missing: name a list or folder of videos.");
            }

            string path = parse.GetRequiredValue(model.Path);
            using Model loaded = Model.Load(path, model.Of(parse));
            LoaderOptions clips = ClipsOf(path, loaded.Config, files);
            (int temporal, int crops) = parse.GetValue(views) ?? (1, 1);
            bool given = parse.GetResult(stride) is not null || parse.GetResult(fps) is not null;
            clips = speed.Apply(parse, clips) with
            {
                Spread = parse.GetValue(segments) ? FrameSpread.Segments : given ? FrameSpread.Dense : clips.Spread,
                Stride = parse.GetValue(stride) ?? clips.Stride,
                FramesPerSecond = parse.GetValue(fps) ?? clips.FramesPerSecond,
                Augmentation = parse.GetValue(fullFrame) ? clips.Augmentation with { Crop = CropMode.Full } : crops == 3 ? AugmentationOptions.None : clips.Augmentation,
                ShortPolicy = parse.GetValue(shortVideo) ?? ShortVideoPolicy.Error,
                ClipViews = temporal,
                CropViews = crops,
                BatchSize = parse.GetValue(batch) ?? 4,
                AllowedBroken = parse.GetValue(maxBroken) ?? 0.1,
                BrokenVideoFound = v => Terminal.WriteWarning($"{v.Path} cannot be read and is left out: {v.Reason}"),
            };
            VideoDataset dataset = RunData.LoadForEvaluation(data, loaded, files);
            EvaluationResult result = Terminal.WithProgress("Evaluating", dataset.Count * temporal * crops, progress => Evaluator.EvaluateAsync(
                loaded, dataset, clips, parse.GetValue(csv) is not null, new ViewsDone(progress, temporal * crops), cancellationToken).GetAwaiter().GetResult());
            if (parse.GetValue(csv) is { } predictions)
            {
                result.WritePredictions(predictions);
            }

            Print(result, parse.GetValue(json));
            return 0;
        });
        return command;
    }

    /// <summary>How the run that made a model took its clips, if its folder says so.</summary>
    private static LoaderOptions ClipsOf(string model, ModelConfig config, FileGuard files)
    {
        LoaderOptions options = Evaluator.OptionsFor(config);
        string run = new RunDirectory(Path.GetDirectoryName(Path.GetFullPath(model))!).Configuration;
        if (!File.Exists(run))
        {
            return options;
        }

        files.Reads([run]);
        TrainerOptions training = RunConfig.Read(run).Training;
        Terminal.WriteNote($"Clips are taken as {run} says.");
        return options with
        {
            Spread = training.Spread,
            Stride = training.Stride,
            FramesPerSecond = training.FramesPerSecond,
            Augmentation = AugmentationOptions.None with { Crop = training.Augmentation.Crop == CropMode.Full ? CropMode.Full : CropMode.Center },
        };
    }

    private static void Print(EvaluationResult result, bool json)
    {
        if (json)
        {
            using Stream output = Console.OpenStandardOutput();
            result.WriteJson(output);
            output.WriteByte((byte)'\n');
            return;
        }

        string broken = result.BrokenVideos > 0 ? $", {result.BrokenVideos} unreadable" : string.Empty;
        Terminal.WriteLine($"[bold]{result.Correct} of {result.Videos} videos right[/]{broken}; {result.Seconds:0.0} s");
        Terminal.WriteLine($"top 1 {100 * result.Top1:0.0} %, top 5 {100 * result.Top5:0.0} %, mean of classes {100 * result.MeanClassAccuracy:0.0} %, loss {result.Loss:0.000}");
        if (result.Classes.Count(c => c.Count > 0) > LongestTable)
        {
            return;
        }

        Table table = new Table().AddColumn("class").AddColumn(new TableColumn("right").RightAligned()).AddColumn(new TableColumn("videos").RightAligned());
        foreach (ClassAccuracy of in result.Classes.Where(c => c.Count > 0))
        {
            table.AddRow(Terminal.Cell(of.Label), of.Correct.ToString(CultureInfo.InvariantCulture), of.Count.ToString(CultureInfo.InvariantCulture));
        }

        Terminal.Write(table);
    }

    private sealed class ViewsDone(IProgress<int> inner, int viewsOfVideo) : IProgress<EvaluationProgress>
    {
        public void Report(EvaluationProgress value) => inner.Report((value.Videos * viewsOfVideo) + value.Views);
    }
}
