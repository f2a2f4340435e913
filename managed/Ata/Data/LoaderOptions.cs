using Ata.Bindings;
using Ata.Interop;

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
    /// <summary>Largest numbers of clips in a batch, of threads that decode, and of batches made ready ahead.</summary>
    internal const int MostBatchSize = 4096;
    internal const int MostWorkers = 1024;
    internal const int MostPrefetch = 1024;

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
    /// <exception cref="ArgumentOutOfRangeException">A value is out of range.</exception>
    internal void Validate()
    {
        OptionRange.Check(Frames, 1, NativeMethods.ATA_MAX_FRAMES);
        OptionRange.Check(Size, 1, NativeMethods.ATA_MAX_IMAGE_SIZE);
        OptionRange.Check(BatchSize, 1, MostBatchSize);
        OptionRange.Check(Spread);
        OptionRange.CheckPositive(Stride, NativeMethods.ATA_MAX_RATE);
        OptionRange.Check(FramesPerSecond, 0, NativeMethods.ATA_MAX_RATE);
        CheckChannels(Mean, nameof(Mean), float.IsFinite, "finite");
        CheckChannels(Deviation, nameof(Deviation), d => d > 0 && float.IsFinite(d), "above 0");
        OptionRange.Check(ClipViews, 1, PredictOptions.MostTemporalViews);
        if (CropViews is not (1 or 3))
        {
            throw new ArgumentOutOfRangeException(nameof(CropViews), CropViews, $"CropViews is {CropViews}; it must be 1 or 3.");
        }

        OptionRange.Check(Workers, 1, MostWorkers);
        OptionRange.Check(Prefetch, 1, MostPrefetch);
        OptionRange.Check(CacheMegabytes, 0, int.MaxValue);
        OptionRange.Check(AllowedBroken, 0, 1);
        ArgumentNullException.ThrowIfNull(Augmentation);
        Augmentation.Validate();
    }

    private static void CheckChannels(IReadOnlyList<float> values, string name, Predicate<float> valid, string rule)
    {
        ArgumentNullException.ThrowIfNull(values, name);
        if (values.Count != ClipShape.Channels || !values.All(v => valid(v)))
        {
            throw new ArgumentOutOfRangeException(name, FormattableString.Invariant($"{name} is [{string.Join(", ", values)}]; it must be three numbers that are {rule}."));
        }
    }
}
