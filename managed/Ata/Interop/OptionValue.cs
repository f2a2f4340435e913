using System.Runtime.CompilerServices;

namespace Ata.Interop;

/// <summary>Options for which C has a value that means "not given", so that null is the only way to say so here.</summary>
internal static class OptionValue
{
    /// <summary>The value, or 0 for null. A 0 that somebody gave is an error, not "not given".</summary>
    public static int PositiveOrZero(int? value, [CallerArgumentExpression(nameof(value))] string? name = null) =>
        value is <= 0
            ? throw new ArgumentOutOfRangeException(name, value, "The value must be at least 1; leave it out for the default.")
            : value ?? 0;

    /// <summary>The value, or 0 for null. A 0 that somebody gave is an error, not "not given".</summary>
    public static float PositiveOrZero(float? value, [CallerArgumentExpression(nameof(value))] string? name = null) =>
        value is null or > 0
            ? value ?? 0
            : throw new ArgumentOutOfRangeException(name, value, "The value must be above 0; leave it out for the default.");

    /// <summary>The value, or <paramref name="absent"/> for null.</summary>
    public static int NotNegativeOr(
        int absent, int? value, [CallerArgumentExpression(nameof(value))] string? name = null) =>
        value is < 0
            ? throw new ArgumentOutOfRangeException(name, value, "The value must not be negative; leave it out for the default.")
            : value ?? absent;
}
