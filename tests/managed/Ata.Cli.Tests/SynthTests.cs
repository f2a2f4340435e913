using System.Text.Json;
using Xunit;

namespace Ata.Cli.Tests;

/// <summary><c>ata synth</c>, and what is said of its labels.</summary>
public sealed class SynthTests : IDisposable
{
    private const int Side = 64;
    private const int Clips = 12;

    private static readonly string[] s_follow = ["--task", "follow", "--clips", $"{Clips}", "--size", $"{Side}x{Side}", "--frames", "6", "--noise", "0"];

    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Follow_ClassIsWhereTheMarkedDiscEnds()
    {
        Succeed([.. s_follow, "--speed", "0.1", "--marked", "2", "--posts", "1"]);

        JsonElement truth = Truth();
        string[] labels = Column("list.csv", 1);
        JsonElement[] clips = truth.GetProperty("clips").EnumerateArray().ToArray();
        Assert.Equal(Clips, clips.Length);
        for (int i = 0; i < clips.Length; ++i)
        {
            (double X, double Y)[] path = Path(clips[i], clips[i].GetProperty("marked").GetInt32());
            Assert.Equal($"{(path[^1].Y > Side / 2 ? "bottom" : "top")}_{(path[^1].X > Side / 2 ? "right" : "left")}", labels[i]);
            using VideoReader video = VideoReader.Open(_folder.In($"clips/{clips[i].GetProperty("path").GetString()}"));
            Assert.Equal(6, video.Info.FrameCount);
            using VideoFrames frames = video.Read([0, 1 / 12.0, 2 / 12.0]);
            double radius = truth.GetProperty("radius").GetDouble();
            double[] ring = Enumerable.Range(0, 3).Select(t => Brightness(frames, t, path[t], 0.82 * radius)).ToArray();
            Assert.True(ring[0] > 215, $"{ring[0]}");

            // Others may pass in front of it later.
            Assert.True(ring[2] < ring[0] - 20, $"{ring[2]} after {ring[0]}");
        }
    }

    [Fact]
    public void Follow_MovesAsFastAsWasAskedFor()
    {
        foreach ((string speed, double pixels) in new[] { ("0", 0), ("0.03", 0.03 * Side), ("0.12", 0.12 * Side) })
        {
            Succeed([.. s_follow, "--speed", speed]);
            double[] steps = Truth().GetProperty("clips").EnumerateArray()
                .SelectMany(c => Enumerable.Range(0, 3).Select(k => Path(c, k)))
                .SelectMany(p => p.Zip(p.Skip(1), (a, b) => Math.Sqrt(((a.X - b.X) * (a.X - b.X)) + ((a.Y - b.Y) * (a.Y - b.Y)))))
                .ToArray();

            // Discs whose places are near each other are slow.
            Assert.InRange(steps.Average(), 0.7 * pixels, (1.3 * pixels) + 0.01);
            Assert.All(steps, s => Assert.InRange(s, 0, (4 * pixels) + 0.01));
        }
    }

    [Fact]
    public void Follow_PicturesShowTheRingInTheirQuadrant()
    {
        Succeed([.. s_follow, "--pictures", "8"]);

        string[] paths = Column("pictures.csv", 0);
        string[] labels = Column("pictures.csv", 1);
        Assert.Equal(8, paths.Length);
        Assert.Equal(4, labels.Distinct().Count());
        for (int i = 0; i < paths.Length; ++i)
        {
            using VideoReader picture = VideoReader.Open(_folder.In($"clips/{paths[i]}"));
            using VideoFrames frames = picture.Read([0]);
            ReadOnlySpan<byte> pixels = frames[0];
            var white = new List<(int X, int Y)>();
            for (int p = 0; p < Side * Side; ++p)
            {
                if (pixels[3 * p] == 255 && pixels[(3 * p) + 1] == 255 && pixels[(3 * p) + 2] == 255)
                {
                    white.Add((p % Side, p / Side));
                }
            }

            Assert.Equal($"{(white.Average(w => w.Y) > Side / 2 ? "bottom" : "top")}_{(white.Average(w => w.X) > Side / 2 ? "right" : "left")}", labels[i]);
        }
    }

