using System.CommandLine;
using Ata.Bindings;
using Ata.Data;
using Ata.Training;

namespace Ata.Cli.Train;

/// <summary>The options of <c>ata train</c> that say what is trained on what, and how.</summary>
internal static class TrainArguments
{
    private static readonly IReadOnlyDictionary<string, DatasetFormat> s_formats = new Dictionary<string, DatasetFormat>
    {
        ["auto"] = DatasetFormat.Auto,
        ["table"] = DatasetFormat.Table,
        ["kinetics"] = DatasetFormat.Kinetics,
        ["something"] = DatasetFormat.SomethingSomething,
        ["ucf101"] = DatasetFormat.Ucf101,
        ["hmdb51"] = DatasetFormat.Hmdb51,
        ["folder"] = DatasetFormat.Folder,
    };

    private static readonly IReadOnlyDictionary<string, ScheduleKind> s_schedules = new Dictionary<string, ScheduleKind>
    {
        ["cosine"] = ScheduleKind.Cosine,
        ["step"] = ScheduleKind.Step,
        ["constant"] = ScheduleKind.Constant,
    };

    private static readonly IReadOnlyDictionary<string, OptimizerKind> s_optimizers = new Dictionary<string, OptimizerKind>
    {
        ["adamw"] = OptimizerKind.AdamW,
        ["sgd"] = OptimizerKind.Sgd,
    };

    private static readonly IReadOnlyDictionary<string, CropMode> s_crops = new Dictionary<string, CropMode>
    {
        ["center"] = CropMode.Center,
        ["full"] = CropMode.Full,
        ["random"] = CropMode.RandomResized,
        ["jitter"] = CropMode.ScaleJitter,
    };

    private static readonly IReadOnlyDictionary<string, BestMetric> s_metrics = new Dictionary<string, BestMetric>
    {
        ["top1"] = BestMetric.Top1,
        ["mean_class_accuracy"] = BestMetric.MeanClassAccuracy,
        ["loss"] = BestMetric.Loss,
    };

    // The defaults that help shows: those of a configuration that says nothing.
    private static readonly DataConfig s_data = new();
    private static readonly TrainingRunOptions s_training = new();
    private static readonly LearningRateSchedule s_rate = s_training.LearningRate;
    private static readonly OptimizerOptions s_optimizer = s_training.Optimizer;
    private static readonly AugmentationOptions s_augmentation = s_training.Augmentation;

    /// <summary>The options that say where videos come from, for training and evaluation.</summary>
    /// <param name="data">What --data is.</param>
    public static ConfigOptions Data(string data)
    {
        var options = new ConfigOptions();
        options.Add(Options.Input("--data", data), (c, v) => WithData(c, d => d with { Train = v }));
        options.Add(Options.Choice("--format", "How the lists are written.", s_formats).WithDefault(s_data.Format, ": recognised"), (c, v) => WithData(c, d => d with { Format = v }));
        options.Add(Options.Input("--root", "Folder that relative paths in lists start from; the list's own if not given."), (c, v) => WithData(c, d => d with { Root = v }));
        options.Add(Options.Input("--labels", "File that names the classes, one a line in the order of their numbers, or the labels JSON of Something-Something."), (c, v) => WithData(c, d => d with { Labels = v }));
        options.Add(Options.Whole("--fold", "Which split of UCF101 or HMDB51.", most: 3).WithDefault(s_data.Fold), (c, v) => WithData(c, d => d with { Fold = v }));
        return options;
    }

    /// <summary>All others.</summary>
    public static ConfigOptions Training()
    {
        var options = new ConfigOptions();
        options.Add(Text("--train-split", "name", "Split to train on. Default train, where the list has splits."), (c, v) => WithData(c, d => d with { TrainSplit = v }));
        options.Add(Options.Input("--val", "List or folder of validation videos."), (c, v) => WithData(c, d => d with { Validation = v }));
        options.Add(Text("--val-split", "name", "Split of the training list to validate on. Default val, where the list has it."), (c, v) => WithData(c, d => d with { ValidationSplit = v }));
        options.Add(Options.Fraction("--val-fraction", "Share of the training videos to set aside for validation; groups stay together."), (c, v) => WithData(c, d => d with { ValidationFraction = v }));
        AddModel(options);
        AddOptimization(options);
        AddClips(options);
        AddRun(options);
        return options;
    }

