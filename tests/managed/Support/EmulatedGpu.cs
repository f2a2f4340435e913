using System.Reflection;
using Xunit;

namespace Ata.Tests.Support;

/// <summary>The CUDA plugin that emulates a GPU, from the native build.</summary>
internal static class EmulatedGpu
{
    /// <summary>Has the native library take a file for the CUDA plugin, if it is not loaded yet.</summary>
    public const string Variable = "ATA_CUDA_PLUGIN";

    /// <summary>The plugin's file, which need not be there.</summary>
    public static string Plugin { get; } = typeof(EmulatedGpu).Assembly
        .GetCustomAttributes<AssemblyMetadataAttribute>().Single(attribute => attribute.Key == nameof(EmulatedGpu)).Value!;
}

/// <summary>A test on the emulated GPU; reported as skipped where the native build has none.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class EmulatedGpuFactAttribute : FactAttribute
{
    public EmulatedGpuFactAttribute() => Skip = EmulatedGpuTheoryAttribute.Reason;
}

/// <summary>Such a test of several cases.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class EmulatedGpuTheoryAttribute : TheoryAttribute
{
    public EmulatedGpuTheoryAttribute() => Skip = Reason;

    public static string? Reason { get; } = File.Exists(EmulatedGpu.Plugin)
        ? null
        : $"{EmulatedGpu.Plugin} was not built (target ata_cuda_emulated, on Linux without sanitizers).";
}
