using System.Runtime.CompilerServices;

namespace Ata.Interop;

/// <summary>Options that C writes as 0 for "not given".</summary>
internal static class OptionValue
{
    /// <summary>The value, or 0 for null. A 0 that somebody gave is an error, not "not given".</summary>
    public static int PositiveOrZero(int? value, [CallerArgumentExpression(nameof(value))] string? name = null) =>
        value is <= 0
            ? throw new ArgumentOutOfRangeException(name, value, "The value must be at least 1; leave it out for the default.")
            : value ?? 0;
}
