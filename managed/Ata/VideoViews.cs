using Ata.Bindings;
using Ata.Interop;

namespace Ata;

/// <summary>Several clips of a video, sampled one after another so that no frame is decoded twice.</summary>
internal sealed unsafe class VideoViews : IDisposable
{
    private readonly VideoHandle _video;
    private readonly VideoViewsHandle _handle;
    private readonly IReadOnlyList<ClipOptions> _views;
    private readonly string _path;
    private int _next;

    internal VideoViews(VideoHandle video, string path, IReadOnlyList<ClipOptions> views)
    {
        _video = video;
        _views = views;
        _path = path;
        var options = new ata_clip_options[views.Count];
        for (int i = 0; i < options.Length; ++i)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(views[i].Frames, 1, nameof(views));
            options[i] = views[i].ToNative();
        }

        using Lease<ata_video> lease = video.LeaseExclusively();
        ata_video_views* handle;
        fixed (ata_clip_options* data = options)
        {
            NativeStatus.Check(
                NativeMethods.ata_video_views_create(lease.Pointer, data, (nuint)options.Length, &handle), path);
        }

        _handle = new VideoViewsHandle(handle);
    }

    /// <summary>Samples the next clip; null after the last.</summary>
    internal VideoClip? Next(CancellationToken cancellationToken)
    {
        if (_next == _views.Count)
        {
            return null;
        }

        // Views read from the video, which nobody else may use meanwhile.
        using Lease<ata_video> video = _video.LeaseExclusively();
        using Lease<ata_video_views> lease = _handle.LeaseExclusively();
        using var native = new NativeCancellation(cancellationToken);
        ClipOptions options = _views[_next];
        AtaTensor frameTimes = FrameTimes.Create(options.Frames);
        try
        {
            ata_tensor* clip;
            fixed (double* starts = FrameTimes.SpanOf(frameTimes))
            {
                NativeStatus.Check(
                    NativeMethods.ata_video_views_sample_next(lease.Pointer, native.Pointer, &clip, starts), _path, cancellationToken);
            }

            ++_next;
            return new VideoClip(new AtaTensor(clip, nameof(VideoClip)), frameTimes, options.Mean, options.Std);
        }
        catch
        {
            frameTimes.Dispose();
            throw;
        }
    }

    public void Dispose() => _handle.Dispose();
}
