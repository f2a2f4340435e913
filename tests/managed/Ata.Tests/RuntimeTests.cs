using System.Runtime.InteropServices;
using Ata.Bindings;
using Ata.Interop;
using Ata.Tests.Data;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Ata.Tests;

/// <summary>What the whole process shares: memory, threads, the log. No other test runs meanwhile.</summary>
[Collection(nameof(RuntimeTests))]
[CollectionDefinition(nameof(RuntimeTests), DisableParallelization = true)]
public sealed unsafe class RuntimeTests
{
    [Fact]
    public void Diagnose_ReportsWhatIsInstalled()
    {
        RuntimeReport report = AtaRuntime.Diagnose();

        Assert.Null(report.Problem);
        Assert.Equal(AtaRuntime.Version, report.Version);
        Assert.Equal(report.ManagedVersion, report.Version);
        Assert.Equal(NativeMethods.ATA_ABI_VERSION, report.AbiVersion);
        Assert.Equal(AtaRuntime.ThreadCount, report.Threads);
        Assert.True(File.Exists(Assert.Single(report.Attempts, attempt => attempt.Reason is null).Path));
        Assert.NotEmpty(report.Cpu!.VectorTarget);
        Assert.True(Assert.Single(report.Devices, device => device.Name == "cpu").Available);
        Assert.Contains(report.Libraries, library => library is { Name: "oneDNN", Available: true, Version.Length: > 0 });
        Assert.Contains(report.Libraries, library => library is { Name: "ata_video", Available: true, Path.Length: > 0 });
        Assert.True(report.Memory!.PeakBytes >= report.Memory.LiveBytes);
        Assert.Contains("\"managed_version\"", AtaRuntime.ToJson(report));
    }

    [Fact]
    public void Devices_AreThoseOfTheReport()
    {
        IReadOnlyList<DeviceReport> devices = AtaRuntime.Devices;

        DeviceReport cpu = devices[0];
        Assert.Equal("cpu", cpu.Name);
        Assert.True(cpu.Available);
        Assert.NotEmpty(cpu.Description!);
        Assert.Null(cpu.Driver);
        Assert.Null(cpu.Libraries);
        Assert.Null(cpu.Reason);
        Assert.InRange(cpu.Memory!.FreeBytes!.Value, 1, cpu.Memory.TotalBytes!.Value);
        Assert.True(cpu.Memory.PeakBytes >= cpu.Memory.LiveBytes);
        foreach (DeviceReport device in devices.Skip(1))
        {
            Assert.StartsWith("cuda", device.Name);
            Assert.Equal(device.Available, device.Reason is null);
            Assert.Equal(device.Available, device.Memory is not null);
            Assert.Equal(device.Available, device.Libraries is not null);
        }

        // Memory changes from one moment to the next.
        Assert.Equal(devices.Select(d => d with { Memory = null }), AtaRuntime.Diagnose().Devices.Select(d => d with { Memory = null }));
        Assert.Equal(cpu.Memory.TotalBytes, AtaRuntime.Diagnose().Devices[0].Memory!.TotalBytes);
    }

    [Fact]
    public void Memory_IsCountedAndGivenBack()
    {
        long before = AtaRuntime.Diagnose().Memory!.LiveBytes;
        long during;
        using (AtaTensor.Create<byte>(1 << 24))
        {
            during = AtaRuntime.Diagnose().Memory!.LiveBytes;
        }

        Assert.InRange(during - before, 1 << 24, long.MaxValue);
        Assert.InRange(AtaRuntime.Diagnose().Memory!.LiveBytes, 0, during - (1 << 24) + 1024);
    }

    [Fact]
    public void ThreadCount_CanBeSet()
    {
        int before = AtaRuntime.ThreadCount;
        try
        {
            AtaRuntime.ThreadCount = 1;
            Assert.Equal(1, AtaRuntime.ThreadCount);
            Assert.Throws<ArgumentException>(() => AtaRuntime.ThreadCount = -1);
        }
        finally
        {
            AtaRuntime.ThreadCount = before;
        }
    }

