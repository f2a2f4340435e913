namespace Ata.Data;

/// <summary>A video that could not be read.</summary>
/// <param name="Path">The video.</param>
/// <param name="Reason">Why not.</param>
public sealed record BrokenVideo(string Path, string Reason);

/// <summary>Too many videos could not be read for the result to mean what it should.</summary>
public sealed class TooManyBrokenVideosException : AtaException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="broken">The videos.</param>
    /// <param name="total">Videos of the dataset.</param>
    /// <param name="allowed">How many may be broken.</param>
    public TooManyBrokenVideosException(IReadOnlyList<BrokenVideo> broken, int total, int allowed)
        : base($"{broken.Count} of {total} videos cannot be read, and {allowed} may be; the last one: {broken[^1].Path}: {broken[^1].Reason} Repair or remove them, or allow more.", AtaStatus.BadVideo)
    {
        Broken = broken;
    }

    /// <summary>The videos.</summary>
    public IReadOnlyList<BrokenVideo> Broken { get; }
}

/// <summary>Counts the distinct videos, and parts of videos, that could not be read. Thread-safe.</summary>
internal sealed class BrokenVideos(int total, double allowedFraction, Action<BrokenVideo>? report)
{
    private readonly Lock _lock = new();
    private readonly HashSet<(string Path, TimeSpan? Start, TimeSpan? End)> _seen = [];
    private readonly List<BrokenVideo> _videos = [];

    internal IReadOnlyList<BrokenVideo> Snapshot()
    {
        lock (_lock)
        {
            return _videos.ToArray();
        }
    }

    /// <summary>Whether a video is known to be broken, so that it need not be opened again.</summary>
    internal bool Contains(VideoItem item)
    {
        lock (_lock)
        {
            return _seen.Contains((item.Path, item.Start, item.End));
        }
    }

    /// <summary>Counts a video.</summary>
    /// <exception cref="TooManyBrokenVideosException">More than the allowed fraction is broken.</exception>
    internal void Add(VideoItem item, string reason)
    {
        var video = new BrokenVideo(item.Path, reason);
        lock (_lock)
        {
            if (!_seen.Add((item.Path, item.Start, item.End)))
            {
                return;
            }

            _videos.Add(video);
            int allowed = (int)(allowedFraction * total);
            if (_videos.Count > allowed)
            {
                // Several threads may find one more each: all tell the same.
                throw new TooManyBrokenVideosException(_videos.GetRange(0, allowed + 1), total, allowed);
            }
        }

        report?.Invoke(video);
    }
}
