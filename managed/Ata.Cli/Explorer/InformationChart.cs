using System.Globalization;
using System.Net;
using System.Text;

namespace Ata.Cli.Explorer;

/// <summary>Bars of the mutual information of neighbouring frames, before alignment and after it by each method.</summary>
internal sealed class InformationChart
{
    private readonly List<(string Method, double Nats)> _bars = [];
    private string? _problem;

    /// <summary>Estimates what a method gives.</summary>
    public void Add(AlignmentMethod method, AtaTensor looks, Trajectories trajectories)
    {
        try
        {
            _bars.Add((Names.Alignment.Of(method), MutualInformation.BetweenFrames(looks, trajectories).After));
        }
        catch (ArgumentException error)
        {
            // Too few patches, or frames that do not change: nothing to estimate, but much to see.
            _problem = error.Message;
        }
    }

    /// <summary>A table of bars, or why there is none.</summary>
    public string Html()
    {
        if (_problem is not null)
        {
            return $"<p>Not to be estimated here: {WebUtility.HtmlEncode(_problem)}.</p>";
        }

        var html = new StringBuilder("<table class=\"information\"><tbody>");
        double most = Math.Max(1e-9, _bars.Max(bar => bar.Nats));
        string none = Names.Alignment.Of(AlignmentMethod.None);
        foreach ((string method, double nats) in _bars.OrderBy(bar => bar.Method == none ? 0 : 1))
        {
            html.Append(
                CultureInfo.InvariantCulture,
                $"""<tr data-method="{method}"><th scope="row">{(method == none ? "before" : "after")} <b>{method}</b></th><td><svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true"><rect width="{Math.Max(0, 100 * nats / most):F1}" height="10"/></svg></td><td>{nats:F2}</td></tr>""");
        }

        return html.Append("</tbody></table>").ToString();
    }
}
