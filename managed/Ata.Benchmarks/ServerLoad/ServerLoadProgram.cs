using System.Diagnostics;
using System.Globalization;

namespace Ata.Benchmarks.ServerLoad;

/// <summary><c>server [clients [requests]]</c>: the sample server with vit-tiny under load, and a tiny model in ten thousand
/// requests.</summary>
internal static class ServerLoadProgram
{
    private const int TinyRequests = 10_000;

    public static async Task RunAsync(string[] arguments)
    {
        int clients = arguments.Length > 0 ? int.Parse(arguments[0], CultureInfo.InvariantCulture) : 64;
        int requests = arguments.Length > 1 ? int.Parse(arguments[1], CultureInfo.InvariantCulture) : 400;
        string folder = Directory.CreateTempSubdirectory("ata-load-").FullName;
        try
        {
            await RunAsync(folder, clients, requests);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task RunAsync(string folder, int clients, int requests)
    {
        string path = Path.Combine(folder, "model.safetensors");
        using (Model model = Model.Create(ModelConfig.Named("vit-tiny")))
        {
            model.Save(path);
        }

        byte[] clip = LoadTest.MakeClip(Path.Combine(folder, "clip.mp4"));
        using (var server = new SampleServer(path))
        {
            Console.WriteLine($"vit-tiny, {AtaRuntime.ThreadCount} cores");
            Console.WriteLine(await LoadTest.RunAsync(server, clip, clients, requests));
        }

        using (Model model = Model.Create(ModelConfig.Named("vit-tiny") with { ImageSize = 32, PatchSize = 8, Dim = 64, Heads = 1, Depth = 2, Frames = 4 }))
        {
            model.Save(path);
        }

        byte[] small = LoadTest.MakeClip(Path.Combine(folder, "small.mp4"), 64, 128, 24);
        using (var server = new SampleServer(path))
        {
            await LoadTest.RunAsync(server, small, clients, 500);
            long before = server.ResidentBytes;
            var watch = Stopwatch.StartNew();
            LoadResult result = await LoadTest.RunAsync(server, small, clients, TinyRequests);
            Console.WriteLine(FormattableString.Invariant(
                $"tiny model: {TinyRequests} requests in {watch.Elapsed.TotalSeconds:0} s, {result.Failures} failed; resident {before / 1e6:0.0} MB before, {server.ResidentBytes / 1e6:0.0} MB after"));
        }
    }
}
