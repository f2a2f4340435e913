using System.Globalization;
using System.Net;
using System.Text;
using Ata.Interop;

namespace Ata.Training;

/// <summary>Writes a run as one HTML page that needs nothing else: curves, confusion matrix, configuration.</summary>
public static class TrainingReport
{
    /// <summary>Largest number of classes whose confusion matrix is shown in full.</summary>
    private const int LargestMatrix = 40;

    /// <summary>Writes the page; an existing one is replaced.</summary>
    /// <param name="path">File to write.</param>
    /// <param name="title">Name of the run.</param>
    /// <param name="metrics">Its metrics.</param>
    /// <param name="evaluation">The last validation, or null.</param>
    /// <param name="configuration">Names and values of the configuration.</param>
    public static void Write(string path, string title, IReadOnlyList<MetricsRecord> metrics, EvaluationResult? evaluation, IEnumerable<KeyValuePair<string, string>> configuration)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(title);
        ArgumentNullException.ThrowIfNull(metrics);
        ArgumentNullException.ThrowIfNull(configuration);
        var html = new StringBuilder();
        html.Append(CultureInfo.InvariantCulture, $"<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{Text(title)}</title><style>{PageStyle.Text}\n{Style}</style></head><body><main>\n");
        html.Append(CultureInfo.InvariantCulture, $"<h1>{Text(title)}</h1>\n");
        AppendSummary(html, metrics, evaluation);
        html.Append("<div class=\"charts\">\n");
        AppendCurves(html, metrics);
        if (evaluation is not null)
        {
            AppendClasses(html, evaluation);
        }

        html.Append("</div>\n");
        if (evaluation is not null)
        {
            AppendConfusion(html, evaluation);
        }

        html.Append("<section><h2>Configuration</h2><div class=\"wide\"><table class=\"configuration\"><tbody>\n");
        foreach ((string name, string value) in configuration)
        {
            html.Append(CultureInfo.InvariantCulture, $"<tr><th scope=\"row\">{Text(name)}</th><td>{Text(value)}</td></tr>\n");
        }

