using System.Buffers;
using System.Numerics.Tensors;
using Ata.Bindings;
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

    /// <summary>Samples a clip of frames that are in memory, such as a camera's: exactly what <see cref="VideoReader.Sample"/>
    /// gives of a video of these frames, one after another. <c>ClipOptions.For(model) with { Stride = 1 }</c> takes as many
    /// frames as the model sees in their order. Only frames that the clip shows are read. Formats without chroma need no
    /// FFmpeg.</summary>
    /// <param name="frames">The frames, each in a buffer that holds its planes one after another
    /// (<see cref="FrameLayout.FrameBytes"/>; the gap after the last row may be missing, and more may follow). They are not
    /// needed any more when the method returns.</param>
    /// <param name="layout">How they lie in memory.</param>
    /// <param name="options">Options; null for the defaults. <see cref="ClipOptions.For"/> gives those of a model.</param>
    /// <param name="cancellationToken">Stops between two frames.</param>
    /// <returns>A clip that the caller disposes.</returns>
    /// <exception cref="ArgumentException">There are no frames, a buffer is too short, or a value is out of range.</exception>
    /// <exception cref="AtaVideoException">There are too few frames for <see cref="ShortVideoPolicy.Error"/>.</exception>
    /// <exception cref="AtaLibraryException">The format has chroma, and FFmpeg's libraries cannot be loaded.</exception>
    /// <exception cref="OperationCanceledException">The call was stopped.</exception>
    public static unsafe VideoClip FromFrames(
        IReadOnlyList<ReadOnlyMemory<byte>> frames,
        FrameLayout layout,
        ClipOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(frames);
        ArgumentNullException.ThrowIfNull(layout);
        int last = layout.PlaneCount - 1;
        long needed = layout.FrameBytes - (layout.StrideOf(last) * layout.RowsOf(last)) + layout.PlaneBytes(last);
        using var pins = new Pins(frames.Count);
        var planes = new nint[frames.Count * layout.PlaneCount];
        for (int frame = 0; frame < frames.Count; ++frame)
        {
            CheckLength(frames[frame].Length, needed, $"frames[{frame}]", nameof(frames));
            byte* first = pins.Add(frames[frame]);
            AddPlanes(layout, first, planes.AsSpan(frame * layout.PlaneCount));
        }

        return FromPlanes(planes, layout, options, cancellationToken);
    }

    /// <summary>Samples a clip of frames that lie one after another in memory, <see cref="FrameLayout.FrameBytes"/>
    /// each.</summary>
    /// <param name="frames">Whole frames.</param>
    /// <param name="layout">How they lie in memory.</param>
    /// <param name="options">Options; null for the defaults. <see cref="ClipOptions.For"/> gives those of a model.</param>
    /// <param name="cancellationToken">Stops between two frames.</param>
    /// <returns>A clip that the caller disposes.</returns>
    /// <inheritdoc cref="FromFrames(IReadOnlyList{ReadOnlyMemory{byte}}, FrameLayout, ClipOptions?, CancellationToken)"
    /// path="/exception"/>
    public static unsafe VideoClip FromFrames(
        ReadOnlySpan<byte> frames,
        FrameLayout layout,
        ClipOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(layout);
        long frameBytes = layout.FrameBytes;
        if (frames.Length % frameBytes != 0)
        {
            throw new ArgumentException(
                $"There are {frames.Length} bytes, no whole number of frames of {frameBytes} bytes.", nameof(frames));
        }

        var planes = new nint[frames.Length / frameBytes * layout.PlaneCount];
        fixed (byte* data = frames)
        {
            for (int first = 0; first < planes.Length; first += layout.PlaneCount)
            {
                AddPlanes(layout, data + (first / layout.PlaneCount * frameBytes), planes.AsSpan(first));
            }

            return FromPlanes(planes, layout, options, cancellationToken);
        }
    }

    /// <summary>Samples a clip of frames whose planes are in buffers of their own.</summary>
    /// <param name="planes">The planes, frame by frame: <see cref="FrameLayout.PlaneCount"/> for each. They are not needed
    /// any more when the method returns.</param>
    /// <param name="layout">How they lie in memory.</param>
    /// <param name="options">Options; null for the defaults. <see cref="ClipOptions.For"/> gives those of a model.</param>
    /// <param name="cancellationToken">Stops between two frames.</param>
    /// <returns>A clip that the caller disposes.</returns>
    /// <inheritdoc cref="FromFrames(IReadOnlyList{ReadOnlyMemory{byte}}, FrameLayout, ClipOptions?, CancellationToken)"
    /// path="/exception"/>
    public static unsafe VideoClip FromPlanes(
        IReadOnlyList<ReadOnlyMemory<byte>> planes,
        FrameLayout layout,
        ClipOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(planes);
        ArgumentNullException.ThrowIfNull(layout);
        layout.Check();
        if (planes.Count % layout.PlaneCount != 0)
        {
            throw new ArgumentException(
                $"There are {planes.Count} planes, no whole number of frames of {layout.PlaneCount} planes.", nameof(planes));
        }

        using var pins = new Pins(planes.Count);
        var addresses = new nint[planes.Count];
        for (int i = 0; i < planes.Count; ++i)
        {
            CheckLength(planes[i].Length, layout.PlaneBytes(i % layout.PlaneCount), $"planes[{i}]", nameof(planes));
            addresses[i] = (nint)pins.Add(planes[i]);
        }

        return FromPlanes(addresses, layout, options, cancellationToken);
    }

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

    private static void CheckLength(long length, long needed, string what, string parameter)
    {
        if (length < needed)
        {
            throw new ArgumentException($"{what} has {length} bytes; the layout needs {needed}.", parameter);
        }
    }

    /// <summary>The addresses of planes that lie one after another.</summary>
    private static unsafe void AddPlanes(FrameLayout layout, byte* first, Span<nint> planes)
    {
        for (int plane = 0; plane < layout.PlaneCount; ++plane)
        {
            planes[plane] = (nint)first;
            first += layout.StrideOf(plane) * layout.RowsOf(plane);
        }
    }

    private static unsafe VideoClip FromPlanes(
        nint[] planes, FrameLayout layout, ClipOptions? options, CancellationToken cancellationToken)
    {
        if (planes.Length == 0)
        {
            throw new ArgumentException("There are no frames; give at least one.");
        }

        options ??= new ClipOptions();
        ata_clip_options clipOptions = options.ToNative();
        ata_frame_layout native = layout.ToNative();
        using var cancellation = new NativeCancellation(cancellationToken);
        AtaTensor frameTimes = Interop.FrameTimes.Create(options.Frames);
        try
        {
            ata_tensor* clip;
            fixed (nint* addresses = planes)
            fixed (double* starts = Interop.FrameTimes.SpanOf(frameTimes))
            {
                NativeStatus.Check(
                    NativeMethods.ata_clip_from_frames(
                        (void**)addresses,
                        (nuint)(planes.Length / layout.PlaneCount),
                        &native,
                        &clipOptions,
                        cancellation.Pointer,
                        &clip,
                        starts),
                    cancellation: cancellationToken);
            }

            return new VideoClip(new AtaTensor(clip, nameof(VideoClip)), frameTimes, options.Mean, options.Std);
        }
        catch
        {
            frameTimes.Dispose();
            throw;
        }
    }

    /// <summary>Buffers that are pinned for a call.</summary>
    private sealed class Pins(int capacity) : IDisposable
    {
        private readonly List<MemoryHandle> _handles = new(capacity);

        public unsafe byte* Add(ReadOnlyMemory<byte> memory)
        {
            MemoryHandle handle = memory.Pin();
            _handles.Add(handle);
            return (byte*)handle.Pointer;
        }

        public void Dispose()
        {
            foreach (MemoryHandle handle in _handles)
            {
                handle.Dispose();
            }
        }
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
