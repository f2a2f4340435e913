using System.Diagnostics;
using Xunit;

namespace Ata.Tests;

/// <summary>The C# API on the emulated GPU: each check of <see cref="GpuProgram"/> in a process of its own.</summary>
public sealed class GpuTests
{
    public static TheoryData<string> Checks => [.. GpuProgram.Checks.Keys];

    [EmulatedGpuTheory]
    [MemberData(nameof(Checks))]
    public void Api_ComputesOnTheGpuWhatItDoesOnTheCpu(string check)
    {
        var start = new ProcessStartInfo("dotnet", [typeof(GpuProgram).Assembly.Location, check]) { RedirectStandardError = true };
        start.Environment[EmulatedGpu.Variable] = EmulatedGpu.Plugin;
        using Process process = Process.Start(start)!;
        string error = process.StandardError.ReadToEnd();
        process.WaitForExit();

        Assert.True(process.ExitCode == 0, error);
    }
}
