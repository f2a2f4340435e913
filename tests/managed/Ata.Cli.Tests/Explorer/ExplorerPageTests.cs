using System.Text.Json;
using System.Text.RegularExpressions;
using Xunit;

namespace Ata.Cli.Tests.Explorer;

/// <summary>What the page of <c>ata align --html</c> contains; how it behaves is tested in a browser.</summary>
public sealed class ExplorerPageTests(CliFiles files) : IClassFixture<CliFiles>
{
    private static readonly string[] s_always = ["exact", "nearest", "none"];

    [Theory]
    [InlineData("exact")]
    [InlineData("nearest")]
    [InlineData("none")]
    [InlineData("window")]
    [InlineData("sinkhorn")]
    public void Page_HasTheTrajectoriesThatJsonGives(string method)
    {
        string path = files.In($"{method}.html");
        string overlay = files.In($"{method}.png");
        string[] common = ["align", files.Clip, "--frames", "5", "--stride", "1", "--size", "64", "--patch-size", "8", "--json"];
        JsonElement result = AtaProgram.Json([.. common, "--alignment", method, "--html", path, "--overlay", overlay]);

        var page = new PageData(File.ReadAllText(path));

        Assert.Equal(path, result.GetProperty("html").GetString());
        Assert.True(File.Exists(overlay));
        Assert.Equal(s_always.Union([method]), page.Methods);
        Assert.Equal(method, page.Selected);
        Assert.Equal((8, 8), (page.Rows, page.Columns));
        foreach (string offered in page.Methods)
        {
            JsonElement expected = offered == method ? result : AtaProgram.Json([.. common, "--alignment", offered]);
            Assert.Equal(
                expected.GetProperty("trajectories").EnumerateArray().Select(frame => frame.EnumerateArray().Select(n => n.GetInt32()).ToArray()),
                page.Positions(offered));
            double[] means = [.. expected.GetProperty("mean_similarity").EnumerateArray().Select(m => m.GetDouble())];
            Assert.All(page.Similarities(offered).Zip(means), pair => Assert.Equal(pair.Second, pair.First.Average(), 1e-4));
        }
    }

    [Fact]
    public void Page_ShowsAModelsTokensAndItsFrames()
    {
        string path = files.In("model.html");
        JsonElement result = AtaProgram.Json("align", files.Clip, "--stride", "1", "--model", files.Model, "--block", "1", "--html", path, "--json");

        string html = File.ReadAllText(path);
        var page = new PageData(html);

        Assert.Equal((4, 4), (page.Rows, page.Columns));
        Assert.Equal(
            result.GetProperty("trajectories").EnumerateArray().Select(frame => frame.EnumerateArray().Select(n => n.GetInt32()).ToArray()),
            page.Positions("exact"));
        Assert.Contains("block 1 of model.safetensors", html);
        // Start and end of a JPEG.
        Assert.Equal(4, page.Frames.Length);
        Assert.All(page.Frames, jpeg => Assert.Equal([0xff, 0xd8, 0xff, 0xd9], (byte[])[jpeg[0], jpeg[1], jpeg[^2], jpeg[^1]]));
    }

    [Fact]
    public void Page_NeedsNothingFromOutside()
    {
        string html = Page(files.Clip, "alone.html");

        Assert.DoesNotContain("http:", html);
        Assert.DoesNotContain("https:", html);
        Assert.DoesNotContain("@import", html);
        Assert.DoesNotContain("url(", html);
        Assert.DoesNotContain("{{", html);
        Assert.All(Regex.Matches(html, "(?:src|href)=\"([^\"]*)\"").Select(m => m.Groups[1].Value), reference => Assert.StartsWith("data:", reference));
        Assert.Contains("default-src 'none'", html);
        Assert.Contains("prefers-color-scheme", html);
    }

    [Fact]
    public void Page_HasTheMutualInformationOfTheColours()
    {
        string html = Page(files.Clip, "information.html");

        double[] nats = [.. Regex.Matches(html, "<td>(-?[0-9.]+)</td></tr>").Select(m => double.Parse(m.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture))];
        Assert.Equal(3, nats.Length);
        Assert.Equal(["none", "exact", "nearest"], Regex.Matches(html, "<tr data-method=\"(.*?)\"").Select(m => m.Groups[1].Value));
        // What moves is found again only along the trajectories: with the position that features carry it would seem the opposite.
        Assert.True(nats[1] > nats[0], $"{nats[0]} before, {nats[1]} after");
    }

    [Fact]
    public void Page_SaysWhyInformationIsNotEstimated()
    {
        string path = files.In("few.html");
        AtaProgram.Json("align", files.Clip, "--frames", "2", "--stride", "1", "--size", "32", "--html", path, "--json");

        Assert.Contains("Not to be estimated here: mutual information: ", File.ReadAllText(path));
    }

    [Fact]
    public void Page_EscapesNames()
    {
        const string Hostile = "<img src=x onerror=alert(1)>&\"'{{data}}.mp4";
        string clip = files.In(Hostile);
        File.Copy(files.Clip, clip);
        string model = files.In("<script>alert(2).safetensors");
        File.Copy(files.Model, model);
        string path = files.In("hostile.html");
        AtaProgram.Json("align", clip, "--stride", "1", "--model", model, "--html", path, "--json");

        string html = File.ReadAllText(path);

        Assert.DoesNotContain("<img", html);
        Assert.DoesNotContain("<script>alert", html);
        Assert.Contains("<h1>&lt;img src=x onerror=alert(1)&gt;&amp;&quot;&#39;{{data}}.mp4</h1>", html);
        Assert.Contains("block 0 of &lt;script&gt;alert(2).safetensors", html);
        Assert.Equal(4, new PageData(html).Frames.Length);
    }

    [Fact]
    public void Page_IsWholeOrNotThere()
    {
        string path = files.In("whole.html");
        ProgramResult noClip = AtaProgram.Run("align", files.In("none.mp4"), "--html", path);
        ProgramResult oneFrame = AtaProgram.Run("align", files.Clip, "--frames", "1", "--html", path);
        ProgramResult folder = AtaProgram.Run("align", files.Clip, "--html", Directory.CreateDirectory(files.In("folder.html")).FullName);

        Assert.Equal(1, noClip.Code);
        Assert.Contains("none.mp4", Assert.Single(noClip.ErrorLines));
        Assert.Equal(2, oneFrame.Code);
        Assert.Contains("--frames 2", Assert.Single(oneFrame.ErrorLines));
        Assert.Equal(1, folder.Code);
        Assert.Contains("folder.html", Assert.Single(folder.ErrorLines));
        Assert.Empty(Directory.GetFiles(files.Folder, "whole.html*"));
    }

    private string Page(string clip, string name)
    {
        string path = files.In(name);
        AtaProgram.Json("align", clip, "--frames", "5", "--stride", "1", "--size", "64", "--patch-size", "8", "--html", path, "--json");
        return File.ReadAllText(path);
    }
}