        html.Append("</tbody></table></div></section>\n</main></body></html>\n");
        NativeFile.Write(path, Encoding.UTF8.GetBytes(html.ToString()));
    }

    private static void AppendSummary(StringBuilder html, IReadOnlyList<MetricsRecord> metrics, EvaluationResult? evaluation)
    {
        html.Append("<ul class=\"summary\">");
        void Item(string name, string value) => html.Append(CultureInfo.InvariantCulture, $"<li><b>{Text(value)}</b> {Text(name)}</li>");
        if (metrics.Count > 0)
        {
            Item("updates", metrics[^1].Step.ToString(CultureInfo.InvariantCulture));
            Item("epochs", metrics[^1].Epoch.ToString("F1", CultureInfo.InvariantCulture));
        }

        if (metrics.LastOrDefault(m => m.Kind == MetricsKind.Train) is { } train)
        {
            Item("training loss", train.Loss.ToString("F4", CultureInfo.InvariantCulture));
            Item("clips per second", train.ClipsPerSecond.ToString("F1", CultureInfo.InvariantCulture));
            Item("waiting for data", Percent(train.DataWait));
        }

        if (evaluation is not null)
        {
            Item($"of {evaluation.Videos} validation videos right", Percent(evaluation.Top1));
            Item("mean class accuracy", Percent(evaluation.MeanClassAccuracy));
        }

        html.Append("</ul>\n");
    }

    private static void AppendCurves(StringBuilder html, IReadOnlyList<MetricsRecord> metrics)
    {
        SvgChart.Line Line(string name, MetricsKind kind, Func<MetricsRecord, double?> value) => new(name,
            metrics.Where(m => m.Kind == kind && value(m) is not null).Select(m => ((double)m.Step, value(m)!.Value)).ToArray());
        html.Append("<section><h2>Loss</h2>")
            .Append(SvgChart.Draw("Loss over steps", [Line("training", MetricsKind.Train, m => m.Loss), Line("validation", MetricsKind.Validation, m => m.Loss)], low: 0))
            .Append("</section>\n<section><h2>Accuracy</h2>")
            .Append(SvgChart.Draw(
                "Accuracy over steps",
                [
                    Line("training, top 1", MetricsKind.Train, m => m.Top1),
                    Line("validation, top 1", MetricsKind.Validation, m => m.Top1),
                    Line("validation, top 5", MetricsKind.Validation, m => m.Top5),
                    Line("validation, mean of classes", MetricsKind.Validation, m => m.MeanClassAccuracy),
                ],
                0,
                1))
            .Append("</section>\n<section><h2>Learning rate</h2>")
            .Append(SvgChart.Draw("Learning rate over steps", [Line("learning rate", MetricsKind.Train, m => m.LearningRate)], low: 0))
            .Append("</section>\n");
    }

    private static void AppendClasses(StringBuilder html, EvaluationResult evaluation)
    {
        html.Append("<section><h2>Accuracy of the classes</h2><div class=\"wide\"><table><thead><tr><th scope=\"col\">class</th><th scope=\"col\">videos</th><th scope=\"col\">right</th><th scope=\"col\">share</th></tr></thead><tbody>\n");
        foreach (ClassAccuracy of in evaluation.Classes.Where(c => c.Count > 0))
        {
            html.Append(CultureInfo.InvariantCulture, $"<tr><th scope=\"row\">{Text(of.Label)}</th><td>{of.Count}</td><td>{of.Correct}</td><td>{Percent((double)of.Correct / of.Count)}</td></tr>\n");
        }

        html.Append("</tbody></table></div></section>\n");
    }

    private static void AppendConfusion(StringBuilder html, EvaluationResult evaluation)
    {
        html.Append("<section><h2>Confusion</h2>");
        if (evaluation.Labels.Count > LargestMatrix)
        {
            AppendFrequentConfusions(html, evaluation);
            return;
        }

        html.Append("<p>Rows are true classes, columns the classes given.</p><div class=\"wide\"><table class=\"confusion\"><thead><tr><td></td>");
        foreach (string label in evaluation.Labels)
        {
            html.Append(CultureInfo.InvariantCulture, $"<th scope=\"col\"><span>{Text(label)}</span></th>");
        }

        html.Append("</tr></thead><tbody>\n");
        for (int actual = 0; actual < evaluation.Labels.Count; ++actual)
        {
            int sum = Math.Max(1, evaluation.Confusion[actual].Sum());
            html.Append(CultureInfo.InvariantCulture, $"<tr><th scope=\"row\">{Text(evaluation.Labels[actual])}</th>");
            for (int given = 0; given < evaluation.Labels.Count; ++given)
            {
                int count = evaluation.Confusion[actual][given];
                html.Append(CultureInfo.InvariantCulture, $"<td class=\"{(actual == given ? "right" : "wrong")}\" style=\"--share:{100.0 * count / sum:F0}%\">{(count > 0 ? count : "")}</td>");
            }

            html.Append("</tr>\n");
        }

        html.Append("</tbody></table></div></section>\n");
    }

    private static void AppendFrequentConfusions(StringBuilder html, EvaluationResult evaluation)
    {
        const int Shown = 30;
        html.Append(CultureInfo.InvariantCulture, $"<p>The most frequent confusions of {evaluation.Labels.Count} classes.</p><div class=\"wide\"><table><thead><tr><th scope=\"col\">true class</th><th scope=\"col\">class given</th><th scope=\"col\">videos</th></tr></thead><tbody>\n");
        IEnumerable<(int Actual, int Given, int Count)> pairs = evaluation.Confusion
            .SelectMany((row, actual) => row.Select((count, given) => (actual, given, count)))
            .Where(p => p.actual != p.given && p.count > 0).OrderByDescending(p => p.count).Take(Shown);
        foreach ((int actual, int given, int count) in pairs)
        {
            html.Append(CultureInfo.InvariantCulture, $"<tr><td>{Text(evaluation.Labels[actual])}</td><td>{Text(evaluation.Labels[given])}</td><td>{count}</td></tr>\n");
        }

        html.Append("</tbody></table></div></section>\n");
    }

    private static string Percent(double share) => (100 * share).ToString("F1", CultureInfo.InvariantCulture) + " %";

    private static string Text(string text) => WebUtility.HtmlEncode(text);

    private const string Style = """
        .summary{list-style:none;padding:0;display:flex;flex-wrap:wrap;gap:.5rem 2rem}.summary b{font-size:1.2rem}
        .wide{overflow-x:auto}table{border-collapse:collapse}th,td{padding:.25rem .6rem;border:1px solid var(--faint);text-align:right}
        th[scope=row],th:first-child,td:first-child{text-align:left}th[scope=row]{font-weight:normal}tbody td{overflow-wrap:anywhere}
        .confusion thead th{height:7rem;vertical-align:bottom}.confusion thead span{writing-mode:vertical-rl;transform:rotate(180deg)}
        .configuration td{text-align:left}
        .confusion td{text-align:center;min-width:1.6rem}
        .confusion .right{background:color-mix(in srgb,var(--c2) var(--share),transparent)}
        .confusion .wrong{background:color-mix(in srgb,var(--c1) var(--share),transparent)}
        """;
}