    private static void AddModel(ConfigOptions options)
    {
        options.Add(Options.Input("--model", "Checkpoint to start from; a head for other classes is replaced."), (c, v) => WithModel(c, m => m with { Checkpoint = v }));
        options.Add(Options.Architecture($"Start from random weights: {Names.Architectures}."), (c, v) => WithModel(c, m => m with { Architecture = v }));
        options.Add(Options.Whole("--image-size", "Frame size in pixels.", most: NativeMethods.ATA_MAX_IMAGE_SIZE), (c, v) => WithModel(c, m => m with { ImageSize = v }));
        options.Add(Options.Whole("--patch-size", "Patch size in pixels, of a new model.", most: NativeMethods.ATA_MAX_IMAGE_SIZE), (c, v) => WithModel(c, m => m with { PatchSize = v }));
        options.Add(Options.Whole("--dim", "Width of a token, of a new model.", most: NativeMethods.ATA_MAX_DIM), (c, v) => WithModel(c, m => m with { Dim = v }));
        options.Add(Options.Whole("--depth", "Number of blocks, of a new model.", most: NativeMethods.ATA_MAX_DEPTH), (c, v) => WithModel(c, m => m with { Depth = v }));
        options.Add(Options.Whole("--heads", "Attention heads, of a new model.", most: NativeMethods.ATA_MAX_DIM), (c, v) => WithModel(c, m => m with { Heads = v }));
        options.Add(Options.Whole("--frames", "Frames of a clip.", most: NativeMethods.ATA_MAX_FRAMES), (c, v) => WithModel(c, m => m with { Frames = v }));
        options.Add(Options.Choice("--temporal", "Temporal mode; the model's if not given.", Names.Temporal), (c, v) => WithModel(c, m => m with { Temporal = v }));
        options.Add(Options.Choice("--alignment", "Alignment of mode ata; the model's if not given.", Names.Alignment), (c, v) => WithModel(c, m => m with { Alignment = v }));
        options.Add(Options.Whole("--align-every", "Every how many blocks mode ata aligns; the blocks between follow the last trajectories; the model's if not given.", most: NativeMethods.ATA_MAX_DEPTH), (c, v) => WithModel(c, m => m with { AlignEvery = v }));
    }

