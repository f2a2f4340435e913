using System.CommandLine;
using System.Globalization;
using System.Text.RegularExpressions;
using Ata.Cli.Synth;
using Ata.Cli.Train;
using Ata.Cli.Verbs;
using Ata.Data;
using Ata.Training;
using Xunit;

namespace Ata.Cli.Tests;

/// <summary>The defaults of the command line, those that help shows and those that are used, are the ones of the library's options.</summary>
public sealed partial class DefaultTests
{
    private static readonly TrainingRunOptions s_training = new();
    private static readonly ClipOptions s_clip = new();
    private static readonly ModelOptions s_model = new();
    private static readonly LoaderOptions s_loader = new() { Frames = 1, Size = 1 };

    private static readonly (string Option, object Default)[] s_loading =
    [
        ("--device", s_model.Device), ("--precision", Names.Precision.Of(s_model.Precision)),
        ("--interpolation", s_model.BicubicPositions ? "bicubic" : "nearest"),
    ];

    private static readonly (string Option, object Default)[] s_sampling = [("--stride", s_clip.Stride), ("--short", Names.ShortVideo.Of(s_clip.ShortPolicy))];

    private static readonly (string Option, object Default)[] s_data = [("--format", "auto"), ("--fold", new DatasetOptions().Fold)];

    private static readonly (string Option, object Default)[] s_speed = [("--prefetch", s_training.Prefetch), ("--cache", s_training.CacheMegabytes)];

    private static readonly (string Option, object Default)[] s_run =
    [
        .. s_data, .. s_speed, ("--device", s_model.Device), ("--train-split", "train"), ("--val-split", "val"), ("--epochs", s_training.Epochs), ("--batch", s_training.BatchSize),
        ("--accumulate", s_training.Accumulate), ("--lr", s_training.LearningRate.Peak), ("--schedule", s_training.LearningRate.Kind),
        ("--warmup", s_training.LearningRate.WarmUpSteps), ("--final-lr", s_training.LearningRate.FinalFraction),
        ("--optimizer", s_training.Optimizer.Kind), ("--momentum", s_training.Optimizer.Momentum), ("--weight-decay", s_training.Optimizer.WeightDecay),
        ("--layer-decay", s_training.Optimizer.LayerDecay), ("--new-lr-scale", s_training.Optimizer.NewParameterScale),
        ("--clip-norm", s_training.Optimizer.ClipNorm), ("--label-smoothing", s_training.Optimizer.LabelSmoothing),
        ("--stochastic-depth", s_training.Optimizer.StochasticDepth), ("--dropout", s_training.Optimizer.Dropout), ("--ema", s_training.Optimizer.AverageDecay),
        ("--precision", Names.Precision.Of(s_training.Optimizer.Precision)), ("--stride", s_training.Stride), ("--crop", "random"),
        ("--min-area", s_training.Augmentation.MinArea), ("--flip", s_training.Augmentation.FlipProbability),
        ("--color-jitter", s_training.Augmentation.ColorJitter), ("--hue-jitter", s_training.Augmentation.HueJitter),
        ("--rand-augment", s_training.Augmentation.RandAugmentOperations), ("--magnitude", s_training.Augmentation.RandAugmentMagnitude),
        ("--erase", s_training.Augmentation.ErasingProbability), ("--mixup", s_training.Augmentation.Mixup), ("--cutmix", s_training.Augmentation.CutMix),
        ("--seed", s_training.Seed), ("--val-every", s_training.ValidateEveryEpochs),
        ("--val-views", $"{s_training.ValidationClips}x{s_training.ValidationCrops}"), ("--best-by", s_training.BestBy), ("--log-steps", s_training.LogEverySteps),
        ("--max-broken", s_training.AllowedBroken),
    ];

    public static TheoryData<string> Verbs => [.. CommandLine.CreateRoot().Subcommands.Select(verb => verb.Name)];

