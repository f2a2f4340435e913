namespace Ata;

/// <summary>Types of the elements of a tensor.</summary>
public enum TensorElementType
{
    /// <summary>IEEE single; <see cref="float"/>.</summary>
    Float32 = 0,

    /// <summary>bfloat16, the upper half of an IEEE single; its bits as <see cref="ushort"/>.</summary>
    BFloat16 = 1,

    /// <summary>Signed 32-bit; <see cref="int"/>.</summary>
    Int32 = 2,

    /// <summary>Signed 64-bit; <see cref="long"/>.</summary>
    Int64 = 3,

    /// <summary>Unsigned 8-bit; <see cref="byte"/>.</summary>
    UInt8 = 4,
}
