using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Spectre.Console;

namespace Ata.Cli.Verbs;

/// <summary><c>ata predict</c>: classifies videos.</summary>
internal static class PredictVerb
{
    private const int BarWidth = 24;

    public static Command Create()
    {
        var command = new Verb(
            "predict",
            "Tells what happens in videos.",
            "ata predict clip.mp4 --model model.safetensors",
            "ata predict *.mp4 --model model.safetensors --views 10x3 --top 3",
            "ata predict frames/ --model model.safetensors --precision bf16 --json");
        var clips = new PathsArgument("clip", PathRole.Input)
        {
            Description = "Video files, or folders of numbered JPEG or PNG frames.",
            Arity = ArgumentArity.OneOrMore,
        };
        Option<int?> top = Options.Whole("--top", "How many classes to list. Default 5.");
        Option<(int Clips, int Crops)?> views = Options.Views(
            "--views", "Views to average: clips in time x crops. 10x3 is ten clips of three crops each. Default 1x1.");
        Option<bool> json = Options.Json();
        command.Add(clips);
        var model = new ModelArguments(command);
        command.Add(top);
        command.Add(views);
        var sampling = new SamplingArguments(command, offset: false);
        command.Add(json);
        command.SetWork((parse, cancellationToken) =>
        {
            (int temporal, int spatial) = parse.GetValue(views) ?? (1, 1);
            var options = new PredictOptions
            {
                Top = parse.GetValue(top) ?? 5,
                TemporalViews = temporal,
                SpatialViews = spatial,
                Sampling = sampling.Of(parse),
            };
            using VideoClassifier classifier = VideoClassifier.Load(parse.GetRequiredValue(model.Path), model.Of(parse));
            return Run(classifier, parse.GetRequiredValue(clips), options, parse.GetValue(json), cancellationToken);
        });
        return command;
    }

    private static int Run(
        VideoClassifier classifier, string[] clips, PredictOptions options, bool json, CancellationToken cancellationToken)
    {
        var results = new List<ClipPredictionJson>();
        try
        {
            return Run(classifier, clips, options, json, results, cancellationToken);
        }
        finally
        {
            // What was done before a cancellation too.
            if (json && results.Count > 0)
            {
                CliJson.Print<IReadOnlyList<ClipPredictionJson>>(results);
            }
        }
    }

    private static int Run(
        VideoClassifier classifier,
        string[] clips,
        PredictOptions options,
        bool json,
        List<ClipPredictionJson> results,
        CancellationToken cancellationToken)
    {
        int code = 0;
        foreach (string clip in clips)
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
                if (!json)
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
