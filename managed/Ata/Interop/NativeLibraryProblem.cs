using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;

namespace Ata.Interop;

/// <summary>Tells why libata cannot be loaded, and what to do about it.</summary>
internal static partial class NativeLibraryProblem
{
    private const string Absent = "no such file";

    /// <summary>Why a file cannot be a library of this process; null if it may be one.</summary>
    /// <param name="path">An absolute path.</param>
    public static string? OfFile(string path)
    {
        if (!File.Exists(path))
        {
            return Absent;
        }

        if (!OperatingSystem.IsLinux())
        {
            return null;
        }

        // The system's loader calls a file of another processor missing.
        Span<byte> header = stackalloc byte[20];
        try
        {
            using FileStream file = File.OpenRead(path);
            if (file.ReadAtLeast(header, header.Length, throwOnEndOfStream: false) < header.Length || !header.StartsWith("\u007fELF"u8))
            {
                return "it is no library of Linux";
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return "it cannot be read: " + error.Message;
        }

        string processor = BinaryPrimitives.ReadUInt16LittleEndian(header[18..]) switch
        {
            3 => "x86",
            40 => "arm",
            62 => "x64",
            183 => "arm64",
            243 => "riscv64",
            var other => $"processor {other}",
        };
        string own = RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant();
        return processor == own ? null : $"it is for {processor}, and this process is {own}";
    }

    /// <summary>What the system's loader said, without .NET's advice around it.</summary>
    /// <param name="message">The message of .NET's exception.</param>
    public static string OfLoader(string message)
    {
        // The loader's own words name the library that is missing.
        string[] lines = message.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return lines.FirstOrDefault(line => line.Contains(".so", StringComparison.Ordinal) && line.Contains(": ", StringComparison.Ordinal)
            && !line.StartsWith("Unable", StringComparison.Ordinal)) ?? lines[0];
    }

    /// <summary>One line: what is wrong, the remedy, and each place that was tried.</summary>
    /// <param name="places">Where the library was looked for.</param>
    /// <param name="attempts">What came of it.</param>
    public static string Describe(NativeLibraryPlaces places, IReadOnlyList<LibraryAttempt> attempts)
    {
        // A file that is there tells more than those that are not.
        LibraryAttempt? found = attempts.FirstOrDefault(a => Path.IsPathRooted(a.Path) && a.Reason != Absent);
        string problem = found is not null ? OfFound(found)
            : places.NamedBy is not null ? OfNamed(places.NamedBy, places.Files[0])
            : $"The native library of Ata, {NativeLibraryPlaces.FileName}, is not there. {Remedy()}";
        return $"{problem} Tried: {string.Join("; ", attempts.Select(a => $"{a.Path} ({a.Reason})"))}";
    }

    private static string OfNamed(string by, string path) => Directory.Exists(path)
        ? $"{by} names '{path}', which is a folder: name the file in it, {Path.Combine(path, NativeLibraryPlaces.FileName)}."
        : $"{by} names '{path}', which does not exist: correct it, or leave it out to search.";

    private static string OfFound(LibraryAttempt attempt)
    {
        string reason = attempt.Reason!;
        if (MissingDependency().Match(reason) is { Success: true } missing && missing.Groups[1].Value != attempt.Path)
        {
            return $"'{attempt.Path}' is there, but not {missing.Groups[1].Value}, which it needs: install that, or use {Carrier()}.";
        }

        if (OldSystem().Match(reason) is { Success: true } version)
        {
            return $"'{attempt.Path}' was built for a newer system, with {version.Groups[1].Value}: build Ata on this one, or use {Carrier()}.";
        }

        return reason.StartsWith("it is for ", StringComparison.Ordinal)
            ? $"'{attempt.Path}' cannot be used: {reason}. {Remedy()}"
            : $"The native library of Ata cannot be loaded from '{attempt.Path}': {reason}. {Remedy()}";
    }

    private static string Carrier() => NativeLibraryPlaces.Platform == "linux-x64"
        ? "the one of the package Ata.Native.linux-x64, which needs glibc alone"
        : "one that was built on a system like this";

    private static string Remedy() => NativeLibraryPlaces.Platform switch
    {
        "linux-x64" => "Add the package Ata.Runtime (or Ata.Native.linux-x64 alone), "
            + $"or name the file in the environment variable {AtaRuntime.LibraryPathVariable}.",
        _ => $"There is no package for {NativeLibraryPlaces.Platform}: build Ata from its sources there, "
            + $"and name the file in the environment variable {AtaRuntime.LibraryPathVariable}.",
    };

    [GeneratedRegex(@"^(?:Error loading shared library )?(\S+?): (?:cannot open shared object file: )?No such file or directory")]
    private static partial Regex MissingDependency();

    [GeneratedRegex(@"version [`'](G[A-Z]+_[0-9.]+)' not found")]
    private static partial Regex OldSystem();
}
