using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using Ata.Bindings;
using Ata.Interop;

namespace Ata;

/// <summary>
/// A contiguous row-major array in native memory or a device's, or over memory that was lent. Spans over it cost nothing,
/// and are valid until the tensor is disposed: keep the tensor in a variable (best with <c>using</c>) for as long as you use
/// a span of it. A tensor of another device than the CPU has none; <see cref="CopyTo(string)"/> brings it.
/// </summary>
/// <remarks>Reading from several threads at once is safe.</remarks>
public sealed unsafe class AtaTensor : IDisposable
{
    private readonly TensorHandle _handle;
    private readonly void* _data;
    private readonly nint[] _shape;

    /// <summary>Takes ownership of a native tensor.</summary>
    /// <param name="pointer">The tensor.</param>
    /// <param name="owner">Name of the public type, for messages.</param>
    /// <param name="lent">Whether its memory is somebody else's.</param>
    internal AtaTensor(ata_tensor* pointer, string owner = nameof(AtaTensor), bool lent = false)
    {
        ata_tensor_info info = new() { struct_size = (nuint)sizeof(ata_tensor_info) };
        try
        {
            NativeStatus.Check(NativeMethods.ata_tensor_get_info(pointer, &info));
            _shape = new nint[info.rank];
            for (int axis = 0; axis < _shape.Length; ++axis)
            {
                _shape[axis] = checked((nint)info.shape[axis]);
            }

            _handle = new TensorHandle(pointer, owner, lent ? 0 : checked((long)info.size));
        }
        catch
        {
            NativeMethods.ata_tensor_release(pointer);
            throw;
        }

        _data = info.data;
        ElementType = (TensorElementType)info.dtype;
        ByteCount = checked((long)info.size);
        Device = Marshal.PtrToStringUTF8((nint)info.device)!;
        IsReadOnly = info.read_only != 0;
        Count = 1;
        foreach (nint extent in _shape)
        {
            Count *= extent;
        }
    }

    /// <summary>Type of the elements.</summary>
    public TensorElementType ElementType { get; }

    /// <summary>Extents; empty for a scalar.</summary>
    public ReadOnlySpan<nint> Shape => _shape;

    /// <summary>Number of axes.</summary>
    public int Rank => _shape.Length;

    /// <summary>Number of elements.</summary>
    public long Count { get; }

    /// <summary>Size of the elements in bytes.</summary>
    public long ByteCount { get; }

    /// <summary>Name of the device whose memory the elements are in.</summary>
    public string Device { get; }

    /// <summary>Whether the elements must not be written to, because they are somebody else's.</summary>
    public bool IsReadOnly { get; }

    internal TensorHandle Handle => _handle;

    /// <summary>Allocates a tensor of zeros.</summary>
    /// <typeparam name="T"><see cref="float"/>, <see cref="ushort"/> (bfloat16), <see cref="int"/>,
    /// <see cref="long"/> or <see cref="byte"/>.</typeparam>
    /// <param name="shape">Up to 8 extents, each at least 0.</param>
    public static AtaTensor Create<T>(params ReadOnlySpan<nint> shape)
        where T : unmanaged => CreateOn<T>(null, shape);

