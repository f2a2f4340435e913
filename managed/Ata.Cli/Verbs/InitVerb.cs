using System.CommandLine;
using Ata.Bindings;

namespace Ata.Cli.Verbs;

/// <summary><c>ata init</c>: makes a model with random weights.</summary>
internal static class InitVerb
{
    public static Command Create()
    {
        var command = new Verb(
            "init",
            "Makes a model with random weights, to be trained.",
            "ata init model.safetensors --arch vit-small --classes 101",
            "ata init tiny.safetensors --arch vit-tiny --image-size 64 --patch-size 8 --depth 4 --labels classes.txt --seed 1");
        var output = new PathArgument("output", PathRole.Output) { Description = "Checkpoint to write (safetensors)." };
        var architecture = new Option<string>("--arch")
        {
            Description = "vit-tiny, vit-small, vit-base or vit-large.",
            HelpName = "name",
            Required = true,
        };
        Option<int?> classes = Options.Whole("--classes", "Number of classes; the number of labels, or 400, if not given.", most: NativeMethods.ATA_MAX_CLASSES);
        Option<int?> frames = Options.Whole("--frames", "Frames of a clip. Default 8.", most: NativeMethods.ATA_MAX_FRAMES);
        Option<int?> imageSize = Options.Whole("--image-size", "Frame size in pixels. Default 224.", most: NativeMethods.ATA_MAX_IMAGE_SIZE);
        Option<int?> patchSize = Options.Whole("--patch-size", "Patch size in pixels. Default 16.", most: NativeMethods.ATA_MAX_IMAGE_SIZE);
        Option<int?> dim = Options.Whole("--dim", "Width of a token; the architecture's if not given.", most: NativeMethods.ATA_MAX_DIM);
        Option<int?> depth = Options.Whole("--depth", "Number of blocks; the architecture's if not given.", most: NativeMethods.ATA_MAX_DEPTH);
        Option<int?> heads = Options.Whole("--heads", "Attention heads; the architecture's if not given.", most: NativeMethods.ATA_MAX_DIM);
        Option<TemporalMode?> temporal = Options.Choice("--temporal", "Temporal mode. Default ata.", Names.Temporal);
        Option<AlignmentMethod?> alignment = Options.Choice("--alignment", "Alignment of mode ata. Default exact.", Names.Alignment);
        Option<string> labels = LabelFile.Option();
        Option<ulong?> seed = Options.Seed();
        Option<bool> json = Options.Json();
        command.Add(output);
        foreach (Option option in (Option[])
            [architecture, classes, frames, imageSize, patchSize, dim, depth, heads, temporal, alignment, labels, seed, json])
        {
            command.Add(option);
        }

        command.SetWork((parse, cancellationToken) =>
        {
            string[]? names = LabelFile.Read(parse.GetValue(labels));
            ModelConfig named = ModelConfig.Named(parse.GetRequiredValue(architecture));
            ModelConfig config = named with
            {
                Classes = parse.GetValue(classes) ?? names?.Length ?? named.Classes,
                Frames = parse.GetValue(frames) ?? named.Frames,
                ImageSize = parse.GetValue(imageSize) ?? named.ImageSize,
                PatchSize = parse.GetValue(patchSize) ?? named.PatchSize,
                Dim = parse.GetValue(dim) ?? named.Dim,
                Depth = parse.GetValue(depth) ?? named.Depth,
                Heads = parse.GetValue(heads) ?? named.Heads,
                Temporal = parse.GetValue(temporal) ?? named.Temporal,
                Alignment = parse.GetValue(alignment) ?? named.Alignment,
            };
            using Model model = Model.Create(config, parse.GetValue(seed) ?? 0);
            return WrittenModel.Save(model, names, parse.GetRequiredValue(output), parse.GetValue(json), cancellationToken);
        });
        return command;
    }
}
