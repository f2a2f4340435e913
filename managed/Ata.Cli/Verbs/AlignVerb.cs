using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Ata.Bindings;
using Ata.Cli.Drawing;
using Ata.Cli.Explorer;
using Ata.Training;
using Spectre.Console;

namespace Ata.Cli.Verbs;

/// <summary><c>ata align</c>: aligns the frames of a clip and shows it.</summary>
internal static class AlignVerb
{
    public static Command Create()
    {
        var command = new Verb(
            "align",
            "Aligns the frames of a clip patch by patch, and shows where patches go.",
            "ata align clip.mp4 --overlay aligned.mp4",
            "ata align clip.mp4 --html aligned.html",
            "ata align clip.mp4 --frames 16 --stride 2 --alignment window --window 2 --overlay sheet.png",
            "ata align clip.mp4 --model model.safetensors --block 6 --json",
            "ata align clip.mp4 --model model.safetensors --information");
        var clip = new PathArgument("clip", PathRole.Input) { Description = "Video file, or folder of numbered JPEG or PNG frames." };
        Option<string> overlay = Options.Output(
            "--overlay", "Video (.mp4, .mkv, .webm, .avi) or contact sheet (.png, .jpg) in which trajectories keep their colour.");
        Option<string> html = Options.Output("--html", "Page (.html) to explore the alignment in a browser; it needs no network.");
        Option<int?> block = Options.Whole("--block", "Block of the model whose incoming tokens are aligned. Default 0.", least: 0, most: NativeMethods.ATA_MAX_DEPTH);
        Option<int?> size = Options.Whole("--size", "Without a model: height and width of the crop in pixels. Default 224.", most: NativeMethods.ATA_MAX_IMAGE_SIZE);
        Option<int?> patchSize = Options.Whole("--patch-size", "Without a model: height and width of a patch in pixels. Default 16.", most: NativeMethods.ATA_MAX_IMAGE_SIZE);
        Option<int?> window = Options.Whole("--window", "Alignment window: largest move in patches. Default 3.", least: 0, most: NativeMethods.ATA_MAX_IMAGE_SIZE);
        Option<double?> temperature = Options.Real("--temperature", "Alignment sinkhorn: temperature. Default 0.05.", 1e-6, Options.MostSingle);
        Option<int?> iterations = Options.Whole("--iterations", "Alignment sinkhorn: iterations. Default 50.", most: NativeMethods.ATA_MAX_ITERATIONS);
        var information = new Option<bool>("--information")
        {
            Description = "Estimate the mutual information between patches of neighbouring frames before and after alignment; with --model and no --block, for every block.",
        };
        Option<int?> components = Options.Whole(
            "--components", "Principal components that --information projects to; 0 for all. Default 8.", least: 0);
        Option<bool> json = Options.Json();
        command.Add(clip);
        var model = new ModelArguments(command, modelRequired: false);
        var sampling = new SamplingArguments(command);
        foreach (Option option in (Option[])[overlay, html, block, size, patchSize, window, temperature, iterations, information, components, json])
        {
            command.Add(option);
        }

        command.Validators.Add(result =>
        {
            bool hasModel = result.GetResult(model.Path) is not null;
            foreach (Option option in hasModel ? (Option[])[size, patchSize] : [block])
            {
                if (result.GetResult(option) is not null)
                {
                    result.AddError(hasModel
                        ? $"{option.Name} and --model exclude each other: the model decides it."
                        : $"{option.Name} needs --model.");
                }
            }

            if (model.AlignmentOf(result) == AlignmentMethod.Soft)
            {
                result.AddError("--alignment is 'soft', which has no trajectories to show; choose another alignment.");
            }

            if (result.GetResult(components) is not null && !result.ValueOf(information))
            {
                result.AddError("--components needs --information.");
            }
        });
        command.SetWork((parse, cancellationToken) =>
        {
            ModelOptions modelOptions = model.Of(parse);
            string? overlayPath = parse.GetValue(overlay);
            if (overlayPath is not null)
            {
                RequireOverlayFormat(overlayPath);
            }

            string? htmlPath = parse.GetValue(html);
            if (htmlPath is not null && Path.GetExtension(htmlPath).ToLowerInvariant() is not (".html" or ".htm"))
            {
                throw new UsageException($"--html is '{htmlPath}'; it must end in .html.");
            }

            using Model? loaded = parse.GetValue(model.Path) is { } path ? Model.Load(path, modelOptions) : null;
            ClipOptions clipOptions = loaded is null
                ? sampling.Of(parse) with { Frames = modelOptions.Frames ?? 8, Size = parse.GetValue(size) ?? 224 }
                : sampling.Of(parse) with
                {
                    Frames = loaded.Config.Frames,
                    Size = loaded.Config.ImageSize,
                    Mean = loaded.Config.Mean,
                    Std = loaded.Config.Std,
                };
            int patch = loaded?.Config.PatchSize ?? parse.GetValue(patchSize) ?? 16;
            var options = new AlignmentOptions
            {
                Method = modelOptions.Alignment ?? AlignmentMethod.Exact,
                WindowRadius = parse.GetValue(window) ?? 3,
                Temperature = (float)(parse.GetValue(temperature) ?? 0.05),
                Iterations = parse.GetValue(iterations) ?? 50,
            };

            string clipPath = parse.GetRequiredValue(clip);
            using VideoReader video = VideoReader.Open(clipPath);
            using VideoClip sampled = video.Sample(clipOptions, cancellationToken);
            int blockIndex = parse.GetValue(block) ?? 0;
            using AtaTensor features = loaded is null
                ? PatchFeatures.Of(sampled, patch)
                : FeaturesOf(loaded, sampled, blockIndex, cancellationToken);
            var watch = Stopwatch.StartNew();
            using Trajectories trajectories = FrameAligner.Align(features, options);
            TimeSpan time = watch.Elapsed;
            int grid = sampled.Width / patch;
            cancellationToken.ThrowIfCancellationRequested();
            if (overlayPath is not null)
            {
                Draw(new TrajectoryOverlay(sampled, trajectories, grid), overlayPath, cancellationToken);
            }

            string kind = loaded is null ? "patches" : $"block {blockIndex}";
            bool informed = parse.GetValue(information);
            using AtaTensor? colors = loaded is null && (htmlPath is not null || informed) ? PatchFeatures.Of(sampled, patch, withPosition: false) : null;
            if (htmlPath is not null)
            {
                string of = loaded is null ? $"patches of {patch} pixels" : $"{kind} of {Path.GetFileName(parse.GetValue(model.Path))}";
                new ExplorerPage(Path.GetFileName(Path.TrimEndingDirectorySeparator(clipPath)), of, sampled, features, colors ?? features, grid)
                    .Write(htmlPath, options, trajectories, cancellationToken);
            }

            IReadOnlyList<InformationJson>? nats = null;
            if (informed)
            {
                int projection = parse.GetValue(components) ?? new InformationOptions().Components;
                nats = loaded is not null && parse.GetValue(block) is null
                    ? AlignmentInformation.OfBlocks(loaded, sampled, options, projection, cancellationToken)
                    : AlignmentInformation.Of(kind, colors ?? features, trajectories, projection);
                if (nats.All(result => result.Undefined is not null))
                {
                    throw new NotSupportedException(nats[0].Undefined);
                }
            }

            Report(Summarize(clipPath, options.Method, kind, sampled, trajectories, grid, time, overlayPath, htmlPath, nats), parse.GetValue(json));
            return 0;
        });
        return command;
    }

    private static AtaTensor FeaturesOf(Model model, VideoClip clip, int block, CancellationToken cancellationToken)
    {
        using Session session = model.CreateSession();
        return session.GetFeatures(clip.Tensor, block, cancellationToken);
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
        string clip,
        AlignmentMethod method,
        string features,
        VideoClip sampled,
        Trajectories trajectories,
        int grid,
        TimeSpan time,
        string? overlay,
        string? html,
        IReadOnlyList<InformationJson>? information)
    {
        PairStatistics pairs = PairStatistics.Of(trajectories);
        return new AlignmentJson(
            clip,
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
            overlay,
            html,
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
