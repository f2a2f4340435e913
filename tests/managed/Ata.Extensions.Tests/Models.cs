namespace Ata.Extensions.Tests;

/// <summary>A model that runs in milliseconds.</summary>
internal static class Models
{
    public static ModelConfig Tiny { get; } = TinyModel.Config with { Classes = 6 };

    public static float[] Clip => new float[3 * Tiny.Frames * Tiny.ImageSize * Tiny.ImageSize];

    /// <summary>Writes a checkpoint.</summary>
    public static string Write(string path)
    {
        using Model model = Model.Create(Tiny, seed: 1);
        model.SetLabels(["walk", "run", "jump", "sit", "wave", "fall"]);
        model.Save(path);
        return path;
    }
}
