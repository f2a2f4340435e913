using System.CommandLine;
using System.CommandLine.Parsing;
using System.Diagnostics;
using System.Globalization;
using Ata.Bindings;
using Ata.Cli.Drawing;
using Ata.Cli.Explorer;
using Ata.Training;
using Spectre.Console;

namespace Ata.Cli.Verbs;

/// <summary><c>ata align</c>: aligns the frames of a clip and shows it.</summary>
internal sealed class AlignVerb : Verb<AlignVerb.Arguments>
{
    private const string OrTheModels = "; with a model the model's";

    private static readonly AlignmentOptions s_alignment = new();
    private static readonly ClipOptions s_clip = new();

    private readonly PathArgument _clip = new("clip", PathRole.Input) { Description = "Video file, or folder of numbered JPEG or PNG frames." };
    private readonly ModelArguments _model = new(modelRequired: false);
    private readonly SamplingArguments _sampling = new();
    private readonly Option<string> _overlay = Options.Output(
        "--overlay", "Video (.mp4, .mkv, .webm, .avi) or contact sheet (.png, .jpg) in which trajectories keep their colour.");
    private readonly Option<string> _html = Options.Output("--html", "Page (.html) to explore the alignment in a browser; it needs no network.");
    private readonly ValueOption<int> _block = Options.Whole("--block", "Block of the model whose incoming tokens are aligned.", least: 0, most: NativeMethods.ATA_MAX_DEPTH).WithDefault(0);
    private readonly ValueOption<int> _size = Options.Whole("--size", "Without a model: height and width of the crop in pixels.", most: NativeMethods.ATA_MAX_IMAGE_SIZE).WithDefault(s_clip.Size);
    private readonly ValueOption<int> _patchSize = Options.Whole("--patch-size", "Without a model: height and width of a patch in pixels.", most: NativeMethods.ATA_MAX_IMAGE_SIZE).WithDefault(16);
    private readonly ValueOption<int> _window = Options.Whole("--window", "Alignment window: largest move in patches.", least: 0, most: NativeMethods.ATA_MAX_IMAGE_SIZE)
        .WithDefault(s_alignment.WindowRadius, OrTheModels);
    private readonly ValueOption<double> _temperature = Options.Real("--temperature", "Alignment sinkhorn: temperature.", 1e-6, Options.MostSingle)
        .WithDefault(s_alignment.Temperature, OrTheModels);
    private readonly ValueOption<int> _iterations = Options.Whole("--iterations", "Alignment sinkhorn: iterations.", most: NativeMethods.ATA_MAX_ITERATIONS)
        .WithDefault(s_alignment.Iterations, OrTheModels);
    private readonly Option<bool> _information = new("--information")
    {
        Description = "Estimate the mutual information between patches of neighbouring frames before and after alignment; with --model and no --block, for every block.",
    };

    private readonly ValueOption<int> _components = Options.Whole("--components", "Principal components that --information projects to; 0 for all.", least: 0)
        .WithDefault(new InformationOptions().Components);
    private readonly Option<bool> _json = Options.Json();

    public AlignVerb()
        : base(
            "align",
            "Aligns the frames of a clip patch by patch, and shows where patches go.",
            "ata align clip.mp4 --overlay aligned.mp4",
            "ata align clip.mp4 --html aligned.html",
            "ata align clip.mp4 --frames 16 --stride 2 --alignment window --window 2 --overlay sheet.png",
            "ata align clip.mp4 --model model.safetensors --block 6 --json",
            "ata align clip.mp4 --model model.safetensors --information")
    {
        Command.Add(_clip);
        Add([.. _model.All, .. _sampling.All, _overlay, _html, _block, _size, _patchSize, _window, _temperature, _iterations, _information, _components, _json]);
        Command.Validators.Add(_sampling.Validate);
        Command.Validators.Add(Validate);
    }

    /// <summary>What a command line means.</summary>
    internal sealed record Arguments
    {
        public required string Clip { get; init; }

        /// <summary>The model whose tokens are aligned; null for raw patches.</summary>
        public string? Model { get; init; }

        public required ModelOptions Loading { get; init; }

        /// <summary>The block that was asked for; null for the first, and for all blocks' information.</summary>
        public int? Block { get; init; }

        /// <summary>The clip without a model; with one, only its frames' places in time hold.</summary>
        public required ClipOptions Sampling { get; init; }

        /// <summary>Without a model: height and width of a patch.</summary>
        public int PatchSize { get; init; }

        /// <summary>The alignment without a model.</summary>
        public required AlignmentOptions Alignment { get; init; }

        public string? Overlay { get; init; }

