using Xunit;

namespace Ata.Cli.Tests.Explorer;

/// <summary>The page in a browser: real clicks, taps and keys, and what lights up.</summary>
public sealed class ExplorerBrowserTests(BrowserFixture browser) : IClassFixture<BrowserFixture>, IDisposable
{
    private const int Columns = 8;

    // With what is beyond the edge, and the vertical bar.
    private const string WidthOfPage = "document.documentElement.scrollWidth + (innerWidth - document.documentElement.clientWidth)";

    // In the first frame the square's patches are these, and it moves to the right by one patch a frame.
    private const int Square = (3 * Columns) + 1;

    private readonly TestFolder _folder = new();

    public static TheoryData<int, int, bool, bool> Screens => new()
    {
        { 1280, 800, false, false },
        { 1280, 800, true, false },
        { 375, 812, false, true },
        { 375, 812, true, true },
    };

    public void Dispose() => _folder.Dispose();

    [ChromiumTheory]
    [MemberData(nameof(Screens))]
    public async Task ChosenPatch_LightsUpInEveryFrame(int width, int height, bool dark, bool touch)
    {
        await using OpenPage page = await browser.OpenAsync(browser.Html, width, height, dark, touch);
        (decimal x, decimal y) = await page.PlaceAsync("#left [role=grid]", Square, Columns);
        if (touch)
        {
            await page.Page.Touchscreen.TapAsync(x, y);
        }
        else
        {
            await page.Page.Mouse.ClickAsync(x, y);
        }

        Assert.Equal(Enumerable.Range(0, 5).Select(t => (int[])[Square + t]), await page.LitAsync(Columns));
        Assert.StartsWith("Frame 1, row 4, column 2 → frame 2, row 4, column 3: similarity 0.9", await page.TextAsync("#status"));
        Assert.All(await Values(page), value => Assert.InRange(value, 0.9, 1));
        Assert.Equal(width, await page.Page.EvaluateExpressionAsync<int>(WidthOfPage));
        AssertPicture(await page.Page.ScreenshotDataAsync(), width, height, dark);
        page.AssertClean(browser.Html);
    }

    [ChromiumTheory]
    [InlineData("exact")]
    [InlineData("nearest")]
    [InlineData("none")]
    public async Task Method_DecidesWhatLightsUp(string method)
    {
        int[][] positions = new PageData(File.ReadAllText(browser.Html)).Positions(method);
        await using OpenPage page = await browser.OpenAsync(browser.Html, 1280, 800, dark: false, touch: false);

        await page.Page.ClickAsync($"#methods input[value={method}]");
        // A patch of the third frame in the strip, which many trajectories may have come to.
        (decimal x, decimal y) = await page.PlaceAsync("#strip li:nth-child(3) .frame", Square + 2, Columns);
        await page.Page.Mouse.ClickAsync(x, y);

        int[] through = [.. Enumerable.Range(0, Columns * Columns).Where(n => positions[2][n] == Square + 2)];
        Assert.NotEmpty(through);
        Assert.Equal(positions.Select(frame => through.Select(n => frame[n]).Distinct().Order().ToArray()), await page.LitAsync(Columns));
        Assert.Equal("Frames 3 and 4 of 5", await page.TextAsync("#time output"));
        Assert.Equal(method, await page.TextAsync(".information .chosen b"));
        page.AssertClean(browser.Html);
    }

    [ChromiumTheory]
    [InlineData("#left")]
    [InlineData("#right")]
    public async Task Keyboard_ReachesEverything(string frame)
    {
        await using OpenPage page = await browser.OpenAsync(browser.Html, 1280, 800, dark: false, touch: false);
        int shown = frame == "#left" ? 0 : 1;
        (decimal x, decimal y) = await page.PlaceAsync($"{frame} [role=grid]", Square + shown, Columns);
        await page.Page.Mouse.ClickAsync(x, y);
        await page.Page.Mouse.MoveAsync(5, 5);

        await page.Page.Keyboard.PressAsync("ArrowDown");
        await page.Page.Keyboard.PressAsync("ArrowRight");
        Assert.Equal(Enumerable.Range(0, 5).Select(t => (int[])[Square + Columns + 1 + t]), await page.LitAsync(Columns));
        Assert.Equal(
            $"{frame[1..]}-{Square + Columns + 1 + shown}",
            await page.Page.EvaluateExpressionAsync<string>("document.activeElement.getAttribute('aria-activedescendant')"));

        // The trajectory stays while the pair changes; then the row's end.
        await page.Page.Keyboard.PressAsync("PageDown");
        Assert.Equal(Enumerable.Range(0, 5).Select(t => (int[])[Square + Columns + 1 + t]), await page.LitAsync(Columns));
        await page.Page.Keyboard.PressAsync("End");
        int[][] lit = await page.LitAsync(Columns);
        Assert.Equal([(4 * Columns) + 7], lit[1 + shown]);

        // Every control can be reached by the key alone, in the order of the page.
        await page.Page.EvaluateExpressionAsync("document.activeElement.blur(); document.querySelector('h1').tabIndex = -1; document.querySelector('h1').focus()");
        var reached = new List<string>();
        for (int i = 0; i < 6; ++i)
        {
            await page.Page.Keyboard.PressAsync("Tab");
            reached.Add(await page.Page.EvaluateExpressionAsync<string>("document.activeElement.value + ' ' + document.activeElement.role + ' ' + document.activeElement.type"));
        }

        Assert.Equal(["exact null radio", "on null checkbox", "undefined grid undefined", "undefined grid undefined", " null button", "1 null range"], reached);
        await page.Page.Keyboard.PressAsync("ArrowRight");
        await page.LitAsync(Columns);
        Assert.Equal("Frames 3 and 4 of 5", await page.TextAsync("#time output"));
        page.AssertClean(browser.Html);
    }