    [Fact]
    public void Follow_IsTheSameForASeedAndAnotherForAnother()
    {
        Succeed([.. s_follow, "--seed", "4"]);
        string first = File.ReadAllText(_folder.In("clips/truth.json"));
        Succeed([.. s_follow, "--seed", "4"]);
        Assert.Equal(first, File.ReadAllText(_folder.In("clips/truth.json")));
        Succeed([.. s_follow, "--seed", "5"]);
        Assert.NotEqual(first, File.ReadAllText(_folder.In("clips/truth.json")));
    }

    [Fact]
    public void OptionsOfAnotherTaskAreRefused()
    {
        ProgramResult act = AtaProgram.Run("synth", _folder.In("clips"), "--objects", "2");
        ProgramResult follow = AtaProgram.Run("synth", _folder.In("clips"), "--task", "follow", "--difficulty", "easy");

        Assert.Equal((2, 2), (act.Code, follow.Code));
        Assert.Contains("--objects has no meaning with --task act", Assert.Single(act.ErrorLines));
        Assert.Contains("--difficulty has no meaning with --task follow", Assert.Single(follow.ErrorLines));
    }

    [Fact]
    public void MirroringLabelsOfDirectionsIsSaid()
    {
        Succeed(s_follow);
        string[] train = ["train", "--data", _folder.In("clips/list.csv"), "--arch", "vit-tiny", "--image-size", "16", "--patch-size", "8", "--depth", "1", "--dim", "16", "--heads", "2", "--frames", "2", "--batch", "2", "--steps", "1"];

        ProgramResult mirrored = AtaProgram.Run([.. train, "--out", _folder.In("mirrored")]);
        ProgramResult named = AtaProgram.Run([.. train, "--out", _folder.In("named"), "--no-flip-labels", "*left*,*right*"]);
        ProgramResult still = AtaProgram.Run([.. train, "--out", _folder.In("still"), "--flip", "0"]);

        Assert.Equal((0, 0, 0), (mirrored.Code, named.Code, still.Code));
        Assert.Contains("--no-flip-labels", Assert.Single(mirrored.ErrorLines, l => l.StartsWith("warning", StringComparison.Ordinal)));
        Assert.DoesNotContain("warning", named.Error + still.Error);
    }

    private void Succeed(string[] options)
    {
        if (Directory.Exists(_folder.In("clips")))
        {
            Directory.Delete(_folder.In("clips"), recursive: true);
        }

        ProgramResult result = AtaProgram.Run(["synth", _folder.In("clips"), .. options]);
        Assert.Equal((0, string.Empty), (result.Code, result.Error));
    }

    private JsonElement Truth()
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(_folder.In("clips/truth.json")));
        return document.RootElement.Clone();
    }

    private string[] Column(string list, int column) =>
        File.ReadLines(_folder.In($"clips/{list}")).Skip(1).Select(l => l.Split(',')[column]).ToArray();

    private static (double X, double Y)[] Path(JsonElement clip, int disc) =>
        clip.GetProperty("centers")[disc].EnumerateArray().Select(c => (c[0].GetDouble(), c[1].GetDouble())).ToArray();

    // Of the darkest channel, on a circle.
    private static double Brightness(VideoFrames frames, int frame, (double X, double Y) center, double radius)
    {
        var values = new List<double>();
        for (int i = 0; i < 24; ++i)
        {
            (double sine, double cosine) = Math.SinCos(2 * Math.PI * i / 24);
            int x = Math.Clamp((int)(center.X + (radius * cosine)), 0, Side - 1);
            int y = Math.Clamp((int)(center.Y + (radius * sine)), 0, Side - 1);
            ReadOnlySpan<byte> pixel = frames[frame].Slice(3 * ((y * Side) + x), 3);
            values.Add(Math.Min(pixel[0], Math.Min(pixel[1], pixel[2])));
        }

        return values.Average();
    }
}