    [Fact]
    public void LibraryPath_CannotChangeAfterLoading()
    {
        Assert.NotEmpty(AtaRuntime.Version);
        Assert.Throws<InvalidOperationException>(() => AtaRuntime.LibraryPath = Path.GetFullPath("elsewhere.so"));
    }

    [Fact]
    public void Log_ReachesTheLogger()
    {
        using var folder = new TestFolder();
        string path = folder.In("cut.mkv");
        CutVideo.Write(path);
        var logger = new ListLogger(LogLevel.Debug);
        try
        {
            AtaRuntime.UseLogger(logger);
            VideoReader.Open(path).Dispose();
            AtaRuntime.UseLogger(new ListLogger(LogLevel.Error));
            VideoReader.Open(path).Dispose();
            AtaRuntime.UseLogger(new FailingLogger());
            VideoReader.Open(path).Dispose();
        }
        finally
        {
            AtaRuntime.UseLogger((ILogger?)null);
        }

        VideoReader.Open(path).Dispose();
        (LogLevel level, string message) = Assert.Single(logger.Messages, m => m.Message.Contains(path, StringComparison.Ordinal));
        Assert.Equal(LogLevel.Warning, level);
    }

    [Fact]
    public void Library_OfAnotherLayoutIsRefused()
    {
        nuint count;
        ata_abi_entry* entries = NativeMethods.ata_abi_layout(&count);
        ata_abi_entry[] layout = new ReadOnlySpan<ata_abi_entry>(entries, (int)count).ToArray();
        Assert.Null(NativeAbi.CheckLayout(layout));

        for (int i = 0; i < layout.Length; ++i)
        {
            ata_abi_entry original = layout[i];
            if (original.field_name is null)
            {
                layout[i].size -= 8;
            }
            else
            {
                layout[i].offset += 4;
            }

            Assert.NotNull(NativeAbi.CheckLayout(layout));
            layout[i] = original;
            Assert.NotNull(NativeAbi.CheckLayout([.. layout[..i], .. layout[(i + 1)..]]));
        }

        Assert.Contains("ata_abi_entry", NativeAbi.CheckLayout([]));
    }

    [Fact]
    public void Library_MayKnowMoreThanTheBindings()
    {
        nuint count;
        ata_abi_entry* entries = NativeMethods.ata_abi_layout(&count);
        ata_abi_entry[] layout = new ReadOnlySpan<ata_abi_entry>(entries, (int)count).ToArray();
        fixed (byte* name = "brand_new_field\0"u8)
        {
            for (int i = 0; i < layout.Length; ++i)
            {
                if (layout[i].field_name is not null)
                {
                    continue;
                }

                // One field more at the end: fine, where callers say how much they have.
                ata_abi_entry whole = layout[i];
                string type = Marshal.PtrToStringUTF8((nint)whole.struct_name)!;
                ata_abi_entry added = whole with { field_name = name, offset = whole.size, size = 8 };
                layout[i].size += 8;
                string? difference = NativeAbi.CheckLayout([.. layout, added]);
                if (type == nameof(ata_abi_entry))
                {
                    Assert.Contains(type, difference);
                }
                else
                {
                    Assert.Null(difference);
                }

                // Among those that the bindings pass it would be read from what they do not know.
                layout[i] = whole;
                Assert.Contains("brand_new_field", NativeAbi.CheckLayout([.. layout, added with { offset = whole.size - 4 }]));
            }
        }
    }

    [Fact]
    public void Library_WithoutAFunctionIsRefused()
    {
        Assert.Null(NativeAbi.CheckFunctions(NativeLibraryLoader.Load()));
        Assert.Contains("ata_", NativeAbi.CheckFunctions(NativeLibrary.GetMainProgramHandle()));
    }
    private sealed class ListLogger(LogLevel minimum) : ILogger
    {
        public List<(LogLevel Level, string Message)> Messages { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= minimum;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            lock (Messages)
            {
                Messages.Add((logLevel, formatter(state, exception)));
            }
        }
    }

    private sealed class FailingLogger : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            throw new InvalidOperationException("This logger fails.");
    }
}
