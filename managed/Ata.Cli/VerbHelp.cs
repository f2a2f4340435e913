using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace Ata.Cli;

/// <summary>A verb for the parser, with what its help needs.</summary>
/// <param name="name">Its name.</param>
/// <param name="description">What it does.</param>
/// <param name="examples">Whole command lines.</param>
/// <param name="describeDefaults">Completes the options' descriptions by what only the native library knows.</param>
internal sealed class VerbCommand(string name, string description, IReadOnlyList<string> examples, Action describeDefaults) : Command(name, description)
{
    /// <summary>Whole command lines.</summary>
    public IReadOnlyList<string> Examples { get; } = examples;

    /// <summary>Completes the options' descriptions.</summary>
    public void DescribeDefaults() => describeDefaults();
}

/// <summary>Help that knows the native library's defaults and ends with a verb's examples.</summary>
internal sealed class VerbHelp(HelpAction inner) : SynchronousCommandLineAction
{
    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parseResult)
    {
        var verb = parseResult.CommandResult.Command as VerbCommand;
        try
        {
            verb?.DescribeDefaults();
        }
        catch (AtaLibraryException)
        {
            // Help is there without a native library too.
        }

        int code = inner.Invoke(parseResult);
        if (verb is not null)
        {
            TextWriter output = parseResult.InvocationConfiguration.Output;
            output.WriteLine("Examples:");
            foreach (string example in verb.Examples)
            {
                output.WriteLine($"  {example}");
            }

            output.WriteLine();
        }

        return code;
    }
}
