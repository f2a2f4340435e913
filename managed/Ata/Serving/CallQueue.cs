namespace Ata.Serving;

/// <summary>
/// Admits the calls of one classifier in the order in which they come: so many run at the same time, so many may wait, and
/// the next is refused. A call runs on the thread that makes it, or on one of the <see cref="WorkerThreads"/>.
/// </summary>
/// <remarks>Thread-safe.</remarks>
internal sealed class CallQueue
{
    [ThreadStatic]
    private static CallQueue? _runningHere;

    private readonly Lock _lock = new();
    private readonly LinkedList<Turn> _waiting = [];
    private readonly WorkerThreads _workers;
    private readonly int _concurrency;
    private readonly int _limit;
    private readonly string _owner;
    private readonly Action _drained;
    private int _running;
    private bool _closed;

    /// <param name="concurrency">How many calls run at the same time.</param>
    /// <param name="limit">How many may wait.</param>
    /// <param name="owner">Name of the public type, for messages.</param>
    /// <param name="threads">What worker threads are called.</param>
    /// <param name="drained">Called once, when the queue is closed and no call runs any more.</param>
    internal CallQueue(int concurrency, int limit, string owner, string threads, Action drained)
    {
        _concurrency = concurrency;
        _limit = limit;
        _owner = owner;
        _drained = drained;
        _workers = new WorkerThreads(threads, concurrency);
    }

    internal int Running
    {
        get
        {
            lock (_lock)
            {
                return _running;
            }
        }
    }

    internal int Waiting
    {
        get
        {
            lock (_lock)
            {
                return _waiting.Count;
            }
        }
    }

    internal bool IsClosed
    {
        get
        {
            lock (_lock)
            {
                return _closed;
            }
        }
    }

    /// <summary>Waits for the turn of a call on this thread.</summary>
    /// <returns>The call's place, which is given up on the same thread.</returns>
    /// <exception cref="AtaBusyException">So many calls wait already that no further one may.</exception>
    /// <exception cref="ObjectDisposedException">The queue is closed, or was closed meanwhile.</exception>
    /// <exception cref="OperationCanceledException">The call was cancelled while it waited.</exception>
    /// <exception cref="InvalidOperationException">The call is made inside of another, which would wait for itself.</exception>
    internal Place Enter(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        BlockedTurn? turn = null;
        lock (_lock)
        {
            if (!TryBegin())
            {
                if (_runningHere == this)
                {
                    throw new InvalidOperationException(
                        $"A call of this {_owner} was made inside of another one, for instance while it reported progress: it would wait for itself. Make it after the other has ended.");
                }

                turn = new BlockedTurn();
                Line(turn);
            }
        }

        if (turn is not null)
        {
            using CancellationTokenRegistration registration = LeaveOnCancellation(turn, cancellationToken);
            turn.Wait();
        }

        return new Place(this);
    }

    /// <summary>Runs a call on a worker thread, when its turn has come.</summary>
    /// <param name="work">The call; it runs in the execution context of this method's caller.</param>
    /// <param name="cancellationToken">Takes the call out of the queue at once; once it runs that is up to it.</param>
    /// <exception cref="AtaBusyException">So many calls wait already that no further one may.</exception>
    /// <exception cref="ObjectDisposedException">The queue is closed, or was closed meanwhile.</exception>
    /// <exception cref="OperationCanceledException">The call was cancelled while it waited.</exception>
    internal async Task<T> RunAsync<T>(Func<T> work, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var turn = new WorkerTurn<T>(this, work);
        bool begins;
        lock (_lock)
        {
            begins = TryBegin();
            if (!begins)
            {
                Line(turn);
            }
        }

        if (begins)
        {
            turn.Begin();
        }

        using CancellationTokenRegistration registration = LeaveOnCancellation(turn, cancellationToken);
        return await turn.Task.ConfigureAwait(false);
    }

    /// <summary>Refuses new calls and those that wait; the ones that run end normally.</summary>
    /// <returns>How many they are; null if the queue was closed before.</returns>
    internal (int Running, int Refused)? Close()
    {
        Turn[] refused;
        int running;
        lock (_lock)
        {
            if (_closed)
            {
                return null;
            }

            _closed = true;
            refused = [.. _waiting];
            _waiting.Clear();
            running = _running;
        }

        foreach (Turn turn in refused)
        {
            turn.Refuse(new ObjectDisposedException(_owner));
        }

        if (running == 0)
        {
            Drain();
        }

        return (running, refused.Length);
    }

