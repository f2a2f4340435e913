using System.Diagnostics;
using System.Threading.Channels;

namespace Ata.Data;

/// <summary>
/// Makes batches ready ahead, with several threads and bounded memory. A batch's samples are independent jobs that
/// write into the batch's own place in a tensor, so that the result does not depend on the threads; batches come
/// out in order. One thread may take batches.
/// </summary>
/// <typeparam name="TJob">What a job needs to know.</typeparam>
internal sealed class BatchPipeline<TJob> : IDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly Channel<Work> _jobs = Channel.CreateUnbounded<Work>();
    private readonly Channel<Pending> _batches = Channel.CreateUnbounded<Pending>();
    private readonly SemaphoreSlim _free;
    private readonly Task[] _tasks;
    private readonly Action<TJob, ClipBatch, int, CancellationToken> _prepare;
    private readonly Action<ClipBatch, CancellationToken> _finish;
    private Pending? _next;

    /// <summary>Starts the threads.</summary>
    /// <param name="workers">How many threads prepare samples.</param>
    /// <param name="ahead">Batches made ready ahead of the one in use.</param>
    /// <param name="plan">The batches in order: a fresh or reused batch and its jobs.</param>
    /// <param name="prepare">Makes the sample of a job: job, batch, place in the batch.</param>
    /// <param name="finish">Called when all samples of a batch are there.</param>
    internal BatchPipeline(
        int workers,
        int ahead,
        IEnumerable<(Func<ClipBatch> Rent, IReadOnlyList<TJob> Jobs)> plan,
        Action<TJob, ClipBatch, int, CancellationToken> prepare,
        Action<ClipBatch, CancellationToken> finish)
    {
        _prepare = prepare;
        _finish = finish;
        _free = new SemaphoreSlim(ahead + 1);
        _tasks = Enumerable.Range(0, workers).Select(_ => Task.Run(WorkAsync)).Append(Task.Run(() => ScheduleAsync(plan))).ToArray();
    }

    /// <summary>Time spent in <see cref="NextAsync"/> waiting.</summary>
    internal TimeSpan Waited { get; private set; }

    /// <summary>Takes the next batch; null after the last. A batch that was waited for in vain is the next one again; one
    /// that failed fails again.</summary>
    /// <exception cref="ObjectDisposedException">The pipeline was disposed, perhaps meanwhile.</exception>
    internal async Task<ClipBatch?> NextAsync(CancellationToken cancellationToken)
    {
        long start = Stopwatch.GetTimestamp();
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _stop.Token);
        try
        {
            if (_next is null && await _batches.Reader.WaitToReadAsync(either.Token).ConfigureAwait(false))
            {
                _batches.Reader.TryRead(out _next);
            }

            either.Token.ThrowIfCancellationRequested();
            if (_next is null)
            {
                return null;
            }

            ClipBatch batch = await _next.Completion.Task.WaitAsync(either.Token).ConfigureAwait(false);

            // Either this call or a disposal at the same time has the batch.
            return Interlocked.Exchange(ref _next, null) is null ? throw new ObjectDisposedException(nameof(VideoLoader)) : batch;
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            throw new ObjectDisposedException(nameof(VideoLoader));
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // With the caller's own token, by which callers tell it from others.
            throw new OperationCanceledException(cancellationToken);
        }
        finally
        {
            Waited += Stopwatch.GetElapsedTime(start);
        }
    }

    /// <summary>Makes room for another batch; call it when one was disposed.</summary>
    internal void Release() => _free.Release();

    /// <summary>Stops the threads and waits for them.</summary>
    public void Dispose()
    {
        _stop.Cancel();
        Task.WaitAll(_tasks);
        Pending? pending = Interlocked.Exchange(ref _next, null);
        while (pending is not null || _batches.Reader.TryRead(out pending))
        {
            // Batches that nobody took: their tensors are given back, their failures no longer matter.
            _ = pending.Completion.Task.Exception;
            pending.Batch.Dispose();
            pending = null;
        }

        _stop.Dispose();
    }

    private async Task ScheduleAsync(IEnumerable<(Func<ClipBatch> Rent, IReadOnlyList<TJob> Jobs)> plan)
    {
        Exception? failure = null;
        try
        {
            foreach ((Func<ClipBatch> rent, IReadOnlyList<TJob> jobs) in plan)
            {
                await _free.WaitAsync(_stop.Token).ConfigureAwait(false);
                var pending = new Pending(rent(), jobs.Count);
                _batches.Writer.TryWrite(pending);
                for (int i = 0; i < jobs.Count; ++i)
                {
                    _jobs.Writer.TryWrite(new Work(pending, jobs[i], i));
                }
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
        }
        catch (Exception error)
        {
            failure = error;
        }

        _jobs.Writer.Complete();
        _batches.Writer.Complete(failure);
    }

    private async Task WorkAsync()
    {
        try
        {
            await foreach (Work work in _jobs.Reader.ReadAllAsync(_stop.Token).ConfigureAwait(false))
            {
                Run(work);
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
        }
    }

    private void Run(Work work)
    {
        try
        {
            _prepare(work.Job, work.Pending.Batch, work.Place, _stop.Token);
            if (work.Pending.CountDown())
            {
                _finish(work.Pending.Batch, _stop.Token);
                work.Pending.Completion.TrySetResult(work.Pending.Batch);
            }
        }
        catch (Exception error)
        {
            work.Pending.Completion.TrySetException(error);
        }
    }

    private sealed record Work(Pending Pending, TJob Job, int Place);

    private sealed class Pending(ClipBatch batch, int jobs)
    {
        private int _left = jobs;

        internal ClipBatch Batch => batch;

        internal TaskCompletionSource<ClipBatch> Completion { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        internal bool CountDown() => Interlocked.Decrement(ref _left) == 0;
    }
}
