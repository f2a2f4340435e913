using System.CommandLine;

namespace Ata.Cli.Verbs;

/// <summary>A verb of the command line. Its fields declare its options, <see cref="Parse"/> makes of what was typed what it
/// means, and <see cref="Run"/> does it.</summary>
/// <typeparam name="TArguments">What a command line means.</typeparam>
internal abstract class Verb<TArguments>
{
    /// <summary>Makes a verb without options.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="description">What it does.</param>
    /// <param name="examples">Whole command lines.</param>
    protected Verb(string name, string description, params string[] examples)
    {
        Command = new VerbCommand(name, description, examples, DescribeDefaultsOfTheLibrary);
        Command.SetWork((parse, files, cancellationToken) => Run(Parse(parse), files, cancellationToken));
    }

    /// <summary>The verb for the parser.</summary>
    public Command Command { get; }

    /// <summary>Makes of a command line without errors what it means, defaults included.</summary>
    /// <exception cref="UsageException">It contradicts itself.</exception>
    public abstract TArguments Parse(ParseResult parse);

    /// <summary>Does the work.</summary>
    /// <param name="arguments">What is to be done.</param>
    /// <param name="files">Told of files that are not on the command line.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <returns>The exit code.</returns>
    protected abstract int Run(TArguments arguments, FileGuard files, CancellationToken cancellationToken);

    /// <summary>Adds options, in the order in which help lists them.</summary>
    protected void Add(params IEnumerable<Option> options)
    {
        foreach (Option option in options)
        {
            Command.Add(option);
        }
    }

    /// <summary>Completes descriptions by defaults that only the native library knows. Called when help is asked for, which
    /// shows them only where there is a native library.</summary>
    protected virtual void DescribeDefaultsOfTheLibrary()
    {
    }
}
