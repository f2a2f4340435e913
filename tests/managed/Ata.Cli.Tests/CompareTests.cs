using System.Text.Json;
using Xunit;

namespace Ata.Cli.Tests;

/// <summary><c>ata compare</c>.</summary>
public sealed class CompareTests : IDisposable
{
    private const int Side = 32;
    private const int Patch = 4;

    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void TrajectoriesAreMeasuredByTheTruth()
    {
        AtaProgram.Succeed("synth", _folder.In("clips"), "--task", "follow", "--clips", "12", "--pictures", "8", "--size", $"{Side}x{Side}", "--frames", "4", "--speed", "0.2", "--test", "0.5");
        Compare("--modes", "divided,ata", "--alignments", "exact,none", "--seeds", "2");

        JsonElement results = Results();
        JsonElement[] runs = results.GetProperty("modes").EnumerateArray().ToArray();
        Assert.Equal(
            ["0 divided", "0 exact", "0 none", "1 divided", "1 exact", "1 none"],
            runs.Select(r => $"{r.GetProperty("seed")} {Name(r)}").Order());
        Assert.Equal(0.2 * Side / Patch, results.GetProperty("patches_per_frame").GetDouble(), 2);

        // Attention at fixed places is the one whose trajectories stay, whatever it is called.
        double stays = ShareThatStays();
        foreach (JsonElement run in runs)
        {
            double[] shares = run.GetProperty("on_object").EnumerateArray().Select(s => s.GetDouble()).ToArray();
            Assert.Equal(2, shares.Length);
            if (Name(run) == "exact")
            {
                Assert.All(shares, s => Assert.InRange(s, 0, 1));
                Assert.NotEqual(stays, shares[0], 6);
            }
            else
            {
                Assert.All(shares, s => Assert.Equal(stays, s, 6));
            }
        }

        // Equal steps on equal data: what computes the same ends with the same bits.
        foreach (int seed in new[] { 0, 1 })
        {
            double[] losses = runs.Where(r => r.GetProperty("seed").GetInt32() == seed && Name(r) != "exact").Select(r => r.GetProperty("loss").GetDouble()).ToArray();
            Assert.Equal(losses[0], losses[1]);
        }

        string table = File.ReadAllText(_folder.In("compared/table.md"));
        Assert.Contains("| ata-none |", table);
        Assert.Matches(@"ata is right on [\d.]+ % of the test videos, divided on [\d.]+ %: ", table);
        string page = File.ReadAllText(_folder.In("compared/report.html"));
        Assert.Contains("<svg", page);
        Assert.DoesNotContain("NaN", page);
    }

    [Fact]
    public void SweepsMakeTheVideosAnew()
    {
        AtaProgram.Succeed("synth", _folder.In("clips"), "--task", "follow", "--clips", "8", "--pictures", "8", "--size", $"{Side}x{Side}", "--frames", "4", "--speed", "0.1", "--test", "0.5");
        Compare("--modes", "divided", "--sweep", "speed=0,0.25");

        JsonElement[] points = Results().GetProperty("sweep").EnumerateArray().ToArray();
        Assert.Equal([0, 0.25], points.Select(p => p.GetProperty("value").GetDouble()));
        double[] stays = points.Select(p => p.GetProperty("results").GetProperty("modes")[0].GetProperty("on_object")[0].GetDouble()).ToArray();
        Assert.Equal(1, stays[0]);
        Assert.InRange(stays[1], 0, 0.9);
    }

    [Fact]
    public void ImageModelsCanBeGiven()
    {
        AtaProgram.Succeed("synth", _folder.In("clips"), "--task", "follow", "--clips", "8", "--pictures", "8", "--size", $"{Side}x{Side}", "--frames", "4", "--speed", "0.1", "--test", "0.5");
        AtaProgram.Succeed("init", _folder.In("image.safetensors"), "--arch", "vit-tiny", "--image-size", $"{Side}", "--patch-size", $"{Patch}", "--dim", "16", "--depth", "2", "--heads", "2", "--temporal", "space_only", "--frames", "1", "--classes", "3");
        AtaProgram.Succeed(
            "compare", "--data", _folder.In("clips/list.csv"), "--out", _folder.In("compared"), "--model", _folder.In("image.safetensors"), "--frames", "4", "--stride", "1",
            "--crop", "full", "--flip", "0", "--batch", "2", "--steps", "2", "--modes", "divided,ata", "--align-every", "2", "--seeds", "2");

        Assert.False(Directory.Exists(_folder.In("compared/image-0")));
        Assert.Equal(4, Results().GetProperty("modes").GetArrayLength());
        using Model trained = Model.Load(_folder.In("compared/ata-1/final.safetensors"));
        Assert.Equal((4, 4, 2), (trained.Config.Frames, trained.Config.Classes, trained.Config.AlignEvery));

        // The second block follows the trajectories of the first.
        JsonElement ata = Results().GetProperty("modes").EnumerateArray().First(r => r.GetProperty("mode").GetString() == "ata");
        double[] shares = ata.GetProperty("on_object").EnumerateArray().Select(s => s.GetDouble()).ToArray();
        Assert.Equal(shares[0], shares[1]);
    }

