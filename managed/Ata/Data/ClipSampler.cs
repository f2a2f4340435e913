using System.Collections.Concurrent;
using System.Globalization;

namespace Ata.Data;

/// <summary>Reads clips of a dataset's videos and changes them at random. Thread-safe.</summary>
internal sealed class ClipSampler : IDisposable
{
    /// <summary>How many other videos are tried in place of an unreadable one.</summary>
    private const int Replacements = 100;

    private readonly IVideoDataset _dataset;
    private readonly LoaderOptions _options;
    private readonly Dictionary<string, int> _classes;
    private readonly ConcurrentDictionary<string, VideoProperties> _properties = new(StringComparer.Ordinal);
    private readonly DecodedVideos _videos;
    private readonly float[] _mean;
    private readonly float[] _deviation;

    internal ClipSampler(IVideoDataset dataset, LoaderOptions options)
    {
        _dataset = dataset;
        _options = options;
        Shape = new ClipShape(options.Frames, options.Size);
        _classes = dataset.Labels.Select((label, index) => (label, index)).ToDictionary(c => c.label, c => c.index, StringComparer.Ordinal);
        _videos = new DecodedVideos((long)options.CacheMegabytes << 20);
        _mean = options.Mean.ToArray();
        _deviation = options.Deviation.ToArray();
        Broken = new BrokenVideos(dataset.Count, options.AllowedBroken, options.BrokenVideoFound);
    }

    /// <summary>Takes a view of a video.</summary>
    private delegate void Visit<TTarget>(TTarget target, int place, VideoClip clip)
        where TTarget : allows ref struct;

    /// <summary>Uses of random numbers at one place of an epoch.</summary>
    private enum Stream : ulong
    {
        Clip,
        Replacement,
        Mixing,
    }

    internal BrokenVideos Broken { get; }

    internal ClipShape Shape { get; }

    /// <summary>Reads a training clip. Another video, always the same one, stands in for an unreadable one.</summary>
    /// <param name="item">The video.</param>
    /// <param name="epoch">Pass over the data.</param>
    /// <param name="place">Place in the pass.</param>
    /// <param name="clip">Receives the clip, <c>[3, T, H, W]</c>.</param>
    /// <param name="cancellationToken">Stops decoding.</param>
    /// <returns>The video read and its class.</returns>
    internal (int Item, int Label) SampleForTraining(int item, ulong epoch, ulong place, Span<float> clip, CancellationToken cancellationToken)
    {
        SampleRandom replacements = RandomAt(epoch, place, Stream.Replacement);
        for (int attempt = 0; attempt <= Replacements; ++attempt, item = replacements.Below(_dataset.Count))
        {
            VideoItem video = _dataset[item];
            SampleRandom random = RandomAt(epoch, place, Stream.Clip);
            if (TrySample(video, p => [ClipPlan.Draw(_options, p, video.Label, random)], PixelsChange, clip, cancellationToken))
            {
                Change(clip, random);
                return (item, ClassOf(video));
            }
        }

        throw new AtaVideoException($"{Replacements} videos in a row could not be read; the last one is {_dataset[item].Path}.");
    }

    /// <summary>Reads all views of a video for evaluation.</summary>
    /// <param name="item">The video.</param>
    /// <param name="clips">Receives the clips, <c>[views, 3, T, H, W]</c>; zeros if the video cannot be read.</param>
    /// <param name="cancellationToken">Stops decoding.</param>
    /// <returns>The video and its class; the item is -1 if it cannot be read.</returns>
    internal (int Item, int Label) SampleViews(int item, Span<float> clips, CancellationToken cancellationToken)
    {
        VideoItem video = _dataset[item];
        bool read = TrySample(video, _ => Views(), rawPixels: false, clips, cancellationToken);
        if (!read)
        {
            clips.Clear();
        }

        return (read ? item : -1, ClassOf(video));
    }

    /// <summary>Reads the views of a video one after another, so that they take little memory however many they are.
    /// </summary>
    /// <param name="item">The video.</param>
    /// <param name="visit">Receives each view's number and clip.</param>
    /// <param name="cancellationToken">Stops decoding.</param>
    /// <returns>The video and its class; the item is -1 if it cannot be read.</returns>
    internal (int Item, int Label) VisitViews(int item, Action<int, VideoClip> visit, CancellationToken cancellationToken)
    {
        VideoItem video = _dataset[item];
        bool read = TryVisit(video, _ => Views(), rawPixels: false, visit, (receive, place, clip) => receive(place, clip), cancellationToken);
        return (read ? item : -1, ClassOf(video));
    }

    /// <summary>Mixes a finished training batch.</summary>
    internal void Mix(Span<float> clips, Span<float> targets, ulong epoch, ulong firstPlace) =>
        ClipMixing.Apply(clips, targets, Shape, _options.Augmentation, RandomAt(epoch, firstPlace, Stream.Mixing));

    /// <summary>Closes the videos that are kept.</summary>
    public void Dispose() => _videos.Dispose();

    private bool PixelsChange => _options.Augmentation.ChangesPixels;

    private static bool IsBrokenVideo(Exception error) =>
        error is AtaVideoException or IOException or NotSupportedException or UnauthorizedAccessException;

    private SampleRandom RandomAt(ulong epoch, ulong place, Stream stream) => new(_options.Seed, epoch, place, (ulong)stream);

