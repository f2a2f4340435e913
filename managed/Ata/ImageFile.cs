using Ata.Bindings;
using Ata.Interop;

namespace Ata;

/// <summary>Writes pictures.</summary>
/// <remarks>Thread-safe.</remarks>
public static unsafe class ImageFile
{
    /// <summary>Writes a picture. The file is never half-written.</summary>
    /// <param name="path">File to write: <c>.png</c> or <c>.jpg</c>.</param>
    /// <param name="pixels"><c>[height, width, 3]</c>, RGB.</param>
    /// <param name="width">Width in pixels.</param>
    /// <param name="height">Height in pixels.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void Write(string path, ReadOnlySpan<byte> pixels, int width, int height)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        RequirePixels(pixels, width, height);
        using var text = new Utf8Text(path, stackalloc byte[Utf8Text.BufferSize]);
        fixed (byte* data = pixels)
        {
            using var image = new BorrowedTensor(
                data, (nuint)pixels.Length, TensorElementType.UInt8, [height, width, 3]);
            NativeStatus.Check(NativeMethods.ata_image_write(text.Pointer, image.Pointer), path);
        }
    }

    internal static void RequirePixels(ReadOnlySpan<byte> pixels, int width, int height)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(width);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(height);
        if (pixels.Length != 3L * width * height)
        {
            throw new ArgumentException(
                $"The span has {pixels.Length} bytes; a picture [{height}, {width}, 3] has {3L * width * height}.",
                nameof(pixels));
        }
    }
}
