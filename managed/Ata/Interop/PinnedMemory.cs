using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Ata.Bindings;

namespace Ata.Interop;

/// <summary>Memory of .NET that is lent to the native library, pinned until the library gives it back.</summary>
internal sealed unsafe class PinnedMemory
{
    private MemoryHandle _pin;
    private GCHandle _self;

    private PinnedMemory(MemoryHandle pin)
    {
        _pin = pin;
        _self = GCHandle.Alloc(this);
    }

    /// <summary>What a native function is given to give the memory back, with <see cref="UserData"/>.</summary>
    public static delegate* unmanaged[Cdecl]<void*, void> Release => &GiveBack;

    /// <summary>The first byte.</summary>
    public void* Pointer => _pin.Pointer;

    /// <summary>What <see cref="Release"/> is called with.</summary>
    public void* UserData => (void*)GCHandle.ToIntPtr(_self);

    /// <summary>Pins memory for a native call that takes it over when it succeeds. When it fails the memory is to be
    /// taken back.</summary>
    public static PinnedMemory Lend<T>(ReadOnlyMemory<T> memory) => new(memory.Pin());

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
        PinnedMemory loan = Lend(memory);
        ata_tensor* tensor;
        try
        {
            ata_tensor_info info = BorrowedTensor.Describe(
                memory.IsEmpty ? null : loan.Pointer, (nuint)memory.Length * (nuint)sizeof(T), type, extents);
            info.read_only = readOnly ? 1 : 0;
            NativeStatus.Check(NativeMethods.ata_tensor_wrap(&info, Release, loan.UserData, &tensor));
        }
        catch
        {
            loan.TakeBack();
            throw;
        }

        return new AtaTensor(tensor, lent: true);
    }

    /// <summary>Unpins memory that no native function took over.</summary>
    public void TakeBack()
    {
        _self.Free();
        _pin.Dispose();
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void GiveBack(void* userData)
    {
        try
        {
            ((PinnedMemory)GCHandle.FromIntPtr((nint)userData).Target!).TakeBack();
        }
        catch (Exception)
        {
            // Of a memory manager of the application's, and must not reach native code, which cannot report it.
        }
    }
}
