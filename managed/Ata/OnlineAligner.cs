using Ata.Bindings;
using Ata.Interop;

namespace Ata;

/// <summary>Aligns live video: frames are added one at a time, and every trajectory grows by each.</summary>
/// <remarks>One thread at a time.</remarks>
public sealed unsafe class OnlineAligner : IDisposable
{
    private readonly OnlineAlignerHandle _handle;

    /// <summary>Creates an aligner without frames.</summary>
    /// <param name="patches">Patches of a frame, N.</param>
    /// <param name="channels">Channels of a patch, D.</param>
    /// <param name="options">The method and the device; null for exact on the CPU.</param>
    /// <exception cref="ArgumentException">The patches, the channels or an option are out of range.</exception>
    /// <exception cref="NotSupportedException">The method is <see cref="AlignmentMethod.Soft"/>, which has no
    /// trajectories.</exception>
    /// <exception cref="AtaDeviceException">The device cannot be used.</exception>
    public OnlineAligner(int patches, int channels, AlignmentOptions? options = null)
    {
        options ??= new AlignmentOptions();
        using var device = new Utf8Text(options.Device, stackalloc byte[Utf8Text.BufferSize], nameof(options));
        ata_alignment_options native = options.ToNative(device.Pointer);
        ata_online_aligner* aligner;
        NativeStatus.Check(NativeMethods.ata_online_aligner_create(patches, channels, &native, &aligner));
        _handle = new OnlineAlignerHandle(aligner, HeldBytes.OfOnlineAligner(patches, channels));
        Patches = patches;
        Channels = channels;
    }

    /// <summary>Patches of a frame, N.</summary>
    public int Patches { get; }

    /// <summary>Channels of a patch, D.</summary>
    public int Channels { get; }

    /// <summary>Adds a frame. The positions equal those that <see cref="FrameAligner"/> gives for all frames at
    /// once.</summary>
    /// <param name="frame"><c>[N, D]</c> in row-major order.</param>
    /// <param name="positions">Receives N values: the patch of this frame on each trajectory.</param>
    /// <param name="similarities">Receives N cosine similarities to the trajectory's patch in the previous frame (1 for
    /// the first frame); empty when they are not needed.</param>
    /// <exception cref="ArgumentException">A span has the wrong length, or the frame is not finite.</exception>
    /// <exception cref="InvalidOperationException">Another thread uses the aligner.</exception>
    public void Add(ReadOnlySpan<float> frame, Span<int> positions, Span<float> similarities = default)
    {
        FrameAligner.RequireCount(frame, nameof(frame), Patches, Channels);
        if (positions.Length != Patches)
        {
            throw new ArgumentException(
                $"The span has {positions.Length} values; it must have one for each of {Patches} patches.", nameof(positions));
        }

        if (!similarities.IsEmpty && similarities.Length != Patches)
        {
            throw new ArgumentException(
                $"The span has {similarities.Length} values; it must be empty or have one for each of {Patches} patches.",
                nameof(similarities));
        }

        using Lease<ata_online_aligner> lease = _handle.LeaseExclusively();
        fixed (float* data = frame)
        fixed (int* positionData = positions)
        fixed (float* similarityData = similarities)
        {
            using var tensor = BorrowedTensor.OfFloats(data, frame.Length, [Patches, Channels]);
            NativeStatus.Check(NativeMethods.ata_online_aligner_add(
                lease.Pointer, tensor.Pointer, positionData, similarityData, (nuint)Patches));
        }
    }

    /// <summary>Forgets all frames, as after a cut.</summary>
    public void Reset()
    {
        using Lease<ata_online_aligner> lease = _handle.LeaseExclusively();
        NativeStatus.Check(NativeMethods.ata_online_aligner_reset(lease.Pointer));
    }

    /// <summary>Releases the aligner.</summary>
    public void Dispose() => _handle.Dispose();
}
