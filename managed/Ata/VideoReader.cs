using System.Runtime.InteropServices;
using Ata.Bindings;
using Ata.Interop;

namespace Ata;

/// <summary>How to open a video.</summary>
public sealed record VideoOptions
{
    /// <summary>Frames per second of a folder of images.</summary>
    public double FolderFramesPerSecond { get; init; } = 25;

    /// <summary>Decoding threads of the reader; null lets the codec choose.</summary>
    public int? Threads { get; init; }

    /// <summary>Largest decoded size, in bytes, that the reader keeps in memory: a video of at most this size is decoded
    /// whole at the first read, and later reads decode nothing. 0 keeps none.</summary>
    public long KeepBytes { get; init; }

    /// <summary>Most bytes of a stream that are read into memory, 1 to <see cref="Array.MaxLength"/>; a longer one is an
    /// <see cref="IOException"/>. Longer videos are opened by path.</summary>
    public long MaxStreamBytes { get; init; } = 1 << 30;

    internal unsafe ata_video_options ToNative() => new()
    {
        struct_size = (nuint)sizeof(ata_video_options),
        folder_fps = FolderFramesPerSecond,
        threads = OptionValue.PositiveOrZero(Threads),
        keep_bytes = KeepBytes,
    };
}

/// <summary>What a video is.</summary>
/// <param name="Width">Width in pixels as shown: rotation and pixel aspect ratio applied.</param>
/// <param name="Height">Height in pixels as shown.</param>
/// <param name="FramesPerSecond">Average frame rate in frames per second.</param>
/// <param name="Duration">From the first frame to the end of the last.</param>
/// <param name="FrameCount">Number of frames: exact if the container says, else estimated.</param>
/// <param name="Rotation">Clockwise rotation that was applied: 0, 90, 180 or 270 degrees.</param>
/// <param name="BitDepth">Bits of a colour component in the file.</param>
/// <param name="Codec">Name of the codec.</param>
public sealed record VideoInfo(
    int Width, int Height, double FramesPerSecond, TimeSpan Duration, long FrameCount, int Rotation, int BitDepth, string Codec);

/// <summary>An open video: a file, on disk or in memory, or a folder of numbered JPEG or PNG frames.</summary>
/// <remarks>One thread at a time.</remarks>
public sealed unsafe class VideoReader : IDisposable
{
    private const string NameOfMemory = "<memory>";

    private readonly VideoHandle _handle;

    private VideoReader(ata_video* video, string path, long keepBytes)
    {
        Path = path;
        ata_video_info info = new() { struct_size = (nuint)sizeof(ata_video_info) };
        try
        {
            NativeStatus.Check(NativeMethods.ata_video_get_info(video, &info), path);
        }
        catch
        {
            NativeMethods.ata_video_release(video);
            throw;
        }

        Info = new VideoInfo(
            info.width,
            info.height,
            info.fps,
            TimeSpan.FromSeconds(info.duration),
            info.frame_count,
            info.rotation,
            info.bit_depth,
            Marshal.PtrToStringUTF8((nint)info.codec)!);
        _handle = new VideoHandle(video, HeldBytes.OfVideo(Info, keepBytes));
    }

    /// <summary>The file or folder; the name of a video in memory, as messages call it.</summary>
    public string Path { get; }

    /// <summary>What the video is.</summary>
    public VideoInfo Info { get; }

    /// <summary>Bytes that the frames kept in memory take (<see cref="VideoOptions.KeepBytes"/>): 0 before the first read,
    /// and if the video is too large or damaged.</summary>
    public long KeptBytes
    {
        get
        {
            using Lease<ata_video> lease = _handle.LeaseExclusively();
            long bytes;
            NativeStatus.Check(NativeMethods.ata_video_get_kept_bytes(lease.Pointer, &bytes), Path);
            return bytes;
        }
    }