    [ChromiumTheory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Hover_IsAPreview(bool painted)
    {
        await using OpenPage page = await browser.OpenAsync(browser.Html, 1280, 800, dark: true, touch: false);
        int[][] before = await page.LitAsync(Columns);
        (decimal x, decimal y) = await page.PlaceAsync("#left [role=grid]", Square, Columns);

        await page.Page.Mouse.MoveAsync(x, y);
        Assert.Equal(Enumerable.Range(0, 5).Select(t => (int[])[Square + t]), await page.LitAsync(Columns));
        await page.Page.Mouse.MoveAsync(5, 5);
        Assert.Equal(before, await page.LitAsync(Columns));

        if (painted)
        {
            byte[] plain = await page.Page.ScreenshotDataAsync();
            await page.Page.ClickAsync("#paint input");
            await page.LitAsync(Columns);
            Assert.NotEqual(plain, await page.Page.ScreenshotDataAsync());
        }

        page.AssertClean(browser.Html);
    }

    [ChromiumTheory]
    [InlineData(1280, false)]
    [InlineData(375, true)]
    public async Task LongClip_IsShownWhole(int width, bool touch)
    {
        Assert.InRange(new FileInfo(browser.LongHtml).Length, 1, 3_000_000);
        int[][] positions = new PageData(File.ReadAllText(browser.LongHtml)).Positions("exact");
        await using OpenPage page = await browser.OpenAsync(browser.LongHtml, width, 800, dark: true, touch);

        await page.Page.FocusAsync("#slider");
        await page.Page.Keyboard.PressAsync("End");
        Assert.Equal(96, (await page.LitAsync(14)).Length);
        Assert.Equal("Frames 95 and 96 of 96", await page.TextAsync("#time output"));
        // One that stays off the edge, where the border covers a small patch.
        int through = Enumerable.Range(0, 14 * 14).First(n => positions.All(frame => frame[n] / 14 is > 0 and < 13 && frame[n] % 14 is > 0 and < 13));
        (decimal x, decimal y) = await page.PlaceAsync("#right [role=grid]", positions[95][through], 14);
        await page.Page.Mouse.ClickAsync(x, y);

        Assert.Equal(positions.Select(frame => (int[])[frame[through]]), await page.LitAsync(14));
        Assert.Equal(width, await page.Page.EvaluateExpressionAsync<int>(WidthOfPage));
        page.AssertClean(browser.LongHtml);
    }

    [ChromiumTheory]
    [InlineData("#play", "Frames 3 and 4 of 5")]
    // In the middle of the chart, left of which are the numbers.
    [InlineData("#chart svg", "Frames 2 and 3 of 5")]
    public async Task PlayAndChart_ChooseThePair(string control, string expected)
    {
        await using OpenPage page = await browser.OpenAsync(browser.Html, 1280, 800, dark: false, touch: false);
        int[][] before = await page.LitAsync(Columns);

        await page.Page.ClickAsync(control);
        await page.Page.WaitForFunctionAsync("(text) => document.querySelector('#time output').textContent === text", expected);

        Assert.Equal(before, await page.LitAsync(Columns));
        page.AssertClean(browser.Html);
    }

    private static async Task<double[]> Values(OpenPage page) =>
        await page.Page.EvaluateExpressionAsync<double[]>("[...document.querySelectorAll('#strip b')].slice(0, -1).map((b) => Number(b.textContent))");

    // Of the right size and paper, with a picture on it.
    private void AssertPicture(byte[] png, int width, int height, bool dark)
    {
        File.WriteAllBytes(_folder.In("img_00001.png"), png);
        using VideoReader reader = VideoReader.Open(_folder.Path);
        using VideoFrames frames = reader.Read([0]);
        Assert.Equal((width, height), (frames.Width, frames.Height));
        Span<byte> pixels = frames[0];
        var colors = new HashSet<(byte, byte, byte)>();
        for (int i = 0; i < pixels.Length; i += 3)
        {
            colors.Add((pixels[i], pixels[i + 1], pixels[i + 2]));
        }

        Assert.True(colors.Count > 1000, $"only {colors.Count} colours");
        Assert.InRange(pixels[0], dark ? 0 : 200, dark ? 60 : 255);
    }
}
