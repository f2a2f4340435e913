using System.Globalization;
using Ata.Training;
using Spectre.Console;

namespace Ata.Cli.Train;

/// <summary>Shows a run while it goes on: bars and numbers where somebody watches, a line for each record of the
/// metrics otherwise. Everything goes to standard error.</summary>
internal sealed class TrainingScreen : IProgress<TrainingProgress>
{
    private readonly Lock _lock = new();
    private readonly TextWriter? _lines;
    private ProgressTask? _training;
    private ProgressTask? _validating;
    private MetricsRecord? _shownTrain;
    private MetricsRecord? _shownValidation;
    private bool _restored;

    private TrainingScreen(TextWriter? lines) => _lines = lines;

    /// <summary>Runs work under the screen.</summary>
    public static async Task<TrainingResult> ShowAsync(int validationVideos, Func<IProgress<TrainingProgress>, Task<TrainingResult>> work)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });
        if (Console.IsErrorRedirected || !console.Profile.Capabilities.Interactive)
        {
            return await work(new TrainingScreen(Console.Error));
        }

        return await console.Progress()
            .HideCompleted(false)
            .Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
            .StartAsync(async context =>
            {
                var screen = new TrainingScreen(null) { _training = context.AddTask("training") };
                if (validationVideos > 0)
                {
                    screen._validating = context.AddTask("validation", maxValue: validationVideos);
                }

                return await work(screen);
            });
    }

    /// <inheritdoc/>
    public void Report(TrainingProgress value)
    {
        lock (_lock)
        {
            if (_lines is null)
            {
                UpdateBars(value);
            }
            else
            {
                WriteLines(value);
            }
        }
    }

    private void UpdateBars(TrainingProgress value)
    {
        _training!.MaxValue = value.TotalSteps;
        _training.Value = value.Step;
        _training.Description = Markup.Escape(value.Train is { } train ? TrainText(train) : $"step {value.Step}, loss {Number(value.Loss)}")
            + (value.BrokenVideos > 0 ? $", [yellow]{value.BrokenVideos} unreadable[/]" : string.Empty);
        if (_validating is not null)
        {
            _validating.Value = value.Phase == TrainingPhase.Validating ? value.ValidatedVideos : _validating.Value;
            _validating.Description = value.Validation is { } validation ? Markup.Escape(ValidationText(validation)) : "validation";
        }
    }

    private void WriteLines(TrainingProgress value)
    {
        if (!_restored)
        {
            // What a continued run remembers was shown by the run before.
            _restored = true;
            (_shownTrain, _shownValidation) = value.Train?.Step < value.Step ? (value.Train, value.Validation) : (null, null);
        }

        if (value.Train is { } train && train != _shownTrain)
        {
            _shownTrain = train;
            _lines!.WriteLine($"{TrainText(train)}, {Time(value.Remaining)} left");
        }

        if (value.Validation is { } validation && validation != _shownValidation)
        {
            _shownValidation = validation;
            _lines!.WriteLine($"step {validation.Step}: {ValidationText(validation)}");
        }
    }

    private static string TrainText(MetricsRecord record) => string.Create(
        CultureInfo.InvariantCulture,
        $"step {record.Step}, epoch {record.Epoch:0.0}: loss {record.Loss:0.0000}, top 1 {100 * record.Top1:0.0} %, rate {record.LearningRate:0.0e+0}, {record.ClipsPerSecond:0.0} clips/s, waiting {100 * record.DataWait:0.0} %");

    private static string ValidationText(MetricsRecord record) => string.Create(
        CultureInfo.InvariantCulture,
        $"validation loss {record.Loss:0.0000}, top 1 {100 * record.Top1:0.0} %, top 5 {100 * record.Top5:0.0} %, classes {100 * record.MeanClassAccuracy:0.0} %");

    private static string Number(double value) => value.ToString("0.0000", CultureInfo.InvariantCulture);

    private static string Time(TimeSpan time) => time.TotalHours >= 1
        ? string.Create(CultureInfo.InvariantCulture, $"{time.TotalHours:0.0} h")
        : string.Create(CultureInfo.InvariantCulture, $"{(int)time.TotalMinutes}:{time.Seconds:00}");
}
