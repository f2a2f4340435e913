using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Parsing;
using Ata.Bindings;
using Ata.Cli.Verbs;
using Ata.Interop;
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

    private static readonly Option<int?> Threads = Options.Whole(
        "--threads", "Threads that one operation uses. Default: the environment's ATA_NUM_THREADS or OMP_NUM_THREADS, or all cores.", most: NativeMethods.ATA_MAX_THREADS, recursive: true);

    private static readonly Option<bool> Verbose = new("--verbose")
    {
        Description = "Write the native library's log to standard error.",
        Recursive = true,
    };

    // '@clip.mp4' is the name of a file like another, and not of a file with more arguments.
    private static readonly ParserConfiguration Parsing = new() { ResponseFileTokenReplacer = null };

    /// <summary>All verbs, and the options that they share.</summary>
    public static RootCommand CreateRoot()
    {
        var root = new RootCommand("Recognises actions in video with Alignment-guided Temporal Attention.")
        {
            new InfoVerb().Command,
            new ImportVerb().Command,
            new InitVerb().Command,
            new PredictVerb().Command,
            new SampleVerb().Command,
            new ForwardVerb().Command,
            new AlignVerb().Command,
            new BenchVerb().Command,
            new TrainVerb().Command,
            new EvalVerb().Command,
            new CompareVerb().Command,
            new SynthVerb().Command,
        };
        root.HelpName = "ata";
        root.Add(Threads);
        root.Add(Verbose);
        foreach (HelpOption help in root.Options.OfType<HelpOption>())
        {
            help.Action = new VerbHelp((HelpAction)help.Action!);
        }

        return root;
    }

    /// <summary>Parses and runs.</summary>
    /// <returns>The exit code: 0, <see cref="Failed"/> or <see cref="BadUsage"/>.</returns>
    public static async Task<int> RunAsync(string[] args, CancellationToken cancellationToken = default)
    {
        RootCommand root = CreateRoot();
        ParseResult? command = null;
        try
        {
            command = root.Parse(args, Parsing);
            if (Problem(root, command) is { } problem)
            {
                Terminal.WriteError(problem);
                return BadUsage;
            }

            var invocation = new InvocationConfiguration
            {
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = TimeToStop,
            };
            return await command.InvokeAsync(invocation, cancellationToken);
        }
        catch (Exception error) when (command is not null && AsUsage(command, error) is { } usage)
        {
            Terminal.WriteError(usage);
            return BadUsage;
        }
        catch (Exception error)
        {
            Terminal.WriteError(Describe(error));
            return Failed;
        }
    }

    /// <summary>What makes no sense of what was typed, or null.</summary>
    private static string? Problem(RootCommand root, ParseResult command)
    {
        Command verb = command.CommandResult.Command;
        if (command.Errors.Count > 0)
        {
            string problem = verb != root ? OneLine(command.Errors[0].Message)
                : command.UnmatchedTokens.Count > 0 ? $"There is no verb '{command.UnmatchedTokens[0]}'."
                : "A verb is missing.";
            return $"{problem} Try 'ata{(verb == root ? string.Empty : $" {verb.Name}")} --help'.";
        }

        return UnknownOption(command) is { } option ? $"There is no option '{option}'. Try 'ata {verb.Name} --help'." : null;
    }

    /// <summary>Gives a verb its work, which runs off the main thread so that Ctrl-C is heard.</summary>
    /// <param name="command">The verb.</param>
    /// <param name="work">The work; it tells the guard of files that are not on the command line, and returns the exit code.</param>
    public static void SetWork(this Command command, Func<ParseResult, FileGuard, CancellationToken, int> work) =>
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

                return work(parse, FileGuard.Of(parse), cancellationToken);
            },
            CancellationToken.None));

    /// <summary>Says in one line what went wrong.</summary>
    public static string Describe(Exception error)
    {
        string message = error switch
        {
            OperationCanceledException => "cancelled",
            AggregateException { InnerException: { } inner } => Describe(inner),
            ArgumentException argument => MessageOf(argument),
            // The message of .NET's own exception says neither of what nor why.
            OutOfMemoryException and not InsufficientMemoryException => "out of memory",
            _ when IsExpected(error) => error.Message,
            _ => $"internal error, please report it: {error.GetType().Name}: {error.Message}",
        };
        return OneLine(message);
    }

    /// <summary>What is wrong with the command line, if that is what an exception is about.</summary>
    private static string? AsUsage(ParseResult command, Exception error) => error switch
    {
        UsageException => OneLine(error.Message),
        AggregateException { InnerException: { } inner } => AsUsage(command, inner),
        ArgumentException argument when OptionNames.Explain(command, MessageOf(argument)) is { } explained => OneLine(explained),
        _ => null,
    };

    // Without .NET's " (Parameter 'x')" and what follows, which mean nothing to somebody at a terminal.
    private static string MessageOf(ArgumentException error)
    {
        int end = error.ParamName is { Length: > 0 } name ? error.Message.LastIndexOf($" (Parameter '{name}')", StringComparison.Ordinal) : -1;
        return end < 0 ? error.Message : error.Message[..end];
    }

    // The parser takes an option that it does not know for one more file. Files of such a name follow a '--'.
    private static string? UnknownOption(ParseResult command) =>
        command.Tokens
            .TakeWhile(token => token.Type != TokenType.DoubleDash)
            .FirstOrDefault(token => token.Type == TokenType.Argument
                && token.Value.StartsWith("--", StringComparison.Ordinal))
            ?.Value;

    private static bool IsExpected(Exception error) =>
        error is UsageException or AtaException or IOException or InvalidDataException or UnauthorizedAccessException
            or NotSupportedException or InsufficientMemoryException or KeyNotFoundException or FormatException
            or Data.DatasetException;

    private static string OneLine(string text) => PrintableText.Of(
        string.Join(' ', text.Split(['\r', '\n'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)));

    private sealed class ErrorStreamLogger : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Terminal.WriteNote($"{logLevel.ToString().ToLowerInvariant()}: {formatter(state, exception)}");
    }
}

/// <summary>Options that contradict each other.</summary>
/// <param name="message">Which, and how to remedy it.</param>
internal sealed class UsageException(string message) : Exception(message);
