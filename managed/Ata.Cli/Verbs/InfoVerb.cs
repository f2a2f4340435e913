using System.CommandLine;
using System.Globalization;
using Spectre.Console;

namespace Ata.Cli.Verbs;

/// <summary><c>ata info</c>: what is installed and what works.</summary>
internal sealed class InfoVerb : Verb<InfoVerb.Arguments>
{
    private readonly Option<bool> _json = Options.Json();

    public InfoVerb()
        : base("info", "Shows the version, devices, instruction sets, libraries and threads.", "ata info", "ata info --json") => Add(_json);

    /// <summary>What a command line means.</summary>
    internal sealed record Arguments(bool Json);

    public override Arguments Parse(ParseResult parse) => new(parse.GetValue(_json));

    protected override int Run(Arguments arguments, FileGuard files, CancellationToken cancellationToken)
    {
        RuntimeReport report = AtaRuntime.Diagnose();
        if (arguments.Json)
        {
            Console.Out.WriteLine(AtaRuntime.ToJson(report));
        }
        else
        {
            Print(report);
        }

        WarnOfEmulation(report);
        if (report.Problem is null)
        {
            return 0;
        }

        Terminal.WriteError(CommandLine.Describe(new AtaLibraryException(report.Problem)));
        return CommandLine.Failed;
    }

    private static void Print(RuntimeReport report)
    {
        var table = new Table().Border(TableBorder.None).HideHeaders().AddColumn(string.Empty).AddColumn(string.Empty);
        Add(table, "Ata", report.ManagedVersion);
        foreach (LibraryAttempt attempt in report.Attempts)
        {
            Add(table, "native library", attempt.Reason is null ? attempt.Path : $"{attempt.Path}: {attempt.Reason}");
        }

        if (report.Cpu is { } cpu)
        {
            Add(table, "threads", $"{report.Threads}");
            Add(table, "instructions", $"{cpu.VectorTarget} (of {cpu.VectorTargets}); oneDNN {cpu.OnednnIsa}");
            Add(table, "bf16", cpu.NativeBf16 ? "native" : "computed in f32");
        }

        foreach (DeviceReport device in report.Devices)
        {
            Add(table, $"device {device.Name}", device.Available ? Describe(device) : $"not available: {device.Reason}");
        }

        foreach (LibraryReport library in report.Libraries)
        {
            Add(table, library.Name, library.Available
                ? $"{library.Version}{(library.Path is null ? string.Empty : $" ({library.Path})")}: {library.Purpose}"
                : $"not available: {library.Reason}");
        }

        Terminal.Write(table);
    }

    // Nobody may take its results for a GPU's, or its times for anything.
    private static void WarnOfEmulation(RuntimeReport report)
    {
        string? plugin = Environment.GetEnvironmentVariable("ATA_CUDA_PLUGIN");
        foreach (DeviceReport device in report.Devices.Where(d => d.Description?.StartsWith("emulated", StringComparison.Ordinal) == true))
        {
            Terminal.WriteWarning($"device {device.Name} is emulated on the CPU, for tests of the library and not for use: ATA_CUDA_PLUGIN is '{plugin}'.");
        }
    }

    private static string Describe(DeviceReport device)
    {
        string text = device.Description!;
        if (device.Driver is { } driver)
        {
            text += $", driver {driver}";
        }

        if (device.Libraries is { } libraries)
        {
            text += $", {libraries}";
        }

        if (device.Memory?.TotalBytes is { } total)
        {
            text += $", {Gigabytes(total)} of memory";
            if (device.Memory.FreeBytes is { } free)
            {
                text += $", {Gigabytes(free)} free";
            }
        }

        return text;
    }

    private static string Gigabytes(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1L << 30):0.0} GiB");

    private static void Add(Table table, string name, string value) =>
        table.AddRow(Terminal.Cell(name), Terminal.Cell(value));
}
