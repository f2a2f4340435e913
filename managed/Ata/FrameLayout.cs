using Ata.Bindings;
using Ata.Interop;

namespace Ata;

/// <summary>How the pixels of a frame lie in memory, one byte a component.</summary>
public enum PixelFormat
{
    /// <summary>Red, green, blue.</summary>
    Rgb = 0,

    /// <summary>Blue, green, red.</summary>
    Bgr = 1,

    /// <summary>Red, green, blue and a fourth byte that is not looked at.</summary>
    Rgba = 2,

    /// <summary>Blue, green, red and a fourth byte that is not looked at.</summary>
    Bgra = 3,

    /// <summary>Two planes: luma; then Cb and Cr in turn, one pair for 2 x 2 pixels.</summary>
    Nv12 = 4,

    /// <summary>Three planes: luma; Cb; Cr, one of each for 2 x 2 pixels.</summary>
    I420 = 5,
}

/// <summary>The colour matrix by which luma and chroma were made of RGB.</summary>
public enum ColorMatrix
{
    /// <summary>Not known: BT.601, as of files that do not say.</summary>
    Unknown = 0,

    /// <summary>BT.601: standard definition, and most webcams.</summary>
    Bt601 = 1,

    /// <summary>BT.709: high definition.</summary>
    Bt709 = 2,

    /// <summary>BT.2020 with non-constant luminance: ultra-high definition.</summary>
    Bt2020 = 3,
}

/// <summary>The values that luma and chroma take.</summary>
public enum ColorRange
{
    /// <summary>Not known: limited, as of files that do not say.</summary>
    Unknown = 0,

    /// <summary>Luma 16 to 235, chroma 16 to 240.</summary>
    Limited = 1,

    /// <summary>0 to 255, as in JPEG.</summary>
    Full = 2,
}

/// <summary>How frames lie in memory, and how fast they follow one another.</summary>
/// <param name="Format">Format of the pixels.</param>
/// <param name="Width">Width in pixels, 1 to 16384. It may be odd: rows of chroma then have (width + 1) / 2 values.</param>
/// <param name="Height">Height in pixels, likewise. A frame has at most 2^26 pixels.</param>
public sealed record FrameLayout(PixelFormat Format, int Width, int Height)
{
    /// <summary>Frames per second, above 0 and at most 1000000.</summary>
    public double FramesPerSecond { get; init; } = 25;

    /// <summary>Colour matrix of <see cref="PixelFormat.Nv12"/> and <see cref="PixelFormat.I420"/>; unknown for other
    /// formats.</summary>
    public ColorMatrix Matrix { get; init; }

    /// <summary>Range of <see cref="PixelFormat.Nv12"/> and <see cref="PixelFormat.I420"/>; unknown for other
    /// formats.</summary>
    public ColorRange Range { get; init; }

    /// <summary>Bytes from a row to the next, of the luma where there is chroma; null for rows without gaps.</summary>
    public int? Stride { get; init; }

    /// <summary>Bytes from a row of chroma to the next; null for <see cref="Stride"/> where Cb and Cr are interleaved
    /// (<see cref="PixelFormat.Nv12"/>), and half of it, rounded up, where they are not.</summary>
    public int? ChromaStride { get; init; }

    /// <summary>Number of planes of the format, 1 to 3.</summary>
    public int PlaneCount => Format switch
    {
        PixelFormat.Nv12 => 2,
        PixelFormat.I420 => 3,
        _ => 1,
    };

    /// <summary>Bytes of a frame whose planes lie one after another, gaps at the ends of rows included.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The layout is not valid.</exception>
    public long FrameBytes
    {
        get
        {
            Check();
            long sum = 0;
            for (int plane = 0; plane < PlaneCount; ++plane)
            {
                sum += StrideOf(plane) * RowsOf(plane);
            }

            return sum;
        }
    }

    /// <summary>Bytes from a row of a plane to the next.</summary>
    internal long StrideOf(int plane)
    {
        if (plane == 0)
        {
            return Stride ?? RowBytesOf(0);
        }

        long? ofLuma = Format == PixelFormat.Nv12 ? Stride : (Stride + 1L) / 2;
        return ChromaStride ?? ofLuma ?? RowBytesOf(plane);
    }

    internal long RowsOf(int plane) => plane == 0 ? Height : (Height + 1L) / 2;

    /// <summary>Least bytes that a plane takes: no gap after its last row.</summary>
    internal long PlaneBytes(int plane) => (StrideOf(plane) * (RowsOf(plane) - 1)) + RowBytesOf(plane);

    /// <summary>Demands what sizes of memory are computed from; the library checks the rest.</summary>
    internal void Check()
    {
        const int MostPixels = 16384;
        OptionRange.Check(Format);
        OptionRange.Check(Width, 1, MostPixels);
        OptionRange.Check(Height, 1, MostPixels);
        CheckStride(Stride, 0, nameof(Stride));
        if (PlaneCount == 1)
        {
            if (ChromaStride is not null)
            {
                throw new ArgumentOutOfRangeException(
                    nameof(ChromaStride), ChromaStride, $"{Format} has no chroma; leave {nameof(ChromaStride)} out.");
            }

            return;
        }

        CheckStride(ChromaStride, 1, nameof(ChromaStride));
    }

    internal unsafe ata_frame_layout ToNative()
    {
        Check();
        var native = new ata_frame_layout
        {
            struct_size = (nuint)sizeof(ata_frame_layout),
            format = (ata_pixel_format)Format,
            width = Width,
            height = Height,
            matrix = (ata_colour_matrix)Matrix,
            range = (ata_colour_range)Range,
            fps = FramesPerSecond,
        };
        for (int plane = 0; plane < PlaneCount; ++plane)
        {
            native.strides[plane] = StrideOf(plane);
        }

        return native;
    }

    private void CheckStride(int? stride, int plane, string name)
    {
        if (stride is { } given)
        {
            OptionRange.Check(given, RowBytesOf(plane), int.MaxValue, name);
        }
    }

    private long RowBytesOf(int plane)
    {
        long half = (Width + 1L) / 2;
        return (Format, plane) switch
        {
            (PixelFormat.Rgba or PixelFormat.Bgra, _) => 4L * Width,
            (PixelFormat.Rgb or PixelFormat.Bgr, _) => 3L * Width,
            (_, 0) => Width,
            (PixelFormat.Nv12, _) => 2 * half,
            _ => half,
        };
    }
}
