using System.Text.Json;
using Ata.Data;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Ata.Training;

/// <summary>
/// Trains a model on labelled videos: batches, updates, validation, checkpoints, metrics. A run that was stopped, by
/// cancellation or by a crash, continues from its last checkpoint to the very same weights.
/// </summary>
/// <remarks>One thread at a time. While <see cref="FitAsync"/> runs, no other session of the model may run.</remarks>
public sealed partial class TrainingRun : IDisposable
{
    private readonly Model _model;
    private readonly IVideoDataset _train;
    private readonly IVideoDataset? _validation;
    private readonly TrainingRunOptions _options;
    private readonly ILogger _logger;
    private readonly Trainer _trainer;
    private readonly RunDirectory? _directory;
    private readonly long _totalSteps;
    private TrainingState _state;
    private EvaluationResult? _lastValidation;
    private MetricsRecord? _lastTrainRecord;
    private MetricsRecord? _lastValidationRecord;
    private double _lastNorm;
    private int _running;

    /// <summary>Prepares a run.</summary>
    /// <param name="model">A trainable model, whose weights are updated in place. Its classes are those of the
    /// datasets, in the same order.</param>
    /// <param name="train">Training videos.</param>
    /// <param name="validation">Validation videos, or null for no validation.</param>
    /// <param name="options">Options; null for the defaults.</param>
    /// <param name="logger">Receives warnings, such as of unreadable videos and of videos in both datasets; null for none.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range; the exception names it.</exception>
    /// <exception cref="ArgumentException">Model and data contradict each other.</exception>
    /// <exception cref="NotSupportedException">The model is not trainable.</exception>
    public TrainingRun(Model model, IVideoDataset train, IVideoDataset? validation = null, TrainingRunOptions? options = null, ILogger? logger = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(train);
        _model = model;
        _train = train;
        _validation = validation is { Count: > 0 } ? validation : null;
        _options = options ?? new TrainingRunOptions();
        _logger = logger ?? NullLogger.Instance;
        _options.Validate(model.Config);
        RequireClasses(train, nameof(train));
        if (_validation is not null)
        {
            RequireClasses(_validation, nameof(validation));
        }

        if (train is VideoDataset training && validation is VideoDataset validating && training.SharedWith(validating) is { Count: > 0 } shared)
        {
            LogShared(DatasetReport.Count(shared.Count, "video is", "videos are"), DatasetReport.Some(shared));
        }

        AugmentationOptions augmentation = _options.Augmentation;
        if (DirectionalLabels.Of(train.Labels.Where(augmentation.MayFlip)) is { Count: > 0 } directional)
        {
            LogMirrored(DatasetReport.Some(directional), augmentation.FlipProbability);
        }

        _totalSteps = _options.TotalSteps(train.Count);
        _directory = _options.OutputDirectory is { } path ? new RunDirectory(path) : null;
        _state = new TrainingState { Options = _options, Videos = train.Count };
        _trainer = new Trainer(model, _options.Optimizer, _options.Seed);
    }

    /// <summary>Updates made.</summary>
    public long Step => _state.Batches / _options.Accumulate;

    /// <summary>Updates of the whole run.</summary>
    public long TotalSteps => _totalSteps;

    /// <summary>The right to write into the output directory, if the caller has it already.</summary>
    internal RunLock? HeldLock { get; init; }

    /// <summary>Continues from a checkpoint: call it before <see cref="FitAsync"/>.</summary>
    /// <param name="checkpoint">A checkpoint of a run with equal options, model and data.</param>
    /// <exception cref="FileNotFoundException">The file does not exist.</exception>
    /// <exception cref="AtaModelException">The file is not such a checkpoint.</exception>
    /// <exception cref="InvalidOperationException">The run is going on.</exception>
    /// <exception cref="ArgumentException">The run had other options or other data.</exception>
    public void Resume(string checkpoint)
    {
        ArgumentException.ThrowIfNullOrEmpty(checkpoint);
        if (Volatile.Read(ref _running) != 0)
        {
            throw new InvalidOperationException("This run is going on; resume before it begins.");
        }

        TrainingState state;
        using (TensorFile file = TensorFile.Open(checkpoint))
        {
            state = TrainingState.FromJson(checkpoint, file.GetMetadata("state"));
        }

        string then = state.Options.ToJson();
        string now = _options.ToJson();
        if (then != now)
        {
            (string First, string Second) difference = then.Split('\n').Zip(now.Split('\n')).First(l => l.First != l.Second);
            throw new ArgumentException($"{checkpoint} belongs to a run with other options: {difference.First.Trim(' ', ',')} there, {difference.Second.Trim(' ', ',')} here.", nameof(checkpoint));
        }

        if (state.Videos != _train.Count)
        {
            throw new ArgumentException($"{checkpoint} belongs to a run on {state.Videos} training videos; there are {_train.Count} now.", nameof(checkpoint));
        }

        _trainer.Load(checkpoint);
        _state = state;
    }

