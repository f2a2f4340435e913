using System.Diagnostics;
using System.Text.Json;
using Xunit;

namespace Ata.Cli.Tests;

/// <summary><c>ata synth</c>, <c>ata train</c> and <c>ata eval</c> as programs, killed and continued.</summary>
public sealed class TrainVerbTests : IDisposable
{
    /// <summary>How often the run is killed: a few times, or as ATA_KILLS says (docs/benchmark.md).</summary>
    private static readonly int s_kills = int.TryParse(Environment.GetEnvironmentVariable("ATA_KILLS"), out int kills) ? kills : 4;

    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void KilledRunEndsWithTheWeightsOfAnUninterruptedOne()
    {
        string list = MakeVideos(16);
        string[] settings =
        [
            "--data", list, "--val-split", "test", "--arch", "vit-tiny", "--image-size", "16", "--patch-size", "8", "--dim", "16",
            "--depth", "1", "--heads", "2", "--frames", "4", "--stride", "2", "--batch", "4", "--steps", (40 + (10 * s_kills)).ToString(),
            "--dropout", "0.1", "--ema", "0.9", "--mixup", "0.2", "--val-steps", "25", "--checkpoint-steps", "2", "--log-steps", "5",
            "--workers", "2", "--threads", "1",
        ];
        AtaProgram.Succeed(["train", "--out", In("whole"), .. settings]);

        var random = new Random(1);
        string[] arguments = ["train", "--out", In("killed"), .. settings];
        int survived = 0;
        for (int kill = 0; kill < s_kills; ++kill)
        {
            using Process run = AtaProgram.Start([], arguments);
            WaitForACheckpoint(run, "killed");
            Thread.Sleep(random.Next(400));
            if (!run.HasExited)
            {
                ++survived;
            }

            run.Kill();
            run.WaitForExit();
            arguments = ["train", "--resume", In("killed")];
        }

        AtaProgram.Succeed(arguments);

        Assert.True(survived > 0, "The run ended before it could be killed.");
        Assert.Equal(File.ReadAllBytes(In("whole/final.safetensors")), File.ReadAllBytes(In("killed/final.safetensors")));
        Assert.Equal(File.ReadAllBytes(In("whole/best.safetensors")), File.ReadAllBytes(In("killed/best.safetensors")));
        Assert.Equal(WithoutTiming("whole/metrics.jsonl"), WithoutTiming("killed/metrics.jsonl"));
    }

    [Fact]
    public void TrainsAndEvaluates()
    {
        string list = MakeVideos(16);
        AtaProgram.Succeed("train", "--data", list, "--val-split", "test", "--out", In("run"), "--arch", "vit-tiny", "--image-size", "16", "--patch-size", "8",
            "--dim", "16", "--depth", "1", "--heads", "2", "--frames", "4", "--stride", "2", "--steps", "4", "--batch", "4");

        string json = AtaProgram.Succeed("eval", "--data", list, "--split", "test", "--model", In("run/best.safetensors"), "--views", "2x3", "--json", "--csv", In("predictions.csv"));
        using JsonDocument result = JsonDocument.Parse(json);
        string[] predictions = File.ReadAllLines(In("predictions.csv"));

        Assert.Equal(result.RootElement.GetProperty("videos").GetInt32() + 1, predictions.Length);
        Assert.Equal(result.RootElement.GetProperty("correct").GetInt32(), predictions.Skip(1).Count(l => l.Split(',')[3] == "1"));
        Assert.Contains("<svg", File.ReadAllText(In("run/report.html")));

        // The model of one run starts another, on other classes: the head is replaced.
        string other = In("other.csv");
        File.WriteAllLines(other, File.ReadAllLines(list).Select((line, i) => i == 0 ? line : string.Join(',', line.Split(',').Select((f, c) => c == 1 ? (i % 2 == 0 ? "x" : "y") : c == 0 ? Path.Combine("clips", f) : f))));
        AtaProgram.Succeed("train", "--data", other, "--out", In("second"), "--model", In("run/best.safetensors"), "--temporal", "divided", "--frames", "6", "--steps", "2", "--batch", "2", "--balance-classes");
        Assert.Contains("\"divided\"", File.ReadAllText(In("second/run.json")));
        Assert.Contains("\"balance_classes\": true", File.ReadAllText(In("second/run.json")));
    }

    [Fact]
    public void PlugsTemporalAttentionIntoAnImageModel()
    {
        foreach (string picture in (string[])["dark/1.jpg", "dark/2.png", "light/1.jpg", "light/2.png"])
        {
            Directory.CreateDirectory(Path.GetDirectoryName(In($"pictures/{picture}"))!);
            byte light = picture.StartsWith("dark", StringComparison.Ordinal) ? (byte)40 : (byte)200;
            ImageFile.Write(In($"pictures/{picture}"), Enumerable.Repeat(light, 20 * 16 * 3).ToArray(), 20, 16);
        }

        AtaProgram.Succeed("train", "--data", In("pictures"), "--out", In("image"), "--arch", "vit-tiny", "--image-size", "16", "--patch-size", "8",
            "--dim", "16", "--depth", "1", "--heads", "2", "--frames", "1", "--temporal", "space_only", "--steps", "4", "--batch", "4");
        AtaProgram.Succeed("import", In("image/final.safetensors"), In("image.safetensors"), "--frames", "4", "--random-times");
        using (TensorFile file = TensorFile.Open(In("image.safetensors")))
        using (AtaTensor times = file.Get("time_embed"))
        {
            Assert.Equal([1, 4, 16], times.Shape);
            Assert.All(times.AsSpan<float>().ToArray(), v => Assert.NotEqual(0, v));
        }

        AtaProgram.Succeed("train", "--data", MakeVideos(8), "--out", In("video"), "--model", In("image.safetensors"), "--stride", "2", "--steps", "2", "--batch", "2");
        Assert.Contains("\"ata\"", File.ReadAllText(In("video/run.json")));
    }