    /// <summary>Help shows these defaults and no others.</summary>
    [Theory]
    [MemberData(nameof(Verbs))]
    public void Help_ShowsTheDefaultsOfTheLibrary(string verb)
    {
        ProgramResult help = AtaProgram.Run(verb, "--help");

        Assert.Equal(0, help.Code);
        IEnumerable<string> shown = Shown().Matches(help.Output).Select(match => $"{match.Groups["option"].Value} {match.Groups["default"].Value}");
        IEnumerable<string> expected = Of(verb).Select(pair => FormattableString.Invariant($"{pair.Option} {pair.Default}").ToLowerInvariant());
        Assert.Equal(expected.Order(StringComparer.Ordinal), shown.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Help_SaysInWordsWhatIsNoDefaultOfItsOwn()
    {
        ModelConfig usual = ModelConfig.Named("vit-base");

        Assert.Contains($"the number of labels, or {usual.Classes}, if not given.", AtaProgram.Run("init", "--help").Output);
        Assert.Contains($"Frames of a clip; the checkpoint's, or {usual.Frames}, if not given.", AtaProgram.Run("import", "--help").Output);
        Assert.Contains(string.Create(CultureInfo.InvariantCulture, $"as the model's run trained, else {s_loader.Stride}."), AtaProgram.Run("eval", "--help").Output);
        Assert.All((string[])["vit-tiny", "vit-small", "vit-large"], name => Assert.Equal(usual with { Dim = 1, Depth = 1, Heads = 1 }, ModelConfig.Named(name) with { Dim = 1, Depth = 1, Heads = 1 }));
    }

    [Fact]
    public void Help_NeedsNoNativeLibrary()
    {
        ProgramResult help = AtaProgram.Run([("ATA_LIBRARY_PATH", "/no/such/libata.so")], "init", "--help");

        Assert.Equal((0, string.Empty), (help.Code, help.Error));
        Assert.Contains("--patch-size", help.Output);
    }

    [Fact]
    public void WhatIsNotTyped_IsAsTheLibraryHasIt()
    {
        PredictVerb.Arguments predict = Parse(new PredictVerb(), "clip", "--model", "m");
        Assert.Equal(new PredictOptions { Sampling = s_clip }, predict.Options);
        Assert.Equal(s_model, predict.Loading);

        Assert.Equal(s_clip, Parse(new SampleVerb(), "clip", "--output", "o").Options);

        AlignVerb.Arguments align = Parse(new AlignVerb(), "clip");
        Assert.Equal(new AlignmentOptions { Device = s_model.Device }, align.Alignment);
        Assert.Equal(s_clip, align.Sampling);
        Assert.Equal(s_model, align.Loading);
        Assert.Equal(new InformationOptions().Components, align.Components);

        var import = new ImportOptions();
        ImportVerb.Arguments imported = Parse(new ImportVerb(), "in", "out");
        Assert.Equal(import.Ignore, imported.Options.Ignore);
        Assert.Equal(import, imported.Options with { Ignore = import.Ignore });
        Assert.Equal(ModelConfig.Named("vit-small"), Parse(new InitVerb(), "out", "--arch", "vit-small").Source.NewModel());
        Assert.Equal(s_model, Parse(new ForwardVerb(), "--model", "m", "--input", "i", "--output", "o").Loading);
        Assert.Equal(s_model, Parse(new BenchVerb(), "--model", "m").Loading);
        Assert.Equal(new ActionOptions(), Parse(new SynthVerb(), "out").Videos);
        Assert.Equal(new FollowOptions(), Parse(new SynthVerb(), "o", "--task", "follow").Videos);
    }

    [Fact]
    public void WhatIsNotTypedOfTraining_IsAsTheLibraryHasIt()
    {
        TrainVerb.Arguments train = Parse(new TrainVerb(), "--data", "d", "--out", "o");
        Assert.Equal(s_training.ToJson(), train.Config.Training.ToJson());
        Assert.Equal(s_training.KeepCheckpoints, train.Keep);
        Assert.Equal(s_training, train.Speed.Applied(s_training));
        Assert.Equal(new DataConfig { Train = "d" }, train.Config.Data);

        CompareVerb.Arguments compare = Parse(new CompareVerb(), "--data", "d", "--out", "o");
        Assert.Equal(s_training.ToJson(), compare.Config.Training.ToJson());
        Assert.Equal(s_training, compare.Speed.Applied(s_training));

        // A video that is too short is refused, which in training it is not.
        EvalVerb.Arguments eval = Parse(new EvalVerb(), "--data", "d", "--model", "m");
        Assert.Equal(s_loader with { ShortPolicy = s_clip.ShortPolicy }, eval.ClipsAfter(s_loader));
        Assert.Equal(s_model, eval.Loading);
    }

    private static T Parse<T>(Verb<T> verb, params string[] arguments)
    {
        ParseResult parse = verb.Command.Parse(arguments);
        Assert.Empty(parse.Errors);
        return verb.Parse(parse);
    }

    private static (string Option, object Default)[] Of(string verb)
    {
        ModelConfig usual = ModelConfig.Named("vit-base");
        var alignment = new AlignmentOptions();
        var predict = new PredictOptions();
        var import = new ImportOptions();
        var act = new ActionOptions();
        var follow = new FollowOptions();
        return verb switch
        {
            "info" => [],
            "import" => [("--from", import.Source), ("--seed", import.Seed)],
            "init" =>
            [
                ("--frames", usual.Frames), ("--image-size", usual.ImageSize), ("--patch-size", usual.PatchSize), ("--temporal", usual.Temporal),
                ("--alignment", usual.Alignment), ("--seed", 0),
            ],
            "predict" => [.. s_loading, .. s_sampling, ("--top", predict.Top), ("--views", $"{predict.TemporalViews}x{predict.SpatialViews}")],
            "sample" => [.. s_sampling, ("--frames", s_clip.Frames), ("--size", s_clip.Size)],
            "forward" => s_loading,
            "align" =>
            [
                .. s_loading, .. s_sampling, ("--block", 0), ("--size", s_clip.Size), ("--patch-size", 16), ("--window", alignment.WindowRadius),
                ("--temperature", alignment.Temperature), ("--iterations", alignment.Iterations), ("--components", new InformationOptions().Components),
            ],
            "bench" => [.. s_loading, ("--runs", 10), ("--warmup", 2)],
            "train" => [.. s_run, ("--keep", s_training.KeepCheckpoints)],
            "eval" =>
            [
                .. s_loading, .. s_data, .. s_speed, ("--split", "test"), ("--short", Names.ShortVideo.Of(s_clip.ShortPolicy)),
                ("--views", $"{s_loader.ClipViews}x{s_loader.CropViews}"), ("--batch", s_loader.BatchSize), ("--max-broken", s_loader.AllowedBroken),
            ],
            "compare" => [.. s_run, ("--modes", "all"), ("--alignments", "exact"), ("--seeds", 1)],
            "synth" =>
            [
                ("--task", "act"), ("--clips", 80), ("--test", 0.25), ("--size", $"{act.Width}x{act.Height}"), ("--frames", act.Frames), ("--fps", act.Fps), ("--seed", 0),
                ("--classes", "all"), ("--difficulty", act.Difficulty),
                ("--objects", follow.Objects), ("--radius", follow.Radius), ("--speed", follow.Speed), ("--likeness", follow.Likeness), ("--posts", follow.Posts),
                ("--marked", follow.Marked), ("--background-speed", follow.BackgroundSpeed), ("--noise", follow.Noise), ("--pictures", 0),
            ],
            _ => throw new ArgumentOutOfRangeException(nameof(verb), verb, "Say here what its defaults are."),
        };
    }

    [GeneratedRegex(@"^  (?<option>--[\w-]+) .* Default (?<default>\S+?)[.,:;]?(?: |\r?$)", RegexOptions.Multiline)]
    private static partial Regex Shown();
}
