using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Reflection;

namespace Ata.Benchmarks.ServerLoad;

/// <summary>The sample server as a process of its own.</summary>
internal sealed class SampleServer : IDisposable
{
    private readonly Process _process;
    private readonly StringWriter _output = new();

    /// <summary>Starts it, and waits until it answers.</summary>
    /// <param name="model">Its checkpoint.</param>
    /// <param name="arguments">Further settings, such as <c>--Ata:Serving:QueueLimit 3</c>.</param>
    public SampleServer(string model, params string[] arguments)
    {
        var address = new Uri($"http://127.0.0.1:{FreePort()}");
        _process = Start(["--urls", address.ToString(), "--Ata:ModelPath", model, "--Logging:LogLevel:Default", "Warning", .. arguments]);
        Client = new HttpClient(new SocketsHttpHandler { MaxConnectionsPerServer = int.MaxValue })
        {
            BaseAddress = address,
            Timeout = TimeSpan.FromMinutes(10),
        };
        try
        {
            WaitUntilItAnswers();
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public HttpClient Client { get; }

    /// <summary>What the process has printed.</summary>
    public string Output
    {
        get
        {
            lock (_output)
            {
                return _output.ToString();
            }
        }
    }

    /// <summary>Resident memory in bytes.</summary>
    public long ResidentBytes
    {
        get
        {
            _process.Refresh();
            return _process.WorkingSet64;
        }
    }

    /// <summary>Runs the server with settings with which it is not to start.</summary>
    /// <returns>Its exit code, and what it printed.</returns>
    public static (int Code, string Output) RunToItsEnd(params string[] arguments)
    {
        using Process process = Start(["--urls", $"http://127.0.0.1:{FreePort()}", .. arguments]);
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output + error.Result);
    }

    /// <summary>Sends a clip.</summary>
    public async Task<HttpResponseMessage> PredictAsync(byte[] clip, CancellationToken cancellationToken = default)
    {
        using var content = new ByteArrayContent(clip);
        return await Client.PostAsync(new Uri("predict", UriKind.Relative), content, cancellationToken);
    }

    /// <summary>Sends a clip, which must be answered.</summary>
    /// <returns>The labels, best first.</returns>
    public async Task<string[]> LabelsAsync(byte[] clip)
    {
        using HttpResponseMessage response = await PredictAsync(clip);
        if (response.StatusCode != HttpStatusCode.OK)
        {
            throw new InvalidOperationException($"{(int)response.StatusCode}: {await response.Content.ReadAsStringAsync()}\n{Output}");
        }

        Answer answer = (await response.Content.ReadFromJsonAsync<Answer>())!;
        return [.. answer.Top.Select(best => best.Label)];
    }

    public void Dispose()
    {
        Client?.Dispose();
        if (!_process.HasExited)
        {
            _process.Kill();
            _process.WaitForExit();
        }

        _process.Dispose();
    }

    private static Process Start(string[] arguments)
    {
        string dll = typeof(SampleServer).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
            .Single(attribute => attribute.Key == "AtaServer").Value!;
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true };
        start.ArgumentList.Add(dll);
        Array.ForEach(arguments, start.ArgumentList.Add);
        return Process.Start(start)!;
    }

    private static string FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port.ToString(CultureInfo.InvariantCulture);
    }

    private void WaitUntilItAnswers()
    {
        _process.OutputDataReceived += (_, line) => Add(line.Data);
        _process.ErrorDataReceived += (_, line) => Add(line.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        var watch = Stopwatch.StartNew();
        while (true)
        {
            try
            {
                if (Client.GetStringAsync(new Uri("ping", UriKind.Relative)).GetAwaiter().GetResult() == "pong")
                {
                    return;
                }
            }
            catch (HttpRequestException) when (!_process.HasExited && watch.Elapsed < TimeSpan.FromMinutes(2))
            {
                Thread.Sleep(50);
            }
            catch (HttpRequestException error)
            {
                throw new InvalidOperationException($"The server does not answer. It printed:\n{Output}", error);
            }
        }
    }

    private void Add(string? line)
    {
        lock (_output)
        {
            _output.WriteLine(line);
        }
    }

    private sealed record Answer(AnswerClass[] Top);

    private sealed record AnswerClass(string Label, int Index, float Probability);
}
