using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Xunit;

namespace Ata.Cli.Tests;

/// <summary><c>ata align --information</c>.</summary>
public sealed partial class InformationTests(CliFiles files) : IClassFixture<CliFiles>
{
    private static readonly string[] Estimators = ["gaussian", "ksg", "infonce"];

    [Fact]
    public void Information_IsThatOfTheAlignmentPrinted()
    {
        string[] arguments =
        [
            "align", files.Clip, "--stride", "1", "--model", files.Model, "--block", "1", "--information", "--components", "2",
        ];
        JsonElement result = AtaProgram.Json([.. arguments, "--json"]);
        JsonElement[] rows = [.. result.GetProperty("information").EnumerateArray()];
        ProgramResult text = AtaProgram.Run(arguments);

        using Model model = Model.Load(files.Model);
        using Session session = model.CreateSession();
        using VideoReader video = VideoReader.Open(files.Clip);
        using VideoClip clip = video.Sample(new ClipOptions
        {
            Frames = 4,
            Stride = 1,
            Size = 32,
            Mean = model.Config.Mean,
            Std = model.Config.Std,
        });
        using AtaTensor features = session.GetFeatures(clip.Tensor, 1);
        using Trajectories trajectories = FrameAligner.Align(features);
        Assert.Equal(Estimators, rows.Select(row => row.GetProperty("estimator").GetString()!));
        string[] cells = [.. Cell().Matches(text.Output).Select(match => match.Value)];
        Assert.Equal(3, cells.Length);
        for (int e = 0; e < 3; ++e)
        {
            (double before, double after) = MutualInformation.BetweenFrames(
                features, trajectories, new InformationOptions { Estimator = (InformationEstimator)e, Components = 2 });
            Assert.Equal("block 1", rows[e].GetProperty("features").GetString());
            Assert.Equal(before, rows[e].GetProperty("before").GetDouble(), 1e-9);
            Assert.Equal(after, rows[e].GetProperty("after").GetDouble(), 1e-9);
            Assert.Equal(string.Create(CultureInfo.InvariantCulture, $"{before:0.00} -> {after:0.00}"), cells[e]);
        }
    }

    [Fact]
    public void Information_OfAModelHasARowForEachBlock()
    {
        string[] arguments =
        [
            "align", files.Clip, "--stride", "1", "--model", files.Model, "--information", "--components", "2", "--json",
        ];
        JsonElement[] rows = [.. AtaProgram.Json(arguments).GetProperty("information").EnumerateArray()];
        JsonElement[] last = [.. AtaProgram.Json([.. arguments, "--block", "1"]).GetProperty("information").EnumerateArray()];

        Assert.Equal(
            ["block 0", "block 0", "block 0", "block 1", "block 1", "block 1"],
            rows.Select(row => row.GetProperty("features").GetString()!));
        Assert.Equal([.. Estimators, .. Estimators], rows.Select(row => row.GetProperty("estimator").GetString()!));
        Assert.Equal(last.Select(row => row.GetRawText()), rows[3..].Select(row => row.GetRawText()));
    }

    [Fact]
    public void Information_RisesWhereAlignmentFollows()
    {
        // Everything moves by one patch a frame, over noise that no two patches share.
        string clip = files.In("moving.mp4");
        WriteMovingNoise(clip);
        string[] arguments = ["align", clip, "--frames", "5", "--stride", "1", "--size", "64", "--patch-size", "8", "--json"];
        JsonElement result = AtaProgram.Json([.. arguments, "--information", "--components", "4"]);

        Assert.All(result.GetProperty("information").EnumerateArray(), row =>
        {
            Assert.Equal("patches", row.GetProperty("features").GetString());
            Assert.True(row.GetProperty("after").GetDouble() > row.GetProperty("before").GetDouble() + 0.5, row.GetRawText());
        });
        Assert.False(AtaProgram.Json(arguments).TryGetProperty("information", out _));
    }

    [Fact]
    public void Information_SaysWhatIsUndefinedAndWhy()
    {
        // Half of each frame is black: those patches are all equal.
        string clip = files.In("border.mp4");
        WriteMovingNoise(clip, black: 32);
        string[] arguments =
        [
            "align", clip, "--frames", "5", "--stride", "1", "--size", "64", "--patch-size", "8", "--information", "--components", "2",
        ];
        JsonElement[] rows = [.. AtaProgram.Json([.. arguments, "--json"]).GetProperty("information").EnumerateArray()];
        ProgramResult text = AtaProgram.Run(arguments);

        Assert.Equal(Estimators, rows.Select(row => row.GetProperty("estimator").GetString()!));
        Assert.False(rows[0].TryGetProperty("undefined", out _));
        Assert.True(rows[0].GetProperty("after").GetDouble() > 0);
        Assert.False(rows[1].TryGetProperty("before", out _));
        Assert.False(rows[1].TryGetProperty("after", out _));
        string reason = rows[1].GetProperty("undefined").GetString()!;
        Assert.Matches(@"\d+ of 256 samples are tied", reason);
        Assert.Equal(0, text.Code);
        Assert.Contains($"ksg of patches: {reason}", text.Output);
        Assert.Equal(2, Cell().Matches(text.Output).Count);
    }

    [Fact]
    public void Information_OfAPictureWithoutAnythingIsAnError()
    {
        string clip = files.In("black.mp4");
        WriteMovingNoise(clip, black: 64);
        ProgramResult result = AtaProgram.Run(
            "align", clip, "--frames", "5", "--stride", "1", "--size", "64", "--patch-size", "8", "--information");

        Assert.Equal(1, result.Code);
        Assert.StartsWith("error: mutual information", result.Error);
    }

    [Fact]
    public void Components_NeedInformation()
    {
        ProgramResult result = AtaProgram.Run("align", files.Clip, "--components", "4");

        Assert.Equal(2, result.Code);
        Assert.Contains("--components needs --information", result.Error);
    }

    // Noise of cells of 2 pixels, which moves to the right by 8 pixels a frame and comes back on the left, a little different
    // in each frame (what is the same in several is tied); and black lines at the top.
    private static void WriteMovingNoise(string path, int black = 0)
    {
        const int Size = 64;
        using VideoWriter writer = VideoWriter.Create(path, Size, Size, 10);
        var random = new Random(1);
        byte[] cells = [.. Enumerable.Range(0, Size * Size / 4).Select(_ => (byte)random.Next(256))];
        var pixels = new byte[Size * Size * 3];
        for (int frame = 0; frame < 6; ++frame)
        {
            byte[] seen = [.. cells.Select(cell => (byte)Math.Clamp(cell + random.Next(-12, 13), 0, 255))];
            for (int i = black * Size; i < Size * Size; ++i)
            {
                int x = (i + Size - (8 * frame)) % Size;
                Array.Fill(pixels, seen[(i / Size / 2 * (Size / 2)) + (x / 2)], 3 * i, 3);
            }

            writer.Add(pixels);
        }

        writer.Finish();
    }

    [GeneratedRegex(@"-?\d+\.\d\d -> -?\d+\.\d\d")]
    private static partial Regex Cell();
}
