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

    // What throws here comes out of the call that needed the library, and the next call tries again.
    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? searchPath) =>
        name == LibraryName ? Load() : 0;

    private static nint Find(List<LibraryAttempt> attempts)
    {
        NativeLibraryPlaces places = NativeLibraryPlaces.Of(_explicitPath);
        foreach (string candidate in places.Files)
        {
            if (Accept(candidate, Open(candidate, out string? reason), reason, attempts) is var library and not 0)
            {
                return library;
            }
        }

        // A host may have places of its own: plug-ins' load contexts, notebooks.
        if (places.AskHost)
        {
            nint given = NativeLibrary.TryLoad(LibraryName, typeof(NativeMethods).Assembly, DllImportSearchPath.SafeDirectories, out nint handle)
                ? handle
                : 0;
            string? reason = given == 0 ? "it gives none"
                : NativeAbi.IsAta(given) ? null
                : "what it gives is not the native library of Ata";
            if (reason is not null && given != 0)
            {
                NativeLibrary.Free(given);
                given = 0;
            }

            if (Accept(NativeLibraryPlaces.Host, given, reason, attempts) is var library and not 0)
            {
                return library;
            }
        }

        throw new AtaLibraryException(NativeLibraryProblem.Describe(places, attempts));
    }

    // Notes an attempt, and refuses a library of another version: it is a broken installation, not a reason to look elsewhere.
    private static nint Accept(string place, nint library, string? reason, List<LibraryAttempt> attempts)
    {
        string? mismatch = library == 0 ? null : NativeAbi.Check(library);
        attempts.Add(new LibraryAttempt(place, reason ?? mismatch));
        if (mismatch is not null)
        {
            NativeLibrary.Free(library);
            throw new AtaLibraryException($"{place} does not belong to this version of Ata: {mismatch}.");
        }

        return library;
    }

    private static nint Open(string path, out string? reason)
    {
        reason = Path.IsPathRooted(path) ? NativeLibraryProblem.OfFile(path) : null;
        if (reason is not null)
        {
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
            reason = NativeLibraryProblem.OfLoader(error.Message);
            return 0;
        }
    }
}