    private static void AddOptimization(ConfigOptions options)
    {
        options.Add(Options.PositiveReal("--epochs", "Passes over the training videos.", TrainingRunOptions.MostEpochs).WithDefault(s_training.Epochs), (c, v) => WithTraining(c, t => t with { Epochs = v, Steps = null }));
        options.Add(Options.Whole("--steps", "Updates of the whole run, instead of --epochs."), (c, v) => WithTraining(c, t => t with { Steps = v }));
        options.Add(Options.Whole("--batch", "Clips of one batch.", most: LoaderOptions.MostBatchSize).WithDefault(s_training.BatchSize), (c, v) => WithTraining(c, t => t with { BatchSize = v }));
        options.Add(Options.Whole("--accumulate", "Batches whose gradients are added up for one update.", most: TrainingRunOptions.MostAccumulate).WithDefault(s_training.Accumulate), (c, v) => WithTraining(c, t => t with { Accumulate = v }));
        options.Add(Options.PositiveReal("--lr", "Largest learning rate.").WithDefault(s_rate.Peak), (c, v) => WithRate(c, r => r with { Peak = v }));
        options.Add(Options.Choice("--schedule", "How the learning rate falls.", s_schedules).WithDefault(s_rate.Kind), (c, v) => WithRate(c, r => r with { Kind = v }));
        options.Add(Options.Whole("--warmup", "Updates over which the learning rate rises.", least: 0).WithDefault(s_rate.WarmUpSteps), (c, v) => WithRate(c, r => r with { WarmUpSteps = v }));
        options.Add(Options.Real("--final-lr", "Cosine: last learning rate as a fraction of the largest.", most: 1).WithDefault(s_rate.FinalFraction), (c, v) => WithRate(c, r => r with { FinalFraction = v }));
        options.Add(Options.Choice("--optimizer", "Update rule.", s_optimizers).WithDefault(s_optimizer.Kind), (c, v) => WithOptimizer(c, o => o with { Kind = v }));
        options.Add(Options.BelowOne("--momentum", "Momentum of sgd.").WithDefault(s_optimizer.Momentum), (c, v) => WithOptimizer(c, o => o with { Momentum = (float)v }));
        options.Add(Options.Real("--weight-decay", "Weight decay; biases, norms and embeddings have none.", most: Options.MostSingle).WithDefault(s_optimizer.WeightDecay), (c, v) => WithOptimizer(c, o => o with { WeightDecay = (float)v }));
        options.Add(Options.PositiveReal("--layer-decay", "Factor of the learning rate from block to block towards the input.", 1).WithDefault(s_optimizer.LayerDecay), (c, v) => WithOptimizer(c, o => o with { LayerDecay = (float)v }));
        options.Add(Options.PositiveReal("--new-lr-scale", "Factor of the learning rate of new parameters.", Options.MostSingle).WithDefault(s_optimizer.NewParameterScale), (c, v) => WithOptimizer(c, o => o with { NewParameterScale = (float)v }));
        options.Add(Text("--new", "patterns", "New parameters, comma-separated, such as *temporal_*,head.*; the temporal modules, the time embedding and the head if not given."), (c, v) => WithOptimizer(c, o => o with { NewParameters = v }));
        options.Add(Text("--freeze", "patterns", "Parameters that are not trained, comma-separated, such as patch_embed.*,blocks.0.*"), (c, v) => WithOptimizer(c, o => o with { Frozen = v }));
        options.Add(Options.Real("--clip-norm", "Largest norm of the gradient; 0 for no clipping.", most: Options.MostSingle).WithDefault(s_optimizer.ClipNorm), (c, v) => WithOptimizer(c, o => o with { ClipNorm = (float)v }));
        options.Add(Options.BelowOne("--label-smoothing", "Label smoothing.").WithDefault(s_optimizer.LabelSmoothing), (c, v) => WithOptimizer(c, o => o with { LabelSmoothing = (float)v }));
        options.Add(Options.BelowOne("--stochastic-depth", "Probability of dropping the last block's branches.").WithDefault(s_optimizer.StochasticDepth), (c, v) => WithOptimizer(c, o => o with { StochasticDepth = (float)v }));
        options.Add(Options.BelowOne("--dropout", "Dropout probability.").WithDefault(s_optimizer.Dropout), (c, v) => WithOptimizer(c, o => o with { Dropout = (float)v }));
        options.Add(Options.BelowOne("--ema", "Decay of the average of the weights, such as 0.999; 0 for none.").WithDefault(s_optimizer.AverageDecay), (c, v) => WithOptimizer(c, o => o with { AverageDecay = (float)v }));
        options.Add(Options.Choice("--precision", "Arithmetic.", Names.Precision).WithDefault(s_optimizer.Precision), (c, v) => WithOptimizer(c, o => o with { Precision = v }));
        options.Add("--recompute", "Compute activations again in the backward pass: less memory, more time.", c => WithOptimizer(c, o => o with { Recompute = true }));
    }

