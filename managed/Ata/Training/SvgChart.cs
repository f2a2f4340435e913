using System.Globalization;
using System.Net;
using System.Text;

namespace Ata.Training;

/// <summary>Draws lines as an SVG element that takes its colours from <see cref="PageStyle"/>.</summary>
internal static class SvgChart
{
    private const int Width = 640;
    private const int Height = 260;
    private const int Left = 56;
    private const int Right = 12;
    private const int Top = 12;
    private const int Bottom = 32;
    private const int Ticks = 5;

    internal sealed record Line(string Name, IReadOnlyList<(double X, double Y)> Points);

    /// <summary>A chart with a legend; lines without points are left out. Its attribute <c>data-plot</c> tells a script where
    /// values lie: left, top, right and bottom of the plot, then the ranges of x and y.</summary>
    /// <param name="title">What the chart shows, for readers of the screen.</param>
    /// <param name="lines">The lines.</param>
    /// <param name="low">Lower end of the y axis, or null to fit the data.</param>
    /// <param name="high">Upper end of the y axis, or null to fit the data.</param>
    /// <param name="unit">What the x axis counts.</param>
    internal static string Draw(string title, IEnumerable<Line> lines, double? low = null, double? high = null, string unit = "step")
    {
        Line[] drawn = lines.Select(l => l with { Points = l.Points.Where(p => double.IsFinite(p.Y)).ToArray() }).Where(l => l.Points.Count > 0).ToArray();
        if (drawn.Length == 0)
        {
            return "<p>No values yet.</p>";
        }

        double x0 = drawn.Min(l => l.Points.Min(p => p.X));
        double x1 = Math.Max(x0 + 1, drawn.Max(l => l.Points.Max(p => p.X)));
        double y0 = low ?? drawn.Min(l => l.Points.Min(p => p.Y));
        double y1 = high ?? drawn.Max(l => l.Points.Max(p => p.Y));
        y1 = y1 > y0 ? y1 : y0 + 1;
        double X(double x) => Left + ((x - x0) / (x1 - x0) * (Width - Left - Right));
        double Y(double y) => Height - Bottom - ((y - y0) / (y1 - y0) * (Height - Top - Bottom));

        var svg = new StringBuilder();
        svg.Append(CultureInfo.InvariantCulture, $"<figure><svg viewBox=\"0 0 {Width} {Height}\" role=\"img\" aria-label=\"{WebUtility.HtmlEncode(title)}\" data-plot=\"{Left} {Top} {Width - Right} {Height - Bottom} {x0} {x1} {y0} {y1}\">");
        for (int i = 0; i <= Ticks; ++i)
        {
            double y = y0 + ((y1 - y0) * i / Ticks);
            svg.Append(CultureInfo.InvariantCulture, $"<line class=\"grid\" x1=\"{Left}\" x2=\"{Width - Right}\" y1=\"{Y(y):F1}\" y2=\"{Y(y):F1}\"/>");
            svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{Left - 6}\" y=\"{Y(y) + 4:F1}\" text-anchor=\"end\">{Number(y)}</text>");
        }

        // What x counts is whole.
        for (double x = x0; x <= x1; x += Math.Ceiling((x1 - x0) / Ticks))
        {
            svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{X(x):F1}\" y=\"{Height - 10}\" text-anchor=\"middle\">{Number(x)}</text>");
        }

        for (int i = 0; i < drawn.Length; ++i)
        {
            string points = string.Join(' ', drawn[i].Points.Select(p => string.Create(CultureInfo.InvariantCulture, $"{X(p.X):F1},{Y(Math.Clamp(p.Y, y0, y1)):F1}")));
            svg.Append(CultureInfo.InvariantCulture, $"<polyline class=\"line{i}\" points=\"{points}\"/>");
            foreach ((double x, double y) in drawn[i].Points.Count <= 60 ? drawn[i].Points : [])
            {
                svg.Append(CultureInfo.InvariantCulture, $"<circle class=\"dot{i}\" cx=\"{X(x):F1}\" cy=\"{Y(Math.Clamp(y, y0, y1)):F1}\" r=\"2.5\"><title>{WebUtility.HtmlEncode(drawn[i].Name)}, {unit} {x:F0}: {y:G4}</title></circle>");
            }
        }

        svg.Append("</svg><figcaption>");
        for (int i = 0; i < drawn.Length; ++i)
        {
            svg.Append(CultureInfo.InvariantCulture, $"<span class=\"key key{i}\">{WebUtility.HtmlEncode(drawn[i].Name)}</span> ");
        }

        return svg.Append($"<span>over {unit}s</span></figcaption></figure>").ToString();
    }

    private static string Number(double value) => value.ToString(Math.Abs(value) >= 100 ? "F0" : "G3", CultureInfo.InvariantCulture);
}
