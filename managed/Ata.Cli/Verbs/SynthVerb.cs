using System.CommandLine;
using System.Globalization;
using Ata.Cli.Synth;
using Spectre.Console;

namespace Ata.Cli.Verbs;

/// <summary><c>ata synth</c>: makes videos whose class lies in what an object does over time.</summary>
internal static class SynthVerb
{
    private static readonly IReadOnlyDictionary<string, SynthDifficulty> s_difficulties = new Dictionary<string, SynthDifficulty>
    {
        ["easy"] = SynthDifficulty.Easy,
        ["medium"] = SynthDifficulty.Medium,
        ["hard"] = SynthDifficulty.Hard,
    };

    public static Command Create()
    {
        var command = new Verb(
            "synth",
            "Makes a folder of labelled videos: textured objects move over a textured background, and one of them acts.",
            "ata synth clips --clips 8",
            "ata synth bench --clips 2000 --test 0.2 --size 64x64 --frames 16 --difficulty hard --seed 1");
        var output = new PathArgument("output", PathRole.OutputFolder)
        {
            Description = "New or empty folder to write: videos, list.csv (path,label,group,split), labels.txt, and shapes.csv, which says what the objects of each video look like.",
        };
        Option<int?> clips = Options.Whole("--clips", "Number of videos. Default 80, ten of each class.", most: 1_000_000);
        Option<int?> classes = Options.Whole("--classes", $"How many of the {ClipSet.MostClasses} actions. Default all.", most: ClipSet.MostClasses);
        Option<double?> test = Options.Real("--test", "Share of each class whose split is test, 0 to 1. Default 0.25.", most: 1);
        Option<string> size = new("--size") { Description = "Width and height in pixels, even. Default 128x128.", HelpName = "WxH" };
        Option<int?> frames = Options.Whole("--frames", "Frames of a video, at least 2. Default 32.", least: 2, most: 100_000);
        Option<double?> fps = Options.Real("--fps", "Frames per second. Default 12.", 0.01, 1000);
        Option<SynthDifficulty?> difficulty = Options.Choice(
            "--difficulty", "Number of other objects, speed, noise. Default medium.", s_difficulties);
        Option<ulong?> seed = Options.Seed();
        command.Add(output);
        foreach (Option option in (Option[])[clips, classes, test, size, frames, fps, difficulty, seed])
        {
            command.Add(option);
        }

        command.SetWork((parse, cancellationToken) =>
        {
            (int width, int height) = Size(parse.GetValue(size) ?? "128x128");
            int length = parse.GetValue(frames) ?? 32;
            double share = parse.GetValue(test) ?? 0.25;
            int actions = parse.GetValue(classes) ?? ClipSet.MostClasses;

            var options = new SynthOptions(
                width, height, length, parse.GetValue(fps) ?? 12, parse.GetValue(difficulty) ?? SynthDifficulty.Medium);
            int count = parse.GetValue(clips) ?? 80;
            string folder = parse.GetRequiredValue(output);
            FileGuard.RequireEmpty(folder);
            var set = new ClipSet(options, count, share, parse.GetValue(seed) ?? 0, actions);
            Terminal.WithProgress("Rendering", count, progress =>
            {
                set.Write(folder, progress, cancellationToken);
                return count;
            });
            Terminal.WriteLine(
                $"[bold]{folder}[/]: {count} videos of {length} frames, {width} x {height} pixels, {set.Labels.Count} classes; listed in list.csv");
            return 0;
        });
        return command;
    }

    private static (int Width, int Height) Size(string text)
    {
        string[] parts = text.Split('x');
        if (parts.Length == 2
            && int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out int width)
            && int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out int height)
            && IsSide(width)
            && IsSide(height))
        {
            return (width, height);
        }

        throw new UsageException($"--size is '{text}'; it must be WIDTHxHEIGHT, both even and from 32 to 4096.");
    }

    private static bool IsSide(int pixels) => pixels is >= 32 and <= 4096 && pixels % 2 == 0;
}
