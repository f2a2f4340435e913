using System.Numerics.Tensors;
using Ata.Interop;

namespace Ata;

/// <summary>
/// A clip as a model sees it: Float32 <c>[1, 3, T, H, W]</c>, normalised. Held in native memory; spans are valid until
/// it is disposed.
/// </summary>
/// <remarks>Reading from several threads at once is safe.</remarks>
public sealed class VideoClip : IDisposable
{
    private readonly AtaTensor _times;

    internal VideoClip(AtaTensor tensor, AtaTensor times, ChannelValues mean, ChannelValues std)
    {
        Tensor = tensor;
        _times = times;
        Mean = mean;
        Std = std;
    }

    /// <summary>The clip as a tensor that belongs to this object.</summary>
    public AtaTensor Tensor { get; }

    /// <summary><c>[1, 3, T, H, W]</c>.</summary>
    public ReadOnlySpan<nint> Shape => Tensor.Shape;

    /// <summary>Number of frames, T.</summary>
    public int Frames => (int)Tensor.Shape[2];

    /// <summary>Height in pixels.</summary>
    public int Height => (int)Tensor.Shape[3];

    /// <summary>Width in pixels.</summary>
    public int Width => (int)Tensor.Shape[4];

    /// <summary>Mean that was subtracted.</summary>
    public ChannelValues Mean { get; }

    /// <summary>Standard deviation that was divided by.</summary>
    public ChannelValues Std { get; }

    /// <summary>Start times of the frames in seconds.</summary>
    public ReadOnlySpan<double> FrameTimes => Interop.FrameTimes.SpanOf(_times);

    /// <summary>The values in row-major order, without copying.</summary>
    public Span<float> AsSpan() => Tensor.AsSpan<float>();

    /// <summary>The values with their shape, without copying.</summary>
    public TensorSpan<float> AsTensorSpan() => Tensor.AsTensorSpan<float>();

    /// <summary>Writes a frame as a picture, undoing the normalisation.</summary>
    /// <param name="frame">0 to T - 1.</param>
    /// <param name="pixels">Receives <c>[H, W, 3]</c>, RGB.</param>
    public void CopyFrame(int frame, Span<byte> pixels)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(frame);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(frame, Frames);
        int plane = Height * Width;
        if (pixels.Length != 3 * plane)
        {
            throw new ArgumentException(
                $"The span has {pixels.Length} bytes; a frame [{Height}, {Width}, 3] has {3 * plane}.", nameof(pixels));
        }

        ReadOnlySpan<float> means = [Mean.Red, Mean.Green, Mean.Blue];
        ReadOnlySpan<float> deviations = [Std.Red, Std.Green, Std.Blue];
        for (int channel = 0; channel < 3; ++channel)
        {
            ReadOnlySpan<float> values = AsSpan().Slice(((channel * Frames) + frame) * plane, plane);
            for (int i = 0; i < plane; ++i)
            {
                float value = ((values[i] * deviations[channel]) + means[channel]) * byte.MaxValue;
                pixels[(3 * i) + channel] = (byte)Math.Clamp(value + 0.5f, 0, byte.MaxValue);
            }
        }
    }

    /// <summary>Releases the memory. Spans over it must not be used any more.</summary>
    public void Dispose()
    {
        Tensor.Dispose();
        _times.Dispose();
    }
}

/// <summary>
/// Decoded frames: UInt8 <c>[count, H, W, 3]</c>, RGB, upright, square pixels. Held in native memory; spans are valid
/// until it is disposed.
/// </summary>
/// <remarks>Reading from several threads at once is safe.</remarks>
public sealed class VideoFrames : IDisposable
{
    private readonly AtaTensor _times;

    internal VideoFrames(AtaTensor tensor, AtaTensor times)
    {
        Tensor = tensor;
        _times = times;
    }

    /// <summary>The frames as a tensor that belongs to this object.</summary>
    public AtaTensor Tensor { get; }

    /// <summary>Number of frames.</summary>
    public int Count => (int)Tensor.Shape[0];

    /// <summary>Height in pixels.</summary>
    public int Height => (int)Tensor.Shape[1];

    /// <summary>Width in pixels.</summary>
    public int Width => (int)Tensor.Shape[2];

    /// <summary>Start times of the frames in seconds.</summary>
    public ReadOnlySpan<double> FrameTimes => Interop.FrameTimes.SpanOf(_times);

    /// <summary>The pixels of one frame, <c>[H, W, 3]</c>, without copying.</summary>
    /// <param name="index">0 to count - 1.</param>
    public unsafe Span<byte> this[int index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(index);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Count);
            return Tensor.AsTensorSpan<byte>().GetSpan([index, 0, 0, 0], Height * Width * 3);
        }
    }

    /// <summary>Releases the memory. Spans over it must not be used any more.</summary>
    public void Dispose()
    {
        Tensor.Dispose();
        _times.Dispose();
    }
}
