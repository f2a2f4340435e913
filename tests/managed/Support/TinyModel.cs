namespace Ata.Tests.Support;

/// <summary>A model that runs in milliseconds, and clips for it.</summary>
internal static class TinyModel
{
    public static ModelConfig Config { get; } = new()
    {
        ImageSize = 32,
        PatchSize = 8,
        Dim = 32,
        Depth = 2,
        Heads = 2,
        Frames = 4,
        Classes = 5,
    };

    public static int ClipLength => 3 * Config.Frames * Config.ImageSize * Config.ImageSize;

    public static Model Create(ulong seed = 1, string device = "cpu") => Model.Create(Config, seed, device);

    public static float[] Clips(int count, int seed = 0)
    {
        var random = new Random(seed);
        return Enumerable.Range(0, count * ClipLength).Select(_ => (random.NextSingle() * 2) - 1).ToArray();
    }

    public static AtaTensor ClipTensor(int count, int seed = 0) => AtaTensor.CopyOf<float>(
        Clips(count, seed), count, 3, Config.Frames, Config.ImageSize, Config.ImageSize);
}