    /// <summary>Takes a place if one is free. Called under the lock; nobody waits while a place is free.</summary>
    private bool TryBegin()
    {
        ObjectDisposedException.ThrowIf(_closed, typeof(VideoClassifier));
        if (_running == _concurrency)
        {
            return false;
        }

        ++_running;
        return true;
    }

    /// <summary>Has a call wait. Called under the lock.</summary>
    private void Line(Turn turn)
    {
        if (_waiting.Count >= _limit)
        {
            throw new AtaBusyException(_concurrency, _limit);
        }

        turn.Node = _waiting.AddLast(turn);
    }

    private CancellationTokenRegistration LeaveOnCancellation(Turn turn, CancellationToken cancellationToken) =>
        cancellationToken.UnsafeRegister((_, token) => Leave(turn, token), null);

    private void Leave(Turn turn, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (turn.Node?.List is null)
            {
                return;
            }

            _waiting.Remove(turn.Node);
        }

        turn.Refuse(new OperationCanceledException(cancellationToken));
    }

    /// <summary>A call has ended: its place is the next one's.</summary>
    private void End()
    {
        Turn? next = null;
        bool drained = false;
        lock (_lock)
        {
            if (_waiting.First is { } first)
            {
                _waiting.RemoveFirst();
                next = first.Value;
            }
            else
            {
                drained = --_running == 0 && _closed;
            }
        }

        next?.Begin();
        if (drained)
        {
            Drain();
        }
    }

    private void Drain()
    {
        _workers.End();
        _drained();
    }

    /// <summary>The place of a call that runs on this thread.</summary>
    internal readonly struct Place : IDisposable
    {
        private readonly CallQueue _queue;
        private readonly CallQueue? _outer;

        internal Place(CallQueue queue)
        {
            _queue = queue;
            _outer = _runningHere;
            _runningHere = queue;
        }

        public void Dispose()
        {
            _runningHere = _outer;
            _queue.End();
        }
    }

    /// <summary>A call that waits. One of <see cref="Begin"/> and <see cref="Refuse"/> is called, once.</summary>
    private abstract class Turn
    {
        /// <summary>Where it waits; of no list any more when it does not.</summary>
        internal LinkedListNode<Turn>? Node { get; set; }

        /// <summary>It has a place.</summary>
        internal abstract void Begin();

        internal abstract void Refuse(Exception reason);
    }

    /// <summary>A thread that waits for its turn.</summary>
    private sealed class BlockedTurn : Turn
    {
        private readonly TaskCompletionSource _begun = new(TaskCreationOptions.RunContinuationsAsynchronously);

        internal override void Begin() => _begun.SetResult();

        internal override void Refuse(Exception reason) => _begun.SetException(reason);

        internal void Wait() => _begun.Task.GetAwaiter().GetResult();
    }

    /// <summary>Work for a worker thread.</summary>
    private sealed class WorkerTurn<T>(CallQueue queue, Func<T> work) : Turn
    {
        private readonly TaskCompletionSource<T> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly ExecutionContext? _context = ExecutionContext.Capture();

        internal Task<T> Task => _done.Task;

        internal override void Begin()
        {
            try
            {
                queue._workers.Post(Run);
            }
            catch (Exception reason)
            {
                queue.End();
                Refuse(reason);
            }
        }

        internal override void Refuse(Exception reason) => _done.SetException(reason);

        private void Run()
        {
            if (_context is null)
            {
                RunHere();
            }
            else
            {
                ExecutionContext.Run(_context, static turn => ((WorkerTurn<T>)turn!).RunHere(), this);
            }
        }

        private void RunHere()
        {
            T? result = default;
            Exception? failure = null;
            // Given up before the result is told, so that whoever waits for it finds the place free.
            using (new Place(queue))
            {
                try
                {
                    result = work();
                }
                catch (Exception error)
                {
                    failure = error;
                }
            }

            if (failure is null)
            {
                _done.SetResult(result!);
            }
            else
            {
                _done.SetException(failure);
            }
        }
    }
}
