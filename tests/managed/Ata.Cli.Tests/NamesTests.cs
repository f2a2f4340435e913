using Ata.Bindings;
using Xunit;

namespace Ata.Cli.Tests;

/// <summary>What has a name in C, in C# and on the command line has the same one in all of them.</summary>
public sealed class NamesTests
{
    [Fact]
    public void Names_AreThoseOfTheLibrary()
    {
        AssertSame<InformationEstimator, ata_mi_estimator>(Names.Estimator, "ATA_MI_");
        AssertSame<AlignmentMethod, ata_alignment>(Names.Alignment, "ATA_ALIGNMENT_");
        AssertSame<TemporalMode, ata_temporal_mode>(Names.Temporal, "ATA_TEMPORAL_");
        AssertSame<Activation, ata_activation>(Names.Activation, "ATA_ACTIVATION_");
        AssertSame<CheckpointSource, ata_checkpoint_source>(Names.Source, "ATA_CHECKPOINT_");
    }

    [Fact]
    public void Architectures_AreThoseOfTheLibrary()
    {
        string refusal = Assert.Throws<ArgumentException>(() => ModelConfig.Named("resnet")).Message;

        Assert.Contains(Names.Architectures.Replace(" or ", " and ", StringComparison.Ordinal), refusal.Replace("'", string.Empty, StringComparison.Ordinal));
    }

    /// <summary>Typed <c>space_only</c>, it is <c>SpaceOnly</c> in C# and <c>ATA_TEMPORAL_SPACE_ONLY</c> in C.</summary>
    private static void AssertSame<TManaged, TNative>(IReadOnlyDictionary<string, TManaged> typed, string prefix)
        where TManaged : struct, Enum
        where TNative : struct, Enum
    {
        (string Name, int Value)[] names = [.. typed.Select(pair => (pair.Key, Convert.ToInt32(pair.Value))).OrderBy(pair => pair.Item2)];
        Assert.Equal(Enum.GetValues<TNative>().Select(v => (v.ToString(), Convert.ToInt32(v))), names.Select(n => (prefix + n.Name.ToUpperInvariant(), n.Value)));
        Assert.Equal(
            Enum.GetValues<TManaged>().Select(v => (v.ToString().ToLowerInvariant(), Convert.ToInt32(v))),
            names.Select(n => (n.Name.Replace("_", string.Empty, StringComparison.Ordinal), n.Value)));
    }
}
