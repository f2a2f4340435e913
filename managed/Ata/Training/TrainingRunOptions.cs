using System.Text.Json;
using System.Text.Json.Serialization;
using Ata.Data;
using Ata.Interop;

namespace Ata.Training;

/// <summary>By which number of a validation the best model is chosen.</summary>
public enum BestMetric
{
    /// <summary>Largest share of right answers.</summary>
    Top1,

    /// <summary>Largest mean accuracy of the classes.</summary>
    MeanClassAccuracy,

    /// <summary>Smallest loss.</summary>
    Loss,
}

/// <summary>How a run of training goes. Equal options, data and model give equal weights, bit for bit.</summary>
public sealed record TrainingRunOptions
{
    /// <summary>Largest numbers of passes over the data, and of batches for one update.</summary>
    internal const double MostEpochs = 1_000_000;
    internal const int MostAccumulate = 1_000_000;

    /// <summary>Passes over the training videos: above 0 and at most 1000000.</summary>
    public double Epochs { get; init; } = 30;

    /// <summary>Updates of the whole run; null to follow from <see cref="Epochs"/>.</summary>
    public long? Steps { get; init; }

    /// <summary>Clips of one batch: 1 to 4096.</summary>
    public int BatchSize { get; init; } = 8;

    /// <summary>Batches whose gradients are added up for one update.</summary>
    public int Accumulate { get; init; } = 1;

    /// <summary>The learning rate of each update.</summary>
    public LearningRateSchedule LearningRate { get; init; } = new();

    /// <summary>Update rule and regularisation.</summary>
    public OptimizerOptions Optimizer { get; init; } = new();

    /// <summary>How the frames of a clip are spread over its video.</summary>
    public FrameSpread Spread { get; init; } = FrameSpread.Dense;

    /// <summary>Distance of a clip's frames, in frames of <see cref="FramesPerSecond"/>.</summary>
    public double Stride { get; init; } = 4;

    /// <summary>Rate that the stride counts in; 0 for each video's own.</summary>
    public double FramesPerSecond { get; init; }

    /// <summary>Draw every class equally often, however many training videos it has, instead of every video once in a
    /// pass.</summary>
    public bool BalanceClasses { get; init; }

    /// <summary>Random changes of training clips.</summary>
    public AugmentationOptions Augmentation { get; init; } = new();

    /// <summary>Seed of data order, augmentation, dropout and stochastic depth.</summary>
    public ulong Seed { get; init; }

    /// <summary>Share of the videos that may be unreadable before the run fails.</summary>
    public double AllowedBroken { get; init; } = 0.1;

    /// <summary>Updates between two validations; 0 for one after every <see cref="ValidateEveryEpochs"/>.</summary>
    public int ValidateEverySteps { get; init; }

    /// <summary>Passes over the data between two validations; 0 for one at the end only.</summary>
    public double ValidateEveryEpochs { get; init; } = 1;

    /// <summary>Clips over the time of each video in a validation.</summary>
    public int ValidationClips { get; init; } = 1;

    /// <summary>Crops of each clip in a validation, 1 or 3.</summary>
    public int ValidationCrops { get; init; } = 1;

    /// <summary>By which number the best model is chosen.</summary>
    public BestMetric BestBy { get; init; } = BestMetric.Top1;

    /// <summary>Validations without a better result after which the run ends; 0 for never.</summary>
    public int EarlyStopping { get; init; }

    /// <summary>Updates between two checkpoints; 0 for one after each validation. One is always written at the
    /// end.</summary>
    public int CheckpointEverySteps { get; init; }

    /// <summary>Updates between two records of the training metrics.</summary>
    public int LogEverySteps { get; init; } = 10;

    /// <summary>Folder for checkpoints, metrics and report; null to write nothing.</summary>
    [JsonIgnore]
    public string? OutputDirectory { get; init; }

    /// <summary>How many checkpoints are kept, the newest; 0 for all.</summary>
    [JsonIgnore]
    public int KeepCheckpoints { get; init; } = 1;

    /// <summary>How many threads decode; the weights do not depend on it.</summary>
    [JsonIgnore]
    public int Workers { get; init; } = Math.Max(1, Environment.ProcessorCount);

    /// <summary>Batches made ready ahead.</summary>
    [JsonIgnore]
    public int Prefetch { get; init; } = 2;

    /// <summary>Memory for decoded frames of the training videos, in megabytes; 0 for none. The weights do not depend on
    /// it.</summary>
    [JsonIgnore]
    public int CacheMegabytes { get; init; }

