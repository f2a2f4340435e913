using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Ata.Bindings;

namespace Ata.Interop;

/// <summary>
/// Finds libata, checks that it belongs to these bindings, and remembers where it was looked for.
/// </summary>
internal static class NativeLibraryLoader
{
    private const string LibraryName = "ata";

    private static readonly Lock Gate = new();
    private static IReadOnlyList<LibraryAttempt> _attempts = [];
    private static string? _explicitPath;
    private static nint _library;

    /// <summary>The file to load instead of searching; null to search.</summary>
    public static string? ExplicitPath
    {
        get
        {
            lock (Gate)
            {
                return _explicitPath;
            }
        }

        set
        {
            lock (Gate)
            {
                if (_library != 0)
                {
                    throw new InvalidOperationException(
                        "The native library is already loaded; set its path before anything else of Ata is used.");
                }

                if (value is not null && !Path.IsPathFullyQualified(value))
                {
                    throw new ArgumentException(
                        $"The path of the native library must be absolute, not '{value}': what is in the current directory is never loaded.",
                        nameof(value));
                }

                _explicitPath = value;
            }
        }
    }

    /// <summary>Where the library was looked for so far.</summary>
    public static IReadOnlyList<LibraryAttempt> Attempts
    {
        get
        {
            lock (Gate)
            {
                return _attempts;
            }
        }
    }

    [ModuleInitializer]
    [SuppressMessage("Usage", "CA2255", Justification = "Must precede the first P/Invoke, whichever that is.")]
    internal static void Register() =>
        NativeLibrary.SetDllImportResolver(typeof(NativeMethods).Assembly, Resolve);

    /// <summary>Loads the library if that has not happened yet.</summary>
    /// <exception cref="AtaLibraryException">It cannot be loaded, or does not belong to these bindings.</exception>
    public static nint Load()
    {
        lock (Gate)
        {
            if (_library == 0)
            {
                var attempts = new List<LibraryAttempt>();
                _attempts = attempts;
                _library = Find(attempts);
            }

            return _library;
        }
    }

    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? searchPath) =>
        name == LibraryName ? Load() : 0;

    private static nint Find(List<LibraryAttempt> attempts)
    {
        foreach (string candidate in Candidates())
        {
            nint library = Open(candidate, out string? reason);
            string? mismatch = library == 0 ? null : NativeAbi.Check(library);
            attempts.Add(new LibraryAttempt(candidate, reason ?? mismatch));
            if (mismatch is not null)
            {
                // A library of another version is a broken installation, not a reason to look elsewhere.
                NativeLibrary.Free(library);
                throw new AtaLibraryException($"{candidate} does not belong to this version of Ata: {mismatch}.");
            }

            if (library != 0)
            {
                return library;
            }
        }

        string tried = string.Join("; ", attempts.Select(a => $"{a.Path} ({a.Reason})"));
        throw new AtaLibraryException(
            $"The native library of Ata cannot be loaded. Install the package Ata.Native.{RuntimeInformation.RuntimeIdentifier}, "
            + $"or name the file in the environment variable {AtaRuntime.LibraryPathVariable}. Tried: {tried}");
    }

    private static IEnumerable<string> Candidates()
    {
        if (_explicitPath is not null)
        {
            return [_explicitPath];
        }

        if (Environment.GetEnvironmentVariable(AtaRuntime.LibraryPathVariable) is { Length: > 0 } variable)
        {
            return Path.IsPathFullyQualified(variable)
                ? [variable]
                : throw new AtaLibraryException(
                    $"The environment variable {AtaRuntime.LibraryPathVariable} must be the absolute path of a file, not '{variable}': "
                    + "what is in the current directory is never loaded.");
        }

        string file = OperatingSystem.IsWindows() ? $"{LibraryName}.dll"
            : OperatingSystem.IsMacOS() ? $"lib{LibraryName}.dylib"
            : $"lib{LibraryName}.so";
        string application = AppContext.BaseDirectory;

        // Where single-file applications and NuGet's dependency graph put native files.
        IEnumerable<string> folders =
            (AppContext.GetData("NATIVE_DLL_SEARCH_DIRECTORIES") as string ?? string.Empty)
            .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
        IEnumerable<string> existing = folders
            .Where(Path.IsPathFullyQualified)
            .Select(folder => Path.Combine(folder, file))
            .Where(File.Exists);
        return new[]
            {
                Path.Combine(application, file),
                Path.Combine(application, "runtimes", RuntimeInformation.RuntimeIdentifier, "native", file),
            }
            .Concat(existing)
            .Append(file)
            .Distinct();
    }

    private static nint Open(string path, out string? reason)
    {
        reason = null;
        if (Path.IsPathRooted(path) && !File.Exists(path))
        {
            reason = "no such file";
            return 0;
        }

        try
        {
            // A bare name is for the system's places; Windows would begin with the current directory.
            nint library = Path.IsPathRooted(path)
                ? NativeLibrary.Load(path)
                : NativeLibrary.Load(path, typeof(NativeLibraryLoader).Assembly, DllImportSearchPath.SafeDirectories);
            if (NativeAbi.IsAta(library))
            {
                return library;
            }

            // On Windows, Ata.dll itself is one such file.
            NativeLibrary.Free(library);
            reason = "it is not the native library of Ata";
            return 0;
        }
        catch (Exception error) when (error is DllNotFoundException or BadImageFormatException)
        {
            reason = Reason(error.Message);
            return 0;
        }
    }

    // .NET's message goes on about environment variables; the loader's own words name the library that is missing.
    private static string Reason(string message)
    {
        string[] lines = message.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return lines.FirstOrDefault(line => line.Contains(".so", StringComparison.Ordinal) && line.Contains(": ", StringComparison.Ordinal)
            && !line.StartsWith("Unable", StringComparison.Ordinal)) ?? lines[0];
    }
}