    private static void AddClips(ConfigOptions options)
    {
        options.Add(Options.PositiveReal("--stride", "Distance between frames, in frames.", NativeMethods.ATA_MAX_RATE).WithDefault(s_training.Stride), (c, v) => WithTraining(c, t => t with { Stride = v }));
        options.Add(Options.PositiveReal("--fps", "Rate that the stride counts in; each video's own if not given.", NativeMethods.ATA_MAX_RATE), (c, v) => WithTraining(c, t => t with { FramesPerSecond = v }));
        options.Add("--segments", "One frame from each of equal segments of the whole video, instead of a stride.", c => WithTraining(c, t => t with { Spread = FrameSpread.Segments }));
        options.Add("--balance-classes", "Draw every class equally often, instead of every video once in a pass.", c => WithTraining(c, t => t with { BalanceClasses = true }));
        options.Add(Options.Choice("--crop", "Part of the frames that training clips show.", s_crops).WithDefault(s_augmentation.Crop), (c, v) => WithAugmentation(c, a => a with { Crop = v }));
        options.Add(Options.PositiveReal("--min-area", "Smallest random crop as a fraction of the frame.", 1).WithDefault(s_augmentation.MinArea), (c, v) => WithAugmentation(c, a => a with { MinArea = v }));
        options.Add(Options.Real("--flip", "Probability of mirroring a clip.", most: 1).WithDefault(s_augmentation.FlipProbability), (c, v) => WithAugmentation(c, a => a with { FlipProbability = v }));
        options.Add(Text("--no-flip-labels", "patterns", "Labels whose clips are never mirrored, comma-separated, such as *left*,*right*"), (c, v) => WithAugmentation(c, a => a with { DirectionSensitive = v.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) }));
        options.Add(Options.Real("--color-jitter", "Largest relative change of brightness, contrast and saturation.", most: 1).WithDefault(s_augmentation.ColorJitter), (c, v) => WithAugmentation(c, a => a with { ColorJitter = v }));
        options.Add(Options.Real("--hue-jitter", "Largest rotation of the hue, up to 0.5.", most: 0.5).WithDefault(s_augmentation.HueJitter), (c, v) => WithAugmentation(c, a => a with { HueJitter = v }));
        options.Add(Options.Whole("--rand-augment", "Operations of RandAugment on each clip.", least: 0, most: AugmentationOptions.MostOperations).WithDefault(s_augmentation.RandAugmentOperations), (c, v) => WithAugmentation(c, a => a with { RandAugmentOperations = v }));
        options.Add(Options.Real("--magnitude", "Strength of RandAugment, 0 to 10.", most: 10).WithDefault(s_augmentation.RandAugmentMagnitude), (c, v) => WithAugmentation(c, a => a with { RandAugmentMagnitude = v }));
        options.Add(Options.Real("--erase", "Probability of filling a rectangle with noise.", most: 1).WithDefault(s_augmentation.ErasingProbability), (c, v) => WithAugmentation(c, a => a with { ErasingProbability = v }));
        options.Add(Options.Real("--mixup", "Parameter of mixup.", most: AugmentationOptions.MostMixing).WithDefault(s_augmentation.Mixup, ": none"), (c, v) => WithAugmentation(c, a => a with { Mixup = v }));
        options.Add(Options.Real("--cutmix", "Parameter of CutMix.", most: AugmentationOptions.MostMixing).WithDefault(s_augmentation.CutMix, ": none"), (c, v) => WithAugmentation(c, a => a with { CutMix = v }));
    }

    private static void AddRun(ConfigOptions options)
    {
        options.Add(Options.Seed().WithDefault(s_training.Seed), (c, v) => WithTraining(c, t => t with { Seed = v }));
        options.Add(Options.Real("--val-every", "Passes over the data between validations; 0 for one at the end only.").WithDefault(s_training.ValidateEveryEpochs), (c, v) => WithTraining(c, t => t with { ValidateEveryEpochs = v }));
        options.Add(Options.Whole("--val-steps", "Updates between validations, instead of --val-every."), (c, v) => WithTraining(c, t => t with { ValidateEverySteps = v }));
        options.Add(Options.Views("--val-views", "Views of a validation video: clips in time x crops.").WithDefault((s_training.ValidationClips, s_training.ValidationCrops)), (c, v) => WithTraining(c, t => t with { ValidationClips = v.Clips, ValidationCrops = v.Crops }));
        options.Add(Options.Choice("--best-by", "By which number of a validation the best model is kept.", s_metrics).WithDefault(s_training.BestBy), (c, v) => WithTraining(c, t => t with { BestBy = v }));
        options.Add(Options.Whole("--early-stop", "End after so many validations without a better one."), (c, v) => WithTraining(c, t => t with { EarlyStopping = v }));
        options.Add(Options.Whole("--checkpoint-steps", "Updates between checkpoints; one after each validation if not given."), (c, v) => WithTraining(c, t => t with { CheckpointEverySteps = v }));
        options.Add(Options.Whole("--log-steps", "Updates between records of the metrics.").WithDefault(s_training.LogEverySteps), (c, v) => WithTraining(c, t => t with { LogEverySteps = v }));
        options.Add(Options.Real("--max-broken", "Share of the videos that may be unreadable before the run fails.", most: 1).WithDefault(s_training.AllowedBroken), (c, v) => WithTraining(c, t => t with { AllowedBroken = v }));
    }

    private static Option<string> Text(string name, string kind, string description) => new(name) { Description = description, HelpName = kind };

    private static RunConfig WithData(RunConfig config, Func<DataConfig, DataConfig> change) => config with { Data = change(config.Data) };

    private static RunConfig WithModel(RunConfig config, Func<ModelSource, ModelSource> change) => config with { Model = change(config.Model) };

    private static RunConfig WithTraining(RunConfig config, Func<TrainingRunOptions, TrainingRunOptions> change) => config with { Training = change(config.Training) };

    private static RunConfig WithRate(RunConfig config, Func<LearningRateSchedule, LearningRateSchedule> change) =>
        WithTraining(config, t => t with { LearningRate = change(t.LearningRate) });

    private static RunConfig WithOptimizer(RunConfig config, Func<OptimizerOptions, OptimizerOptions> change) =>
        WithTraining(config, t => t with { Optimizer = change(t.Optimizer) });

    private static RunConfig WithAugmentation(RunConfig config, Func<AugmentationOptions, AugmentationOptions> change) =>
        WithTraining(config, t => t with { Augmentation = change(t.Augmentation) });
}
