namespace Ata.Data;

/// <summary>
/// Labelled videos. Implement it to train on videos that no list describes; loaders read it from several threads
/// at once and expect the same answers every time.
/// </summary>
public interface IVideoDataset
{
    /// <summary>How many videos there are.</summary>
    int Count { get; }

    /// <summary>The names of the classes. A label's place in this list is the class index.</summary>
    IReadOnlyList<string> Labels { get; }

    /// <summary>One of the videos; its label is one of <see cref="Labels"/>.</summary>
    /// <param name="index">0 to <see cref="Count"/> - 1.</param>
    VideoItem this[int index] { get; }
}
