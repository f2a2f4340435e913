using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Ata.Bindings;
using Ata.Cli.Train;
using Ata.Data;
using Ata.Training;
using Spectre.Console;

namespace Ata.Cli.Verbs;

/// <summary><c>ata eval</c>: measures how well a model classifies labelled videos.</summary>
internal sealed class EvalVerb : Verb<EvalVerb.Arguments>
{
    private const int LongestTable = 60;

    // Frames and size are the model's.
    private static readonly LoaderOptions s_defaults = new() { Frames = 1, Size = 1 };

    private readonly ConfigOptions _data = TrainArguments.Data("List or folder of videos.");
    private readonly Option<string> _split = new("--split") { Description = "Split to evaluate. Default test, else val, where the list has splits.", HelpName = "name" };
    private readonly ModelArguments _model = new();
    private readonly ValueOption<(int Clips, int Crops)> _views = Options.Views("--views", "Views to average: clips in time x crops.").WithDefault((s_defaults.ClipViews, s_defaults.CropViews));
    private readonly Option<double?> _stride = Options.PositiveReal("--stride", $"Distance between frames, in frames. Default: as the model's run trained, else {Options.Text(s_defaults.Stride)}.", NativeMethods.ATA_MAX_RATE);
    private readonly Option<double?> _fps = Options.PositiveReal("--fps", "Rate that the stride counts in. Default: as the model's run trained, else each video's own.", NativeMethods.ATA_MAX_RATE);
    private readonly Option<bool> _segments = new("--segments") { Description = "One frame from each of equal segments of the whole video, instead of a stride." };
    private readonly ValueOption<ShortVideoPolicy> _short = SamplingArguments.ShortVideos();
    private readonly Option<bool> _fullFrame = new("--full-frame") { Description = "Show the whole frame, squeezed to a square, instead of a crop." };
    private readonly ValueOption<int> _batch = Options.Whole("--batch", "Videos of one batch.", most: LoaderOptions.MostBatchSize).WithDefault(s_defaults.BatchSize);
    private readonly ValueOption<double> _maxBroken = Options.Real("--max-broken", "Share of the videos that may be unreadable before the evaluation fails.", most: 1).WithDefault(s_defaults.AllowedBroken);
    private readonly SpeedArguments _speed = new();
    private readonly Option<string> _csv = Options.Output("--csv", "Write every video's prediction to this file.");
    private readonly Option<bool> _json = Options.Json();

    public EvalVerb()
        : base(
            "eval",
            "Measures how well a model classifies labelled videos.",
            "ata eval --data val.csv --model runs/first/best.safetensors --views 10x3",
            "ata eval --data clips/list.csv --split test --model runs/tiny/best.safetensors --json --csv predictions.csv")
    {
        Add([
            .. _data.All, _split, .. _model.All, _views, _stride, _fps, _segments, _short, _fullFrame, _batch, _maxBroken, .. _speed.All, _csv, _json]);
        Command.Validators.Add(Validate);
    }

    /// <summary>What a command line means. Null is for what the run that made the model decides.</summary>
    internal sealed record Arguments
    {
        public required DataConfig Data { get; init; }

        public required string Model { get; init; }

        public required ModelOptions Loading { get; init; }

        public (int Clips, int Crops) Views { get; init; }

        public FrameSpread? Spread { get; init; }

        public double? Stride { get; init; }

        public double? FramesPerSecond { get; init; }

        public ShortVideoPolicy ShortPolicy { get; init; }

        public bool FullFrame { get; init; }

        public int BatchSize { get; init; }

        public double AllowedBroken { get; init; }

        public required Speed Speed { get; init; }

        public string? Csv { get; init; }

        public bool Json { get; init; }

        /// <summary>How clips are taken.</summary>
        /// <param name="run">How the run that made the model took them.</param>
        public LoaderOptions ClipsAfter(LoaderOptions run) => Speed.Applied(run) with
        {
            Spread = Spread ?? run.Spread,
            Stride = Stride ?? run.Stride,
            FramesPerSecond = FramesPerSecond ?? run.FramesPerSecond,
            Augmentation = FullFrame ? run.Augmentation with { Crop = CropMode.Full } : Views.Crops == 3 ? AugmentationOptions.None : run.Augmentation,
            ShortPolicy = ShortPolicy,
            ClipViews = Views.Clips,
            CropViews = Views.Crops,
            BatchSize = BatchSize,
            AllowedBroken = AllowedBroken,
        };
    }

    public override Arguments Parse(ParseResult parse)
    {
        DataConfig data = _data.Applied(parse, new RunConfig()).Data with { ValidationSplit = parse.GetValue(_split) };
        bool dense = parse.GetResult(_stride) is not null || parse.GetResult(_fps) is not null;
        return data.Train is null ? throw new UsageException("--data is missing: name a list or folder of videos.") : new Arguments
        {
            Data = data,
            Model = parse.GetRequiredValue(_model.Path),
            Loading = _model.Of(parse),
            Views = _views.In(parse),
            Spread = parse.GetValue(_segments) ? FrameSpread.Segments : dense ? FrameSpread.Dense : null,
            Stride = parse.GetValue(_stride),
            FramesPerSecond = parse.GetValue(_fps),
            ShortPolicy = _short.In(parse),
            FullFrame = parse.GetValue(_fullFrame),
            BatchSize = _batch.In(parse),
            AllowedBroken = _maxBroken.In(parse),
            Speed = _speed.Of(parse),
            Csv = parse.GetValue(_csv),
            Json = parse.GetValue(_json),
        };
    }

    protected override int Run(Arguments arguments, FileGuard files, CancellationToken cancellationToken)
    {
        using Model model = Model.Load(arguments.Model, arguments.Loading);
        LoaderOptions clips = arguments.ClipsAfter(ClipsOf(arguments.Model, model.Config, files)) with
        {
            BrokenVideoFound = v => Terminal.WriteWarning($"{v.Path} cannot be read and is left out: {v.Reason}"),
        };
        VideoDataset dataset = RunData.LoadForEvaluation(arguments.Data, model, files);
        int views = clips.ClipViews * clips.CropViews;
        EvaluationResult result = Terminal.WithProgress("Evaluating", dataset.Count * views, progress => Evaluator.EvaluateAsync(
            model, dataset, clips, arguments.Csv is not null, new ViewsDone(progress, views), cancellationToken).GetAwaiter().GetResult());
        if (arguments.Csv is { } predictions)
        {
            result.WritePredictions(predictions);
        }

        Print(result, arguments.Json);
        return 0;
    }

    private void Validate(CommandResult command)
    {
        if (command.ValueOf(_segments) && (command.GetResult(_stride) ?? command.GetResult(_fps)) is not null)
        {
            command.AddError("--segments excludes --stride and --fps: segments cover the whole video.");
        }

        if (command.ValueOf(_fullFrame) && command.ValueOf(_views)?.Crops == 3)
        {
            command.AddError("--full-frame excludes views of 3 crops.");
        }
    }

    /// <summary>How the run that made a model took its clips, if its folder says so.</summary>
    private static LoaderOptions ClipsOf(string model, ModelConfig config, FileGuard files)
    {
        string run = new RunDirectory(Path.GetDirectoryName(Path.GetFullPath(model))!).Configuration;
        if (!File.Exists(run))
        {
            return Evaluator.OptionsFor(config);
        }

        files.Reads([run]);
        TrainingRunOptions training = RunConfig.Read(run).Training;
        Terminal.WriteNote($"Clips are taken as {run} says.");
        return training.ValidationLoader(config, found: null);
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
