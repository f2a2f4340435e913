namespace Ata.Data;

/// <summary>
/// Opens videos, and keeps the decoded frames of those that fit into a bounded amount of memory, in readers that stay
/// open. A video is kept from its second use on, so that what is read once costs no memory. Nothing is dropped for
/// another video: in random order, none would stay until its next use. Thread-safe.
/// </summary>
internal sealed class DecodedVideos(long capacityBytes) : IDisposable
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Entry> _entries = new(StringComparer.Ordinal);
    private long _free = capacityBytes;
    private bool _closed;

    /// <summary>How far a video has come.</summary>
    internal enum State
    {
        /// <summary>It was not read yet.</summary>
        New,

        /// <summary>It was read; the next use keeps it if it fits.</summary>
        Seen,

        /// <summary>A lease has the reader that keeps it.</summary>
        Lent,

        /// <summary>The reader that keeps it waits for its next use.</summary>
        Kept,

        /// <summary>It does not fit, or is damaged.</summary>
        NotKept,
    }

    /// <summary>Opens a video or takes the reader that keeps it. While that is in use, the video is opened again.</summary>
    /// <param name="path">The video.</param>
    internal Lease Open(string path)
    {
        Entry entry;
        bool keeps;
        VideoReader? reader;
        lock (_lock)
        {
            if (!_entries.TryGetValue(path, out entry!))
            {
                _entries.Add(path, entry = new Entry());
            }

            keeps = TryTake(entry, out reader);
        }

        try
        {
            // Videos are decoded in parallel to one another.
            reader ??= VideoReader.Open(path, new VideoOptions { Threads = 1, KeepBytes = keeps ? entry.Bytes : 0 });
        }
        catch when (keeps)
        {
            Settle(entry, 0, null);
            throw;
        }

        return new Lease(this, entry, reader, keeps);
    }

    /// <summary>Closes the readers; those in use, when they come back.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            _closed = true;
            foreach (Entry entry in _entries.Values)
            {
                entry.Reader?.Dispose();
            }

            _entries.Clear();
        }
    }

    /// <summary>Whether the caller is the one who keeps the video; then its reader if it is open.</summary>
    private bool TryTake(Entry entry, out VideoReader? reader)
    {
        reader = entry.Reader;
        entry.Reader = null;
        if (entry.State == State.Seen)
        {
            // The size may be an estimate; what is not used comes back when the video is kept.
            entry.State = entry.Bytes <= _free ? State.Kept : State.NotKept;
            entry.Bytes = Math.Min(_free, 2 * entry.Bytes);
            _free -= entry.State == State.Kept ? entry.Bytes : 0;
        }

        if (entry.State != State.Kept)
        {
            return false;
        }

        entry.State = State.Lent;
        return true;
    }

    private void GiveBack(Entry entry, VideoReader reader, bool keeps)
    {
        if (keeps)
        {
            Settle(entry, reader.KeptBytes, reader);
            return;
        }

        lock (_lock)
        {
            if (entry.State == State.New)
            {
                entry.State = State.Seen;
                entry.Bytes = 3L * reader.Info.Width * reader.Info.Height * Math.Max(1, reader.Info.FrameCount);
            }
        }

        reader.Dispose();
    }

    /// <summary>Exchanges the memory set aside for a video for what it takes; nothing if it could not be kept.</summary>
    private void Settle(Entry entry, long bytes, VideoReader? reader)
    {
        lock (_lock)
        {
            _free += entry.Bytes - bytes;
            entry.Bytes = bytes;
            entry.State = bytes > 0 ? State.Kept : State.NotKept;
            if (bytes > 0 && !_closed)
            {
                entry.Reader = reader;
                return;
            }
        }

        reader?.Dispose();
    }

    /// <summary>An open video, to be given back by disposing the lease.</summary>
    internal sealed class Lease : IDisposable
    {
        private readonly DecodedVideos _owner;
        private readonly Entry _entry;
        private readonly bool _keeps;

        internal Lease(DecodedVideos owner, Entry entry, VideoReader video, bool keeps)
        {
            _owner = owner;
            _entry = entry;
            _keeps = keeps;
            Video = video;
        }

        internal VideoReader Video { get; }

        public void Dispose() => _owner.GiveBack(_entry, Video, _keeps);
    }

    /// <summary>What is known of a video.</summary>
    internal sealed class Entry
    {
        internal State State { get; set; }

        /// <summary>Memory that the video takes; until it is kept, what its frames are thought to take.</summary>
        internal long Bytes { get; set; }

        /// <summary>The reader that keeps the video, while nobody uses it.</summary>
        internal VideoReader? Reader { get; set; }
    }
}