        public string? Html { get; init; }

        public bool Information { get; init; }

        public int Components { get; init; }

        public bool Json { get; init; }
    }

    public override Arguments Parse(ParseResult parse)
    {
        string? overlay = parse.GetValue(_overlay);
        if (overlay is not null)
        {
            RequireOverlayFormat(overlay);
        }

        string? html = parse.GetValue(_html);
        if (html is not null && Path.GetExtension(html).ToLowerInvariant() is not (".html" or ".htm"))
        {
            throw new UsageException($"--html is '{html}'; it must end in .html.");
        }

        ModelOptions loading = _model.Of(parse);
        return new Arguments
        {
            Clip = parse.GetRequiredValue(_clip),
            Model = parse.GetValue(_model.Path),
            Loading = loading with
            {
                WindowRadius = parse.GetValue(_window),
                Temperature = (float?)parse.GetValue(_temperature),
                Iterations = parse.GetValue(_iterations),
            },
            Block = parse.GetValue(_block),
            Sampling = _sampling.Of(parse) with { Frames = loading.Frames ?? s_clip.Frames, Size = _size.In(parse) },
            PatchSize = _patchSize.In(parse),
            Alignment = new AlignmentOptions
            {
                Method = loading.Alignment ?? s_alignment.Method,
                WindowRadius = _window.In(parse),
                Temperature = (float)_temperature.In(parse),
                Iterations = _iterations.In(parse),
                Device = loading.Device,
            },
            Overlay = overlay,
            Html = html,
            Information = parse.GetValue(_information),
            Components = _components.In(parse),
            Json = parse.GetValue(_json),
        };
    }

    protected override int Run(Arguments arguments, FileGuard files, CancellationToken cancellationToken)
    {
        using Model? model = arguments.Model is { } path ? Model.Load(path, arguments.Loading) : null;
        AlignmentOptions alignment = model is null ? arguments.Alignment : AlignmentOf(model.Config, arguments.Loading.Device);
        using VideoReader video = VideoReader.Open(arguments.Clip);
        using VideoClip clip = video.Sample(model is null ? arguments.Sampling : For(model.Config, arguments.Sampling), cancellationToken);
        int patchSize = model?.Config.PatchSize ?? arguments.PatchSize;
        bool everyBlock = model is not null && arguments.Information && arguments.Block is null;
        using BlockFeatures? blocks = model is null
            ? null
            : new BlockFeatures(model, clip, everyBlock ? [.. Enumerable.Range(0, model.Config.Depth)] : [arguments.Block ?? 0], cancellationToken);
        using AtaTensor features = blocks?.First ?? PatchFeatures.Of(clip, patchSize);
        var watch = Stopwatch.StartNew();
        using Trajectories trajectories = FrameAligner.Align(features, alignment);
        TimeSpan time = watch.Elapsed;
        int grid = clip.Width / patchSize;
        cancellationToken.ThrowIfCancellationRequested();
        if (arguments.Overlay is not null)
        {
            Draw(new TrajectoryOverlay(clip, trajectories, grid), arguments.Overlay, cancellationToken);
        }

        // What measures compare: without a model, patches by their looks alone.
        using AtaTensor? looks = model is null && (arguments.Html is not null || arguments.Information) ? PatchFeatures.Of(clip, patchSize, withPosition: false) : null;
        string kind = model is null ? "patches" : $"block {arguments.Block ?? 0}";
        if (arguments.Html is not null)
        {
            string of = model is null ? $"patches of {patchSize} pixels" : $"{kind} of {Path.GetFileName(arguments.Model)}";
            new ExplorerPage(Path.GetFileName(Path.TrimEndingDirectorySeparator(arguments.Clip)), of, clip, features, looks ?? features, grid)
                .Write(arguments.Html, alignment, trajectories, cancellationToken);
        }

        IReadOnlyList<InformationJson>? information = !arguments.Information ? null
            : everyBlock ? AlignmentInformation.Of(blocks!, alignment, arguments.Components, cancellationToken)
            : AlignmentInformation.Of(kind, looks ?? features, trajectories, arguments.Components);
        RequireSomethingDefined(information);
        Report(Summarize(arguments, alignment.Method, kind, clip, trajectories, grid, time, information), arguments.Json);
        return 0;
    }

