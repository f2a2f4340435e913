namespace Ata.Cli.Drawing;

/// <summary>An RGB picture, <c>[Height, Width, 3]</c>.</summary>
internal sealed class Picture(int width, int height)
{
    public int Width { get; } = width;

    public int Height { get; } = height;

    public byte[] Pixels { get; } = new byte[3 * width * height];

    /// <summary>Copies a picture into this one, magnified by a whole number.</summary>
    public void Paste(Picture source, int left, int top, int scale = 1)
    {
        for (int y = 0; y < source.Height * scale; ++y)
        {
            for (int x = 0; x < source.Width * scale; ++x)
            {
                source.PixelAt(x / scale, y / scale).CopyTo(PixelAt(left + x, top + y));
            }
        }
    }

    public Span<byte> PixelAt(int x, int y) => Pixels.AsSpan(3 * ((y * Width) + x), 3);
}
