using Ata.Bindings;

namespace Ata.Interop;

/// <summary>Forwards a token to a native call for as long as it runs. Costs nothing for a token that cannot be
/// cancelled.</summary>
internal readonly unsafe ref struct NativeCancellation
{
    private readonly CancellationHandle? _handle;
    private readonly Lease<ata_cancellation> _lease;
    private readonly CancellationTokenRegistration _registration;

    /// <exception cref="OperationCanceledException">The token is already cancelled.</exception>
    public NativeCancellation(CancellationToken token)
    {
        token.ThrowIfCancellationRequested();
        if (!token.CanBeCanceled)
        {
            return;
        }

        ata_cancellation* pointer;
        NativeStatus.Check(NativeMethods.ata_cancellation_create(&pointer));
        _handle = new CancellationHandle(pointer);
        _lease = _handle.Lease();
        _registration = token.UnsafeRegister(static state => Cancel((CancellationHandle)state!), _handle);
    }

    /// <summary>The native flag; null when there is nothing to wait for.</summary>
    public ata_cancellation* Pointer => _lease.Pointer;

    public void Dispose()
    {
        // Waits for a callback that is running, so that the handle outlives it.
        _registration.Dispose();
        _lease.Dispose();
        _handle?.Dispose();
    }

    private static void Cancel(CancellationHandle handle)
    {
        using Lease<ata_cancellation> lease = handle.Lease();
        NativeMethods.ata_cancellation_cancel(lease.Pointer);
    }
}
