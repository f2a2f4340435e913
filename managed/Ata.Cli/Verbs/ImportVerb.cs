using System.CommandLine;
using Ata.Bindings;

namespace Ata.Cli.Verbs;

/// <summary><c>ata import</c>: converts a foreign checkpoint.</summary>
internal sealed class ImportVerb : Verb<ImportVerb.Arguments>
{
    private static readonly ImportOptions s_defaults = new();

    private readonly PathArgument _input = new("input", PathRole.Input)
    {
        Description = "Checkpoint to read: safetensors, an index of shards, a PyTorch file, or the folder of one.",
    };

    private readonly PathArgument _output = new("output", PathRole.Output) { Description = "Checkpoint to write (safetensors)." };
    private readonly ValueOption<CheckpointSource> _source = Options.Choice(
        "--from", "Origin; auto recognises it by the tensors' names.", Names.Source).WithDefault(s_defaults.Source);
    private readonly Option<int?> _frames = Options.Whole("--frames", "Frames of a clip; the checkpoint's if not given.", most: NativeMethods.ATA_MAX_FRAMES);
    private readonly Option<TemporalMode?> _temporal = Options.Choice(
        "--temporal", "Temporal mode; the checkpoint's if not given, ata for an image model.", Names.Temporal);
    private readonly Option<int?> _classes = Options.Whole(
        "--classes", "Number of classes; a head of another size is replaced by a new one. The checkpoint's if not given.", most: NativeMethods.ATA_MAX_CLASSES);
    private readonly Option<int?> _heads = Options.Whole(
        "--heads", "Attention heads; by config.json, or as published models of that width have, if not given.", most: NativeMethods.ATA_MAX_DIM);
    private readonly Option<Activation?> _activation = Options.Choice(
        "--activation", "Activation of the MLPs; by config.json or the family if not given.", Names.Activation);
    private readonly Option<double?> _normEps = Options.PositiveReal(
        "--norm-eps", "What layer norms add to the variance; by config.json or the family if not given.");
    private readonly Option<ChannelValues?> _mean = Options.Channels(
        "--mean", "Mean that the original's pixels are normalised with, on the scale of 0 to 1; needs --std.", positive: false);
    private readonly Option<ChannelValues?> _std = Options.Channels("--std", "Standard deviation; needs --mean.", positive: true);
    private readonly Option<(ChannelValues Mean, ChannelValues Std)?> _normalization = Options.Choice(
        "--normalization", "Published --mean and --std: half is 0.5 and 0.5.", Names.Normalization);
    private readonly Option<int?> _imageSize = Options.Whole(
        "--image-size", "Frame size in pixels; what the positions are for if not given. They are interpolated.", most: NativeMethods.ATA_MAX_IMAGE_SIZE);
    private readonly Option<PositionInterpolation?> _positions = Options.Choice(
        "--interpolation", "How positions are interpolated; bicubic as in timm, but nearest for TimeSformer, if not given.", Names.Positions);
    private readonly Option<bool> _randomTimes = new("--random-times")
    {
        Description = "Start a time embedding that the checkpoint lacks at random, which fine-tuning on movement needs, rather than at zero, which leaves an image model as it was.",
    };

    private readonly Option<string> _key = new("--key")
    {
        Description = "Where the weights are in a PyTorch file, such as model_state; the usual keys if not given.",
        HelpName = "name",
    };

    private readonly Option<string[]> _ignore = new("--ignore")
    {
        Description = "Leave out the tensors of such names, whatever they do; may be repeated.",
        HelpName = "pattern",
    };

    private readonly Option<bool> _noConfig = new("--no-config") { Description = "Do not read config.json and its like beside the checkpoint." };
    private readonly Option<string> _labels = LabelFile.Option();
    private readonly ValueOption<ulong> _seed = Options.Seed().WithDefault(s_defaults.Seed);
    private readonly Option<bool> _json = Options.Json();

    public ImportVerb()
        : base(
            "import",
            "Converts a checkpoint of timm, DINOv2, CLIP, TimeSformer or Hugging Face's ViT to Ata's, which then computes what the original computed.",
            "ata import vit_base_patch16_224/model.safetensors base.safetensors --frames 8 --classes 174",
            "ata import vit_base_patch16_224.augreg.safetensors base.safetensors --normalization half",
            "ata import ViT-B-32.pt clip.safetensors --activation quick_gelu --image-size 256",
            "ata import runs/images/best.safetensors model.safetensors --frames 8 --random-times",
            "ata import TimeSformer_divST_8x32_224_K400.pyth model.safetensors --labels kinetics.txt")
    {
        Command.Add(_input);
        Command.Add(_output);
        Add(
            _source, _frames, _temporal, _classes, _heads, _activation, _normEps, _mean, _std, _normalization, _imageSize, _positions,
            _randomTimes, _key, _ignore, _noConfig, _labels, _seed, _json);
    }

    /// <summary>What a command line means.</summary>
    internal sealed record Arguments(string Input, string Output, ImportOptions Options, string? Labels, bool Json);

    public override Arguments Parse(ParseResult parse)
    {
        (ChannelValues? mean, ChannelValues? std) = NormalizationOf(parse);
        string[] patterns = parse.GetValue(_ignore) ?? [];
        if (Array.Exists(patterns, string.IsNullOrEmpty))
        {
            throw new UsageException("--ignore is empty; it must be a pattern of tensor names, such as 'head.*'.");
        }

        var options = new ImportOptions
        {
            Source = _source.In(parse),
            Frames = parse.GetValue(_frames),
            Temporal = parse.GetValue(_temporal),
            Classes = parse.GetValue(_classes),
            Heads = parse.GetValue(_heads),
            Activation = parse.GetValue(_activation),
            NormEps = (float?)parse.GetValue(_normEps),
            Mean = mean,
            Std = std,
            ImageSize = parse.GetValue(_imageSize),
            Positions = parse.GetValue(_positions) ?? s_defaults.Positions,
            Seed = _seed.In(parse),
            RandomTimes = parse.GetValue(_randomTimes),
            Key = parse.GetValue(_key),
            Ignore = patterns,
            TensorsOnly = parse.GetValue(_noConfig),
        };
        return new Arguments(parse.GetRequiredValue(_input), parse.GetRequiredValue(_output), options, parse.GetValue(_labels), parse.GetValue(_json));
    }

    protected override int Run(Arguments arguments, FileGuard files, CancellationToken cancellationToken)
    {
        string[]? names = LabelFile.Read(arguments.Labels);
        using Model model = Model.Import(arguments.Input, arguments.Options);
        return WrittenModel.Save(model, names, arguments.Output, arguments.Json, cancellationToken);
    }

    protected override void DescribeDefaultsOfTheLibrary() =>
        _frames.Description = $"Frames of a clip; the checkpoint's, or {ModelConfig.Named("vit-tiny").Frames}, if not given.";

    private (ChannelValues? Mean, ChannelValues? Std) NormalizationOf(ParseResult parse)
    {
        ChannelValues? mean = parse.GetValue(_mean);
        ChannelValues? std = parse.GetValue(_std);
        if (mean is null != std is null)
        {
            throw new UsageException("--mean and --std go together; give both.");
        }

        if (parse.GetValue(_normalization) is not { } published)
        {
            return (mean, std);
        }

        return mean is null ? published : throw new UsageException("--normalization says what --mean and --std say; give one or the other.");
    }
}
