using Ata.Data;

namespace Ata.Tests.Data;

/// <summary>A dozen videos of 48x32 pixels and 12 frames, which become brighter or darker over textured noise: enough to
/// load and to train on within seconds.</summary>
public sealed class TinyVideos : IDisposable
{
    public const int Width = 48;
    public const int Height = 32;
    public const int Frames = 12;
    public const int PerClass = 6;

    private readonly TestFolder _folder = new();

    public TinyVideos()
    {
        var items = new List<VideoItem>();
        for (int i = 0; i < 2 * PerClass; ++i)
        {
            string label = i % 2 == 0 ? "brighten" : "dim";
            string path = _folder.In($"{label}-{i}.mp4");
            Write(path, (ulong)i, rising: i % 2 == 0);
            items.Add(new VideoItem(path, label, $"g{i}"));
        }

        Dataset = new VideoDataset(items);
    }

    public VideoDataset Dataset { get; }

    public string Folder => _folder.Path;

    /// <summary>The dataset with files that are no videos among its items.</summary>
    public VideoDataset WithBroken(params int[] places)
    {
        List<VideoItem> items = [.. Dataset.Items];
        foreach (int place in places)
        {
            string path = _folder.Write($"broken-{place}.mp4", "This is not a video.");
            items.Insert(place, new VideoItem(path, "dim"));
        }

        return new VideoDataset(items, Dataset.Labels);
    }

    public void Dispose() => _folder.Dispose();

    private static void Write(string path, ulong seed, bool rising)
    {
        var random = new SampleRandom(seed, 0, 0);
        byte[] texture = Enumerable.Range(0, Width * Height * 3).Select(_ => (byte)random.Below(80)).ToArray();
        using var writer = VideoWriter.Create(path, Width, Height, 8);
        var frame = new byte[texture.Length];
        for (int t = 0; t < Frames; ++t)
        {
            int light = 12 * (rising ? t : Frames - 1 - t);
            for (int i = 0; i < frame.Length; ++i)
            {
                frame[i] = (byte)(texture[i] + light);
            }

            writer.Add(frame);
        }

        writer.Finish();
    }
}
