using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Parsing;
using Microsoft.Extensions.Logging;

namespace Ata.Cli;

/// <summary>What all verbs share: exit codes, errors of one line, Ctrl-C, threads and the log.</summary>
internal static class CommandLine
{
    /// <summary>Exit code of a job that failed or was cancelled.</summary>
    public const int Failed = 1;

    /// <summary>Exit code of a command line that makes no sense.</summary>
    public const int BadUsage = 2;

    // What a verb may take to save its work after Ctrl-C.
    private static readonly TimeSpan TimeToStop = TimeSpan.FromSeconds(60);

    private static readonly Option<int?> Threads = Options.Positive(
        "--threads", "Threads that one operation uses; all cores if not given.", recursive: true);

    private static readonly Option<bool> Verbose = new("--verbose")
    {
        Description = "Write the native library's log to standard error.",
        Recursive = true,
    };

    /// <summary>Parses and runs.</summary>
    /// <returns>The exit code: 0, <see cref="Failed"/> or <see cref="BadUsage"/>.</returns>
    public static async Task<int> RunAsync(RootCommand root, string[] args)
    {
        root.HelpName = "ata";
        root.Add(Threads);
        root.Add(Verbose);
        foreach (HelpOption help in root.Options.OfType<HelpOption>())
        {
            help.Action = new HelpWithExamples((HelpAction)help.Action!);
        }

        ParseResult command = root.Parse(args);
        if (command.Errors.Count > 0)
        {
            Command verb = command.CommandResult.Command;
            string problem = verb != root ? OneLine(command.Errors[0].Message)
                : command.UnmatchedTokens.Count > 0 ? $"There is no verb '{command.UnmatchedTokens[0]}'."
                : "A verb is missing.";
            Terminal.WriteError($"{problem} Try 'ata{(verb == root ? string.Empty : $" {verb.Name}")} --help'.");
            return BadUsage;
        }

        if (UnknownOption(command) is { } option)
        {
            Terminal.WriteError($"There is no option '{option}'. Try 'ata {command.CommandResult.Command.Name} --help'.");
            return BadUsage;
        }

        try
        {
            return await command.InvokeAsync(new InvocationConfiguration
            {
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = TimeToStop,
            });
        }
        catch (Exception error)
        {
            Terminal.WriteError(Describe(error));
            return error is UsageException ? BadUsage : Failed;
        }
    }

    /// <summary>Gives a verb its work, which runs off the main thread so that Ctrl-C is heard.</summary>
    /// <param name="command">The verb.</param>
    /// <param name="work">The work; it returns the exit code.</param>
    public static void SetWork(this Command command, Func<ParseResult, CancellationToken, int> work) =>
        command.SetAction((parse, cancellationToken) => Task.Run(
            () =>
            {
                if (parse.GetValue(Threads) is { } threads)
                {
                    AtaRuntime.ThreadCount = threads;
                }

                try
                {
                    AtaRuntime.UseLogger(parse.GetValue(Verbose) ? new ErrorStreamLogger() : new WarningLogger());
                }
                catch (AtaLibraryException)
                {
                    // There is no native library: what the verb calls first says so, or the verb needs none.
                }

                return work(parse, cancellationToken);
            },
            CancellationToken.None));

    /// <summary>Says in one line what went wrong.</summary>
    public static string Describe(Exception error)
    {
        string message = error switch
        {
            OperationCanceledException => "cancelled",
            AggregateException { InnerException: { } inner } => Describe(inner),
            // Without .NET's " (Parameter 'x')", which means nothing to somebody at a terminal.
            ArgumentException { ParamName: { Length: > 0 } name } =>
                error.Message.Split('\n')[0].Replace($" (Parameter '{name}')", string.Empty, StringComparison.Ordinal),
            _ when IsExpected(error) => error.Message,
            _ => $"internal error, please report it: {error.GetType().Name}: {error.Message}",
        };
        return OneLine(message);
    }

    // The parser takes an option that it does not know for one more file. Files of such a name follow a '--'.
    private static string? UnknownOption(ParseResult command) =>
        command.Tokens
            .TakeWhile(token => token.Type != TokenType.DoubleDash)
            .FirstOrDefault(token => token.Type == TokenType.Argument
                && token.Value.StartsWith("--", StringComparison.Ordinal))
            ?.Value;

    private static bool IsExpected(Exception error) =>
        error is UsageException or AtaException or IOException or UnauthorizedAccessException or NotSupportedException
            or ArgumentException or InsufficientMemoryException or KeyNotFoundException or FormatException
            or Data.DatasetException;

    private static string OneLine(string text) =>
        string.Join(' ', text.Split(['\r', '\n'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));

    private sealed class ErrorStreamLogger : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Console.Error.WriteLine($"{logLevel.ToString().ToLowerInvariant()}: {formatter(state, exception)}");
    }
}

/// <summary>Options that contradict each other.</summary>
/// <param name="message">Which, and how to remedy it.</param>
internal sealed class UsageException(string message) : Exception(message);
