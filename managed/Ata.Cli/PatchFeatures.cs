namespace Ata.Cli;

/// <summary>Features of the raw patches of a clip, for alignment without a model.</summary>
internal static class PatchFeatures
{
    // A patch is described by the mean colours of this many cells along each axis: fine enough for its texture,
    // and coarse enough to still look alike after a move by part of a patch.
    private const int MostCells = 4;

    private const int Channels = 3;

    /// <summary>Describes every patch by the mean colours of its cells, relative to the mean of the clip: cosine
    /// similarity then compares what is particular to a patch and not the overall brightness.</summary>
    /// <param name="clip">The clip.</param>
    /// <param name="patchSize">Height and width of a patch; divides the clip's.</param>
    /// <returns>Float32 <c>[1, T, N, D]</c>, which the caller disposes.</returns>
    public static AtaTensor Of(VideoClip clip, int patchSize)
    {
        if (clip.Width % patchSize != 0)
        {
            throw new UsageException(
                $"Frames of {clip.Width} pixels cannot be cut into patches of {patchSize}; choose a patch size that divides it.");
        }

        int cells = CellsOf(patchSize);
        int grid = clip.Width / patchSize;
        int patches = grid * grid;
        int channels = Channels * cells * cells;
        AtaTensor features = AtaTensor.Create<float>(1, clip.Frames, patches, channels);
        Span<float> values = features.AsSpan<float>();
        for (int frame = 0; frame < clip.Frames; ++frame)
        {
            for (int channel = 0; channel < Channels; ++channel)
            {
                Span<float> output = values.Slice(frame * patches * channels, patches * channels);
                AddPlane(PlaneOf(clip, channel, frame), clip.Width, patchSize, cells, channel, output);
            }
        }

        SubtractMean(values, channels);
        return features;
    }

    private static int CellsOf(int patchSize)
    {
        int cells = Math.Min(MostCells, patchSize);
        while (patchSize % cells != 0)
        {
            --cells;
        }

        return cells;
    }

    private static ReadOnlySpan<float> PlaneOf(VideoClip clip, int channel, int frame)
    {
        int size = clip.Width * clip.Height;
        return clip.AsSpan().Slice(((channel * clip.Frames) + frame) * size, size);
    }

    private static void AddPlane(
        ReadOnlySpan<float> plane, int width, int patchSize, int cells, int channel, Span<float> features)
    {
        int cellSize = patchSize / cells;
        int grid = width / patchSize;
        float share = 1f / (cellSize * cellSize);
        for (int y = 0; y < width; ++y)
        {
            for (int x = 0; x < width; ++x)
            {
                int patch = ((y / patchSize) * grid) + (x / patchSize);
                int cell = ((y % patchSize / cellSize) * cells) + (x % patchSize / cellSize);
                features[(((patch * Channels) + channel) * cells * cells) + cell] += plane[(y * width) + x] * share;
            }
        }
    }

    private static void SubtractMean(Span<float> features, int channels)
    {
        int perColor = channels / Channels;
        Span<double> means = stackalloc double[Channels];
        for (int i = 0; i < features.Length; ++i)
        {
            means[i % channels / perColor] += features[i];
        }

        for (int i = 0; i < features.Length; ++i)
        {
            int color = i % channels / perColor;
            features[i] -= (float)(means[color] * Channels / features.Length);
        }
    }
}
