using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Ata.Bindings;

namespace Ata.Interop;

/// <summary>Memory of .NET that native tensors lie over, pinned until the library gives it back.</summary>
internal sealed unsafe class PinnedMemory(MemoryHandle pin)
{
    private MemoryHandle _pin = pin;

    /// <summary>Makes a tensor over memory.</summary>
    public static AtaTensor Wrap<T>(ReadOnlyMemory<T> memory, bool readOnly, ReadOnlySpan<nint> shape)
        where T : unmanaged
    {
        Span<long> extents = stackalloc long[shape.Length <= NativeMethods.ATA_MAX_RANK ? shape.Length : throw new ArgumentException(
            $"There are {shape.Length} extents; at most {NativeMethods.ATA_MAX_RANK} are possible.", nameof(shape))];
        for (int axis = 0; axis < shape.Length; ++axis)
        {
            extents[axis] = shape[axis];
        }

        TensorElementType type = ElementTypes.Of<T>();
        MemoryHandle pin = memory.Pin();
        GCHandle loan = GCHandle.Alloc(new PinnedMemory(pin));
        ata_tensor* tensor;
        try
        {
            ata_tensor_info info = BorrowedTensor.Describe(
                memory.IsEmpty ? null : pin.Pointer, (nuint)memory.Length * (nuint)sizeof(T), type, extents);
            info.read_only = readOnly ? 1 : 0;
            NativeStatus.Check(NativeMethods.ata_tensor_wrap(&info, &GiveBack, (void*)GCHandle.ToIntPtr(loan), &tensor));
        }
        catch
        {
            loan.Free();
            pin.Dispose();
            throw;
        }

        return new AtaTensor(tensor, lent: true);
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void GiveBack(void* userData)
    {
        try
        {
            GCHandle loan = GCHandle.FromIntPtr((nint)userData);
            var memory = (PinnedMemory)loan.Target!;
            loan.Free();
            memory._pin.Dispose();
        }
        catch (Exception)
        {
            // Of a memory manager of the application's, and must not reach native code, which cannot report it.
        }
    }
}
