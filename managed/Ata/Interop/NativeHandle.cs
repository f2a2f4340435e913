using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace Ata.Interop;

/// <summary>
/// Owns one handle of the C API. It is passed to native functions only through <see cref="Lease"/> or
/// <see cref="LeaseExclusively"/>, which keep it alive for the whole call, whatever other threads and the garbage
/// collector do meanwhile.
/// </summary>
/// <typeparam name="T">The opaque struct of the C API.</typeparam>
internal abstract unsafe class NativeHandle<T> : SafeHandle
    where T : unmanaged
{
    private readonly string _owner;
    private readonly SafeHandle? _parent;
    private long _pressure;
    private int _exclusive;

    /// <param name="pointer">The handle; must not be null.</param>
    /// <param name="owner">Name of the public type, for messages.</param>
    /// <param name="parent">A handle that must not be released before this one.</param>
    /// <param name="pressure">Bytes that the handle holds; see <see cref="Report"/>.</param>
    protected NativeHandle(T* pointer, string owner, SafeHandle? parent = null, long pressure = 0)
        : base(0, ownsHandle: true)
    {
        _owner = owner;
        if (parent is not null)
        {
            bool added = false;
            parent.DangerousAddRef(ref added);
            _parent = parent;
        }

        SetHandle((nint)pointer);
        Report(pressure);
    }

    public sealed override bool IsInvalid => handle == 0;

    /// <summary>Holds the handle until the lease is disposed. Several threads may hold it at once.</summary>
    /// <exception cref="ObjectDisposedException">The handle was disposed.</exception>
    public Lease<T> Lease()
    {
        Acquire();
        return new Lease<T>(this, exclusive: false);
    }

    /// <summary>Holds the handle for this thread alone until the lease is disposed.</summary>
    /// <exception cref="ObjectDisposedException">The handle was disposed.</exception>
    /// <exception cref="InvalidOperationException">Another thread holds it.</exception>
    public Lease<T> LeaseExclusively()
    {
        Acquire();
        if (Interlocked.CompareExchange(ref _exclusive, 1, 0) != 0)
        {
            DangerousRelease();
            throw new InvalidOperationException(
                $"This {_owner} is in use by another thread, and can be used by one thread at a time; give each thread its own.");
        }

        return new Lease<T>(this, exclusive: true);
    }

    internal T* Pointer => (T*)handle;

    internal void Release(bool exclusive)
    {
        if (exclusive)
        {
            Volatile.Write(ref _exclusive, 0);
        }

        DangerousRelease();
    }

    /// <summary>Tells the garbage collector how many bytes of native memory the handle holds now, so that it looks for owners
    /// that were forgotten. By one thread at a time, while the handle is leased or being made.</summary>
    internal void Report(long bytes)
    {
        long change = bytes - _pressure;
        _pressure = bytes;
        if (change > 0)
        {
            GC.AddMemoryPressure(change);
        }
        else if (change < 0)
        {
            GC.RemoveMemoryPressure(-change);
        }
    }

    /// <summary>Calls the native release function.</summary>
    protected abstract void ReleaseNative(T* pointer);

    protected sealed override bool ReleaseHandle()
    {
        ReleaseNative((T*)handle);
        if (_pressure > 0)
        {
            GC.RemoveMemoryPressure(_pressure);
        }

        _parent?.DangerousRelease();
        return true;
    }

    private void Acquire()
    {
        if (IsClosed)
        {
            ThrowDisposed();
        }

        bool added = false;
        try
        {
            DangerousAddRef(ref added);
        }
        catch (ObjectDisposedException)
        {
            // Disposed by another thread since the check above.
            ThrowDisposed();
        }
    }

    [DoesNotReturn]
    private void ThrowDisposed() => throw new ObjectDisposedException(_owner);
}

/// <summary>Keeps a native handle alive for the length of a call.</summary>
internal readonly unsafe ref struct Lease<T>
    where T : unmanaged
{
    private readonly NativeHandle<T>? _handle;
    private readonly bool _exclusive;

    internal Lease(NativeHandle<T> handle, bool exclusive)
    {
        _handle = handle;
        _exclusive = exclusive;
    }

    /// <summary>The handle; null for the default lease.</summary>
    public T* Pointer => _handle is null ? null : _handle.Pointer;

    public void Dispose() => _handle?.Release(_exclusive);
}
