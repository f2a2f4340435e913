using System.Globalization;
using System.Text;
using Ata.Interop;
using Spectre.Console;

namespace Ata.Cli.Train;

/// <summary>Says what came out of a comparison: as JSON, as Markdown, as a page, in a terminal.</summary>
/// <param name="folder">Receives the files.</param>
internal sealed class ComparisonReport(string folder)
{
    /// <summary>What came out; nothing where an option is swept.</summary>
    public ComparisonResults Results { get; } = new();

    /// <summary>What came out at each value of an option.</summary>
    public List<SweepPoint> Sweep { get; } = [];

    /// <summary>What programs read.</summary>
    public CompareJson ToJson() => new(Results.Modes, Results.Information, Results.PatchesPerFrame, Sweep.Count > 0 ? Sweep : null);

    /// <summary>Writes results.json, table.md and report.html.</summary>
    public void Write()
    {
        WriteText("results.json", CliJson.Text(ToJson()) + "\n");
        WriteText("table.md", string.Join('\n', Tables().Select(Markdown)));
        WriteText("report.html", ComparisonPage.Text(this));
    }

    /// <summary>Prints the tables.</summary>
    public void Print()
    {
        foreach (ResultTable table in Tables())
        {
            var shown = new Table();
            foreach (string column in table.Columns)
            {
                shown.AddColumn(Terminal.Cell(column));
            }

            foreach (string[] row in table.Rows)
            {
                shown.AddRow(Array.ConvertAll(row, Terminal.Cell));
            }

            if (table.Title is { } title)
            {
                Terminal.WriteLine($"[bold]{title}[/]");
            }

            Terminal.Write(shown);
            foreach (string note in table.Notes)
            {
                Terminal.WriteLine($"{note}");
            }
        }
    }

    /// <summary>Everything as tables.</summary>
    public IEnumerable<ResultTable> Tables()
    {
        if (Sweep.Count == 0)
        {
            return OfSet(Results, null);
        }

        return Sweep.SelectMany(point => OfSet(point.Results, $"{point.Option} {Options.Text(point.Value)}"));
    }

    private static IEnumerable<ResultTable> OfSet(ComparisonResults results, string? title)
    {
        string? head = results.PatchesPerFrame is { } patches
            ? string.Create(CultureInfo.InvariantCulture, $"Objects move {patches:0.0#} patches a frame{(title is null ? string.Empty : $" ({title})")}")
            : title;
        bool truth = results.Modes.Any(m => m.OnObject is not null);
        string[] columns = ["mode", "test accuracy", "test loss", "time per clip", .. truth ? ["on the same object at the end, by block"] : Array.Empty<string>()];
        string[] standings = Standings(results).ToArray();
        bool informed = results.Information.Count > 0;
        yield return new ResultTable(head, columns, results.ByVariant().Select(v => Row(v, truth)).ToArray(), informed ? [] : standings);
        if (informed)
        {
            yield return new ResultTable(
                null,
                ["mutual information", "same position", "same trajectory"],
                results.Information.GroupBy(r => r.Estimator).Select(e => new[] { e.Key, Nats(e.Select(r => r.Before)), Nats(e.Select(r => r.After)) }).ToArray(),
                [.. results.Information.Where(r => r.Undefined is not null).Select(r => $"{r.Estimator}, seed {r.Seed}: {r.Undefined}"), .. standings]);
        }
    }

    private static string[] Row(IGrouping<string, VariantResult> variant, bool truth)
    {
        string[] row =
        [
            variant.Key,
            Spread(variant.Select(r => 100 * r.Accuracy), "0.0") + " %",
            Spread(variant.Select(r => r.Loss), "0.000"),
            Spread(variant.Select(r => r.MillisecondsPerClip), "0.00") + " ms",
        ];
        return truth ? [.. row, OnObject(variant)] : row;
    }

    private static string OnObject(IEnumerable<VariantResult> variant)
    {
        double[] shares = OnObjectByBlock(variant);
        return shares.Length == 0 ? "-" : string.Join(", ", shares.Select(Percent)) + " %";
    }

    private static double[] OnObjectByBlock(IEnumerable<VariantResult> variant)
    {
        IReadOnlyList<double>[] measured = variant.Select(r => r.OnObject).OfType<IReadOnlyList<double>>().ToArray();
        return measured.Length == 0 ? [] : Enumerable.Range(0, measured[0].Count).Select(block => measured.Average(m => m[block])).ToArray();
    }

