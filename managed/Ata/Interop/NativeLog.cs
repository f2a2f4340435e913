using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Ata.Bindings;
using Microsoft.Extensions.Logging;

namespace Ata.Interop;

/// <summary>Carries the native library's log to the application's logger.</summary>
internal static unsafe partial class NativeLog
{
    private static readonly Lock Gate = new();
    private static volatile ILogger? _logger;

    public static void Use(ILogger? logger)
    {
        lock (Gate)
        {
            // The native call returns when the callback is no longer running, so that the old logger is not called
            // after this method has returned.
            _logger = logger;
            ata_log_level minimum = MinimumOf(logger);
            NativeStatus.Check(minimum == ata_log_level.ATA_LOG_OFF
                ? NativeMethods.ata_log_set_callback(null, null, ata_log_level.ATA_LOG_OFF)
                : NativeMethods.ata_log_set_callback(&Receive, null, minimum));
        }
    }

    private static ata_log_level MinimumOf(ILogger? logger)
    {
        for (ata_log_level level = ata_log_level.ATA_LOG_DEBUG; level < ata_log_level.ATA_LOG_OFF; ++level)
        {
            if (logger is not null && logger.IsEnabled(LevelOf(level)))
            {
                return level;
            }
        }

        return ata_log_level.ATA_LOG_OFF;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Receive(ata_log_level level, byte* message, void* userData)
    {
        try
        {
            if (_logger is { } logger)
            {
                Write(logger, LevelOf(level), Marshal.PtrToStringUTF8((nint)message) ?? string.Empty);
            }
        }
        catch (Exception)
        {
            // An exception must not reach native code, and a logger that fails has nobody to report to.
        }
    }

    private static LogLevel LevelOf(ata_log_level level) => level switch
    {
        ata_log_level.ATA_LOG_DEBUG => LogLevel.Debug,
        ata_log_level.ATA_LOG_INFO => LogLevel.Information,
        ata_log_level.ATA_LOG_WARNING => LogLevel.Warning,
        _ => LogLevel.Error,
    };

    [LoggerMessage(EventId = 1, EventName = "Native", Message = "{Message}")]
    private static partial void Write(ILogger logger, LogLevel level, string message);
}
