namespace Ata.Tests;

/// <summary>Makes short videos whose frames differ: a bright square moves over a gradient.</summary>
internal static class TestVideo
{
    public const int Width = 64;
    public const int Height = 48;
    public const int Frames = 24;
    public const double FramesPerSecond = 12;

    public static void Write(string path, int frames = Frames, int width = Width, int height = Height)
    {
        using VideoWriter writer = VideoWriter.Create(path, width, height, FramesPerSecond);
        for (int frame = 0; frame < frames; ++frame)
        {
            writer.Add(Picture(frame, width, height));
        }

        writer.Finish();
    }

    public static byte[] Picture(int frame, int width = Width, int height = Height)
    {
        var pixels = new byte[width * height * 3];
        int left = 2 * frame % (width - 12);
        for (int y = 0; y < height; ++y)
        {
            for (int x = 0; x < width; ++x)
            {
                bool inside = x >= left && x < left + 12 && y is >= 16 and < 32;
                Span<byte> pixel = pixels.AsSpan(3 * ((y * width) + x), 3);
                pixel[0] = (byte)(inside ? 230 : x);
                pixel[1] = (byte)(inside ? 200 : 2 * y);
                pixel[2] = (byte)(inside ? 40 : 60 + (4 * frame % 100));
            }
        }

        return pixels;
    }
}