    private static string Percent(double share) => (100 * share).ToString("0", CultureInfo.InvariantCulture);

    /// <summary>In words: how far aligned attention is ahead of attention at fixed places, and whether it followed anything.</summary>
    private static IEnumerable<string> Standings(ComparisonResults results)
    {
        Dictionary<string, VariantResult[]> variants = results.ByVariant().ToDictionary(v => v.Key, v => v.ToArray(), StringComparer.Ordinal);
        if (!variants.TryGetValue("ata", out VariantResult[]? aligned) || !variants.TryGetValue("divided", out VariantResult[]? still))
        {
            yield break;
        }

        double[] leads = aligned.Join(still, a => a.Seed, s => s.Seed, (a, s) => 100 * (a.Accuracy - s.Accuracy)).ToArray();
        double mean = leads.Average();
        double error = Deviation(leads) / Math.Sqrt(leads.Length);
        string who = Math.Abs(mean) < 0.05 ? "neither leads" : string.Create(CultureInfo.InvariantCulture, $"{(mean > 0 ? "ata" : "divided")} leads by {Math.Abs(mean):0.0} points");
        string how = leads.Length < 2 ? "one seed"
            : error > 0 ? string.Create(CultureInfo.InvariantCulture, $"{Math.Abs(mean) / error:0.0} standard errors over {leads.Length} seeds")
            : $"the same with each of {leads.Length} seeds";
        yield return string.Create(CultureInfo.InvariantCulture, $"ata is right on {100 * aligned.Average(r => r.Accuracy):0.0} % of the test videos, divided on {100 * still.Average(r => r.Accuracy):0.0} %: {who} ({how}).");
        if (OnObjectByBlock(aligned) is { Length: > 0 } along && OnObjectByBlock(still) is { Length: > 0 } fixedPlace)
        {
            yield return $"Of the patches that begin on an object, {string.Join(", ", along.Select(Percent))} % are on it in the last frame along ata's trajectories (by block), "
                + $"{Percent(fixedPlace[0])} % at a place that stays.";
        }
    }

    private static string Nats(IEnumerable<double?> estimates)
    {
        double?[] all = estimates.ToArray();
        double[] defined = all.OfType<double>().ToArray();
        string text = defined.Length > 0 ? Spread(defined, "0.000") + " nats" : "undefined";
        return defined.Length is 0 || defined.Length == all.Length ? text : $"{text} ({all.Length - defined.Length} undefined)";
    }

    /// <summary>The mean, and the standard deviation where there are several seeds.</summary>
    private static string Spread(IEnumerable<double> values, string format)
    {
        double[] all = values.ToArray();
        string text = all.Average().ToString(format, CultureInfo.InvariantCulture);
        return all.Length < 2 ? text : $"{text} ± {Deviation(all).ToString(format, CultureInfo.InvariantCulture)}";
    }

    private static double Deviation(double[] values)
    {
        double mean = values.Average();
        return Math.Sqrt(values.Sum(v => (v - mean) * (v - mean)) / (values.Length - 1));
    }

    private static string Markdown(ResultTable table)
    {
        var text = new StringBuilder();
        if (table.Title is { } title)
        {
            text.Append(CultureInfo.InvariantCulture, $"**{title}**\n\n");
        }

        text.Append(CultureInfo.InvariantCulture, $"| {string.Join(" | ", table.Columns)} |\n|{string.Concat(table.Columns.Select(_ => " --- |"))}\n");
        foreach (string[] row in table.Rows)
        {
            text.Append(CultureInfo.InvariantCulture, $"| {string.Join(" | ", row)} |\n");
        }

        foreach (string note in table.Notes)
        {
            text.Append(CultureInfo.InvariantCulture, $"\n{note}\n");
        }

        return text.ToString();
    }

    private void WriteText(string name, string text) => NativeFile.Write(Path.Combine(folder, name), Encoding.UTF8.GetBytes(text));
}

/// <summary>A table of results.</summary>
/// <param name="Title">What it is of, or null.</param>
/// <param name="Columns">Heads of the columns.</param>
/// <param name="Rows">The cells.</param>
/// <param name="Notes">What is to be said below.</param>
internal sealed record ResultTable(string? Title, string[] Columns, IReadOnlyList<string[]> Rows, IReadOnlyList<string> Notes);
