using System.Numerics.Tensors;
using Ata.Bindings;

namespace Ata.Interop;

/// <summary>A native tensor over memory that the caller has pinned, for the length of a call. Nothing is copied.</summary>
internal readonly unsafe ref struct BorrowedTensor
{
    /// <param name="data">Pinned memory.</param>
    /// <param name="bytes">Its size.</param>
    /// <param name="type">Type of its elements.</param>
    /// <param name="shape">Extents; they must need exactly <paramref name="bytes"/>.</param>
    public BorrowedTensor(void* data, nuint bytes, TensorElementType type, scoped ReadOnlySpan<long> shape)
    {
        ata_tensor_info info = Describe(data, bytes, type, shape);
        ata_tensor* tensor;
        NativeStatus.Check(NativeMethods.ata_tensor_wrap(&info, null, null, &tensor));
        Pointer = tensor;
    }

    public ata_tensor* Pointer { get; }

    /// <summary>Says what a native tensor is to be made over.</summary>
    public static ata_tensor_info Describe(void* data, nuint bytes, TensorElementType type, scoped ReadOnlySpan<long> shape)
    {
        if (shape.Length > NativeMethods.ATA_MAX_RANK)
        {
            throw new ArgumentException(
                $"There are {shape.Length} extents; at most {NativeMethods.ATA_MAX_RANK} are possible.", nameof(shape));
        }

        var info = new ata_tensor_info
        {
            struct_size = (nuint)sizeof(ata_tensor_info),
            data = data,
            size = bytes,
            dtype = type.ToNative(),
            rank = shape.Length,
        };
        for (int axis = 0; axis < shape.Length; ++axis)
        {
            info.shape[axis] = shape[axis];
        }

        return info;
    }

    public void Dispose() => NativeMethods.ata_tensor_release(Pointer);

    /// <summary>Borrows floats that the caller has pinned.</summary>
    public static BorrowedTensor OfFloats(float* data, int length, scoped ReadOnlySpan<long> shape) =>
        new(data, (nuint)length * sizeof(float), TensorElementType.Float32, shape);

    /// <summary>Borrows a tensor that the caller has pinned.</summary>
    /// <exception cref="ArgumentException">The tensor has gaps between its elements, or too many axes.</exception>
    public static BorrowedTensor Of<T>(T* data, in ReadOnlyTensorSpan<T> tensor, string parameter)
        where T : unmanaged
    {
        if (!tensor.IsDense)
        {
            throw new ArgumentException(
                "The tensor has gaps between its elements; make it dense first, for instance with Tensor.Create and CopyTo.",
                parameter);
        }

        if (tensor.Rank > NativeMethods.ATA_MAX_RANK)
        {
            throw new ArgumentException(
                $"The tensor has {tensor.Rank} axes; at most {NativeMethods.ATA_MAX_RANK} are possible.", parameter);
        }

        Span<long> shape = stackalloc long[tensor.Rank];
        for (int axis = 0; axis < shape.Length; ++axis)
        {
            shape[axis] = tensor.Lengths[axis];
        }

        return new BorrowedTensor(data, (nuint)tensor.FlattenedLength * (nuint)sizeof(T), ElementTypes.Of<T>(), shape);
    }
}