    [Theory]
    [InlineData("--data is missing", "train", "--out", "run")]
    [InlineData("--out is missing", "train", "--data", "list.csv")]
    [InlineData("cannot be changed with --resume", "train", "--resume", "run", "--lr", "1")]
    [InlineData("excludes --stride", "eval", "--data", "list.csv", "--model", "m", "--segments", "--stride", "2")]
    [InlineData("valid values are cosine, step, constant", "train", "--data", "list.csv", "--out", "run", "--schedule", "linear")]
    public void ContradictionsAreBadUsage(string message, params string[] arguments)
    {
        (int code, _, string error) = AtaProgram.Run(arguments);

        Assert.Equal(2, code);
        Assert.Contains(message, error);
        Assert.Single(error.Trim().Split('\n'));
    }

    [Fact]
    public void RunIsNotOverwrittenAndMissingRunsAreSaid()
    {
        Directory.CreateDirectory(In("run"));
        File.WriteAllText(In("run/checkpoint-000000001.safetensors"), "");

        Assert.Contains("holds a run already", AtaProgram.Run("train", "--data", "x", "--out", In("run")).Error);
        Assert.Contains("no checkpoint", AtaProgram.Run("train", "--resume", In("none")).Error);
    }

    [Fact]
    public void SecondRunInAFolderIsRefusedAndTheFirstGoesOn()
    {
        string list = MakeVideos(8);
        string[] settings =
        [
            "--data", list, "--out", In("run"), "--arch", "vit-tiny", "--image-size", "16", "--patch-size", "8", "--dim", "16", "--depth", "1",
            "--heads", "2", "--frames", "2", "--stride", "2", "--batch", "2", "--workers", "1", "--threads", "1", "--checkpoint-steps", "2",
        ];
        using Process first = AtaProgram.Start([], ["train", .. settings, "--steps", "1000000"]);
        first.BeginErrorReadLine();
        WaitForACheckpoint(first, "run");

        foreach (string[] second in (string[][])[["train", .. settings, "--steps", "4"], ["train", "--resume", In("run")]])
        {
            (int code, _, string error) = AtaProgram.Run(second);
            Assert.Equal(1, code);
            Assert.Contains($"{In("run")} is in use by another run (process {first.Id})", error);
            Assert.Single(error.Trim().Split('\n'));
        }

        Assert.False(first.HasExited);
        first.Kill();
        first.WaitForExit();

        // A killed run holds nothing.
        using Process continued = AtaProgram.Start([], ["train", "--resume", In("run")]);
        string? line;
        do
        {
            line = continued.StandardError.ReadLine();
        }
        while (line is not null && !line.Contains("step", StringComparison.Ordinal));
        Assert.NotNull(line);
        continued.Kill();
        continued.WaitForExit();
    }

    [Fact]
    public void WhatWasReadIsSaidInOneLine()
    {
        MakeVideos(8);
        File.WriteAllText(In("clips/mine.csv"), "# made by hand\nfile_name,label,note\n00000.mp4,a,x\n00001.mp4,b,y\n00099.mp4,b,z\n");
        File.CreateSymbolicLink(In("clips/again.mp4"), In("clips/00001.mp4"));
        File.WriteAllText(In("clips/val.csv"), "file_name,label\nagain.mp4,b\n");

        (int code, _, string error) = AtaProgram.Run(["train", "--data", In("clips/mine.csv"), "--val", In("clips/val.csv"), "--out", In("run"), "--arch", "vit-tiny", "--image-size", "16", "--patch-size", "8",
            "--dim", "16", "--depth", "1", "--heads", "2", "--frames", "2", "--stride", "2", "--steps", "2", "--batch", "2", "--max-broken", "0.5"]);

        Assert.True(code == 0, error);
        string[] lines = error.Split('\n');
        Assert.Equal($"{In("clips/mine.csv")}: 3 videos of 2 classes; comma-separated columns file_name, label; ignored column note; skipped 1 comment; 1 video does not exist: {In("clips/00099.mp4")}", lines[0]);
        Assert.Contains($"warning: 1 video is in training and in validation: {In("clips/00001.mp4")}", lines);
    }

    private string In(string name) => _folder.In(name);

    private string MakeVideos(int count)
    {
        AtaProgram.Succeed("synth", In("clips"), "--clips", count.ToString(), "--size", "32x32", "--frames", "8", "--difficulty", "easy");
        return In("clips/list.csv");
    }

    private string[] WithoutTiming(string name) => File.ReadAllLines(In(name)).Select(l => l[..l.IndexOf("\"timing\"", StringComparison.Ordinal)]).ToArray();

    private void WaitForACheckpoint(Process run, string name)
    {
        while (!run.HasExited && !(Directory.Exists(In(name)) && Directory.EnumerateFiles(In(name), "checkpoint-*.safetensors").Any()))
        {
            Thread.Sleep(20);
        }
    }
}