    [Theory]
    [InlineData("say how an image model is trained; with --model none is", "--model", "image.safetensors", "--frames", "4", "--image-steps", "3")]
    [InlineData("say how an image model is trained; with --model none is", "--model", "image.safetensors", "--frames", "4", "--image-lr", "0.1")]
    [InlineData("--frames is missing", "--model", "image.safetensors")]
    [InlineData("is a video model of mode divided", "--model", "video.safetensors", "--frames", "4")]
    [InlineData("Alignment soft has no trajectories", "--arch", "vit-tiny", "--alignments", "exact,soft", "--align-every", "2")]
    public void WhatMakesNoSenseIsRefused(string message, params string[] options)
    {
        AtaProgram.Succeed("synth", _folder.In("clips"), "--task", "follow", "--clips", "8", "--pictures", "8", "--size", $"{Side}x{Side}", "--frames", "4", "--test", "0.5");
        foreach ((string name, string mode, string frames) in new[] { ("image", "space_only", "1"), ("video", "divided", "4") })
        {
            AtaProgram.Succeed("init", _folder.In($"{name}.safetensors"), "--arch", "vit-tiny", "--image-size", $"{Side}", "--patch-size", "8", "--dim", "16", "--depth", "2", "--heads", "2", "--temporal", mode, "--frames", frames, "--classes", "4");
        }

        ProgramResult result = AtaProgram.Run(
        [
            "compare", "--data", _folder.In("clips/list.csv"), "--out", _folder.In("compared"), .. options.Select(o => o.EndsWith(".safetensors", StringComparison.Ordinal) ? _folder.In(o) : o),
        ]);
        Assert.Equal(2, result.Code);
        Assert.Contains(message, result.Error);
    }

    private static string Name(JsonElement run) =>
        run.TryGetProperty("alignment", out JsonElement alignment) && alignment.ValueKind == JsonValueKind.String ? alignment.GetString()! : run.GetProperty("mode").GetString()!;

    private void Compare(params string[] options) => AtaProgram.Succeed(
    [
        "compare", "--data", _folder.In("clips/list.csv"), "--image-data", _folder.In("clips/pictures.csv"), "--out", _folder.In("compared"),
        "--arch", "vit-tiny", "--image-size", $"{Side}", "--patch-size", $"{Patch}", "--dim", "16", "--depth", "2", "--heads", "2", "--frames", "4", "--stride", "1",
        "--crop", "full", "--flip", "0", "--batch", "2", "--steps", "2", "--image-steps", "2", .. options,
    ]);

    private JsonElement Results()
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(_folder.In("compared/results.json")));
        return document.RootElement.Clone();
    }

    // Of the patches whose centre is on a disc in the first frame of a test video, the share whose centre is on the same one in
    // the last frame.
    private double ShareThatStays()
    {
        using JsonDocument truth = JsonDocument.Parse(File.ReadAllText(_folder.In("clips/truth.json")));
        double radius = truth.RootElement.GetProperty("radius").GetDouble();
        var test = File.ReadLines(_folder.In("clips/list.csv")).Where(l => l.EndsWith(",test", StringComparison.Ordinal)).Select(l => l.Split(',')[0]).ToHashSet();
        int on = 0;
        int all = 0;
        foreach (JsonElement clip in truth.RootElement.GetProperty("clips").EnumerateArray().Where(c => test.Contains(c.GetProperty("path").GetString()!)))
        {
            for (int y = Patch / 2; y < Side; y += Patch)
            {
                for (int x = Patch / 2; x < Side; x += Patch)
                {
                    int first = Foremost(clip, 0, radius, x, y);
                    all += first >= 0 ? 1 : 0;
                    on += first >= 0 && first == Foremost(clip, 3, radius, x, y) ? 1 : 0;
                }
            }
        }

        return (double)on / all;
    }

    private static int Foremost(JsonElement clip, int frame, double radius, double x, double y)
    {
        int foremost = -1;
        foreach (int disc in clip.GetProperty("order").EnumerateArray().Select(o => o.GetInt32()))
        {
            JsonElement center = clip.GetProperty("centers")[disc][frame];
            double dx = x - center[0].GetDouble();
            double dy = y - center[1].GetDouble();
            foremost = (dx * dx) + (dy * dy) <= radius * radius ? disc : foremost;
        }

        return foremost;
    }
}
