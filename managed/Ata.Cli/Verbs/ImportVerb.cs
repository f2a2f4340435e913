using System.CommandLine;
using Ata.Bindings;

namespace Ata.Cli.Verbs;

/// <summary><c>ata import</c>: converts a foreign checkpoint.</summary>
internal static class ImportVerb
{
    public static Command Create()
    {
        var command = new Verb(
            "import",
            "Converts a checkpoint of timm, DINOv2, CLIP, TimeSformer or Hugging Face's ViT to Ata's, which then computes what the original computed.",
            "ata import vit_base_patch16_224/model.safetensors base.safetensors --frames 8 --classes 174",
            "ata import vit_base_patch16_224.augreg.safetensors base.safetensors --normalization half",
            "ata import ViT-B-32.pt clip.safetensors --activation quick_gelu --image-size 256",
            "ata import runs/images/best.safetensors model.safetensors --frames 8 --random-times",
            "ata import TimeSformer_divST_8x32_224_K400.pyth model.safetensors --labels kinetics.txt");
        var input = new PathArgument("input", PathRole.Input)
        {
            Description = "Checkpoint to read: safetensors, an index of shards, a PyTorch file, or the folder of one.",
        };
        var output = new PathArgument("output", PathRole.Output) { Description = "Checkpoint to write (safetensors)." };
        Option<CheckpointSource?> source = Options.Choice(
            "--from", "Origin; auto (the default) recognises it by the tensors' names.", Names.Source);
        Option<int?> frames = Options.Whole("--frames", "Frames of a clip; the checkpoint's, or 8, if not given.", most: NativeMethods.ATA_MAX_FRAMES);
        Option<TemporalMode?> temporal = Options.Choice(
            "--temporal", "Temporal mode; the checkpoint's if not given, ata for an image model.", Names.Temporal);
        Option<int?> classes = Options.Whole(
            "--classes", "Number of classes; a head of another size is replaced by a new one. The checkpoint's if not given.", most: NativeMethods.ATA_MAX_CLASSES);
        Option<int?> heads = Options.Whole(
            "--heads", "Attention heads; by config.json, or as published models of that width have, if not given.", most: NativeMethods.ATA_MAX_DIM);
        Option<Activation?> activation = Options.Choice(
            "--activation", "Activation of the MLPs; by config.json or the family if not given.", Names.Activation);
        Option<double?> normEps = Options.PositiveReal(
            "--norm-eps", "What layer norms add to the variance; by config.json or the family if not given.");
        Option<ChannelValues?> mean = Options.Channels(
            "--mean", "Mean that the original's pixels are normalised with, on the scale of 0 to 1; needs --std.", positive: false);
        Option<ChannelValues?> std = Options.Channels("--std", "Standard deviation; needs --mean.", positive: true);
        Option<(ChannelValues Mean, ChannelValues Std)?> normalization = Options.Choice(
            "--normalization", "Published --mean and --std: half is 0.5 and 0.5.", Names.Normalization);
        Option<int?> imageSize = Options.Whole(
            "--image-size", "Frame size in pixels; what the positions are for if not given. They are interpolated.", most: NativeMethods.ATA_MAX_IMAGE_SIZE);
        Option<PositionInterpolation?> positions = Options.Choice(
            "--interpolation", "How positions are interpolated; bicubic as in timm, but nearest for TimeSformer, if not given.", Names.Positions);
        var randomTimes = new Option<bool>("--random-times")
        {
            Description = "Start a time embedding that the checkpoint lacks at random, which fine-tuning on movement needs, rather than at zero, which leaves an image model as it was.",
        };
        var key = new Option<string>("--key")
        {
            Description = "Where the weights are in a PyTorch file, such as model_state; the usual keys if not given.",
            HelpName = "name",
        };
        var ignore = new Option<string[]>("--ignore")
        {
            Description = "Leave out the tensors of such names, whatever they do; may be repeated.",
            HelpName = "pattern",
        };
        var noConfig = new Option<bool>("--no-config")
        {
            Description = "Do not read config.json and its like beside the checkpoint.",
        };
        Option<string> labels = LabelFile.Option();
        Option<ulong?> seed = Options.Seed();
        Option<bool> json = Options.Json();
        command.Add(input);
        command.Add(output);
        foreach (Option option in (Option[])
            [source, frames, temporal, classes, heads, activation, normEps, mean, std, normalization, imageSize, positions,
                randomTimes, key, ignore, noConfig, labels, seed, json])
        {
            command.Add(option);
        }

        command.SetWork((parse, cancellationToken) =>
        {
            ChannelValues? meanValues = parse.GetValue(mean);
            ChannelValues? stdValues = parse.GetValue(std);
            if (meanValues is null != stdValues is null)
            {
                throw new UsageException("--mean and --std go together; give both.");
            }

            if (parse.GetValue(normalization) is { } published)
            {
                if (meanValues is not null)
                {
                    throw new UsageException("--normalization says what --mean and --std say; give one or the other.");
                }

                (meanValues, stdValues) = published;
            }

            string[] patterns = parse.GetValue(ignore) ?? [];
            if (Array.Exists(patterns, string.IsNullOrEmpty))
            {
                throw new UsageException("--ignore is empty; it must be a pattern of tensor names, such as 'head.*'.");
            }

            string[]? names = LabelFile.Read(parse.GetValue(labels));
            using Model model = Model.Import(
                parse.GetRequiredValue(input),
                new ImportOptions
                {
                    Source = parse.GetValue(source) ?? CheckpointSource.Auto,
                    Frames = parse.GetValue(frames),
                    Temporal = parse.GetValue(temporal),
                    Classes = parse.GetValue(classes),
                    Heads = parse.GetValue(heads),
                    Activation = parse.GetValue(activation),
                    NormEps = (float?)parse.GetValue(normEps),
                    Mean = meanValues,
                    Std = stdValues,
                    ImageSize = parse.GetValue(imageSize),
                    Positions = parse.GetValue(positions) ?? PositionInterpolation.Auto,
                    Seed = parse.GetValue(seed) ?? 0,
                    RandomTimes = parse.GetValue(randomTimes),
                    Key = parse.GetValue(key),
                    Ignore = patterns,
                    TensorsOnly = parse.GetValue(noConfig),
                });
            return WrittenModel.Save(model, names, parse.GetRequiredValue(output), parse.GetValue(json), cancellationToken);
        });
        return command;
    }
}
