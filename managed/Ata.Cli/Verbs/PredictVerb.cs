using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Spectre.Console;

namespace Ata.Cli.Verbs;

/// <summary><c>ata predict</c>: classifies videos.</summary>
internal sealed class PredictVerb : Verb<PredictVerb.Arguments>
{
    private const int BarWidth = 24;

    private static readonly PredictOptions s_defaults = new();

    private readonly PathsArgument _clips = new("clip", PathRole.Input)
    {
        Description = "Video files, or folders of numbered JPEG or PNG frames.",
        Arity = ArgumentArity.OneOrMore,
    };

    private readonly ModelArguments _model = new();
    private readonly ValueOption<int> _top = Options.Whole("--top", "How many classes to list.").WithDefault(s_defaults.Top);
    private readonly ValueOption<(int Clips, int Crops)> _views = Options.Views(
        "--views", "Views to average: clips in time x crops. 10x3 is ten clips of three crops each.").WithDefault((s_defaults.TemporalViews, s_defaults.SpatialViews));
    private readonly SamplingArguments _sampling = new(offset: false);
    private readonly Option<bool> _json = Options.Json();

    public PredictVerb()
        : base(
            "predict",
            "Tells what happens in videos.",
            "ata predict clip.mp4 --model model.safetensors",
            "ata predict *.mp4 --model model.safetensors --views 10x3 --top 3",
            "ata predict frames/ --model model.safetensors --precision bf16 --json")
    {
        Command.Add(_clips);
        Add([.. _model.All, _top, _views, .. _sampling.All, _json]);
        Command.Validators.Add(_sampling.Validate);
    }

    /// <summary>What a command line means.</summary>
    internal sealed record Arguments(IReadOnlyList<string> Clips, string Model, ModelOptions Loading, PredictOptions Options, bool Json);

    public override Arguments Parse(ParseResult parse)
    {
        (int temporal, int spatial) = _views.In(parse);
        var options = new PredictOptions
        {
            Top = _top.In(parse),
            TemporalViews = temporal,
            SpatialViews = spatial,
            Sampling = _sampling.Of(parse),
        };
        return new Arguments(parse.GetRequiredValue(_clips), parse.GetRequiredValue(_model.Path), _model.Of(parse), options, parse.GetValue(_json));
    }

    protected override int Run(Arguments arguments, FileGuard files, CancellationToken cancellationToken)
    {
        using VideoClassifier classifier = VideoClassifier.Load(arguments.Model, arguments.Loading);
        var results = new List<ClipPredictionJson>();
        try
        {
            return Run(classifier, arguments, results, cancellationToken);
        }
        finally
        {
            // What was done before a cancellation too.
            if (arguments.Json && results.Count > 0)
            {
                CliJson.Print<IReadOnlyList<ClipPredictionJson>>(results);
            }
        }
    }

    private static int Run(VideoClassifier classifier, Arguments arguments, List<ClipPredictionJson> results, CancellationToken cancellationToken)
    {
        PredictOptions options = arguments.Options;
        int code = 0;
        foreach (string clip in arguments.Clips)
        {
            var watch = Stopwatch.StartNew();
            try
            {
                Predictions predictions = Terminal.WithProgress(
                    clip,
                    options.TemporalViews * options.SpatialViews,
                    progress => classifier.Predict(clip, options with { Progress = progress }, cancellationToken));
                results.Add(new ClipPredictionJson(
                    clip,
                    predictions.Select(p => new PredictionJson(p.Label, p.Index, p.Probability)).ToArray(),
                    predictions.Views,
                    watch.Elapsed.TotalSeconds,
                    null));
                if (!arguments.Json)
                {
                    Print(clip, predictions, watch.Elapsed);
                }
            }
            catch (Exception error) when (IsOfOneClip(error))
            {
                code = CommandLine.Failed;
                string message = CommandLine.Describe(error);
                results.Add(new ClipPredictionJson(clip, null, null, null, message));
                Terminal.WriteError(message.Contains(clip, StringComparison.Ordinal) ? message : $"{clip}: {message}");
            }
        }

        return code;
    }

    // A broken clip leaves the others to be done; a broken model or a cancellation does not.
    private static bool IsOfOneClip(Exception error) =>
        error is AtaVideoException or IOException or UnauthorizedAccessException or NotSupportedException;

    private static void Print(string clip, Predictions predictions, TimeSpan time)
    {
        string views = predictions.Views == 1 ? "1 view" : $"{predictions.Views} views";
        Terminal.WriteLine($"[bold]{clip}[/] [grey]{views}, {time.TotalSeconds:0.00} s[/]");
        var table = new Table().Border(TableBorder.None).HideHeaders();
        table.AddColumn(new TableColumn(string.Empty).RightAligned());
        table.AddColumn(string.Empty);
        table.AddColumn(string.Empty);
        foreach (Prediction prediction in predictions)
        {
            string bar = new('█', (int)Math.Round(prediction.Probability * BarWidth));
            table.AddRow(
                $"{(100 * prediction.Probability).ToString("0.0", CultureInfo.InvariantCulture)} %",
                $"[green]{bar.PadRight(BarWidth)}[/]",
                Terminal.Cell(prediction.Label));
        }

        Terminal.Write(table);
    }
}
