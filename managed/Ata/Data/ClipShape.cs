namespace Ata.Data;

/// <summary>Extents of one clip of three channels, stored as <c>[3, Frames, Size, Size]</c>.</summary>
/// <param name="Frames">Frames.</param>
/// <param name="Size">Height and width in pixels.</param>
internal readonly record struct ClipShape(int Frames, int Size)
{
    internal const int Channels = 3;

    internal int Plane => Size * Size;

    internal int Channel => Frames * Plane;

    internal int Count => Channels * Channel;
}
