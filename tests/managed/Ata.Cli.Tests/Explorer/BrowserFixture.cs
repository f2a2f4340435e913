using PuppeteerSharp;
using PuppeteerSharp.Media;
using Xunit;

namespace Ata.Cli.Tests.Explorer;

/// <summary>A headless browser and a page to look at in it.</summary>
public sealed class BrowserFixture : IAsyncLifetime
{
    private readonly CliFiles _files = new();
    private IBrowser? _browser;

    /// <summary>A page of 5 frames of 8 x 8 patches, in which a square of 2 x 2 patches moves by a patch a frame.</summary>
    public string Html => _files.In("page.html");

    /// <summary>A page of 96 frames of 14 x 14 patches.</summary>
    public string LongHtml => _files.In("long.html");

    public async Task InitializeAsync()
    {
        if (Chromium.Program is null)
        {
            return;
        }

        Write("--frames", "5", "--stride", "1", "--offset", "0.3", "--size", "64", "--patch-size", "8", "--html", Html);
        Write("--frames", "96", "--stride", "1", "--short", "loop", "--html", LongHtml);
        _browser = await Puppeteer.LaunchAsync(new LaunchOptions
        {
            ExecutablePath = Chromium.Program,
            // Chromium's sandbox does not work for root, as whom containers run; only our own page is opened.
            Args = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        });
    }

    public async Task DisposeAsync()
    {
        if (_browser is not null)
        {
            await _browser.DisposeAsync();
        }

        _files.Dispose();
    }

    /// <summary>Opens the page and waits until it is drawn.</summary>
    internal async Task<OpenPage> OpenAsync(string html, int width, int height, bool dark, bool touch)
    {
        var page = new OpenPage(await _browser!.NewPageAsync());
        await page.Page.SetViewportAsync(new ViewPortOptions { Width = width, Height = height, IsMobile = touch, HasTouch = touch });
        await page.Page.EmulateMediaFeaturesAsync(
        [
            new MediaFeatureValue { MediaFeature = MediaFeature.PrefersColorScheme, Value = dark ? "dark" : "light" },
        ]);
        await page.Page.GoToAsync(new Uri(html).AbsoluteUri);
        await page.Page.WaitForFunctionAsync("() => document.getElementById('status').textContent !== ''");
        return page;
    }

    private void Write(params string[] arguments)
    {
        ProgramResult result = AtaProgram.Run(["align", _files.Clip, .. arguments]);
        Assert.Equal((0, string.Empty), (result.Code, result.Error));
    }
}
