using System.Globalization;
using System.Net;
using System.Text;

namespace Ata.Training;

/// <summary>Draws lines as an SVG element that takes its colours from <see cref="PageStyle"/>.</summary>
internal static class SvgChart
{
    private const int Width = 640;
    private const int Height = 260;
    private const int Top = 12;
    private const int Bottom = 32;
    private const int MostTicks = 6;
    private const double Digit = 10.5; // Width of a digit of the largest type, that of narrow windows.
    private const int Colors = 8;

    internal sealed record Line(string Name, IReadOnlyList<(double X, double Y)> Points);

    /// <summary>A chart with a legend; lines without points are left out. Its attribute <c>data-plot</c> tells a script where
    /// values lie: left, top, right and bottom of the plot, then the ranges of x and y.</summary>
    /// <param name="title">What the chart shows, for readers of the screen.</param>
    /// <param name="lines">The lines.</param>
    /// <param name="low">Lower end of the y axis, or null to fit the data.</param>
    /// <param name="high">Upper end of the y axis, or null to fit the data.</param>
    /// <param name="unit">What the x axis counts, as one of it.</param>
    /// <param name="axis">What the x axis is called; null for over so many of the unit.</param>
    internal static string Draw(string title, IEnumerable<Line> lines, double? low = null, double? high = null, string unit = "step", string? axis = null)
    {
        Line[] drawn = lines.Select(l => l with { Points = l.Points.Where(p => double.IsFinite(p.Y)).ToArray() }).Where(l => l.Points.Count > 0).ToArray();
        if (drawn.Length == 0)
        {
            return "<p>No values yet.</p>";
        }

        double x0 = drawn.Min(l => l.Points.Min(p => p.X));
        double x1 = drawn.Max(l => l.Points.Max(p => p.X));
        x1 = x1 > x0 ? x1 : x0 + 1;
        double y0 = low ?? drawn.Min(l => l.Points.Min(p => p.Y));
        double y1 = high ?? drawn.Max(l => l.Points.Max(p => p.Y));
        y1 = y1 > y0 ? y1 : y0 + 1;

        // Where nothing was asked for the axis ends at round numbers.
        double step = RoundStep(y0, y1);
        y0 = low ?? Math.Floor((y0 / step) + 1e-9) * step;
        y1 = high ?? Math.Ceiling((y1 / step) - 1e-9) * step;

        // Room for the longest label of the y axis, and for half of the last one of the x axis.
        int left = 8 + (int)(Digit * RoundTicks(y0, y1).Select(y => Number(y).Length).DefaultIfEmpty(0).Max());
        int right = 4 + (int)(Digit / 2 * RoundTicks(x0, x1).Select(x => Number(x).Length).DefaultIfEmpty(0).Last());
        double X(double x) => left + ((x - x0) / (x1 - x0) * (Width - left - right));
        double Y(double y) => Height - Bottom - ((y - y0) / (y1 - y0) * (Height - Top - Bottom));

        var svg = new StringBuilder();
        svg.Append(CultureInfo.InvariantCulture, $"<figure><svg viewBox=\"0 0 {Width} {Height}\" role=\"img\" aria-label=\"{WebUtility.HtmlEncode(title)}\" data-plot=\"{left} {Top} {Width - right} {Height - Bottom} {x0} {x1} {y0} {y1}\">");
        foreach (double y in RoundTicks(y0, y1))
        {
            svg.Append(CultureInfo.InvariantCulture, $"<line class=\"grid\" x1=\"{left}\" x2=\"{Width - right}\" y1=\"{Y(y):F1}\" y2=\"{Y(y):F1}\"/>");
            svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{left - 6}\" y=\"{Y(y) + 4:F1}\" text-anchor=\"end\">{Number(y)}</text>");
        }

        foreach (double x in RoundTicks(x0, x1))
        {
            svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{X(x):F1}\" y=\"{Height - 10}\" text-anchor=\"middle\">{Number(x)}</text>");
        }

        for (int i = 0; i < drawn.Length; ++i)
        {
            string points = string.Join(' ', drawn[i].Points.Select(p => string.Create(CultureInfo.InvariantCulture, $"{X(p.X):F1},{Y(Math.Clamp(p.Y, y0, y1)):F1}")));
            svg.Append(CultureInfo.InvariantCulture, $"<polyline class=\"line{i % Colors}\" points=\"{points}\"/>");
            foreach ((double x, double y) in drawn[i].Points.Count <= 60 ? drawn[i].Points : [])
            {
                svg.Append(CultureInfo.InvariantCulture, $"<circle class=\"dot{i % Colors}\" cx=\"{X(x):F1}\" cy=\"{Y(Math.Clamp(y, y0, y1)):F1}\" r=\"2.5\"><title>{WebUtility.HtmlEncode(drawn[i].Name)}, {unit} {x:G6}: {y:G4}</title></circle>");
            }
        }

        svg.Append("</svg><figcaption>");
        for (int i = 0; i < drawn.Length; ++i)
        {
            svg.Append(CultureInfo.InvariantCulture, $"<span class=\"key key{i % Colors}\">{WebUtility.HtmlEncode(drawn[i].Name)}</span> ");
        }

        return svg.Append($"<span>{WebUtility.HtmlEncode(axis ?? $"over {unit}s")}</span></figcaption></figure>").ToString();
    }

    /// <summary>1, 2 or 5 times a power of ten, so that a range has at most so many ticks.</summary>
    private static double RoundStep(double low, double high)
    {
        double least = (high - low) / MostTicks;
        double power = Math.Pow(10, Math.Floor(Math.Log10(least)));
        return power * new[] { 1, 2, 5, 10 }.First(factor => power * factor >= least * (1 - 1e-9));
    }

    private static IEnumerable<double> RoundTicks(double low, double high)
    {
        double step = RoundStep(low, high);
        for (double i = Math.Ceiling((low / step) - 1e-9); i * step <= high + (1e-9 * step); ++i)
        {
            yield return (i * step) + 0.0; // Not -0.
        }
    }

    private static string Number(double value) => Math.Abs(value) >= 1e6 || (value != 0 && Math.Abs(value) < 1e-4)
        ? value.ToString("0.#e0", CultureInfo.InvariantCulture)
        : Math.Round(value, 9).ToString("0.#########", CultureInfo.InvariantCulture);
}
