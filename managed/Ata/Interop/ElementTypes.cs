using Ata.Bindings;

namespace Ata.Interop;

/// <summary>Maps .NET element types to those of the C API.</summary>
internal static class ElementTypes
{
    public static TensorElementType Of<T>()
        where T : unmanaged
    {
        if (typeof(T) == typeof(float))
        {
            return TensorElementType.Float32;
        }

        if (typeof(T) == typeof(ushort))
        {
            return TensorElementType.BFloat16;
        }

        if (typeof(T) == typeof(int))
        {
            return TensorElementType.Int32;
        }

        if (typeof(T) == typeof(long))
        {
            return TensorElementType.Int64;
        }

        return typeof(T) == typeof(byte)
            ? TensorElementType.UInt8
            : throw new NotSupportedException(
                $"Tensors hold float, ushort (the bits of a bfloat16), int, long or byte, not {typeof(T)}.");
    }

    public static ata_dtype ToNative(this TensorElementType type) => (ata_dtype)type;
}
