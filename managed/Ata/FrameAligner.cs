using System.Numerics.Tensors;
using Ata.Bindings;
using Ata.Interop;

namespace Ata;

/// <summary>
/// Aligns the frames of clips by the cosine similarity of their patch features, without parameters: each frame's
/// patches are matched to the next frame's, and the matchings chain into trajectories.
/// </summary>
/// <remarks>Thread-safe.</remarks>
public static unsafe class FrameAligner
{
    /// <summary>Aligns the frames of a batch of clips.</summary>
    /// <param name="features">Float32 <c>[B, T, N, D]</c>: B clips, T frames, N patches, D channels; on the CPU, or on the
    /// options' device.</param>
    /// <param name="options">The method; null for exact.</param>
    /// <returns>Trajectories, in the host's memory, that the caller disposes.</returns>
    /// <exception cref="ArgumentException">The features have another type or shape or are not finite, or an option is out of
    /// range.</exception>
    /// <exception cref="NotSupportedException">The method is <see cref="AlignmentMethod.Soft"/>, which has no
    /// trajectories.</exception>
    /// <exception cref="AtaDeviceException">The device cannot be used.</exception>
    public static Trajectories Align(AtaTensor features, AlignmentOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(features);
        features.Require(TensorElementType.Float32, "B, T, N, D", nameof(features));
        using Lease<ata_tensor> lease = features.Handle.Lease();
        return Align(lease.Pointer, options);
    }

    /// <summary>Aligns the frames of a batch of clips, without copying the features.</summary>
    /// <param name="features"><c>[B, T, N, D]</c> in row-major order.</param>
    /// <param name="clips">B.</param>
    /// <param name="frames">T.</param>
    /// <param name="patches">N.</param>
    /// <param name="channels">D.</param>
    /// <param name="options">The method; null for exact.</param>
    /// <returns>Trajectories that the caller disposes.</returns>
    /// <inheritdoc cref="Align(AtaTensor, AlignmentOptions)" path="/exception"/>
    public static Trajectories Align(
        ReadOnlySpan<float> features, int clips, int frames, int patches, int channels, AlignmentOptions? options = null)
    {
        RequireCount(features, nameof(features), clips, frames, patches, channels);
        fixed (float* data = features)
        {
            using var tensor = BorrowedTensor.OfFloats(data, features.Length, [clips, frames, patches, channels]);
            return Align(tensor.Pointer, options);
        }
    }

    /// <summary>Aligns the frames of a batch of clips, without copying the features.</summary>
    /// <param name="features"><c>[B, T, N, D]</c>, dense.</param>
    /// <param name="options">The method; null for exact.</param>
    /// <returns>Trajectories that the caller disposes.</returns>
    /// <inheritdoc cref="Align(AtaTensor, AlignmentOptions)" path="/exception"/>
    public static Trajectories Align(in ReadOnlyTensorSpan<float> features, AlignmentOptions? options = null)
    {
        fixed (float* data = features)
        {
            using var tensor = BorrowedTensor.Of(data, features, nameof(features));
            return Align(tensor.Pointer, options);
        }
    }

    internal static void RequireCount(ReadOnlySpan<float> values, string parameter, params ReadOnlySpan<int> shape)
    {
        long count = 1;
        foreach (int extent in shape)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(extent, parameter);
            count = checked(count * extent);
        }

        if (values.Length != count)
        {
            throw new ArgumentException(
                $"The span has {values.Length} values; the shape [{string.Join(", ", shape.ToArray())}] needs {count}.",
                parameter);
        }
    }

    private static Trajectories Align(ata_tensor* features, AlignmentOptions? options)
    {
        options ??= new AlignmentOptions();
        using var device = new Utf8Text(options.Device, stackalloc byte[Utf8Text.BufferSize], nameof(options));
        ata_alignment_options native = options.ToNative(device.Pointer);
        ata_tensor* positions;
        ata_tensor* similarities;
        NativeStatus.Check(NativeMethods.ata_align(features, &native, &positions, &similarities));
        return new Trajectories(positions, similarities);
    }
}
