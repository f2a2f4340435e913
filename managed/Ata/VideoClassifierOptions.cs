using Ata.Bindings;
using Ata.Interop;

namespace Ata;

/// <summary>How a <see cref="VideoClassifier"/> shares the machine among the calls that it gets at the same time.</summary>
public sealed record VideoClassifierOptions
{
    /// <summary>Calls that run beside one another when nothing is said: each uses the cores that the others leave idle, so that
    /// more add memory and no speed.</summary>
    private const int UsualConcurrency = 4;

    /// <summary>What the classifier is called in metrics, traces, logs and the names of its threads; null for no name. Give one
    /// where a process has several.</summary>
    public string? Name { get; init; }

    /// <summary>How many calls run at the same time, each with a session (the memory of one pass); others wait for their turn in
    /// the order in which they came. At least 1; null for as many as fill the cores (by
    /// <see cref="ThreadsPerCall"/>; without one at most 4), or <see cref="MaxBatch"/> if that is more.</summary>
    public int? MaxConcurrency { get; init; }

    /// <summary>Most threads that one call uses, to decode and to compute, 1 or more; null for no limit: a call that runs alone uses
    /// all cores, and calls beside one another share them. Results do not depend on it.</summary>
    public int? ThreadsPerCall { get; init; }

    /// <summary>How many sessions are kept, with their memory, for calls to come: 0 or more; null for
    /// <see cref="MaxConcurrency"/>. <see cref="VideoClassifier.Trim"/> releases them at any time.</summary>
    public int? MaxIdleSessions { get; init; }

    /// <summary>How many calls may wait for their turn, 0 or more; with so many waiting the next one fails at once with
    /// <see cref="AtaBusyException"/>.</summary>
    public int QueueLimit { get; init; } = 1024;

    /// <summary>The most clips, of as many calls, that are put into one pass of the model: 1 (each alone) to
    /// <see cref="MaxConcurrency"/>. It pays where a pass does not fill the device, as small models on a GPU. On the CPU results
    /// have the bits that they have alone.</summary>
    public int MaxBatch { get; init; } = 1;

    /// <summary>With <see cref="MaxBatch"/> above 1: how long a clip waits at most for those of other calls that are running.
    /// A call that runs alone does not wait. 0 to 1 minute.</summary>
    public TimeSpan BatchDelay { get; init; } = TimeSpan.FromMilliseconds(5);

    /// <summary>The same with what is null filled in.</summary>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    /// <exception cref="ArgumentException">The options contradict each other.</exception>
    internal VideoClassifierOptions Resolve()
    {
        Check();
        int cores = AtaRuntime.ThreadCount;
        int filling = ThreadsPerCall is { } threads ? Math.Max(cores / threads, 1) : Math.Min(cores, UsualConcurrency);
        int concurrency = MaxConcurrency ?? Math.Max(filling, MaxBatch);
        return this with { MaxConcurrency = concurrency, MaxIdleSessions = MaxIdleSessions ?? concurrency };
    }

    /// <summary>Demands that every option is in its range, without a look at the machine.</summary>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    /// <exception cref="ArgumentException">The options contradict each other.</exception>
    public void Check()
    {
        OptionRange.Check(MaxConcurrency ?? 1, 1, NativeMethods.ATA_MAX_THREADS, nameof(MaxConcurrency));
        OptionRange.Check(ThreadsPerCall ?? 1, 1, NativeMethods.ATA_MAX_THREADS, nameof(ThreadsPerCall));
        OptionRange.Check(MaxIdleSessions ?? 0, 0, int.MaxValue, nameof(MaxIdleSessions));
        OptionRange.Check(QueueLimit, 0, int.MaxValue);
        OptionRange.Check(MaxBatch, 1, NativeMethods.ATA_MAX_THREADS);
        if (BatchDelay < TimeSpan.Zero || BatchDelay > TimeSpan.FromMinutes(1))
        {
            throw new ArgumentOutOfRangeException(nameof(BatchDelay), BatchDelay, "The option must be from 0 to 1 minute.");
        }

        if (MaxBatch > MaxConcurrency)
        {
            throw new ArgumentException(
                $"MaxBatch is {MaxBatch} and MaxConcurrency {MaxConcurrency}: a pass has one clip of each running call; raise MaxConcurrency to at least {MaxBatch}.");
        }
    }
}

/// <summary>What a <see cref="VideoClassifier"/> does now.</summary>
/// <param name="Running">Calls that run.</param>
/// <param name="Waiting">Calls that wait for their turn.</param>
/// <param name="Sessions">Sessions that there are, in use or idle.</param>
/// <param name="IdleSessions">Those of them that are kept for calls to come.</param>
public readonly record struct VideoClassifierStatistics(int Running, int Waiting, int Sessions, int IdleSessions);
