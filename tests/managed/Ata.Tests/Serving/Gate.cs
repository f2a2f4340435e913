namespace Ata.Tests.Serving;

/// <summary>Progress that stops a call at its first view until the gate is opened, and counts the calls that are there.</summary>
internal sealed class Gate : IProgress<int>, IDisposable
{
    private readonly ManualResetEventSlim _open = new();
    private readonly Lock _lock = new();
    private int _inside;

    /// <summary>The most calls that were there at the same time.</summary>
    public int Most { get; private set; }

    /// <summary>The threads of the calls, in the order in which they came.</summary>
    public List<Thread> Threads { get; } = [];

    public void Report(int value)
    {
        lock (_lock)
        {
            Threads.Add(Thread.CurrentThread);
            Most = Math.Max(Most, ++_inside);
        }

        _open.Wait();
        lock (_lock)
        {
            --_inside;
        }
    }

    /// <summary>Waits until so many calls have come.</summary>
    public void WaitFor(int calls) => Until(() =>
    {
        lock (_lock)
        {
            return Threads.Count >= calls;
        }
    });

    public void Open() => _open.Set();

    public void Dispose() => _open.Dispose();

    /// <summary>Waits for something that happens on other threads.</summary>
    public static void Until(Func<bool> condition)
    {
        if (!SpinWait.SpinUntil(condition, Patience.Limit))
        {
            throw new TimeoutException("What was waited for did not happen.");
        }
    }
}
