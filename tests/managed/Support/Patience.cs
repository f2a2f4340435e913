namespace Ata.Tests.Support;

/// <summary>How long a test waits for what must happen, on a machine that may have much else to do.</summary>
internal static class Patience
{
    /// <summary>After it, what was waited for is taken not to happen at all.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromMinutes(5);
}
