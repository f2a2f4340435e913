using System.CommandLine;

namespace Ata.Cli;

/// <summary>An option that has a value, and what holds where it is not given: the one default that help shows and that is used.</summary>
/// <typeparam name="T">The value.</typeparam>
/// <param name="name">Its name.</param>
/// <param name="text">The value as it is typed.</param>
internal sealed class ValueOption<T>(string name, Func<T, string> text) : Option<T?>(name)
    where T : struct
{
    private T? _default;

    /// <summary>Sets the default, and says it at the end of the description.</summary>
    /// <param name="value">The default.</param>
    /// <param name="remark">What is to be said of it.</param>
    public ValueOption<T> WithDefault(T value, string remark = "")
    {
        _default = value;
        Description += $" Default {text(value)}{remark}.";
        return this;
    }

    /// <summary>What was given, or else the default.</summary>
    /// <exception cref="InvalidOperationException">It has no default.</exception>
    public T In(ParseResult parse) => parse.GetValue(this) ?? _default ?? throw new InvalidOperationException($"{Name} has no default.");
}
