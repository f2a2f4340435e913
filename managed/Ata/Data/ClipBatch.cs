namespace Ata.Data;

/// <summary>Clips ready for a model. Dispose it to let its memory be used again.</summary>
public sealed class ClipBatch : IDisposable
{
    private readonly Action<ClipBatch> _giveBack;
    private int _disposed;

    internal ClipBatch(long number, AtaTensor clips, AtaTensor targets, int videos, Action<ClipBatch> giveBack)
    {
        Number = number;
        Clips = clips;
        Targets = targets;
        Items = new int[videos];
        Labels = new int[videos];
        _giveBack = giveBack;
    }

    /// <summary>Number of the batch, from 0.</summary>
    public long Number { get; }

    /// <summary>f32 <c>[B, 3, T, H, W]</c>, normalised. With several views B is videos x views; the views of a video
    /// follow one another.</summary>
    public AtaTensor Clips { get; }

    /// <summary>What training aims at: i64 <c>[B]</c> labels, or f32 <c>[B, classes]</c> probabilities where clips
    /// were mixed.</summary>
    public AtaTensor Targets { get; }

    /// <summary>The item of the dataset that each video is; -1 for one that could not be read and was left zero, which
    /// happens in evaluation only.</summary>
    public int[] Items { get; }

    /// <summary>The class of each video; in a mixed clip, that of the video itself.</summary>
    public int[] Labels { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            _giveBack(this);
        }
    }
}
