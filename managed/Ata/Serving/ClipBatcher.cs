using System.Runtime.ExceptionServices;

namespace Ata.Serving;

/// <summary>
/// Puts the clips of calls that run at the same time into one pass of the model. The first call of a batch waits a moment for
/// the others and runs it on its thread; the others wait for their logits.
/// </summary>
/// <remarks>Thread-safe; each call is on a thread of its own.</remarks>
/// <param name="sessions">What batches run in.</param>
/// <param name="queue">Tells how many calls there are to wait for.</param>
/// <param name="telemetry">Learns the sizes of batches.</param>
/// <param name="config">The model's configuration.</param>
/// <param name="options">The classifier's options.</param>
internal sealed class ClipBatcher(
    SessionPool sessions, CallQueue queue, ClassifierTelemetry telemetry, ModelConfig config, VideoClassifierOptions options)
{
    // Monitor's, because calls wait for a pulse.
    private readonly object _gate = new();
    /// <summary>The batch that takes further clips, if there is one. A batch is a list until it is run.</summary>
    private List<Member>? _open;

    /// <summary>Classifies a clip.</summary>
    /// <param name="clip">The clip, which must live until the call returns.</param>
    /// <param name="logits">Receives one value for each class.</param>
    /// <param name="cancellationToken">Takes the clip out of a batch that has not begun, and stops one of which all clips
    /// are cancelled.</param>
    /// <exception cref="ArgumentException">The clip has another shape than the model takes.</exception>
    internal void Forward(VideoClip clip, float[] logits, CancellationToken cancellationToken)
    {
        if (!clip.Shape.SequenceEqual([1, 3, config.Frames, config.ImageSize, config.ImageSize]))
        {
            throw new ArgumentException(
                $"The clip is {clip.Tensor}; the model takes [1, 3, {config.Frames}, {config.ImageSize}, {config.ImageSize}]. ClipOptions.For gives its options.",
                nameof(clip));
        }

        var member = new Member(clip, logits, cancellationToken);
        using CancellationTokenRegistration registration = cancellationToken.UnsafeRegister(_ => Wake(), null);
        List<Member>? batch = Join(member);
        if (batch is not null)
        {
            Run(batch);
        }

        member.Failure?.Throw();
    }

    /// <summary>Has the calls that wait look again: one was cancelled, or a call has ended.</summary>
    internal void Wake()
    {
        lock (_gate)
        {
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Waits until a clip is done, or until its call has a batch to run.</summary>
    private List<Member>? Join(Member member)
    {
        lock (_gate)
        {
            if (_open is not { } batch)
            {
                return Gather(member);
            }

            batch.Add(member);
            Monitor.PulseAll(_gate);
            while (!member.IsDone)
            {
                if (_open == batch && member.Cancellation.IsCancellationRequested)
                {
                    batch.Remove(member);
                    member.Cancellation.ThrowIfCancellationRequested();
                }

                Monitor.Wait(_gate);
            }

            return null;
        }
    }

    /// <summary>Opens a batch and waits for it to be filled. Called under the lock, which is let go meanwhile.</summary>
    private List<Member> Gather(Member first)
    {
        List<Member> batch = _open = [first];
        long end = Environment.TickCount64 + (long)options.BatchDelay.TotalMilliseconds;
        while (batch.Count < options.MaxBatch && batch.Count < queue.Running
            && end - Environment.TickCount64 is > 0 and var left)
        {
            Monitor.Wait(_gate, (int)left);
        }

        _open = null;
        return batch;
    }

    private void Run(List<Member> batch)
    {
        List<Member> wanted = batch.FindAll(member => !member.Cancellation.IsCancellationRequested);
        batch.Except(wanted).ToList().ForEach(member => member.Fail(new OperationCanceledException(member.Cancellation)));
        try
        {
            if (wanted.Count > 0)
            {
                RunWanted(wanted);
            }
        }
        catch (Exception error)
        {
            // There is no session: nobody has one.
            wanted.ForEach(member => member.Fail(error));
        }

        lock (_gate)
        {
            batch.ForEach(member => member.IsDone = true);
            Monitor.PulseAll(_gate);
        }
    }

    private void RunWanted(List<Member> batch)
    {
        telemetry.Batch(batch.Count);
        Session session = sessions.Rent();
        try
        {
            if (batch.Count == 1 || !TryTogether(session, batch))
            {
                batch.ForEach(member => Alone(session, member));
            }
        }
        finally
        {
            sessions.Return(session);
        }
    }

    /// <summary>Runs the clips in one pass.</summary>
    /// <returns>False if it failed: then one clip may be to blame, and the others not.</returns>
    private bool TryTogether(Session session, List<Member> batch)
    {
        using var allCancelled = new CancellationTokenSource();
        int wanted = batch.Count;
        var registrations = new CancellationTokenRegistration[batch.Count];
        try
        {
            for (int i = 0; i < registrations.Length; ++i)
            {
                registrations[i] = batch[i].Cancellation.UnsafeRegister(_ => CancelLast(), null);
            }

            using AtaTensor clips = AtaTensor.Create<float>(batch.Count, 3, config.Frames, config.ImageSize, config.ImageSize);
            Span<float> values = clips.AsSpan<float>();
            int length = values.Length / batch.Count;
            for (int i = 0; i < batch.Count; ++i)
            {
                batch[i].Clip.AsSpan().CopyTo(values[(i * length)..]);
            }

            var logits = new float[batch.Count * config.Classes];
            session.Forward(clips, logits, allCancelled.Token);
            for (int i = 0; i < batch.Count; ++i)
            {
                logits.AsSpan(i * config.Classes, config.Classes).CopyTo(batch[i].Logits);
            }

            return true;
        }
        catch (Exception)
        {
            return false;
        }
        finally
        {
            Array.ForEach(registrations, registration => registration.Dispose());
        }

        void CancelLast()
        {
            if (Interlocked.Decrement(ref wanted) == 0)
            {
                allCancelled.Cancel();
            }
        }
    }

    private static void Alone(Session session, Member member)
    {
        try
        {
            session.Forward(member.Clip, member.Logits, member.Cancellation);
        }
        catch (Exception error)
        {
            member.Fail(error);
        }
    }

    /// <summary>A clip of a batch, and what becomes of it.</summary>
    private sealed class Member(VideoClip clip, float[] logits, CancellationToken cancellation)
    {
        internal VideoClip Clip => clip;

        internal float[] Logits => logits;

        internal CancellationToken Cancellation => cancellation;

        internal ExceptionDispatchInfo? Failure { get; private set; }

        /// <summary>The logits, or the failure, are there. Under the lock.</summary>
        internal bool IsDone { get; set; }

        internal void Fail(Exception error) => Failure = ExceptionDispatchInfo.Capture(error);
    }
}
