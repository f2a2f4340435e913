using System.CommandLine;
using Ata.Data;

namespace Ata.Cli;

/// <summary>Files that name classes: one on each line, or JSON.</summary>
internal static class LabelFile
{
    public static Option<string> Option() => Options.Input("--labels", "File with the names of the classes, one on each line.");

    /// <summary>Reads the names; null if there is no file.</summary>
    public static string[]? Read(string? path) => ClassNames.Read(path)?.ToArray();
}
