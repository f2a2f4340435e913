using System.Reflection;
using System.Runtime.InteropServices;
using System.Text.Json;
using Ata.Bindings;
using Ata.Interop;
using Microsoft.Extensions.Logging;

namespace Ata;

/// <summary>The native library as a whole: where it is, what it can do, its threads and its log.</summary>
/// <remarks>
/// Thread-safe. The library is loaded at the first use of anything native, from <see cref="LibraryPath"/> or the
/// environment variable <see cref="LibraryPathVariable"/> if one is given, else from the application's folder and its
/// <c>runtimes/&lt;rid&gt;/native</c>, the same around <c>Ata.dll</c>, the runtime's places, the system's, or from the host
/// (<c>AssemblyLoadContext.LoadUnmanagedDll</c>,
/// <see cref="System.Runtime.Loader.AssemblyLoadContext.ResolvingUnmanagedDll"/>), in this order. A failure is not remembered:
/// the next use looks again.
/// </remarks>
public static unsafe class AtaRuntime
{
    /// <summary>Name of the environment variable with the absolute path of the native library.</summary>
    public const string LibraryPathVariable = "ATA_LIBRARY_PATH";

    /// <summary>The file of the native library, an absolute path, to be set before anything native is used; null to search.</summary>
    /// <exception cref="ArgumentException">The path is not absolute.</exception>
    /// <exception cref="InvalidOperationException">Set after the library was loaded.</exception>
    public static string? LibraryPath
    {
        get => NativeLibraryLoader.ExplicitPath;
        set => NativeLibraryLoader.ExplicitPath = value;
    }

    /// <summary>Version of the native library.</summary>
    /// <exception cref="AtaLibraryException">It cannot be loaded.</exception>
    public static string Version => Marshal.PtrToStringUTF8((nint)NativeMethods.ata_version())!;

    /// <summary>How many threads one operation uses: what the environment's ATA_NUM_THREADS, else OMP_NUM_THREADS, says as the
    /// process starts, else the cores that the process may use. Setting it applies to operations that start later; 0 restores
    /// that default. Options of sessions and the like allow fewer (<see cref="SessionOptions.Threads"/>).</summary>
    /// <exception cref="ArgumentException">The number is negative or above 1024.</exception>
    public static int ThreadCount
    {
        get => NativeMethods.ata_thread_count();
        set => NativeStatus.Check(NativeMethods.ata_thread_set_count(value));
    }

    /// <summary>The devices of this machine, the CPU first, with what of their memory is used now. Where there is no GPU that
    /// can be used an entry says why.</summary>
    /// <exception cref="AtaLibraryException">The native library cannot be loaded.</exception>
    public static IReadOnlyList<DeviceReport> Devices
    {
        get
        {
            var devices = new DeviceReport[checked((int)NativeMethods.ata_device_count())];
            for (int i = 0; i < devices.Length; ++i)
            {
                ata_device_info info = new() { struct_size = (nuint)sizeof(ata_device_info) };
                NativeStatus.Check(NativeMethods.ata_device_get_info((nuint)i, &info));
                devices[i] = DeviceReport.Of(info);
            }

            return devices;
        }
    }

    /// <summary>Gives back to the system what the library keeps between calls to be faster: compiled matrix products, the
    /// memory of GPUs that no tensor holds any more, free pages of the native heap. Later calls make what they need again;
    /// results do not change. What a session or another object keeps for its next call goes when that is disposed.</summary>
    /// <exception cref="AtaLibraryException">The native library cannot be loaded.</exception>
    public static void ReleaseCaches() => NativeMethods.ata_release_caches();

    /// <summary>Reports what is installed and what works. Does not fail when something is missing, not even the native
    /// library: the report says what and why.</summary>
    public static RuntimeReport Diagnose()
    {
        RuntimeReport report;
        try
        {
            NativeLibraryLoader.Load();
            report = JsonSerializer.Deserialize(DiagnoseNative(), RuntimeReportJson.Default.RuntimeReport)!;
        }
        catch (AtaLibraryException error)
        {
            report = new RuntimeReport { Problem = error.Message };
        }

        return report with { ManagedVersion = ManagedVersion(), Attempts = NativeLibraryLoader.Attempts };
    }

    /// <summary>Writes a report as JSON.</summary>
    /// <param name="report">The report.</param>
    public static string ToJson(RuntimeReport report)
    {
        ArgumentNullException.ThrowIfNull(report);
        return JsonSerializer.Serialize(report, RuntimeReportJson.Default.RuntimeReport);
    }

    /// <summary>Sends the messages of the native library to a logger of category <c>Ata</c>.</summary>
    /// <param name="factory">Makes the logger; null for no log.</param>
    public static void UseLogger(ILoggerFactory? factory) => UseLogger(factory?.CreateLogger("Ata"));

    /// <summary>Sends the messages of the native library to a logger. Messages below the lowest level that is enabled
    /// now are never made. The logger is called from any thread, and must not call Ata.</summary>
    /// <param name="logger">The logger; null for no log.</param>
    public static void UseLogger(ILogger? logger) => NativeLog.Use(logger);

    private static string ManagedVersion()
    {
        string version = typeof(AtaRuntime).Assembly
            .GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;
        return version.Split('+')[0];
    }

    private static byte[] DiagnoseNative()
    {
        nuint length = 0;
        NativeStatus.Check(NativeMethods.ata_runtime_diagnose(null, 0, &length));
        while (true)
        {
            // The report can grow between two calls, since it counts memory.
            var buffer = new byte[checked((int)length + 1)];
            nuint needed;
            fixed (byte* data = buffer)
            {
                NativeStatus.Check(NativeMethods.ata_runtime_diagnose(data, (nuint)buffer.Length, &needed));
            }

            if (needed < (nuint)buffer.Length)
            {
                return buffer[..(int)needed];
            }

            length = needed;
        }
    }
}
