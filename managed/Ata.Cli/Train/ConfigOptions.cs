using System.CommandLine;

namespace Ata.Cli.Train;

/// <summary>Options of the command line that change a configuration: what is given overrides what a file says.</summary>
internal sealed class ConfigOptions
{
    private readonly List<(Option Option, Func<ParseResult, RunConfig, RunConfig> Apply)> _options = [];

    /// <summary>All of them, in the order of help.</summary>
    public IEnumerable<Option> All => _options.Select(o => o.Option);

    /// <summary>Adds an option of a value type.</summary>
    public void Add<T>(Option<T?> option, Func<RunConfig, T, RunConfig> apply)
        where T : struct => _options.Add((option, (parse, config) => parse.GetValue(option) is { } value ? apply(config, value) : config));

    /// <summary>Adds an option of text.</summary>
    public void Add(Option<string> option, Func<RunConfig, string, RunConfig> apply) =>
        _options.Add((option, (parse, config) => parse.GetValue(option) is { } value ? apply(config, value) : config));

    /// <summary>Adds an option that is there or not.</summary>
    public void Add(string name, string description, Func<RunConfig, RunConfig> apply)
    {
        var option = new Option<bool>(name) { Description = description };
        _options.Add((option, (parse, config) => parse.GetValue(option) ? apply(config) : config));
    }

    /// <summary>The first of the options that was given, or null.</summary>
    public Option? FirstGiven(ParseResult parse) => All.FirstOrDefault(o => parse.GetResult(o) is { Implicit: false });

    /// <summary>Applies what was given.</summary>
    public RunConfig Applied(ParseResult parse, RunConfig config) =>
        _options.Aggregate(config, (changed, option) => option.Apply(parse, changed));
}