    /// <summary>Opens a video: any container and codec that FFmpeg's libraries read, or a folder of images.</summary>
    /// <param name="path">File or folder.</param>
    /// <param name="options">Options; null for the defaults.</param>
    /// <exception cref="FileNotFoundException">There is no such file or folder.</exception>
    /// <exception cref="AtaVideoException">The file is malformed or has no video.</exception>
    /// <exception cref="AtaLibraryException">The video plugin cannot be loaded.</exception>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public static VideoReader Open(string path, VideoOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ata_video_options native = (options ?? new VideoOptions()).ToNative();
        using var text = new Utf8Text(path, stackalloc byte[Utf8Text.BufferSize]);
        ata_video* video;
        NativeStatus.Check(NativeMethods.ata_video_open(text.Pointer, &native, &video), path);
        return new VideoReader(video, path, native.keep_bytes);
    }

    /// <summary>Opens a video that a stream holds from its position on, such as an upload. The stream is read into memory
    /// to its end (up to <see cref="VideoOptions.MaxStreamBytes"/>), and everything is as of a file of these bytes.</summary>
    /// <param name="stream">The stream, seekable or not, which stays open.</param>
    /// <param name="options">Options; null for the defaults.</param>
    /// <param name="name">What messages call the video; null for the path of a <see cref="FileStream"/>, else
    /// <c>&lt;memory&gt;</c>.</param>
    /// <exception cref="ArgumentException">The stream is not readable, or an option is out of range.</exception>
    /// <exception cref="IOException">The stream is too long, or cannot be read.</exception>
    /// <exception cref="AtaVideoException">The content is malformed or has no video.</exception>
    /// <exception cref="AtaLibraryException">FFmpeg's libraries cannot be loaded.</exception>
    public static VideoReader Open(Stream stream, VideoOptions? options = null, string? name = null)
    {
        ArgumentNullException.ThrowIfNull(stream);
        options ??= new VideoOptions();
        ReadOnlyMemory<byte> content = WholeStream.Read(stream, options.MaxStreamBytes, nameof(options.MaxStreamBytes));
        return Open(content, options, name ?? WholeStream.NameOf(stream));
    }

    /// <summary>Opens a video that a stream holds from its position on: reads it asynchronously, and opens it on another
    /// thread.</summary>
    /// <param name="stream">The stream, seekable or not, which stays open.</param>
    /// <param name="options">Options; null for the defaults.</param>
    /// <param name="name">What messages call the video; null for the path of a <see cref="FileStream"/>, else
    /// <c>&lt;memory&gt;</c>.</param>
    /// <param name="cancellationToken">Stops reading.</param>
    /// <inheritdoc cref="Open(Stream, VideoOptions?, string?)" path="/exception"/>
    public static Task<VideoReader> OpenAsync(
        Stream stream, VideoOptions? options = null, string? name = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(stream);
        options ??= new VideoOptions();
        return WholeStream.ReadAsync(
            stream,
            options.MaxStreamBytes,
            nameof(options.MaxStreamBytes),
            content => Open(content, options, name ?? WholeStream.NameOf(stream)),
            cancellationToken);
    }

    /// <summary>Opens a video that is in memory; everything is as of a file of these bytes.</summary>
    /// <param name="content">The file's bytes. They are not copied, but pinned, and may not change, until the reader and
    /// what reads from it are disposed.</param>
    /// <param name="options">Options; null for the defaults.</param>
    /// <param name="name">What messages call the video; null for <c>&lt;memory&gt;</c>.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    /// <exception cref="AtaVideoException">The content is malformed or has no video.</exception>
    /// <exception cref="AtaLibraryException">FFmpeg's libraries cannot be loaded.</exception>
    public static VideoReader Open(ReadOnlyMemory<byte> content, VideoOptions? options = null, string? name = null)
    {
        ata_video_options native = (options ?? new VideoOptions()).ToNative();
        if (string.IsNullOrEmpty(name))
        {
            name = NameOfMemory;
        }

        using var text = new Utf8Text(name, stackalloc byte[Utf8Text.BufferSize]);
        PinnedMemory loan = PinnedMemory.Lend(content);
        ata_video* video;
        try
        {
            NativeStatus.Check(
                NativeMethods.ata_video_open_memory(
                    loan.Pointer, (nuint)content.Length, text.Pointer, PinnedMemory.Release, loan.UserData, &native, &video),
                name);
        }
        catch
        {
            loan.TakeBack();
            throw;
        }

        return new VideoReader(video, name, native.keep_bytes);
    }

    /// <summary>Decodes the frames that are shown at given times: for each time the last frame that starts at or before
    /// it. Seeks, and decodes only what is needed.</summary>
    /// <param name="times">Seconds from the first frame, ascending.</param>
    /// <param name="cancellationToken">Stops between two frames.</param>
    /// <returns>Frames that the caller disposes.</returns>
    /// <exception cref="ArgumentException">There are no times, or they are not finite or not ascending.</exception>
    /// <exception cref="AtaVideoException">The video is malformed.</exception>
    /// <exception cref="OperationCanceledException">The call was stopped.</exception>
    public VideoFrames Read(ReadOnlySpan<double> times, CancellationToken cancellationToken = default)
    {
        if (times.IsEmpty)
        {
            throw new ArgumentException("There are no times; ask for at least one frame.", nameof(times));
        }

        using Lease<ata_video> lease = _handle.LeaseExclusively();
        using var native = new NativeCancellation(cancellationToken);
        AtaTensor frameTimes = FrameTimes.Create(times.Length);
        try
        {
            ata_tensor* frames;
            fixed (double* data = times)
            fixed (double* starts = FrameTimes.SpanOf(frameTimes))
            {
                NativeStatus.Check(
                    NativeMethods.ata_video_read(
                        lease.Pointer, data, (nuint)times.Length, native.Pointer, &frames, starts),
                    Path,
                    cancellationToken);
            }

            return new VideoFrames(new AtaTensor(frames, nameof(VideoFrames)), frameTimes);
        }
        catch
        {
            frameTimes.Dispose();
            throw;
        }
    }

    /// <summary>Samples a clip exactly as a model sees it.</summary>
    /// <param name="options">Options; null for the defaults. <see cref="ClipOptions.For"/> gives those of a model.</param>
    /// <param name="cancellationToken">Stops between two frames.</param>
    /// <returns>A clip that the caller disposes.</returns>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    /// <exception cref="OperationCanceledException">The call was stopped.</exception>
    /// <exception cref="AtaVideoException">The video is malformed, or too short for <see cref="ShortVideoPolicy.Error"/>.
    /// </exception>
    public VideoClip Sample(ClipOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= new ClipOptions();
        ata_clip_options clipOptions = options.ToNative();
        using Lease<ata_video> lease = _handle.LeaseExclusively();
        using var native = new NativeCancellation(cancellationToken);
        AtaTensor frameTimes = FrameTimes.Create(options.Frames);
        try
        {
            ata_tensor* clip;
            fixed (double* starts = FrameTimes.SpanOf(frameTimes))
            {
                NativeStatus.Check(
                    NativeMethods.ata_video_sample(lease.Pointer, &clipOptions, native.Pointer, &clip, starts),
                    Path,
                    cancellationToken);
            }

            return new VideoClip(new AtaTensor(clip, nameof(VideoClip)), frameTimes, options.Mean, options.Std);
        }
        catch
        {
            frameTimes.Dispose();
            throw;
        }
    }

    /// <summary>Samples several clips, each as <see cref="Sample"/> would, one after another as they are asked for. A frame
    /// that several of them show is decoded once, and the video goes by once: crops of the same clip, or clips that
    /// overlap, cost no more decoding than one. Clips that are begun take at most 512 MiB; if more are shown at the same
    /// time, parts of the video are decoded again.</summary>
    /// <param name="views">Options of the clips, in the order in which they are wanted.</param>
    /// <param name="cancellationToken">Stops between two frames.</param>
    /// <returns>Clips that the caller disposes.</returns>
    /// <exception cref="AtaVideoException">The video is malformed, or too short for <see cref="ShortVideoPolicy.Error"/>.
    /// </exception>
    public IEnumerable<VideoClip> SampleViews(
        IReadOnlyList<ClipOptions> views, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(views);
        return views.Count == 0 ? [] : Enumerate(new VideoViews(_handle, Path, views), cancellationToken);

        static IEnumerable<VideoClip> Enumerate(VideoViews views, CancellationToken cancellationToken)
        {
            using (views)
            {
                while (views.Next(cancellationToken) is { } clip)
                {
                    yield return clip;
                }
            }
        }
    }

    /// <summary>Samples a clip on another thread.</summary>
    /// <param name="options">Options; null for the defaults.</param>
    /// <param name="cancellationToken">Stops between two frames.</param>
    public Task<VideoClip> SampleAsync(ClipOptions? options = null, CancellationToken cancellationToken = default) =>
        Task.Run(() => Sample(options, cancellationToken), cancellationToken);

    /// <summary>Closes the video.</summary>
    public void Dispose() => _handle.Dispose();
}
