namespace Ata.Serving;

/// <summary>The sessions of one classifier: those that calls use, and some that are kept for later calls.</summary>
/// <remarks>Thread-safe.</remarks>
/// <param name="create">Makes a session.</param>
/// <param name="mostIdle">How many are kept.</param>
internal sealed class SessionPool(Func<Session> create, int mostIdle)
{
    private readonly Lock _lock = new();
    // The last one first: its memory is warm.
    private readonly Stack<Session> _idle = [];
    private int _count;

    /// <summary>Sessions that there are.</summary>
    internal int Count
    {
        get
        {
            lock (_lock)
            {
                return _count;
            }
        }
    }

    internal int IdleCount
    {
        get
        {
            lock (_lock)
            {
                return _idle.Count;
            }
        }
    }

    /// <summary>Gives a session to one call.</summary>
    internal Session Rent()
    {
        lock (_lock)
        {
            if (_idle.TryPop(out Session? kept))
            {
                return kept;
            }

            ++_count;
        }

        try
        {
            return create();
        }
        catch
        {
            lock (_lock)
            {
                --_count;
            }

            throw;
        }
    }

    /// <summary>Takes a session back.</summary>
    internal void Return(Session session)
    {
        lock (_lock)
        {
            if (_idle.Count < mostIdle)
            {
                _idle.Push(session);
                return;
            }

            --_count;
        }

        session.Dispose();
    }

    /// <summary>Releases the sessions that nobody uses.</summary>
    /// <returns>How many they were.</returns>
    internal int Trim()
    {
        Session[] released;
        lock (_lock)
        {
            released = [.. _idle];
            _idle.Clear();
            _count -= released.Length;
        }

        Array.ForEach(released, session => session.Dispose());
        return released.Length;
    }
}
