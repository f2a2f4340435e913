namespace Ata.Cli.Tests;

/// <summary>A folder with a short video and a tiny model, shared by the tests of a class.</summary>
public sealed class CliFiles : IDisposable
{
    private const int Width = 96;
    private const int Height = 64;

    private readonly TestFolder _folder = new();

    public CliFiles()
    {
        Clip = In("clip.mp4");
        WriteVideo(Clip);
        Model = In("model.safetensors");
        using Model model = Ata.Model.Create(TinyModel.Config with { Classes = 6 }, 3);
        model.SetLabels(["walk", "run", "jump", "sit", "[wave]", "größer"]);
        model.Save(Model);
    }

    public string Folder => _folder.Path;

    public string Clip { get; }

    public string Model { get; }

    public string In(string name) => _folder.In(name);

    /// <summary>Writes a file of text.</summary>
    public void Write(string name, string content) => _folder.Write(name, content);

    public void Dispose() => _folder.Dispose();

    // A textured square that moves by 8 pixels a frame over a dark gradient.
    private static void WriteVideo(string path)
    {
        using VideoWriter writer = VideoWriter.Create(path, Width, Height, 10);
        var pixels = new byte[Width * Height * 3];
        for (int frame = 0; frame < 10; ++frame)
        {
            for (int i = 0; i < Width * Height; ++i)
            {
                int x = i % Width;
                int y = i / Width;
                bool inside = x >= 8 * frame && x < (8 * frame) + 16 && y is >= 24 and < 40;
                pixels[3 * i] = (byte)(inside ? 255 - (8 * (y - 24)) : x);
                pixels[(3 * i) + 1] = (byte)(inside ? 8 * (x - (8 * frame)) + 100 : y);
                pixels[(3 * i) + 2] = (byte)(inside ? 20 : 90);
            }

            writer.Add(pixels);
        }

        writer.Finish();
    }
}
