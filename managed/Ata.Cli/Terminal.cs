using System.Runtime.CompilerServices;
using Ata.Interop;
using Spectre.Console;

namespace Ata.Cli;

/// <summary>What people see: results on standard output; errors and progress on standard error. Names of files and classes
/// may hold anything: what a terminal would act upon is shown as <c>\x1b</c> and the like.</summary>
internal static class Terminal
{
    private static readonly IAnsiConsole Error = AnsiConsole.Create(
        new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });

    private static readonly IAnsiConsole Output = CreateOutput();

    /// <summary>Writes a line beginning with <c>error:</c>.</summary>
    public static void WriteError(string message) => WriteNote($"error: {message}");

    /// <summary>Writes a line beginning with <c>warning:</c>.</summary>
    public static void WriteWarning(string message) => WriteNote($"warning: {message}");

    /// <summary>Writes a line to standard error.</summary>
    public static void WriteNote(string message) => Console.Error.WriteLine(PrintableText.Of(message));

    /// <summary>Writes a line of a result.</summary>
    /// <param name="line">Text with markup; what is put into it is shown as it is.</param>
    public static void WriteLine(FormattableString line) => Output.MarkupLineInterpolated(
        System.Globalization.CultureInfo.InvariantCulture,
        FormattableStringFactory.Create(line.Format, Array.ConvertAll(line.GetArguments(), a => a is string text ? PrintableText.Of(text) : a)));

    /// <summary>Writes a table of a result, whose texts come from <see cref="Cell"/>.</summary>
    public static void Write(Table table) => Output.Write(table);

    /// <summary>Text for a cell of a table.</summary>
    public static string Cell(string text) => Markup.Escape(PrintableText.Of(text));

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
                ProgressTask task = context.AddTask(Cell(description), maxValue: total);
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
