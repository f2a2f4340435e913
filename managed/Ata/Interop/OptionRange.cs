using System.Runtime.CompilerServices;

namespace Ata.Interop;

/// <summary>Checks of options, whose exceptions name the option and say what is valid.</summary>
internal static class OptionRange
{
    /// <summary>Demands a whole number within limits.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is outside.</exception>
    public static void Check(
        long value, long least, long most, [CallerArgumentExpression(nameof(value))] string? name = null)
    {
        if (value < least || value > most)
        {
            throw Wrong(
                name, value, most is int.MaxValue or long.MaxValue ? FormattableString.Invariant($"at least {least}") : FormattableString.Invariant($"from {least} to {most}"));
        }
    }

    /// <summary>Demands a number within limits, which NaN is not.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is outside.</exception>
    public static void Check(
        double value, double least, double most, [CallerArgumentExpression(nameof(value))] string? name = null)
    {
        if (!(value >= least && value <= most && double.IsFinite(value)))
        {
            throw Wrong(
                name, value, double.IsInfinity(most) ? FormattableString.Invariant($"at least {least}") : FormattableString.Invariant($"from {least} to {most}"));
        }
    }

    /// <summary>Demands a number above 0, which NaN and infinity are not.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is not.</exception>
    public static void CheckPositive(
        double value, double most = double.PositiveInfinity, [CallerArgumentExpression(nameof(value))] string? name = null)
    {
        if (!(value > 0 && value <= most && double.IsFinite(value)))
        {
            throw Wrong(name, value, double.IsInfinity(most) ? "above 0" : FormattableString.Invariant($"above 0 and at most {most}"));
        }
    }

    /// <summary>Demands a member of an enumeration.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is none.</exception>
    public static void Check<T>(T value, [CallerArgumentExpression(nameof(value))] string? name = null)
        where T : struct, Enum
    {
        if (!Enum.IsDefined(value))
        {
            throw Wrong(name, value, $"one of {string.Join(", ", Enum.GetNames<T>())}");
        }
    }

    private static ArgumentOutOfRangeException Wrong(string? name, object value, string rule) =>
        new(name, value, FormattableString.Invariant($"{name} is {value}; it must be {rule}."));
}
