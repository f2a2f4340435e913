using System.Globalization;
using Spectre.Console;

namespace Ata.Cli;

/// <summary>Mutual information between the patches of neighbouring frames by one estimator.</summary>
/// <param name="Features">Whose patches: <c>patches</c> or <c>block 3</c>.</param>
/// <param name="Estimator">Name of the estimator.</param>
/// <param name="Before">Nats between patches at the same position; null when undefined.</param>
/// <param name="After">Nats between patches on the same trajectory; null when undefined.</param>
/// <param name="Undefined">Why the estimator is not defined for these patches, or null.</param>
internal sealed record InformationJson(string Features, string Estimator, double? Before, double? After, string? Undefined = null);

/// <summary>Measures what patches of neighbouring frames know about each other, before and after alignment.</summary>
internal static class AlignmentInformation
{
    /// <summary>Estimates it by every estimator.</summary>
    /// <param name="name">What the features are.</param>
    /// <param name="features">Float32 <c>[B, T, N, D]</c>.</param>
    /// <param name="trajectories">Trajectories of the same clips.</param>
    /// <param name="components">Principal components that the features are projected to; 0 for all.</param>
    public static IReadOnlyList<InformationJson> Of(string name, AtaTensor features, Trajectories trajectories, int components) =>
        [.. Names.Estimator.Select(estimator => Of(
            name, estimator.Key, features, trajectories, new InformationOptions { Estimator = estimator.Value, Components = components }))];

    /// <summary>Estimates it by one estimator. Each has samples for which it is not defined: too few for its dimensions,
    /// ones that depend on each other exactly, ones that are tied. The others may still be.</summary>
    public static InformationJson Of(
        string name, string estimator, AtaTensor features, Trajectories trajectories, InformationOptions options)
    {
        try
        {
            (double before, double after) = MutualInformation.BetweenFrames(features, trajectories, options);
            return new InformationJson(name, estimator, before, after);
        }
        catch (ArgumentException error)
        {
            return new InformationJson(name, estimator, null, null, CommandLine.Describe(error));
        }
    }

    /// <summary>Estimates it for the tokens that enter blocks of a model, each aligned by themselves.</summary>
    public static IReadOnlyList<InformationJson> Of(
        BlockFeatures blocks, AlignmentOptions alignment, int components, CancellationToken cancellationToken)
    {
        var results = new List<InformationJson>();
        foreach ((int block, AtaTensor features) in blocks)
        {
            cancellationToken.ThrowIfCancellationRequested();
            using Trajectories trajectories = FrameAligner.Align(features, alignment);
            results.AddRange(Of($"block {block}", features, trajectories, components));
        }

        return results;
    }

    /// <summary>Prints a row for each set of features.</summary>
    public static void Print(IReadOnlyList<InformationJson> results)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumn("information, nats");
        foreach (string estimator in Names.Estimator.Keys)
        {
            table.AddColumn(new TableColumn(estimator).RightAligned());
        }

        foreach (IGrouping<string, InformationJson> row in results.GroupBy(result => result.Features))
        {
            table.AddRow([row.Key, .. row.Select(result => result.Undefined is not null
                ? "undefined"
                : string.Create(CultureInfo.InvariantCulture, $"{result.Before:0.00} -> {result.After:0.00}"))]);
        }

        Terminal.Write(table);
        foreach (InformationJson result in results.Where(result => result.Undefined is not null))
        {
            Terminal.WriteLine($"{result.Estimator} of {result.Features}: {result.Undefined}");
        }
    }
}
