using System.CommandLine;

namespace Ata.Cli.Train;

/// <summary>Options of the command line that change a configuration: what is given overrides what a file says.</summary>
/// <param name="command">The verb that gets the options.</param>
internal sealed class ConfigOptions(Command command)
{
    private readonly List<(Option Option, Func<ParseResult, RunConfig, RunConfig> Apply)> _options = [];

    /// <summary>Adds an option of a value type.</summary>
    public void Add<T>(Option<T?> option, Func<RunConfig, T, RunConfig> apply)
        where T : struct
    {
        command.Add(option);
        _options.Add((option, (parse, config) => parse.GetValue(option) is { } value ? apply(config, value) : config));
    }

    /// <summary>Adds an option of text.</summary>
    public void Add(Option<string> option, Func<RunConfig, string, RunConfig> apply)
    {
        command.Add(option);
        _options.Add((option, (parse, config) => parse.GetValue(option) is { } value ? apply(config, value) : config));
    }

    /// <summary>Adds an option that is there or not.</summary>
    public void Add(string name, string description, Func<RunConfig, RunConfig> apply)
    {
        var option = new Option<bool>(name) { Description = description };
        command.Add(option);
        _options.Add((option, (parse, config) => parse.GetValue(option) ? apply(config) : config));
    }

    /// <summary>The first of the options that was given, or null.</summary>
    public Option? FirstGiven(ParseResult parse) => _options.Select(o => o.Option).FirstOrDefault(o => parse.GetResult(o) is { Implicit: false });

    /// <summary>Applies what was given.</summary>
    public RunConfig Apply(ParseResult parse, RunConfig config) =>
        _options.Aggregate(config, (changed, option) => option.Apply(parse, changed));
}
