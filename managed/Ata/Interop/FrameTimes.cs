using System.Runtime.InteropServices;

namespace Ata.Interop;

/// <summary>Start times of frames in native memory. The C API has no tensors of doubles, so that their bits are kept as
/// 64-bit integers.</summary>
internal static class FrameTimes
{
    public static AtaTensor Create(int count) => AtaTensor.Create<long>(count);

    public static Span<double> SpanOf(AtaTensor times) => MemoryMarshal.Cast<long, double>(times.AsSpan<long>());
}
