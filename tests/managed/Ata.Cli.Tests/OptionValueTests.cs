using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Text;
using Xunit;

namespace Ata.Cli.Tests;

/// <summary>Tests that call the program itself, whose standard streams are the process's.</summary>
[CollectionDefinition(nameof(InProcess), DisableParallelization = true)]
public sealed class InProcess;

/// <summary>Every option of every verb with values that make no sense. The options are found in the command tree, so that
/// new ones are tested too.</summary>
[Collection(nameof(InProcess))]
public sealed class OptionValueTests : IDisposable
{
    private static readonly string[] s_values =
    [
        "", " ", "-1", "0", "1", "3", "0.5", "1e-300", "-1e300", "1e300", "1e400", "nan", "NaN", "inf", "-inf", "Infinity", "2147483647", "2147483648",
        "-2147483649", "9223372036854775808", "18446744073709551616", "0x10", "1,5", "½", "1x", "x1", "1x1", "99999999999x3", "1x99999999999", "-1x1",
        "auto", "\u001b[31m",
    ];

    private readonly string _folder = Directory.CreateTempSubdirectory("ata-options-").FullName;
    private readonly TextWriter _output = Console.Out;
    private readonly TextWriter _error = Console.Error;

    public static TheoryData<string> Verbs => [.. CommandLine.CreateRoot().Subcommands.Select(verb => verb.Name)];

    public void Dispose()
    {
        Console.SetOut(_output);
        Console.SetError(_error);
        AtaRuntime.ThreadCount = 0;
        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>Whatever is given: an error of one line that names the option as typed, or a value that is taken, and then
    /// the file that does not exist is what fails.</summary>
    [Theory]
    [MemberData(nameof(Verbs))]
    public async Task OptionsWithSenselessValues_AreUsageErrorsOrTaken(string verb)
    {
        Command command = CommandLine.CreateRoot().Subcommands.Single(v => v.Name == verb);
        Option[] options = [.. command.Options.Where(o => o.Name != "--help"), .. CommandLine.CreateRoot().Options.Where(o => o.Recursive && o.Name is not ("--help" or "--version"))];
        Assert.NotEmpty(options);
        int refused = 0;
        foreach (Option option in options)
        {
            if (option.ValueType == typeof(bool))
            {
                continue;
            }

            bool number = IsNumber(option);
            foreach (string value in s_values)
            {
                // Work that would really begin is another test's.
                string[] arguments = [.. Required(command, option), option.Name, value];
                ParseResult parse = CommandLine.CreateRoot().Parse(arguments, new ParserConfiguration { ResponseFileTokenReplacer = null });
                if (parse.Errors.Count == 0 && WouldWork(verb))
                {
                    continue;
                }

                (int code, string output, string error) = await RunAsync(arguments);
                string what = $"{string.Join(' ', arguments)}: exit code {code}: {error}";
                Assert.True(code is 1 or 2 || (code == 0 && verb == "info"), what);
                Assert.DoesNotContain("internal error", error);
                Assert.DoesNotContain("   at ", error);
                Assert.DoesNotContain('\u001b', error);
                if (code == 2)
                {
                    ++refused;
                    Assert.Empty(output);
                    Assert.Single(error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
                    Assert.True(error.StartsWith($"error: {option.Name} ", StringComparison.Ordinal) || !number, what);
                    Assert.True(error.Contains(option.Name, StringComparison.Ordinal), what);
                }
                else if (number && !double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out _) && !value.Contains('x', StringComparison.Ordinal))
                {
                    Assert.Fail($"{what}: that is no number, and it was taken");
                }
            }
        }

        Assert.True(refused > 0);
    }

    /// <summary>No number is without an end: what no machine can hold or do is refused, and not begun.</summary>
    [Theory]
    [MemberData(nameof(Verbs))]
    public void NumbersThatAreNoNumbers_AreRefused(string verb)
    {
        Command command = CommandLine.CreateRoot().Subcommands.Single(v => v.Name == verb);
        foreach (Option option in command.Options.Where(IsNumber))
        {
            foreach (string value in (string[])["", "nan", "inf", "-inf", "-1", "1e400", "-1e300", "18446744073709551616x1"])
            {
                ParseResult parse = CommandLine.CreateRoot().Parse([.. Required(command, option), option.Name, value], new ParserConfiguration { ResponseFileTokenReplacer = null });
                ParseError error = Assert.Single(parse.Errors);
                Assert.Contains($"{option.Name} is '{value}'; it must be", error.Message);
            }
        }
    }

    private static bool IsNumber(Option option) => option.HelpName is "n" or "x" or "CxS";

    // These need no file that could be missing.
    private static bool WouldWork(string verb) => verb is "init" or "synth" or "bench";

    /// <summary>What a verb cannot do without, but for one option; files that do not exist.</summary>
    private string[] Required(Command command, Option but)
    {
        var arguments = new List<string> { command.Name };
        foreach (Argument argument in command.Arguments)
        {
            arguments.Add(Path.Combine(_folder, $"no-{argument.Name}"));
        }

        foreach (Option option in command.Options.Where(o => o.Required && o.Name != but.Name))
        {
            arguments.Add(option.Name);
            arguments.Add(option.Name == "--arch" ? "vit-tiny" : Path.Combine(_folder, "none", $"no{option.Name}"));
        }

        if (command.Name == "bench" && but.Name is not ("--model" or "--arch"))
        {
            arguments.AddRange(["--model", Path.Combine(_folder, "no-model")]);
        }

        if (command.Name is "train" or "eval" or "compare" && but.Name != "--data")
        {
            arguments.AddRange(["--data", Path.Combine(_folder, "no-data")]);
        }

        if (command.Name == "train" && but.Name is not ("--out" or "--resume"))
        {
            arguments.AddRange(["--out", Path.Combine(_folder, "run")]);
        }

        if (command.Name == "align" && but.Name == "--block")
        {
            arguments.AddRange(["--model", Path.Combine(_folder, "no-model")]);
        }

        if (command.Name == "align" && but.Name == "--components")
        {
            arguments.Add("--information");
        }

        return [.. arguments];
    }

    private static async Task<(int Code, string Output, string Error)> RunAsync(string[] arguments)
    {
        var output = new StringWriter(new StringBuilder(), CultureInfo.InvariantCulture);
        var error = new StringWriter(new StringBuilder(), CultureInfo.InvariantCulture);
        Console.SetOut(output);
        Console.SetError(error);
        int code = await CommandLine.RunAsync(arguments);
        return (code, output.ToString(), error.ToString());
    }
}
