using Spectre.Console;

namespace Ata.Cli;

/// <summary>What people see: results on standard output; errors and progress on standard error.</summary>
internal static class Terminal
{
    private static readonly IAnsiConsole Error = AnsiConsole.Create(
        new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });

    /// <summary>Where results go.</summary>
    public static IAnsiConsole Output { get; } = CreateOutput();

    /// <summary>Writes a line beginning with <c>error:</c>.</summary>
    public static void WriteError(string message) => Console.Error.WriteLine($"error: {message}");

    /// <summary>Runs work under a progress bar, if somebody is watching.</summary>
    /// <param name="description">What is being done.</param>
    /// <param name="total">Number of steps.</param>
    /// <param name="work">The work; it reports how many steps are done.</param>
    public static T WithProgress<T>(string description, int total, Func<IProgress<int>, T> work)
    {
        if (Console.IsErrorRedirected || total < 2 || !Error.Profile.Capabilities.Interactive)
        {
            return work(new Steps(_ => { }));
        }

        return Error.Progress()
            .AutoClear(true)
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
            .Start(context =>
            {
                ProgressTask task = context.AddTask(Markup.Escape(description), maxValue: total);
                return work(new Steps(done => task.Value = done));
            });
    }

    private static IAnsiConsole CreateOutput()
    {
        if (!Console.IsOutputRedirected)
        {
            return AnsiConsole.Console;
        }

        // A program or a file reads it: no colours, and lines are not broken.
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = AnsiSupport.No,
            ColorSystem = ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.No,
        });
        console.Profile.Width = 10_000;
        return console;
    }

    // Reports at once and in order, unlike Progress<T>.
    private sealed class Steps(Action<int> report) : IProgress<int>
    {
        public void Report(int value) => report(value);
    }
}
