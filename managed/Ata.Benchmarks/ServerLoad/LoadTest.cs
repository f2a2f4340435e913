using System.Diagnostics;

namespace Ata.Benchmarks.ServerLoad;

/// <summary>What a server does under load.</summary>
/// <param name="Clients">Clients that send one request after another at the same time.</param>
/// <param name="Requests">Requests that they sent together.</param>
/// <param name="Failures">Those that were not answered as they should be.</param>
/// <param name="PingP95">95th percentile of the time that <c>/ping</c> took meanwhile, in seconds.</param>
/// <param name="Pings">How many pings there were.</param>
/// <param name="FirstResident">Resident bytes after the first request.</param>
/// <param name="LastResident">Resident bytes after the last one.</param>
/// <param name="AloneRate">Requests a second of one client, one after another.</param>
/// <param name="BurstRate">Requests a second of all clients.</param>
internal sealed record LoadResult(
    int Clients,
    int Requests,
    int Failures,
    double PingP95,
    int Pings,
    long FirstResident,
    long LastResident,
    double AloneRate,
    double BurstRate)
{
    public override string ToString() => FormattableString.Invariant(
        $"""
        requests                      {Requests} of {Clients} clients, {Failures} failed
        /ping, 95th percentile        {1000 * PingP95:0.0} ms of {Pings}
        resident after the first      {FirstResident / 1e6:0.0} MB
        resident after the last       {LastResident / 1e6:0.0} MB, {(double)LastResident / FirstResident:0.00} times
        requests a second, one client {AloneRate:0.00}
        requests a second, {Clients,2} clients {BurstRate:0.00}
        """);
}

/// <summary>Sends a server many requests at the same time, and looks at what else it does meanwhile.</summary>
internal static class LoadTest
{
    /// <summary>Makes a clip to send: a bright square that moves.</summary>
    public static byte[] MakeClip(string path, int width = 320, int height = 240, int frames = 48)
    {
        using (VideoWriter writer = VideoWriter.Create(path, width, height, 24))
        {
            var pixels = new byte[width * height * 3];
            for (int frame = 0; frame < frames; ++frame)
            {
                for (int i = 0; i < pixels.Length; i += 3)
                {
                    int x = i / 3 % width, y = i / 3 / width, left = 4 * frame % (width - 40);
                    bool inside = x >= left && x < left + 40 && y >= 60 && y < 100;
                    pixels[i] = (byte)(inside ? 230 : x);
                    pixels[i + 1] = (byte)(inside ? 200 : y);
                    pixels[i + 2] = (byte)(inside ? 40 : frame);
                }

                writer.Add(pixels);
            }

            writer.Finish();
        }

        return File.ReadAllBytes(path);
    }

    /// <summary>Runs the load.</summary>
    /// <param name="server">The server.</param>
    /// <param name="clip">What each request sends.</param>
    /// <param name="clients">Clients at the same time.</param>
    /// <param name="requests">Requests of all clients together.</param>
    public static async Task<LoadResult> RunAsync(SampleServer server, byte[] clip, int clients, int requests)
    {
        string[] expected = await server.LabelsAsync(clip);
        long first = server.ResidentBytes;
        int alone = Math.Clamp(requests / 10, 3, 40);
        var watch = Stopwatch.StartNew();
        for (int i = 0; i < alone; ++i)
        {
            await server.LabelsAsync(clip);
        }

        double aloneRate = alone / watch.Elapsed.TotalSeconds;
        using var ended = new CancellationTokenSource();
        Task<List<double>> pings = PingAsync(server, ended.Token);
        watch.Restart();
        int left = requests;
        int failures = 0;
        await Task.WhenAll(Enumerable.Range(0, clients).Select(_ => Task.Run(async () =>
        {
            while (Interlocked.Decrement(ref left) >= 0)
            {
                try
                {
                    string[] labels = await server.LabelsAsync(clip);
                    if (!expected.SequenceEqual(labels, StringComparer.Ordinal))
                    {
                        Interlocked.Increment(ref failures);
                    }
                }
                catch (Exception error)
                {
                    Console.Error.WriteLine(error.Message);
                    Interlocked.Increment(ref failures);
                }
            }
        })));
        double burstRate = requests / watch.Elapsed.TotalSeconds;
        await ended.CancelAsync();
        List<double> times = await pings;
        times.Sort();
        return new LoadResult(
            clients,
            requests,
            failures,
            times[(int)(0.95 * (times.Count - 1))],
            times.Count,
            first,
            server.ResidentBytes,
            aloneRate,
            burstRate);
    }

    private static async Task<List<double>> PingAsync(SampleServer server, CancellationToken ended)
    {
        var times = new List<double>();
        do
        {
            long start = Stopwatch.GetTimestamp();
            await server.Client.GetStringAsync(new Uri("ping", UriKind.Relative), CancellationToken.None);
            times.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
            await Task.Delay(20, CancellationToken.None);
        }
        while (!ended.IsCancellationRequested);

        return times;
    }
}