    private void Validate(CommandResult command)
    {
        bool hasModel = command.GetResult(_model.Path) is not null;
        foreach (Option option in hasModel ? (Option[])[_size, _patchSize] : [_block, .. _model.OnlyWithModel])
        {
            if (command.GetResult(option) is not null)
            {
                command.AddError(hasModel
                    ? $"{option.Name} and --model exclude each other: the model decides it."
                    : $"{option.Name} needs --model.");
            }
        }

        if (_model.AlignmentOf(command) == AlignmentMethod.Soft)
        {
            command.AddError("--alignment is 'soft', which has no trajectories to show; choose another alignment.");
        }

        if (command.GetResult(_components) is not null && !command.ValueOf(_information))
        {
            command.AddError("--components needs --information.");
        }
    }

    /// <summary>How a model aligns.</summary>
    private static AlignmentOptions AlignmentOf(ModelConfig model, string device) => model.Alignment != AlignmentMethod.Soft
        ? new() { Method = model.Alignment, WindowRadius = model.WindowRadius, Temperature = model.Temperature, Iterations = model.Iterations, Device = device }
        : throw new UsageException("The model's alignment is 'soft', which has no trajectories to show; choose another one by --alignment.");

    /// <summary>A clip for a model, whose frames are placed in time as asked for.</summary>
    private static ClipOptions For(ModelConfig model, ClipOptions sampling) => sampling with
    {
        Frames = model.Frames,
        Size = model.ImageSize,
        Mean = model.Mean,
        Std = model.Std,
    };

    private static void RequireSomethingDefined(IReadOnlyList<InformationJson>? information)
    {
        if (information is not null && information.All(result => result.Undefined is not null))
        {
            throw new NotSupportedException(information[0].Undefined);
        }
    }

    private static bool IsPicture(string path) =>
        Path.GetExtension(path).ToLowerInvariant() is ".png" or ".jpg" or ".jpeg";

    private static void RequireOverlayFormat(string path)
    {
        if (!IsPicture(path) && Path.GetExtension(path).ToLowerInvariant() is not (".mp4" or ".mkv" or ".webm" or ".avi"))
        {
            throw new UsageException($"--overlay is '{path}'; it must end in .mp4, .mkv, .webm, .avi, .png or .jpg.");
        }
    }

    private static void Draw(TrajectoryOverlay overlay, string path, CancellationToken cancellationToken)
    {
        if (IsPicture(path))
        {
            overlay.WriteSheet(path);
        }
        else
        {
            overlay.WriteVideo(path, cancellationToken);
        }
    }

    private static AlignmentJson Summarize(
        Arguments arguments,
        AlignmentMethod method,
        string features,
        VideoClip sampled,
        Trajectories trajectories,
        int grid,
        TimeSpan time,
        IReadOnlyList<InformationJson>? information)
    {
        PairStatistics pairs = PairStatistics.Of(trajectories);
        return new AlignmentJson(
            arguments.Clip,
            Names.Alignment.Of(method),
            features,
            trajectories.Frames,
            grid,
            grid,
            time.TotalSeconds,
            sampled.FrameTimes.ToArray(),
            pairs.MeanSimilarity,
            pairs.MovedShare,
            Enumerable.Range(0, trajectories.Frames).Select(t => trajectories.OfFrame(0, t).ToArray()).ToArray(),
            arguments.Overlay,
            arguments.Html,
            information);
    }

    private static void Report(AlignmentJson result, bool json)
    {
        if (json)
        {
            CliJson.Print(result);
            return;
        }

        Terminal.WriteLine(
            $"[bold]{result.Clip}[/]: {result.Frames} frames of {result.GridHeight} x {result.GridWidth} patches, alignment {result.Alignment} of {result.Features} [grey]{1000 * result.Seconds:0.0} ms[/]");
        var table = new Table().Border(TableBorder.Simple)
            .AddColumn("frames")
            .AddColumn(new TableColumn("mean similarity").RightAligned())
            .AddColumn(new TableColumn("patches that moved").RightAligned());
        for (int pair = 0; pair < result.MeanSimilarity.Count; ++pair)
        {
            table.AddRow(
                string.Create(CultureInfo.InvariantCulture, $"{result.FrameTimes[pair]:0.00} s - {result.FrameTimes[pair + 1]:0.00} s"),
                string.Create(CultureInfo.InvariantCulture, $"{result.MeanSimilarity[pair]:0.000}"),
                string.Create(CultureInfo.InvariantCulture, $"{100 * result.MovedShare[pair]:0} %"));
        }

        Terminal.Write(table);
        if (result.Information is not null)
        {
            AlignmentInformation.Print(result.Information);
        }

        if (result.Overlay is not null)
        {
            Terminal.WriteLine($"overlay: [bold]{result.Overlay}[/]");
        }

        if (result.Html is not null)
        {
            Terminal.WriteLine($"page: [bold]{result.Html}[/]");
        }
    }
}
