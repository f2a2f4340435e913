using System.Text.Json;
using PuppeteerSharp;
using PuppeteerSharp.Input;
using Xunit;

namespace Ata.Cli.Tests.Explorer;

/// <summary>The page in a browser, with what it complained of and asked for.</summary>
internal sealed class OpenPage : IAsyncDisposable
{
    // The lit patches of the strip's frames, read from the pixels: the veil spares them. Painting waits for a frame.
    private const string ReadLit = """
        async (columns) => {
          await new Promise(requestAnimationFrame);
          await new Promise(requestAnimationFrame);
          return JSON.stringify([...document.querySelectorAll('#strip .frame canvas')].map((canvas) => {
            const {width, height} = canvas;
            const copy = new OffscreenCanvas(width, height).getContext('2d', {willReadFrequently: true});
            copy.drawImage(canvas, 0, 0);
            const {data} = copy.getImageData(0, 0, width, height);
            const middle = (n) => Math.floor((n + 0.5) * width / columns);
            const alpha = (n) => data[4 * (middle(Math.floor(n / columns)) * width + middle(n % columns)) + 3];
            return [...Array(columns * columns).keys()].filter((n) => alpha(n) === 0);
          }));
        }
        """;

    private readonly List<string> _complaints = [];
    private readonly List<string> _requests = [];

    public OpenPage(IPage page)
    {
        Page = page;
        page.Console += (_, e) => _complaints.Add(e.Message.Text);
        page.PageError += (_, e) => _complaints.Add(e.Message);
        page.Request += (_, e) => _requests.Add(e.Request.Url);
    }

    public IPage Page { get; }

    public async Task<int[][]> LitAsync(int columns) =>
        JsonSerializer.Deserialize<int[][]>(await Page.EvaluateFunctionAsync<string>(ReadLit, columns))!;

    /// <summary>The middle of a patch of an element that shows a frame.</summary>
    public async Task<(decimal X, decimal Y)> PlaceAsync(string selector, int patch, int columns)
    {
        IElementHandle element = await Page.QuerySelectorAsync(selector);
        await element.ScrollIntoViewAsync();
        BoundingBox box = await element.BoundingBoxAsync();
        return (box.X + (box.Width * ((patch % columns) + 0.5m) / columns), box.Y + (box.Height * ((patch / columns) + 0.5m) / columns));
    }

    public Task<string> TextAsync(string selector) => Page.EvaluateFunctionAsync<string>("(s) => document.querySelector(s).textContent", selector);

    /// <summary>Nothing went wrong, and nothing was fetched but the file itself.</summary>
    public void AssertClean(string file)
    {
        Assert.Empty(_complaints);
        Assert.Equal([new Uri(file).AbsoluteUri], _requests.Where(url => !url.StartsWith("data:", StringComparison.Ordinal)));
    }

    public async ValueTask DisposeAsync() => await Page.CloseAsync();
}
