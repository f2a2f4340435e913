namespace Ata.Data;

/// <summary>How the frames of a training or evaluation clip are spread over its video.</summary>
public enum FrameSpread
{
    /// <summary>A fixed distance apart; in training from a random start, in evaluation evenly placed.</summary>
    Dense,

    /// <summary>One from each of as many equal parts of the video as the clip has frames (TSN).</summary>
    Segments,
}

/// <summary>How clips are made from videos and batches from clips.</summary>
public sealed record LoaderOptions
{
    /// <summary>Frames of a clip.</summary>
    public required int Frames { get; init; }

    /// <summary>Height and width of a clip in pixels.</summary>
    public required int Size { get; init; }

    /// <summary>Clips of a batch, at least 1.</summary>
    public int BatchSize { get; init; } = 8;

    /// <summary>How the frames are spread.</summary>
    public FrameSpread Spread { get; init; } = FrameSpread.Dense;

    /// <summary>What to do with videos that are too short for a clip. <see cref="ShortVideoPolicy.Error"/> counts them
    /// among the unreadable ones.</summary>
    public ShortVideoPolicy ShortPolicy { get; init; } = ShortVideoPolicy.Loop;

    /// <summary><see cref="FrameSpread.Dense"/>: distance of the frames, in frames of <see cref="FramesPerSecond"/>.</summary>
    public double Stride { get; init; } = 4;

    /// <summary><see cref="FrameSpread.Dense"/>: rate that the stride counts in; 0 for each video's own.</summary>
    public double FramesPerSecond { get; init; }

    /// <summary>Mean of each channel, on the 0..1 scale, that clips are normalised with.</summary>
    public IReadOnlyList<float> Mean { get; init; } = [0.45f, 0.45f, 0.45f];

    /// <summary>Standard deviation of each channel that clips are normalised with.</summary>
    public IReadOnlyList<float> Deviation { get; init; } = [0.225f, 0.225f, 0.225f];

    /// <summary>Random changes of training clips. Evaluation takes only its <see cref="CropMode.Full"/>.</summary>
    public AugmentationOptions Augmentation { get; init; } = new();

    /// <summary>Training: draw every class equally often, however many videos it has, instead of every video once in a
    /// pass. A pass still has as many clips as there are videos.</summary>
    public bool BalanceClasses { get; init; }

    /// <summary>Evaluation: clips over the time of each video.</summary>
    public int ClipViews { get; init; } = 1;

    /// <summary>Evaluation: crops of each clip, 1 or 3.</summary>
    public int CropViews { get; init; } = 1;

    /// <summary>Seed of everything random.</summary>
    public ulong Seed { get; init; }

    /// <summary>How many threads decode; the clips do not depend on it.</summary>
    public int Workers { get; init; } = Math.Max(1, Environment.ProcessorCount);

    /// <summary>Batches made ready ahead of the one in use; with their size it bounds the memory.</summary>
    public int Prefetch { get; init; } = 2;

    /// <summary>Memory for decoded frames, in megabytes; 0 for none. It pays where the videos fit: those that do are
    /// decoded once instead of in each pass. The clips do not depend on it.</summary>
    public int CacheMegabytes { get; init; }

    /// <summary>Share of the videos that may be unreadable before the loader fails.</summary>
    public double AllowedBroken { get; init; } = 0.1;

    /// <summary>Called once for each unreadable video, on the thread that found it.</summary>
    public Action<BrokenVideo>? BrokenVideoFound { get; init; }

    /// <summary>Checks the ranges.</summary>
    /// <exception cref="ArgumentException">A value is out of range.</exception>
    internal void Validate()
    {
        Demand(Frames >= 1, "a clip has at least 1 frame");
        Demand(Size >= 1, "a clip is at least 1 pixel wide");
        Demand(BatchSize >= 1, "a batch has at least 1 clip");
        Demand(Stride > 0 && double.IsFinite(Stride), "the stride must be above 0");
        Demand(FramesPerSecond >= 0 && double.IsFinite(FramesPerSecond), "the frame rate cannot be negative");
        Demand(Mean.Count == ClipShape.Channels && Deviation.Count == ClipShape.Channels && Deviation.All(d => d > 0), "mean and deviation have three values, and deviations are above 0");
        Demand(ClipViews is >= 1 and <= 1000, "there are 1 to 1000 clips in time");
        Demand(CropViews is 1 or 3, "there are 1 or 3 crops");
        Demand(Workers is >= 1 and <= 1024, "there are 1 to 1024 decoding threads");
        Demand(Prefetch is >= 1 and <= 1024, "1 to 1024 batches are made ready ahead");
        Demand(CacheMegabytes >= 0, "the cache cannot be negative");
        Demand(AllowedBroken is >= 0 and <= 1, "the share of unreadable videos lies between 0 and 1");
        Augmentation.Validate();
    }

    private static void Demand(bool condition, string message)
    {
        if (!condition)
        {
            throw new ArgumentException($"Loader: {message}.");
        }
    }
}