    private int ClassOf(VideoItem video) => _classes.TryGetValue(video.Label, out int index)
        ? index
        : throw new DatasetException($"{video.Path}: its label \"{video.Label}\" is not one of the {_classes.Count} classes.");

    private ClipPlan[] Views()
    {
        var plans = new ClipPlan[_options.ClipViews * _options.CropViews];
        for (int i = 0; i < plans.Length; ++i)
        {
            plans[i] = ClipPlan.View(_options, i / _options.CropViews, i % _options.CropViews);
        }

        return plans;
    }

    private bool TrySample(VideoItem video, Func<VideoProperties, ClipPlan[]> plan, bool rawPixels, Span<float> clips, CancellationToken cancellationToken)
    {
        int count = Shape.Count;
        return TryVisit(video, plan, rawPixels, clips, (target, place, clip) => clip.AsSpan().CopyTo(target[(place * count)..]), cancellationToken);
    }

    private bool TryVisit<TTarget>(
        VideoItem video, Func<VideoProperties, ClipPlan[]> plan, bool rawPixels, TTarget target, Visit<TTarget> visit, CancellationToken cancellationToken)
        where TTarget : allows ref struct
    {
        if (Broken.Contains(video))
        {
            return false;
        }

        try
        {
            using DecodedVideos.Lease lease = _videos.Open(video.Path);
            ClipPlan[] plans = plan(PartOf(video, PropertiesOf(lease.Video)));
            int place = 0;
            foreach (VideoClip clip in lease.Video.SampleViews(Array.ConvertAll(plans, p => OptionsOf(video, p, rawPixels)), cancellationToken))
            {
                using (clip)
                {
                    visit(target, place++, clip);
                }
            }

            return true;
        }
        catch (Exception error) when (IsBrokenVideo(error))
        {
            Broken.Add(video, error.Message);
            return false;
        }
    }

    private VideoProperties PropertiesOf(VideoReader video)
    {
        if (!_properties.TryGetValue(video.Path, out VideoProperties properties))
        {
            VideoInfo info = video.Info;
            properties = new VideoProperties(info.Width, info.Height, info.FramesPerSecond, info.Duration.TotalSeconds);
            if (properties is not { Width: > 0, Height: > 0, FramesPerSecond: > 0, Duration: > 0 })
            {
                throw new AtaVideoException($"{video.Path} does not say how large, fast or long it is.");
            }

            _properties.TryAdd(video.Path, properties);
        }

        return properties;
    }

    /// <summary>What a plan needs to know of the part of a video that an item is.</summary>
    private static VideoProperties PartOf(VideoItem item, VideoProperties video)
    {
        double start = item.Start?.TotalSeconds ?? 0;
        double end = Math.Min(video.Duration, item.End?.TotalSeconds ?? video.Duration);
        return start < video.Duration
            ? video with { Duration = end - start }
            : throw new AtaVideoException(string.Create(CultureInfo.InvariantCulture, $"{item.Path} lasts {video.Duration:0.###} s and ends before the part that begins at {start:0.###} s."));
    }

    private ClipOptions OptionsOf(VideoItem item, ClipPlan plan, bool rawPixels) => new()
    {
        Start = item.Start,
        End = item.End,
        Sampling = plan.Offset < 0 && _options.Spread == FrameSpread.Segments ? FrameSampling.Segments : FrameSampling.Dense,
        Frames = _options.Frames,
        Stride = plan.Stride,
        FramesPerSecond = _options.Spread == FrameSpread.Dense && _options.FramesPerSecond > 0 ? _options.FramesPerSecond : null,
        Offset = plan.Offset >= 0 ? TimeSpan.FromSeconds(plan.Offset) : null,
        ClipIndex = plan.ClipIndex,
        ClipCount = plan.Offset >= 0 ? 1 : _options.ClipViews,
        ShortPolicy = _options.ShortPolicy,
        Size = _options.Size,
        CropIndex = plan.CropIndex,
        CropCount = plan.Width > 0 ? 1 : _options.CropViews,
        Crop = plan.Width > 0 ? new CropRectangle(plan.Left, plan.Top, plan.Width, plan.Height) : null,
        Flip = plan.Flip,
        Mean = rawPixels ? ChannelValues.Uniform(0) : ValuesOf(_mean),
        Std = rawPixels ? ChannelValues.Uniform(1) : ValuesOf(_deviation),
    };

    private static ChannelValues ValuesOf(float[] values) => new(values[0], values[1], values[2]);

    /// <summary>Makes the random changes of pixels, in the order of the fields' common practice.</summary>
    private void Change(Span<float> clip, SampleRandom random)
    {
        AugmentationOptions augmentation = _options.Augmentation;
        if (augmentation.ColorJitter > 0 || augmentation.HueJitter > 0)
        {
            ColorTransforms.Jitter(clip, Shape, augmentation.ColorJitter, augmentation.HueJitter, random);
        }

        if (augmentation.RandAugmentOperations > 0)
        {
            RandAugment.Apply(clip, Shape, augmentation.RandAugmentOperations, augmentation.RandAugmentMagnitude, random);
        }

        if (PixelsChange)
        {
            ColorTransforms.Normalize(clip, Shape, _mean, _deviation);
        }

        if (random.NextDouble() < augmentation.ErasingProbability)
        {
            GeometricTransforms.Erase(clip, Shape, random);
        }
    }
}