    /// <summary>Trains to the end. When cancelled, it writes a checkpoint and then throws.</summary>
    /// <param name="progress">Told of every update, and while validating; may be null.</param>
    /// <param name="cancellationToken">Stops the run.</param>
    /// <exception cref="InvalidOperationException">The run is going on already.</exception>
    /// <exception cref="ObjectDisposedException">The run was disposed, perhaps while it went on.</exception>
    /// <exception cref="OperationCanceledException">The run was cancelled; its checkpoint is written.</exception>
    /// <exception cref="TooManyBrokenVideosException">More videos than allowed cannot be read.</exception>
    /// <exception cref="TrainingDivergedException">A number that training computed is not finite.</exception>
    /// <exception cref="RunInUseException">Another run writes into the output directory.</exception>
    /// <exception cref="IOException">The output directory cannot be written, or holds another run; earlier checkpoints are
    /// intact.</exception>
    public Task<TrainingResult> FitAsync(IProgress<TrainingProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        if (Interlocked.Exchange(ref _running, 1) != 0)
        {
            throw new InvalidOperationException("This run is going on already.");
        }

        return Task.Run(() => RunAsync(progress, cancellationToken), CancellationToken.None);
    }

    /// <summary>The model that validations use: the average of the weights if one is kept.</summary>
    /// <returns>A model of its own, to be disposed.</returns>
    public Model AveragedModel()
    {
        Model model = _trainer.AveragedModel();
        model.SetLabels(_train.Labels);
        return model;
    }

    /// <inheritdoc/>
    public void Dispose() => _trainer.Dispose();

    /// <summary>What the report says of the configuration.</summary>
    private IEnumerable<KeyValuePair<string, string>> Settings()
    {
        ModelConfig model = _model.Config;
        yield return new("model", $"{model.Depth} blocks of width {model.Dim} with {model.Heads} heads, {model.Temporal}, alignment {model.Alignment}");
        yield return new("clips", $"{model.Frames} frames of {model.ImageSize} pixels in patches of {model.PatchSize}");
        yield return new("classes", string.Join(", ", _train.Labels.Take(20)) + (_train.Labels.Count > 20 ? $" and {_train.Labels.Count - 20} more" : ""));
        yield return new("videos", $"{_train.Count} for training, {_validation?.Count ?? 0} for validation");
        using JsonDocument options = JsonDocument.Parse(_options.ToJson());
        foreach ((string name, string value) in Flatten("", options.RootElement))
        {
            yield return new(name, value);
        }
    }

    private static IEnumerable<(string Name, string Value)> Flatten(string prefix, JsonElement element) => element.ValueKind == JsonValueKind.Object
        ? element.EnumerateObject().SelectMany(p => Flatten(prefix.Length > 0 ? $"{prefix}.{p.Name}" : p.Name, p.Value))
        : [(prefix, element.ToString())];

    private void RequireClasses(IVideoDataset dataset, string parameter)
    {
        if (dataset.Labels.Count != _model.Config.Classes)
        {
            throw new ArgumentException($"The dataset has {dataset.Labels.Count} classes and the model {_model.Config.Classes}.", parameter);
        }
    }

    private async Task<TrainingResult> RunAsync(IProgress<TrainingProgress>? progress, CancellationToken cancellationToken)
    {
        try
        {
            using RunLock? taken = HeldLock is null ? _directory?.Lock() : null;
            if (_directory?.Checkpoints().Count > 0 && _state.Batches == 0)
            {
                throw new IOException($"{_directory.Path} holds a run already; resume it from its last checkpoint, or name another folder.");
            }

            using var loop = new Loop(this, progress);
            await loop.TrainAsync(cancellationToken).ConfigureAwait(false);
            return loop.Result();
        }
        finally
        {
            Volatile.Write(ref _running, 0);
        }
    }

    /// <summary>Writes a checkpoint of the present state.</summary>
    private void Save(MetricsLog? metrics, TensorBoardWriter? events)
    {
        if (_directory is null)
        {
            return;
        }

        // The logs first: a checkpoint must not remember more of them than is on the disk.
        metrics!.Flush();
        events!.Flush();
        _state.MetricsLength = metrics.Length;
        _state.EventsLength = events.Length;
        _trainer.Save(_directory.CheckpointAt(Step), _state.ToJson());
        _directory.RemoveOldCheckpoints(_options.KeepCheckpoints);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Number} in training and in validation: {Videos}")]
    private partial void LogShared(string number, string videos);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Clips are mirrored with probability {Probability} whatever their label, and in a mirror these labels look like others: {Labels}. Name them in AugmentationOptions.DirectionSensitive (--no-flip-labels '*left*,*right*,*clockwise*'), or mirror nothing (--flip 0)")]
    private partial void LogMirrored(string labels, double probability);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Problem}")]
    private partial void LogDamage(string problem);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Path} cannot be read and is left out: {Reason}")]
    private partial void LogBrokenVideo(string path, string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "Step {Step}: validation loss {Loss:F4}, top 1 {Top1:P1}")]
    private partial void LogValidation(long step, double loss, double top1);
}
