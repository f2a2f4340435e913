namespace Ata.Cli;

/// <summary>What an alignment amounts to, for each pair of neighbouring frames.</summary>
/// <param name="MeanSimilarity">Mean similarity along the trajectories.</param>
/// <param name="MovedShare">Share of the trajectories that change their patch.</param>
internal sealed record PairStatistics(double[] MeanSimilarity, double[] MovedShare)
{
    /// <summary>The statistics of one clip's trajectories, which know their similarities.</summary>
    public static PairStatistics Of(Trajectories trajectories)
    {
        int pairs = trajectories.Frames - 1;
        int patches = trajectories.Patches;
        var similarity = new double[pairs];
        var moved = new double[pairs];
        for (int pair = 0; pair < pairs; ++pair)
        {
            ReadOnlySpan<int> from = trajectories.OfFrame(0, pair);
            ReadOnlySpan<int> to = trajectories.OfFrame(0, pair + 1);
            foreach (float value in trajectories.Similarities.Slice(pair * patches, patches))
            {
                similarity[pair] += value / (double)patches;
            }

            for (int n = 0; n < patches; ++n)
            {
                moved[pair] += from[n] == to[n] ? 0 : 1.0 / patches;
            }
        }

        return new PairStatistics(similarity, moved);
    }
}
