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
    private static readonly string[] s_numbers =
    [
        "", " ", "-1", "0", "1", "3", "0.5", "1e-300", "-1e300", "1e300", "1e400", "nan", "NaN", "inf", "-inf", "Infinity", "2147483647", "2147483648",
        "-2147483649", "9223372036854775808", "18446744073709551616", "0x10", "1,5", "½", "1x", "x1", "1x1", "99999999999x3", "1x99999999999", "-1x1",
        "\u001b[31m",
    ];

    private static readonly string[] s_texts = ["", " ", "1e400", "auto", "@file", "\u001b[31m"];

    private static readonly ParserConfiguration s_parsing = new() { ResponseFileTokenReplacer = null };

    private readonly TestFolder _folder = new();
    private readonly TextWriter _output = Console.Out;
    private readonly TextWriter _error = Console.Error;

    public static TheoryData<string> Verbs => [.. CommandLine.CreateRoot().Subcommands.Select(verb => verb.Name)];

    public void Dispose()
    {
        Console.SetOut(_output);
        Console.SetError(_error);
        AtaRuntime.ThreadCount = 0;
        _folder.Dispose();
    }

    /// <summary>Whatever is given: an error of one line that names the option as typed, or a value that is taken, and then
    /// the file that does not exist is what fails.</summary>
    [Theory]
    [MemberData(nameof(Verbs))]
    public async Task OptionsWithSenselessValues_AreUsageErrorsOrTaken(string verb)
    {
        RootCommand root = CommandLine.CreateRoot();
        Command command = root.Subcommands.Single(v => v.Name == verb);
        Option[] options = [.. command.Options.Where(o => o.Name != "--help"), .. root.Options.Where(o => o.Recursive && o.Name is not ("--help" or "--version"))];
        Assert.NotEmpty(options);
        int refused = 0;
        foreach (Option option in options)
        {
            bool flag = option.ValueType == typeof(bool);
            bool said = false;
            foreach (string value in flag ? ["banana"] : IsNumber(option) ? s_numbers : s_texts)
            {
                string[] arguments = flag ? [.. Required(command, option), $"{option.Name}={value}"] : [.. Required(command, option), option.Name, value];
                string what = string.Join(' ', arguments);
                IReadOnlyList<ParseError> errors = root.Parse(arguments, s_parsing).Errors;
                if (errors.Count > 0)
                {
                    ++refused;
                    // What follows an option that is there or not is a word of its own.
                    Assert.True(errors[0].Message.Contains(flag ? value : option.Name, StringComparison.Ordinal), $"{what}: {errors[0].Message}");
                    if (said)
                    {
                        continue;
                    }

                    // How it is said is the same for all of them.
                    said = true;
                }
                else if (verb is "init" or "synth" or "bench")
                {
                    // These need no file that could be missing: the work would begin.
                    continue;
                }
                else if (IsNumber(option) && !double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out _) && value != "1x1")
                {
                    Assert.Fail($"{what}: that is no number, and it was taken");
                }

                (int code, string output, string error) = await RunAsync(arguments);
                what += $": exit code {code}: {error}";
                Assert.True(errors.Count > 0 ? code == 2 : code is 1 or 2 || (code == 0 && verb == "info"), what);
                Assert.DoesNotContain("internal error", error);
                Assert.DoesNotContain("   at ", error);
                Assert.DoesNotContain('\u001b', error);
                if (code == 2)
                {
                    Assert.Empty(output);
                    Assert.Single(error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
                    Assert.True(error.Contains(flag ? value : option.Name, StringComparison.Ordinal), what);
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
        RootCommand root = CommandLine.CreateRoot();
        Command command = root.Subcommands.Single(v => v.Name == verb);
        foreach (Option option in command.Options.Where(IsNumber))
        {
            foreach (string value in (string[])["", "nan", "inf", "-inf", "-1", "1e400", "-1e300", "18446744073709551616x1"])
            {
                ParseResult parse = root.Parse([.. Required(command, option), option.Name, value], s_parsing);
                ParseError error = Assert.Single(parse.Errors);
                Assert.Contains($"{option.Name} is '{value}'; it must be", error.Message);
            }
        }
    }

    private static bool IsNumber(Option option) => option.HelpName is "n" or "x" or "CxS";

    /// <summary>What a verb cannot do without, but for one option; files that do not exist.</summary>
    private string[] Required(Command command, Option but)
    {
        var arguments = new List<string> { command.Name };
        foreach (Argument argument in command.Arguments)
        {
            arguments.Add(_folder.In($"no-{argument.Name}"));
        }

        foreach (Option option in command.Options.Where(o => o.Required && o.Name != but.Name))
        {
            arguments.Add(option.Name);
            arguments.Add(option.Name == "--arch" ? "vit-tiny" : _folder.In($"none/no{option.Name}"));
        }

        if (command.Name == "bench" && but.Name is not ("--model" or "--arch"))
        {
            arguments.AddRange(["--model", _folder.In("no-model")]);
        }

        if (command.Name is "train" or "eval" or "compare" && but.Name != "--data")
        {
            arguments.AddRange(["--data", _folder.In("no-data")]);
        }

        if (command.Name == "train" && but.Name is not ("--out" or "--resume"))
        {
            arguments.AddRange(["--out", _folder.In("run")]);
        }

        if (command.Name == "align" && but.Name is ("--block" or "--precision" or "--temporal" or "--image-size" or "--interpolation"))
        {
            arguments.AddRange(["--model", _folder.In("no-model")]);
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
