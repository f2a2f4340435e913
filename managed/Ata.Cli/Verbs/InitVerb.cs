using System.CommandLine;
using Ata.Bindings;
using Ata.Cli.Train;

namespace Ata.Cli.Verbs;

/// <summary><c>ata init</c>: makes a model with random weights.</summary>
internal sealed class InitVerb : Verb<InitVerb.Arguments>
{
    private readonly PathArgument _output = new("output", PathRole.Output) { Description = "Checkpoint to write (safetensors)." };
    private readonly Option<string> _architecture = Options.Architecture($"{Names.Architectures}.", required: true);
    private readonly ValueOption<int> _classes = Options.Whole("--classes", "Number of classes; the number of labels if not given.", most: NativeMethods.ATA_MAX_CLASSES);
    private readonly ValueOption<int> _frames = Options.Whole("--frames", "Frames of a clip.", most: NativeMethods.ATA_MAX_FRAMES);
    private readonly ValueOption<int> _imageSize = Options.Whole("--image-size", "Frame size in pixels.", most: NativeMethods.ATA_MAX_IMAGE_SIZE);
    private readonly ValueOption<int> _patchSize = Options.Whole("--patch-size", "Patch size in pixels.", most: NativeMethods.ATA_MAX_IMAGE_SIZE);
    private readonly ValueOption<int> _dim = Options.Whole("--dim", "Width of a token; the architecture's if not given.", most: NativeMethods.ATA_MAX_DIM);
    private readonly ValueOption<int> _depth = Options.Whole("--depth", "Number of blocks; the architecture's if not given.", most: NativeMethods.ATA_MAX_DEPTH);
    private readonly ValueOption<int> _heads = Options.Whole("--heads", "Attention heads; the architecture's if not given.", most: NativeMethods.ATA_MAX_DIM);
    private readonly ValueOption<TemporalMode> _temporal = Options.Choice("--temporal", "Temporal mode.", Names.Temporal);
    private readonly ValueOption<AlignmentMethod> _alignment = Options.Choice("--alignment", "Alignment of mode ata.", Names.Alignment);
    private readonly Option<string> _labels = LabelFile.Option();
    private readonly ValueOption<ulong> _seed = Options.Seed().WithDefault(0);
    private readonly Option<bool> _json = Options.Json();

    public InitVerb()
        : base(
            "init",
            "Makes a model with random weights, to be trained.",
            "ata init model.safetensors --arch vit-small --classes 101",
            "ata init tiny.safetensors --arch vit-tiny --image-size 64 --patch-size 8 --depth 4 --labels classes.txt --seed 1")
    {
        Command.Add(_output);
        Add(_architecture, _classes, _frames, _imageSize, _patchSize, _dim, _depth, _heads, _temporal, _alignment, _labels, _seed, _json);
    }

    /// <summary>What a command line means.</summary>
    /// <param name="Output">The checkpoint to write.</param>
    /// <param name="Source">The architecture and what differs from it.</param>
    /// <param name="Classes">Number of classes; null for that of the labels, else the architecture's.</param>
    /// <param name="Labels">File with the names of the classes, or null.</param>
    /// <param name="Seed">Seed of the weights.</param>
    /// <param name="Json">Whether a program reads the result.</param>
    internal sealed record Arguments(string Output, ModelSource Source, int? Classes, string? Labels, ulong Seed, bool Json);

    public override Arguments Parse(ParseResult parse)
    {
        var source = new ModelSource
        {
            Architecture = parse.GetRequiredValue(_architecture),
            Frames = parse.GetValue(_frames),
            ImageSize = parse.GetValue(_imageSize),
            PatchSize = parse.GetValue(_patchSize),
            Dim = parse.GetValue(_dim),
            Depth = parse.GetValue(_depth),
            Heads = parse.GetValue(_heads),
            Temporal = parse.GetValue(_temporal),
            Alignment = parse.GetValue(_alignment),
        };
        return new Arguments(
            parse.GetRequiredValue(_output), source, parse.GetValue(_classes), parse.GetValue(_labels), _seed.In(parse), parse.GetValue(_json));
    }

    protected override int Run(Arguments arguments, FileGuard files, CancellationToken cancellationToken)
    {
        string[]? names = LabelFile.Read(arguments.Labels);
        ModelConfig config = arguments.Source.NewModel();
        using Model model = Model.Create(config with { Classes = arguments.Classes ?? names?.Length ?? config.Classes }, arguments.Seed);
        return WrittenModel.Save(model, names, arguments.Output, arguments.Json, cancellationToken);
    }

    protected override void DescribeDefaultsOfTheLibrary()
    {
        // What all architectures have in common.
        ModelConfig usual = ModelConfig.Named("vit-tiny");
        _classes.Description = $"Number of classes; the number of labels, or {usual.Classes}, if not given.";
        _frames.WithDefault(usual.Frames);
        _imageSize.WithDefault(usual.ImageSize);
        _patchSize.WithDefault(usual.PatchSize);
        _temporal.WithDefault(usual.Temporal);
        _alignment.WithDefault(usual.Alignment);
    }
}
