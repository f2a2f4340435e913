using System.Collections;

namespace Ata.Cli;

/// <summary>The patch tokens Float32 <c>[B, T, N, D]</c> that enter blocks of a model, from one pass over a clip.</summary>
internal sealed class BlockFeatures : IEnumerable<(int Block, AtaTensor Features)>, IDisposable
{
    private readonly List<(int Block, AtaTensor Features)> _blocks = [];

    public BlockFeatures(Model model, VideoClip clip, IReadOnlyList<int> blocks, CancellationToken cancellationToken)
    {
        ModelConfig config = model.Config;
        long all = (long)config.Frames * config.Patches * config.Dim * blocks.Count;
        if (all > Array.MaxLength)
        {
            throw new NotSupportedException(
                $"The features of {blocks.Count} blocks are {all} values, more than memory is asked for at once; choose one block.");
        }

        var values = new float[all];
        int length = values.Length / blocks.Count;
        using Session session = model.CreateSession();
        session.Run(clip.Tensor, new SessionOutputs { FeatureBlocks = [.. blocks], Features = values }, cancellationToken);
        for (int i = 0; i < blocks.Count; ++i)
        {
            Memory<float> memory = values.AsMemory(i * length, length);
            _blocks.Add((blocks[i], AtaTensor.Wrap(memory, 1, config.Frames, config.Patches, config.Dim)));
        }
    }

    /// <summary>Those of the first block asked for.</summary>
    public AtaTensor First => _blocks[0].Features;

    public IEnumerator<(int Block, AtaTensor Features)> GetEnumerator() => _blocks.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    public void Dispose()
    {
        foreach ((_, AtaTensor features) in _blocks)
        {
            features.Dispose();
        }
    }
}
