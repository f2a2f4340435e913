namespace Ata.Serving;

/// <summary>
/// Threads that run one piece of work after another, apart from .NET's pool, which native work would fill. They are started
/// when there is work, and end when there was none for a while.
/// </summary>
/// <remarks>Thread-safe.</remarks>
/// <param name="name">What they are called.</param>
/// <param name="most">How many there are at most.</param>
internal sealed class WorkerThreads(string name, int most)
{
    // Long beside the gap between two requests of a server under load, and short enough that a classifier that was
    // forgotten is let go.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    // Monitor's, because threads wait for a pulse.
    private readonly object _gate = new();
    private readonly Queue<Action> _work = [];
    private int _threads;
    private int _idle;
    private int _started;
    private bool _ended;

    /// <summary>Hands work over.</summary>
    /// <param name="work">What to run; must not throw.</param>
    /// <exception cref="OutOfMemoryException">The system starts no thread, and there is none yet.</exception>
    internal void Post(Action work)
    {
        lock (_gate)
        {
            _work.Enqueue(work);
            if (_idle >= _work.Count || _threads == most)
            {
                Monitor.Pulse(_gate);
                return;
            }

            try
            {
                var thread = new Thread(Serve) { IsBackground = true, Name = $"{name} {_started + 1}" };
                thread.UnsafeStart();
                ++_started;
                ++_threads;
            }
            catch (Exception) when (_threads > 0)
            {
                // With fewer threads the work is done later.
                Monitor.Pulse(_gate);
            }
            catch
            {
                _work.Dequeue();
                throw;
            }
        }
    }

    /// <summary>Ends the threads when what was posted is done.</summary>
    internal void End()
    {
        lock (_gate)
        {
            _ended = true;
            Monitor.PulseAll(_gate);
        }
    }

    private void Serve()
    {
        while (Next() is { } work)
        {
            work();
        }
    }

    /// <summary>The next work; null when the thread is to end.</summary>
    private Action? Next()
    {
        lock (_gate)
        {
            bool waited = false;
            while (_work.Count == 0)
            {
                if (_ended || waited)
                {
                    --_threads;
                    return null;
                }

                ++_idle;
                waited = !Monitor.Wait(_gate, Patience);
                --_idle;
            }

            return _work.Dequeue();
        }
    }
}
