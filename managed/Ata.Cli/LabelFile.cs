using System.CommandLine;

namespace Ata.Cli;

/// <summary>Files with one class name on each line.</summary>
internal static class LabelFile
{
    public static Option<string> Option() => Options.Path("--labels", "File with the names of the classes, one on each line.");

    /// <summary>Reads the names; null if there is no file.</summary>
    public static string[]? Read(string? path)
    {
        if (path is null)
        {
            return null;
        }

        if (!File.Exists(path))
        {
            throw new FileNotFoundException($"{path} does not exist; --labels names a file with one class on each line.", path);
        }

        string[] lines = File.ReadAllLines(path).Select(line => line.Trim()).ToArray();
        int end = Array.FindLastIndex(lines, line => line.Length > 0) + 1;
        int empty = Array.FindIndex(lines, 0, end, line => line.Length == 0);
        return end == 0 || empty >= 0
            ? throw new InvalidDataException($"{path}: line {empty + 1} is empty; every line names a class.")
            : lines[..end];
    }
}
