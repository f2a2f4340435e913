using Ata.Bindings;
using Ata.Interop;

namespace Ata;

/// <summary>
/// Where patches go: trajectory n of a clip begins at patch n of frame 0 and visits one patch of each frame. Held in
/// native memory; spans are valid until it is disposed.
/// </summary>
public sealed unsafe class Trajectories : IDisposable
{
    private readonly AtaTensor _positions;
    private readonly AtaTensor? _similarities;

    /// <summary>Takes ownership of the native tensors <c>[B, T, N]</c> and, unless null, <c>[B, T - 1, N]</c>.</summary>
    internal Trajectories(ata_tensor* positions, ata_tensor* similarities)
    {
        try
        {
            _positions = new AtaTensor(positions, nameof(Trajectories));
        }
        catch
        {
            NativeMethods.ata_tensor_release(similarities);
            throw;
        }

        _similarities = similarities is null ? null : new AtaTensor(similarities, nameof(Trajectories));
        Clips = (int)_positions.Shape[0];
        Frames = (int)_positions.Shape[1];
        Patches = (int)_positions.Shape[2];
    }

    /// <summary>Number of clips, B.</summary>
    public int Clips { get; }

    /// <summary>Frames of a clip, T.</summary>
    public int Frames { get; }

    /// <summary>Patches of a frame, and so trajectories of a clip, N.</summary>
    public int Patches { get; }

    /// <summary>All positions, <c>[B, T, N]</c>: the patch of frame t on trajectory n.</summary>
    public ReadOnlySpan<int> Positions => _positions.AsSpan<int>();

    /// <summary>Cosine similarities of trajectory n's patches in frames t and t + 1, <c>[B, T - 1, N]</c>; empty when
    /// they come from a model's session, which does not keep them.</summary>
    public ReadOnlySpan<float> Similarities => _similarities is null ? [] : _similarities.AsSpan<float>();

    /// <summary>The positions as a tensor that belongs to this object.</summary>
    public AtaTensor Tensor => _positions;

    /// <summary>The patch of a frame on a trajectory.</summary>
    /// <param name="clip">0 to B - 1.</param>
    /// <param name="frame">0 to T - 1.</param>
    /// <param name="trajectory">0 to N - 1.</param>
    public int this[int clip, int frame, int trajectory] => OfFrame(clip, frame)[trajectory];

    /// <summary>The patches of one frame, one for each trajectory.</summary>
    /// <param name="clip">0 to B - 1.</param>
    /// <param name="frame">0 to T - 1.</param>
    public ReadOnlySpan<int> OfFrame(int clip, int frame)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(clip);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(clip, Clips);
        ArgumentOutOfRangeException.ThrowIfNegative(frame);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(frame, Frames);
        return Positions.Slice(((clip * Frames) + frame) * Patches, Patches);
    }

    /// <summary>Releases the memory. Spans over it must not be used any more.</summary>
    public void Dispose()
    {
        _positions.Dispose();
        _similarities?.Dispose();
    }
}
