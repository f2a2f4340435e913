using Ata.Bindings;
using Ata.Interop;

namespace Ata;

/// <summary>
/// Writes a video file frame by frame. The file appears under its name when <see cref="Finish"/> succeeds; without it
/// nothing is left behind.
/// </summary>
/// <remarks>One thread at a time.</remarks>
public sealed unsafe class VideoWriter : IDisposable
{
    private readonly VideoWriterHandle _handle;
    private readonly string _path;

    private VideoWriter(ata_video_writer* writer, string path, int width, int height)
    {
        _handle = new VideoWriterHandle(writer, HeldBytes.OfVideoWriter(width, height));
        _path = path;
        Width = width;
        Height = height;
    }

    /// <summary>Width in pixels.</summary>
    public int Width { get; }

    /// <summary>Height in pixels.</summary>
    public int Height { get; }

    /// <summary>Begins a video file.</summary>
    /// <param name="path">File to write: <c>.mp4</c>, <c>.mkv</c>, <c>.webm</c> or <c>.avi</c>.</param>
    /// <param name="width">Width in pixels; even.</param>
    /// <param name="height">Height in pixels; even.</param>
    /// <param name="framesPerSecond">Frames per second, above 0.</param>
    /// <exception cref="ArgumentException">The path has another ending, or size or rate are out of range.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    /// <exception cref="AtaLibraryException">The video plugin cannot be loaded.</exception>
    public static VideoWriter Create(string path, int width, int height, double framesPerSecond)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        using var text = new Utf8Text(path, stackalloc byte[Utf8Text.BufferSize]);
        ata_video_writer* writer;
        NativeStatus.Check(NativeMethods.ata_video_writer_create(text.Pointer, width, height, framesPerSecond, &writer), path);
        return new VideoWriter(writer, path, width, height);
    }

    /// <summary>Appends a frame.</summary>
    /// <param name="pixels"><c>[H, W, 3]</c>, RGB.</param>
    /// <exception cref="ArgumentException">The span has another length than a frame.</exception>
    /// <exception cref="InvalidOperationException">The file is complete.</exception>
    public void Add(ReadOnlySpan<byte> pixels)
    {
        ImageFile.RequirePixels(pixels, Width, Height);
        using Lease<ata_video_writer> lease = _handle.LeaseExclusively();
        fixed (byte* data = pixels)
        {
            using var frame = new BorrowedTensor(
                data, (nuint)pixels.Length, TensorElementType.UInt8, [Height, Width, 3]);
            NativeStatus.Check(NativeMethods.ata_video_writer_add(lease.Pointer, frame.Pointer), _path);
        }
    }

    /// <summary>Completes the file. No frame can be added afterwards.</summary>
    /// <exception cref="IOException">The file cannot be written.</exception>
    /// <exception cref="InvalidOperationException">The file is complete already, or has no frames.</exception>
    public void Finish()
    {
        using Lease<ata_video_writer> lease = _handle.LeaseExclusively();
        NativeStatus.Check(NativeMethods.ata_video_writer_finish(lease.Pointer), _path);
    }

    /// <summary>Releases the writer; a file that was not finished is removed.</summary>
    public void Dispose() => _handle.Dispose();
}
