namespace Ata.Data;

/// <summary>Keeps sampled clips in a bounded amount of memory; the least recently used leave first. It pays where
/// sampling does not vary from epoch to epoch. Thread-safe.</summary>
internal sealed class ClipCache(long capacityBytes)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<Key, LinkedListNode<(Key Key, float[] Clip)>> _clips = [];
    private readonly LinkedList<(Key Key, float[] Clip)> _byUse = new();
    private long _bytes;

    /// <summary>A video and how it was sampled.</summary>
    internal readonly record struct Key(string Path, ClipPlan Plan);

    /// <summary>Copies a clip into a span if it is there.</summary>
    internal bool TryGet(Key key, Span<float> clip)
    {
        float[] found;
        lock (_lock)
        {
            if (!_clips.TryGetValue(key, out LinkedListNode<(Key Key, float[] Clip)>? node))
            {
                return false;
            }

            _byUse.Remove(node);
            _byUse.AddLast(node);
            found = node.Value.Clip;
        }

        found.CopyTo(clip);
        return true;
    }

    /// <summary>Keeps a copy of a clip.</summary>
    internal void Add(Key key, ReadOnlySpan<float> clip)
    {
        long size = (long)clip.Length * sizeof(float);
        if (size > capacityBytes)
        {
            return;
        }

        float[] copy = clip.ToArray();
        lock (_lock)
        {
            if (_clips.ContainsKey(key))
            {
                return;
            }

            for (_bytes += size; _bytes > capacityBytes; _byUse.RemoveFirst())
            {
                (Key oldest, float[] dropped) = _byUse.First!.Value;
                _clips.Remove(oldest);
                _bytes -= (long)dropped.Length * sizeof(float);
            }

            _clips.Add(key, _byUse.AddLast((key, copy)));
        }
    }
}
