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
            "Converts a checkpoint of timm, CLIP or TimeSformer, stored as safetensors, to Ata's.",
            "ata import vit_base_patch16_224.safetensors base.safetensors --frames 8 --classes 174",
            "ata import runs/images/best.safetensors model.safetensors --frames 8 --random-times",
            "ata import timesformer.safetensors model.safetensors --from timesformer --labels kinetics.txt");
        Argument<string> input = Options.File("input", "Checkpoint to read (safetensors).");
        Argument<string> output = Options.File("output", "Checkpoint to write (safetensors).");
        Option<CheckpointSource?> source = Options.Choice(
            "--from", "Origin; auto (the default) recognises it by the tensors' names.", Names.Source);
        Option<int?> frames = Options.Whole("--frames", "Frames of a clip; the checkpoint's, or 8, if not given.", most: NativeMethods.ATA_MAX_FRAMES);
        Option<TemporalMode?> temporal = Options.Choice("--temporal", "Temporal mode. Default ata.", Names.Temporal);
        Option<int?> classes = Options.Whole(
            "--classes", "Number of classes; a head of another size is replaced by a new one. The checkpoint's if not given.", most: NativeMethods.ATA_MAX_CLASSES);
        Option<int?> heads = Options.Whole("--heads", "Attention heads; one for every 64 channels if not given.", most: NativeMethods.ATA_MAX_DIM);
        var randomTimes = new Option<bool>("--random-times")
        {
            Description = "Start a time embedding that the checkpoint lacks at random, which fine-tuning on movement needs, rather than at zero, which leaves an image model as it was.",
        };
        Option<string> labels = LabelFile.Option();
        Option<ulong?> seed = Options.Seed();
        Option<bool> json = Options.Json();
        command.Add(input);
        command.Add(output);
        foreach (Option option in (Option[])[source, frames, temporal, classes, heads, randomTimes, labels, seed, json])
        {
            command.Add(option);
        }

        command.SetWork((parse, cancellationToken) =>
        {
            string[]? names = LabelFile.Read(parse.GetValue(labels));
            using Model model = Model.Import(
                parse.GetRequiredValue(input),
                new ImportOptions
                {
                    Source = parse.GetValue(source) ?? CheckpointSource.Auto,
                    Frames = parse.GetValue(frames),
                    Temporal = parse.GetValue(temporal) ?? TemporalMode.Ata,
                    Classes = parse.GetValue(classes),
                    Heads = parse.GetValue(heads),
                    Seed = parse.GetValue(seed) ?? 0,
                    RandomTimes = parse.GetValue(randomTimes),
                });
            return WrittenModel.Save(model, names, parse.GetRequiredValue(output), parse.GetValue(json), cancellationToken);
        });
        return command;
    }
}