    /// <summary>Allocates a tensor of zeros in the memory of a device.</summary>
    /// <typeparam name="T">As for <see cref="Create{T}(ReadOnlySpan{nint})"/>.</typeparam>
    /// <param name="device"><c>cpu</c>, <c>cuda</c> or <c>cuda:1</c>.</param>
    /// <param name="shape">Up to 8 extents, each at least 0.</param>
    /// <exception cref="AtaDeviceException">The device does not exist, or cannot be used.</exception>
    public static AtaTensor Create<T>(string device, params ReadOnlySpan<nint> shape)
        where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(device);
        return CreateOn<T>(device, shape);
    }

    /// <summary>Allocates a tensor and copies elements into it.</summary>
    /// <typeparam name="T">As for <see cref="Create{T}(ReadOnlySpan{nint})"/>.</typeparam>
    /// <param name="values">The elements in row-major order.</param>
    /// <param name="shape">Extents whose product is the number of elements.</param>
    public static AtaTensor CopyOf<T>(ReadOnlySpan<T> values, params ReadOnlySpan<nint> shape)
        where T : unmanaged
    {
        AtaTensor tensor = Create<T>(shape);
        if (tensor.Count != values.Length)
        {
            tensor.Dispose();
            throw new ArgumentException(
                $"There are {values.Length} values; a tensor {FormatShape(shape)} has another number of elements.",
                nameof(values));
        }

        values.CopyTo(tensor.AsSpan<T>());
        return tensor;
    }

    /// <summary>Allocates a tensor and copies the elements of another into it.</summary>
    /// <typeparam name="T">As for <see cref="Create{T}(ReadOnlySpan{nint})"/>.</typeparam>
    /// <param name="source">The elements; gaps and broadcast axes are resolved.</param>
    public static AtaTensor CopyOf<T>(in ReadOnlyTensorSpan<T> source)
        where T : unmanaged
    {
        AtaTensor tensor = Create<T>(source.Lengths);
        source.CopyTo(tensor.AsTensorSpan<T>());
        return tensor;
    }

    /// <summary>Makes a tensor over memory, without copying. The memory stays pinned until nothing native refers to it any
    /// more: this tensor, a <see cref="TensorFile"/> it was set in, a consumer of <see cref="ToDlpack"/>.</summary>
    /// <typeparam name="T">As for <see cref="Create{T}(ReadOnlySpan{nint})"/>.</typeparam>
    /// <param name="memory">The elements in row-major order.</param>
    /// <param name="shape">Extents whose product is the number of elements.</param>
    /// <exception cref="ArgumentException">The memory has another number of elements than the shape.</exception>
    public static AtaTensor Wrap<T>(Memory<T> memory, params ReadOnlySpan<nint> shape)
        where T : unmanaged => PinnedMemory.Wrap<T>(memory, readOnly: false, shape);

    /// <summary>Makes a read-only tensor over memory, without copying; see
    /// <see cref="Wrap{T}(Memory{T}, ReadOnlySpan{nint})"/>.</summary>
    /// <typeparam name="T">As for <see cref="Create{T}(ReadOnlySpan{nint})"/>.</typeparam>
    /// <param name="memory">The elements in row-major order.</param>
    /// <param name="shape">Extents whose product is the number of elements.</param>
    /// <exception cref="ArgumentException">The memory has another number of elements than the shape.</exception>
    public static AtaTensor Wrap<T>(ReadOnlyMemory<T> memory, params ReadOnlySpan<nint> shape)
        where T : unmanaged => PinnedMemory.Wrap(memory, readOnly: true, shape);

    /// <summary>Makes a tensor over the memory of another framework's, without copying.</summary>
    /// <param name="managed">Address of a <c>DLManagedTensorVersioned</c> of DLPack 1. Its deleter is called when nothing
    /// refers to the memory any more; if this method throws it is still the caller's.</param>
    /// <exception cref="NotSupportedException">It is not on the CPU, has gaps between its elements, or elements of a type
    /// that Ata has not.</exception>
    public static AtaTensor FromDlpack(nint managed)
    {
        ata_tensor* tensor;
        NativeStatus.Check(NativeMethods.ata_tensor_from_dlpack((DLManagedTensorVersioned*)managed, &tensor));
        return new AtaTensor(tensor, lent: true);
    }

    /// <summary>Lends the memory to another framework, without copying; this tensor may be disposed at any time.</summary>
    /// <returns>Address of a <c>DLManagedTensorVersioned</c> of DLPack 1, whose deleter the other framework calls
    /// once.</returns>
    public nint ToDlpack()
    {
        using Lease<ata_tensor> lease = _handle.Lease();
        DLManagedTensorVersioned* managed;
        NativeStatus.Check(NativeMethods.ata_tensor_to_dlpack(lease.Pointer, &managed));
        return (nint)managed;
    }

    /// <summary>Copies the tensor into new memory of a device.</summary>
    /// <param name="device"><c>cpu</c>, <c>cuda</c> or <c>cuda:1</c>.</param>
    /// <returns>A tensor that may be written to, which the caller disposes.</returns>
    /// <exception cref="AtaDeviceException">The device does not exist, or cannot be used.</exception>
    public AtaTensor CopyTo(string device)
    {
        ArgumentNullException.ThrowIfNull(device);
        using var name = new Utf8Text(device, stackalloc byte[Utf8Text.BufferSize]);
        using Lease<ata_tensor> lease = _handle.Lease();
        ata_tensor* copy;
        NativeStatus.Check(NativeMethods.ata_tensor_copy(lease.Pointer, name.Pointer, &copy));
        return new AtaTensor(copy);
    }

    /// <summary>Copies the elements over those of another tensor, on any device.</summary>
    /// <param name="destination">A tensor of the same element type and shape, not read-only.</param>
    /// <exception cref="ArgumentException">It has another element type or shape, or is read-only.</exception>
    public void CopyTo(AtaTensor destination)
    {
        ArgumentNullException.ThrowIfNull(destination);
        using Lease<ata_tensor> from = _handle.Lease();
        using Lease<ata_tensor> to = destination._handle.Lease();
        NativeStatus.Check(NativeMethods.ata_tensor_copy_into(from.Pointer, to.Pointer));
    }

    /// <summary>The elements, without copying.</summary>
    /// <typeparam name="T">The type that belongs to <see cref="ElementType"/>.</typeparam>
    /// <exception cref="ArgumentException">The tensor holds elements of another type.</exception>
    /// <exception cref="OverflowException">There are more elements than a span can hold.</exception>
    /// <exception cref="ObjectDisposedException">The tensor was disposed.</exception>
    /// <exception cref="InvalidOperationException">The tensor is read-only, or on another device than the CPU.</exception>
    public Span<T> AsSpan<T>()
        where T : unmanaged => new(WritableDataOf<T>(), checked((int)Count));

    /// <summary>The elements to be read, without copying.</summary>
    /// <typeparam name="T">The type that belongs to <see cref="ElementType"/>.</typeparam>
    /// <exception cref="ArgumentException">The tensor holds elements of another type.</exception>
    /// <exception cref="OverflowException">There are more elements than a span can hold.</exception>
    /// <exception cref="ObjectDisposedException">The tensor was disposed.</exception>
    /// <exception cref="InvalidOperationException">The tensor is on another device than the CPU.</exception>
    public ReadOnlySpan<T> AsReadOnlySpan<T>()
        where T : unmanaged => new(DataOf<T>(), checked((int)Count));

    /// <summary>The elements with their shape, without copying.</summary>
    /// <typeparam name="T">The type that belongs to <see cref="ElementType"/>.</typeparam>
    /// <exception cref="ArgumentException">The tensor holds elements of another type.</exception>
    /// <exception cref="ObjectDisposedException">The tensor was disposed.</exception>
    /// <exception cref="InvalidOperationException">The tensor is read-only, or on another device than the CPU.</exception>
    public TensorSpan<T> AsTensorSpan<T>()
        where T : unmanaged => new((T*)WritableDataOf<T>(), checked((nint)Count), _shape);

    /// <summary>The elements to be read with their shape, without copying.</summary>
    /// <typeparam name="T">The type that belongs to <see cref="ElementType"/>.</typeparam>
    /// <exception cref="ArgumentException">The tensor holds elements of another type.</exception>
    /// <exception cref="ObjectDisposedException">The tensor was disposed.</exception>
    /// <exception cref="InvalidOperationException">The tensor is on another device than the CPU.</exception>
    public ReadOnlyTensorSpan<T> AsReadOnlyTensorSpan<T>()
        where T : unmanaged => new((T*)DataOf<T>(), checked((nint)Count), _shape);

    /// <summary>Releases the memory. Spans over it must not be used any more.</summary>
    public void Dispose() => _handle.Dispose();

    /// <inheritdoc/>
    public override string ToString() => $"{ElementType} {FormatShape(_shape)}";

    internal static string FormatShape(ReadOnlySpan<nint> shape) => $"[{string.Join(", ", shape.ToArray())}]";

    /// <summary>Checks element type and rank of an argument, so that the message can name the parameter.</summary>
    internal void Require(TensorElementType type, string axes, string parameter)
    {
        int rank = axes.AsSpan().Count(',') + 1;
        if (ElementType != type || Rank != rank)
        {
            throw new ArgumentException($"The tensor is {this}; it must be {type} [{axes}].", parameter);
        }
    }

    private static AtaTensor CreateOn<T>(string? device, ReadOnlySpan<nint> shape)
        where T : unmanaged
    {
        TensorElementType type = ElementTypes.Of<T>();
        if (shape.Length > NativeMethods.ATA_MAX_RANK)
        {
            throw new ArgumentException(
                $"There are {shape.Length} extents; at most {NativeMethods.ATA_MAX_RANK} are possible.", nameof(shape));
        }

        long* extents = stackalloc long[NativeMethods.ATA_MAX_RANK];
        for (int axis = 0; axis < shape.Length; ++axis)
        {
            extents[axis] = shape[axis];
        }

        using var name = new Utf8Text(device, stackalloc byte[Utf8Text.BufferSize]);
        ata_tensor* tensor;
        NativeStatus.Check(NativeMethods.ata_tensor_create(type.ToNative(), extents, shape.Length, name.Pointer, &tensor));
        return new AtaTensor(tensor);
    }

    private void* WritableDataOf<T>()
        where T : unmanaged
    {
        void* data = DataOf<T>();
        return !IsReadOnly
            ? data
            : throw new InvalidOperationException("The tensor is read-only; read it through AsReadOnlySpan, or write to a copy.");
    }

    private void* DataOf<T>()
        where T : unmanaged
    {
        ObjectDisposedException.ThrowIf(_handle.IsClosed, this);
        TensorElementType type = ElementTypes.Of<T>();
        if (type != ElementType)
        {
            throw new ArgumentException($"The tensor holds {ElementType}, not {type}.", nameof(T));
        }

        return _data is not null || Count == 0
            ? _data
            : throw new InvalidOperationException($"The tensor is in the memory of device '{Device}'; bring it by CopyTo(\"cpu\").");
    }
}
