using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace Ata.Interop;

/// <summary>Where libata is looked for.</summary>
/// <param name="Files">Absolute paths, and last the bare name for the system's places.</param>
/// <param name="NamedBy">What named the only file, such as an environment variable; null if files are searched.</param>
internal sealed record NativeLibraryPlaces(IReadOnlyList<string> Files, string? NamedBy)
{
    /// <summary>What stands for the host among the places.</summary>
    public const string Host = "the host (AssemblyLoadContext)";

    /// <summary>The library's file name on this system.</summary>
    public static string FileName { get; } = OperatingSystem.IsWindows() ? "ata.dll"
        : OperatingSystem.IsMacOS() ? "libata.dylib"
        : "libata.so";

    /// <summary>The system and processor of this process, as packages are named: linux-x64.</summary>
    public static string Platform { get; } =
        (OperatingSystem.IsWindows() ? "win" : OperatingSystem.IsMacOS() ? "osx" : IsMusl ? "linux-musl" : "linux")
        + "-" + RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant();

    /// <summary>Whether the C library is musl, as on Alpine.</summary>
    public static bool IsMusl => RuntimeInformation.RuntimeIdentifier.Contains("musl", StringComparison.Ordinal)
        || RuntimeInformation.RuntimeIdentifier.StartsWith("alpine", StringComparison.Ordinal);

    /// <summary>Whether the host is asked when no file can be used. One that was named stands for itself.</summary>
    public bool AskHost => NamedBy is null;

    /// <summary>The places for this process.</summary>
    /// <param name="explicitPath">The only file to try; null for those that the environment or the search gives.</param>
    /// <exception cref="AtaLibraryException">The environment names a file by a relative path.</exception>
    public static NativeLibraryPlaces Of(string? explicitPath)
    {
        if (explicitPath is not null)
        {
            return new([explicitPath], nameof(AtaRuntime) + "." + nameof(AtaRuntime.LibraryPath));
        }

        if (Environment.GetEnvironmentVariable(AtaRuntime.LibraryPathVariable) is { Length: > 0 } variable)
        {
            return Path.IsPathFullyQualified(variable)
                ? new([variable], "the environment variable " + AtaRuntime.LibraryPathVariable)
                : throw new AtaLibraryException(
                    $"The environment variable {AtaRuntime.LibraryPathVariable} must be the absolute path of a file, not '{variable}': "
                    + "what is in the current directory is never loaded.");
        }

        // Where single-file applications and NuGet's dependency graph put native files.
        IEnumerable<string> known = (AppContext.GetData("NATIVE_DLL_SEARCH_DIRECTORIES") as string ?? string.Empty)
            .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Where(Path.IsPathFullyQualified)
            .Select(folder => Path.Combine(folder, FileName))
            .Where(File.Exists);
        return new([.. Around(AppContext.BaseDirectory).Concat(Around(OwnFolder())).Concat(known).Append(FileName).Distinct()], null);
    }

    // A folder, and what NuGet's layout has below it.
    private static IEnumerable<string> Around(string? folder) => folder is null
        ? []
        : new[] { string.Empty, Runtimes(RuntimeInformation.RuntimeIdentifier), Runtimes(Platform) }
            .Select(below => Path.Combine(folder, below, FileName));

    private static string Runtimes(string platform) => Path.Combine("runtimes", platform, "native");

    // Where Ata.dll lies, which in a plug-in is not where the application does.
    [UnconditionalSuppressMessage("SingleFile", "IL3000", Justification = "Inside a single file there is no such place, and the path is empty.")]
    private static string? OwnFolder() =>
        typeof(NativeLibraryPlaces).Assembly.Location is { Length: > 0 } file ? Path.GetDirectoryName(file) : null;
}
