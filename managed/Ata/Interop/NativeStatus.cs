using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using Ata.Bindings;

namespace Ata.Interop;

/// <summary>The one place where native failures become exceptions.</summary>
internal static unsafe class NativeStatus
{
    /// <summary>Throws what a status stands for. Call it right after the native call, on the same thread.</summary>
    /// <param name="status">What the call returned.</param>
    /// <param name="path">The file that the call was about, if any.</param>
    /// <param name="cancellation">The token by which the call can be cancelled.</param>
    public static void Check(ata_status status, string? path = null, CancellationToken cancellation = default)
    {
        if (status != ata_status.ATA_OK)
        {
            Throw(status, path, cancellation);
        }
    }

    [DoesNotReturn]
    private static void Throw(ata_status status, string? path, CancellationToken cancellation)
    {
        string message = Marshal.PtrToStringUTF8((nint)NativeMethods.ata_last_error()) is { Length: > 0 } text
            ? text
            : $"The native library failed with status {(int)status} and no message.";
        throw status switch
        {
            ata_status.ATA_INVALID_ARGUMENT => new ArgumentException(message),
            ata_status.ATA_OUT_OF_MEMORY => new InsufficientMemoryException(message),
            ata_status.ATA_NOT_FOUND => new FileNotFoundException(message, path),
            ata_status.ATA_IO_ERROR => new IOException(message),
            ata_status.ATA_BAD_MODEL => new AtaModelException(message),
            ata_status.ATA_BAD_VIDEO => new AtaVideoException(message),
            ata_status.ATA_UNSUPPORTED => new NotSupportedException(message),
            ata_status.ATA_LIBRARY_UNAVAILABLE => new AtaLibraryException(message),
            ata_status.ATA_DEVICE_UNAVAILABLE => new AtaDeviceException(message),
            ata_status.ATA_CANCELLED => new OperationCanceledException(message, cancellation),
            ata_status.ATA_INFEASIBLE => new AtaInfeasibleException(message),
            ata_status.ATA_NOT_FINITE => new AtaNotFiniteException(message),
            ata_status.ATA_INVALID_STATE => new InvalidOperationException(message),
            ata_status.ATA_UNKNOWN_NAME => new KeyNotFoundException(message),
            _ => new AtaException(message, (AtaStatus)status),
        };
    }
}
