using System.Globalization;
using System.Net;
using System.Text;
using Ata.Training;

namespace Ata.Cli.Train;

/// <summary>A comparison as one HTML page that needs nothing else.</summary>
internal static class ComparisonPage
{
    private const string Style = """
        .wide{overflow-x:auto}table{border-collapse:collapse;margin:1rem 0}th,td{padding:.25rem .6rem;border:1px solid var(--faint);text-align:right;white-space:nowrap}
        th:first-child,td:first-child{text-align:left;font-weight:normal}
        """;

    /// <summary>The page.</summary>
    public static string Text(ComparisonReport report)
    {
        var html = new StringBuilder();
        html.Append(CultureInfo.InvariantCulture, $"<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>Temporal modes compared</title><style>{PageStyle.Text}\n{Style}</style></head><body><main>\n<h1>Temporal modes compared</h1>\n");
        html.Append("<div class=\"charts\">\n");
        AppendSweep(html, report.Sweep);
        AppendCurves(html, report.Results, "Test accuracy while training");
        foreach (SweepPoint point in report.Sweep)
        {
            AppendCurves(html, point.Results, $"Test accuracy while training, {point.Option} {Options.Text(point.Value)}");
        }

        html.Append("</div>\n<section><h2>Numbers</h2>\n");
        foreach (ResultTable table in report.Tables())
        {
            Append(html, table);
        }

        return html.Append("</section>\n</main></body></html>\n").ToString();
    }

    private static void AppendSweep(StringBuilder html, IReadOnlyList<SweepPoint> sweep)
    {
        if (sweep.Count == 0)
        {
            return;
        }

        // How far things move says more than the option that makes them move.
        bool moves = sweep[0].Option == "speed" && sweep.All(p => p.Results.PatchesPerFrame is not null);
        double X(SweepPoint point) => moves ? point.Results.PatchesPerFrame!.Value : point.Value;
        string unit = moves ? "movement in patches a frame" : sweep[0].Option;
        IEnumerable<SvgChart.Line> Lines(Func<VariantResult, double?> value) => sweep
            .SelectMany(point => point.Results.ByVariant().Select(v => (v.Key, X: X(point), Y: v.Select(value).Average())))
            .Where(p => p.Y is not null)
            .GroupBy(p => p.Key)
            .Select(g => new SvgChart.Line(g.Key, g.OrderBy(p => p.X).Select(p => (p.X, p.Y!.Value)).ToArray()));
        html.Append(CultureInfo.InvariantCulture, $"<section><h2>Test accuracy against {WebUtility.HtmlEncode(unit)}</h2>")
            .Append(SvgChart.Draw("Test accuracy", Lines(r => r.Accuracy), 0, 1, unit, unit))
            .Append(CultureInfo.InvariantCulture, $"</section>\n<section><h2>Trajectories on the same object at the end, last block</h2>")
            .Append(SvgChart.Draw("Trajectories on the same object at the end", Lines(r => r.OnObject?[^1]), 0, 1, unit, unit))
            .Append("</section>\n");
    }

    private static void AppendCurves(StringBuilder html, ComparisonResults results, string title)
    {
        if (results.Modes.Count == 0)
        {
            return;
        }

        IEnumerable<SvgChart.Line> lines = results.ByVariant().Select(v => new SvgChart.Line(
            v.Key,
            v.SelectMany(r => r.Curve).GroupBy(p => p.Step).OrderBy(p => p.Key).Select(p => ((double)p.Key, p.Average(c => c.Accuracy))).ToArray()));
        html.Append(CultureInfo.InvariantCulture, $"<section><h2>{WebUtility.HtmlEncode(title)}</h2>")
            .Append(SvgChart.Draw(title, lines, 0, 1, "update"))
            .Append("</section>\n");
    }

    private static void Append(StringBuilder html, ResultTable table)
    {
        static string Cells(string tag, IEnumerable<string> cells) => string.Concat(cells.Select(c => $"<{tag}>{WebUtility.HtmlEncode(c)}</{tag}>"));

        if (table.Title is { } title)
        {
            html.Append(CultureInfo.InvariantCulture, $"<h3>{WebUtility.HtmlEncode(title)}</h3>\n");
        }

        html.Append(CultureInfo.InvariantCulture, $"<div class=\"wide\"><table><thead><tr>{Cells("th", table.Columns)}</tr></thead><tbody>\n");
        foreach (string[] row in table.Rows)
        {
            html.Append(CultureInfo.InvariantCulture, $"<tr>{Cells("td", row)}</tr>\n");
        }

        html.Append("</tbody></table></div>\n");
        foreach (string note in table.Notes)
        {
            html.Append(CultureInfo.InvariantCulture, $"<p>{WebUtility.HtmlEncode(note)}</p>\n");
        }
    }
}
