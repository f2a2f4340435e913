using Xunit;

namespace Ata.Cli.Tests.Explorer;

/// <summary>A browser that is installed.</summary>
internal static class Chromium
{
    private static readonly string[] s_names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

    /// <summary>The program; null if there is none.</summary>
    public static string? Program { get; } =
        s_names.SelectMany(name => (Environment.GetEnvironmentVariable("PATH") ?? string.Empty)
                .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
                .Select(folder => Path.Combine(folder, OperatingSystem.IsWindows() ? $"{name}.exe" : name)))
            .FirstOrDefault(File.Exists);
}

/// <summary>A test in a browser; reported as skipped where there is none.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class ChromiumTheoryAttribute : TheoryAttribute
{
    public ChromiumTheoryAttribute()
    {
        if (Chromium.Program is null)
        {
            Skip = "Chromium is not on the PATH (Debian: apt-get install chromium), so that nobody has tried the page.";
        }
    }
}
