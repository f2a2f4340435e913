using System.Globalization;
using Ata.Cli.Synth;

namespace Ata.Cli.Train;

/// <summary>One option of <c>ata synth --task follow</c> and the values that it takes in turn.</summary>
/// <param name="Option">Its name without dashes.</param>
/// <param name="Values">The values.</param>
internal sealed record FollowSweep(string Option, IReadOnlyList<double> Values)
{
    private static readonly IReadOnlyDictionary<string, Parameter> s_parameters = new Dictionary<string, Parameter>
    {
        ["speed"] = new(0, 10, false, (o, v) => o with { Speed = v }),
        ["radius"] = new(0.01, FollowOptions.MostRadius, false, (o, v) => o with { Radius = v }),
        ["objects"] = new(1, 100, true, (o, v) => o with { Objects = (int)v }),
        ["likeness"] = new(0, 1, false, (o, v) => o with { Likeness = v }),
        ["posts"] = new(0, 100, true, (o, v) => o with { Posts = (int)v }),
        ["marked"] = new(1, int.MaxValue, true, (o, v) => o with { Marked = (int)v }),
        ["background-speed"] = new(0, 10, false, (o, v) => o with { BackgroundSpeed = v }),
        ["noise"] = new(0, 255, false, (o, v) => o with { Noise = v }),
    };

    /// <summary>The options that can be swept.</summary>
    public static IEnumerable<string> Options => s_parameters.Keys;

    /// <summary>Reads what was typed: <c>speed=0.02,0.04</c>.</summary>
    /// <exception cref="UsageException">It is something else.</exception>
    public static FollowSweep Parse(string text)
    {
        string[] parts = text.Split('=');
        if (parts.Length != 2 || !s_parameters.TryGetValue(parts[0], out Parameter? parameter))
        {
            throw new UsageException($"--sweep is '{text}'; it must be an option and its values, such as speed=0.02,0.04,0.08. Options: {string.Join(", ", Options)}.");
        }

        string[] values = parts[1].Split(',');
        var numbers = new double[values.Length];
        for (int i = 0; i < values.Length; ++i)
        {
            if (!double.TryParse(values[i], NumberStyles.Float, CultureInfo.InvariantCulture, out numbers[i])
                || !(numbers[i] >= parameter.Least && numbers[i] <= parameter.Most)
                || (parameter.Whole && numbers[i] != Math.Floor(numbers[i])))
            {
                throw new UsageException($"--sweep gives {parts[0]} the value '{values[i]}'; it must be a {(parameter.Whole ? "whole " : string.Empty)}number from {Cli.Options.Text(parameter.Least)} to {Cli.Options.Text(parameter.Most)}.");
            }
        }

        return numbers.Distinct().Count() == numbers.Length
            ? new FollowSweep(parts[0], numbers)
            : throw new UsageException($"--sweep is '{text}'; name each value once.");
    }

    /// <summary>The same videos with another value.</summary>
    public FollowSet Remake(FollowTruth truth, double value) => new(
        s_parameters[Option].Set(truth.Options, value), truth.Clips.Count, truth.Pictures, truth.TestShare, truth.Seed);

    private sealed record Parameter(double Least, double Most, bool Whole, Func<FollowOptions, double, FollowOptions> Set);
}
