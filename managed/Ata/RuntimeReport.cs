using System.Runtime.InteropServices;
using System.Text.Json.Serialization;
using Ata.Bindings;

namespace Ata;

/// <summary>What is installed and what works; see <see cref="AtaRuntime.Diagnose"/>.</summary>
public sealed record RuntimeReport
{
    /// <summary>Version of the C# API.</summary>
    public string ManagedVersion { get; init; } = string.Empty;

    /// <summary>Version of the native library; null if it cannot be loaded.</summary>
    public string? Version { get; init; }

    /// <summary>Version of the native library's binary interface; 0 if it cannot be loaded.</summary>
    public int AbiVersion { get; init; }

    /// <summary>Why the native library cannot be loaded; null if it can.</summary>
    public string? Problem { get; init; }

    /// <summary>Where the native library was looked for, in order; the last one without a reason was loaded.</summary>
    public IReadOnlyList<LibraryAttempt> Attempts { get; init; } = [];

    /// <summary>How many threads one operation uses.</summary>
    public int Threads { get; init; }

    /// <summary>The processor; null if the native library cannot be loaded.</summary>
    public CpuReport? Cpu { get; init; }

    /// <summary>The devices, whether they work or not.</summary>
    public IReadOnlyList<DeviceReport> Devices { get; init; } = [];

    /// <summary>The libraries that Ata uses, whether they are there or not.</summary>
    public IReadOnlyList<LibraryReport> Libraries { get; init; } = [];

    /// <summary>Memory of tensors; null if the native library cannot be loaded.</summary>
    public MemoryReport? Memory { get; init; }
}

/// <summary>A file that was tried.</summary>
/// <param name="Path">The file.</param>
/// <param name="Reason">Why it was not loaded, in the system loader's words; null if it was.</param>
public sealed record LibraryAttempt(string Path, [property: JsonPropertyName("error")] string? Reason);

/// <summary>What the device cpu runs on.</summary>
/// <param name="VectorTarget">Instruction set of Ata's own vector code, in Highway's names.</param>
/// <param name="VectorTargets">All that this processor and this build have, best first.</param>
/// <param name="OnednnIsa">Instruction set that oneDNN uses.</param>
/// <param name="NativeBf16">Whether bfloat16 products run as such, and so faster than Float32.</param>
public sealed record CpuReport(
    string VectorTarget,
    string VectorTargets,
    [property: JsonPropertyName("onednn_isa")] string OnednnIsa,
    [property: JsonPropertyName("native_bf16")] bool NativeBf16);

/// <summary>A device, or a kind of device that cannot be used.</summary>
/// <param name="Name">Its name, as in <see cref="ModelOptions.Device"/>.</param>
/// <param name="Available">Whether it can be used.</param>
/// <param name="Description">What it is, such as the product's name; null if it cannot be used.</param>
/// <param name="Driver">Version of its driver; null if it needs none, or cannot be used.</param>
/// <param name="Libraries">Versions of the libraries that it computes with; null where that is no question of the
/// machine, or if it cannot be used.</param>
/// <param name="Reason">Why it cannot be used, and the remedy; null if it can.</param>
/// <param name="Memory">Its memory; null if it cannot be used.</param>
public sealed record DeviceReport(
    string Name,
    bool Available,
    string? Description,
    string? Driver,
    string? Libraries,
    string? Reason,
    DeviceMemoryReport? Memory)
{
    internal static unsafe DeviceReport Of(in ata_device_info info) => new(
        Marshal.PtrToStringUTF8((nint)info.name)!,
        info.available != 0,
        Marshal.PtrToStringUTF8((nint)info.description),
        Marshal.PtrToStringUTF8((nint)info.driver),
        Marshal.PtrToStringUTF8((nint)info.libraries),
        Marshal.PtrToStringUTF8((nint)info.reason),
        info.available == 0 ? null : new DeviceMemoryReport(
            info.live_bytes,
            info.peak_bytes,
            info.total_bytes < 0 ? null : info.total_bytes,
            info.free_bytes < 0 ? null : info.free_bytes));
}

/// <summary>Memory of a device, in bytes.</summary>
/// <param name="LiveBytes">What tensors of this process hold.</param>
/// <param name="PeakBytes">The most that they ever held.</param>
/// <param name="TotalBytes">All that it has (of the CPU: the machine's); null where the system does not tell.</param>
/// <param name="FreeBytes">What of it nobody uses; null where the system does not tell.</param>
public sealed record DeviceMemoryReport(long LiveBytes, long PeakBytes, long? TotalBytes, long? FreeBytes);

/// <summary>A library that Ata uses.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Purpose">What it is for.</param>
/// <param name="Available">Whether it can be loaded.</param>
/// <param name="Version">Its version; null if it cannot.</param>
/// <param name="Path">Its file; null if it is built in or cannot be loaded.</param>
/// <param name="Reason">Why it cannot be loaded; null if it can.</param>
/// <param name="Attempts">Files that were tried without success; null if it is built in.</param>
public sealed record LibraryReport(
    string Name,
    string Purpose,
    bool Available,
    string? Version,
    string? Path,
    string? Reason,
    IReadOnlyList<LibraryAttempt>? Attempts);

/// <summary>Memory of tensors.</summary>
/// <param name="LiveBytes">Bytes in use now.</param>
/// <param name="PeakBytes">Most bytes that were ever in use.</param>
public sealed record MemoryReport(long LiveBytes, long PeakBytes);

/// <summary>Reads the native library's report without reflection.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    WriteIndented = true)]
[JsonSerializable(typeof(RuntimeReport))]
internal sealed partial class RuntimeReportJson : JsonSerializerContext;