    /// <summary>The options that decide about the weights, as JSON. What only decides about speed and places is left
    /// out.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, TrainingJson.Default.TrainingRunOptions);

    /// <summary>Reads what <see cref="ToJson"/> wrote, or a file that a person wrote; what is not named keeps its
    /// default.</summary>
    /// <param name="json">A JSON object.</param>
    /// <exception cref="ArgumentException">It is not JSON, or names an option that does not exist.</exception>
    public static TrainingRunOptions FromJson(string json)
    {
        ArgumentNullException.ThrowIfNull(json);
        try
        {
            return JsonSerializer.Deserialize(json, TrainingJson.Default.TrainingRunOptions)
                ?? throw new ArgumentException("The training options are null.", nameof(json));
        }
        catch (JsonException error)
        {
            throw new ArgumentException($"The training options cannot be read: {error.Message}", nameof(json), error);
        }
    }

    /// <summary>Updates of the whole run on a number of videos.</summary>
    /// <param name="videos">Training videos.</param>
    public long TotalSteps(int videos) => Steps ?? Math.Max(1, (long)Math.Round(Epochs * StepsPerEpoch(videos)));

    /// <summary>Updates of one pass over a number of videos, with fractions.</summary>
    /// <param name="videos">Training videos.</param>
    public double StepsPerEpoch(int videos) => (double)VideoLoader.TrainingBatchesPerEpoch(videos, BatchSize) / Accumulate;

    /// <summary>Checks the ranges of everything that a run on a model needs.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value is out of range.</exception>
    internal void Validate(ModelConfig model)
    {
        ArgumentNullException.ThrowIfNull(LearningRate);
        ArgumentNullException.ThrowIfNull(Optimizer);
        ArgumentNullException.ThrowIfNull(Augmentation);
        OptionRange.CheckPositive(Epochs, MostEpochs);
        OptionRange.Check(Steps ?? 1, 1, long.MaxValue, nameof(Steps));
        OptionRange.Check(BatchSize, 1, Math.Min(LoaderOptions.MostBatchSize, int.MaxValue / model.Classes));
        OptionRange.Check(Accumulate, 1, MostAccumulate);
        OptionRange.Check(ValidateEverySteps, 0, int.MaxValue);
        OptionRange.Check(ValidateEveryEpochs, 0, double.PositiveInfinity);
        OptionRange.Check(ValidationClips, 1, PredictOptions.MostTemporalViews);
        if (ValidationCrops is not (1 or 3))
        {
            throw new ArgumentOutOfRangeException(nameof(ValidationCrops), ValidationCrops, $"ValidationCrops is {ValidationCrops}; it must be 1 or 3.");
        }

        OptionRange.Check(BestBy);
        OptionRange.Check(EarlyStopping, 0, int.MaxValue);
        OptionRange.Check(CheckpointEverySteps, 0, int.MaxValue);
        OptionRange.Check(LogEverySteps, 1, int.MaxValue);
        OptionRange.Check(KeepCheckpoints, 0, int.MaxValue);
        LearningRate.Validate();
        TrainingLoader(model, null).Validate();
    }

    /// <summary>How training clips are made for a model.</summary>
    internal LoaderOptions TrainingLoader(ModelConfig model, Action<BrokenVideo>? found) => Loader(model, found) with
    {
        BalanceClasses = BalanceClasses,
        Augmentation = Augmentation,
    };

    /// <summary>How validation clips are made for a model.</summary>
    internal LoaderOptions ValidationLoader(ModelConfig model, Action<BrokenVideo>? found) => Loader(model, found) with
    {
        Augmentation = AugmentationOptions.None with { Crop = Augmentation.Crop == CropMode.Full ? CropMode.Full : CropMode.Center },
        ClipViews = ValidationClips,
        CropViews = ValidationCrops,
    };

    private LoaderOptions Loader(ModelConfig model, Action<BrokenVideo>? found) => new()
    {
        Frames = model.Frames,
        Size = model.ImageSize,
        BatchSize = BatchSize,
        Spread = Spread,
        Stride = Stride,
        FramesPerSecond = FramesPerSecond,
        Mean = [model.Mean.Red, model.Mean.Green, model.Mean.Blue],
        Deviation = [model.Std.Red, model.Std.Green, model.Std.Blue],
        Seed = Seed,
        Workers = Workers,
        Prefetch = Prefetch,
        CacheMegabytes = CacheMegabytes,
        AllowedBroken = AllowedBroken,
        BrokenVideoFound = found,
    };
}
