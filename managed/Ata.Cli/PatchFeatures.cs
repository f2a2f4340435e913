namespace Ata.Cli;

/// <summary>Features of the raw patches of a clip, for alignment without a model.</summary>
internal static class PatchFeatures
{
    // A patch is described by the mean colours of this many cells along each axis: fine enough for its texture,
    // and coarse enough to still look alike after a move by part of a patch.
    private const int MostCells = 4;

    private const int Channels = 3;

    // A model's tokens carry their position, and so do these features: among patches that look alike (grass, sky) the
    // near one is preferred. Relative to the patches' mean contrast.
    private const int PositionChannels = 4;
    private const double PositionWeight = 0.5;

    /// <summary>Describes every patch by the mean colours of its cells, relative to the mean of the clip, and weakly by its
    /// position: cosine similarity then compares what is particular to a patch and not the overall brightness.</summary>
    /// <param name="clip">The clip.</param>
    /// <param name="patchSize">Height and width of a patch; divides the clip's.</param>
    /// <param name="withPosition">False leaves the position out, as its channels are then 0: measures of what patches at
    /// the same position share must not count the position itself.</param>
    /// <returns>Float32 <c>[1, T, N, D]</c>, which the caller disposes.</returns>
    public static AtaTensor Of(VideoClip clip, int patchSize, bool withPosition = true)
    {
        if (clip.Width % patchSize != 0)
        {
            throw new UsageException(
                $"Frames of {clip.Width} pixels cannot be cut into patches of {patchSize}; choose a patch size that divides it.");
        }

        int cells = CellsOf(patchSize);
        int grid = clip.Width / patchSize;
        int patches = grid * grid;
        int colors = Channels * cells * cells;
        int channels = colors + PositionChannels;
        AtaTensor features = AtaTensor.Create<float>(1, clip.Frames, patches, channels);
        Span<float> values = features.AsSpan<float>();
        for (int frame = 0; frame < clip.Frames; ++frame)
        {
            for (int channel = 0; channel < Channels; ++channel)
            {
                Span<float> output = values.Slice(frame * patches * channels, patches * channels);
                AddPlane(PlaneOf(clip, channel, frame), clip.Width, patchSize, cells, channel * cells * cells, channels, output);
            }
        }

        double contrast = SubtractMean(values, colors, channels);
        if (withPosition)
        {
            AddPositions(values, grid, channels, PositionWeight * contrast);
        }

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
        ReadOnlySpan<float> plane, int width, int patchSize, int cells, int firstChannel, int channels, Span<float> features)
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
                features[(patch * channels) + firstChannel + cell] += plane[(y * width) + x] * share;
            }
        }
    }

    /// <summary>Makes the mean of each colour zero.</summary>
    /// <returns>The root mean square norm of a patch's colours.</returns>
    private static double SubtractMean(Span<float> features, int colors, int channels)
    {
        int cells = colors / Channels;
        int patches = features.Length / channels;
        Span<double> means = stackalloc double[Channels];
        for (int i = 0; i < features.Length; ++i)
        {
            if (i % channels < colors)
            {
                means[i % channels / cells] += features[i] / (patches * (double)cells);
            }
        }

        double squares = 0;
        for (int i = 0; i < features.Length; ++i)
        {
            if (i % channels < colors)
            {
                features[i] -= (float)means[i % channels / cells];
                squares += features[i] * (double)features[i];
            }
        }

        return Math.Sqrt(squares / patches);
    }

    // Points on two half circles, so that all positions have the same norm.
    private static void AddPositions(Span<float> features, int grid, int channels, double weight)
    {
        double radius = weight / Math.Sqrt(2);
        for (int i = 0; i < features.Length / channels; ++i)
        {
            int patch = i % (grid * grid);
            (double sinX, double cosX) = Math.SinCos(Math.PI * (patch % grid + 0.5) / grid);
            (double sinY, double cosY) = Math.SinCos(Math.PI * (patch / grid + 0.5) / grid);
            Span<float> position = features.Slice(((i + 1) * channels) - PositionChannels, PositionChannels);
            position[0] = (float)(radius * sinX);
            position[1] = (float)(radius * cosX);
            position[2] = (float)(radius * sinY);
            position[3] = (float)(radius * cosY);
        }
    }
}
