using System.Net;
using System.Text.Json;
using Ata.Benchmarks.ServerLoad;
using Xunit;

namespace Ata.Extensions.Tests;

/// <summary>The sample server, run as a program.</summary>
public sealed class ServerTests : IDisposable
{
    private readonly TestFolder _folder = new();
    private readonly string _model;
    private readonly byte[] _clip;

    public ServerTests()
    {
        _model = Models.Write(_folder.In("model.safetensors"));
        _clip = LoadTest.MakeClip(_folder.In("clip.mp4"), 64, 128, 24);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Predict_AnswersTheFiveMostProbableClasses()
    {
        using var server = new SampleServer(_model);
        using VideoClassifier classifier = VideoClassifier.Load(_model);
        Predictions expected = classifier.Predict(_folder.In("clip.mp4"));

        using HttpResponseMessage response = await server.PredictAsync(_clip);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        using JsonDocument answer = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
        JsonElement[] top = [.. answer.RootElement.GetProperty("top").EnumerateArray()];
        Assert.Equal(expected.Select(best => best.Label), top.Select(best => best.GetProperty("label").GetString()));
        Assert.Equal(expected.Select(best => best.Probability), top.Select(best => best.GetProperty("probability").GetSingle()));
        Assert.Equal("pong", await server.Client.GetStringAsync(new Uri("ping", UriKind.Relative)));
        Assert.Equal("Healthy", await server.Client.GetStringAsync(new Uri("health", UriKind.Relative)));
    }

    [Fact]
    public async Task WhatIsWrongWithAnUpload_IsSaidInOneLine()
    {
        using var server = new SampleServer(_model, "--Upload:MaxBytes", "100000");

        string broken = await FailureAsync(server, HttpStatusCode.BadRequest, new byte[5000]);
        Assert.Contains("the upload", broken, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', broken);
        Assert.DoesNotContain(Path.GetTempPath(), broken, StringComparison.Ordinal);
        await FailureAsync(server, HttpStatusCode.BadRequest, []);
        Assert.Contains("larger than 100000 bytes", await FailureAsync(server, HttpStatusCode.RequestEntityTooLarge, new byte[200_000]), StringComparison.Ordinal);
        Assert.Equal(5, (await server.LabelsAsync(_clip)).Length);
    }

    [Fact]
    public async Task ABusyServer_SaysWhenToTryAgain()
    {
        using var server = new SampleServer(_model, "--Ata:Serving:MaxConcurrency", "1", "--Ata:Serving:QueueLimit", "0");

        HttpResponseMessage[] responses = await Task.WhenAll(Enumerable.Range(0, 40).Select(_ => server.PredictAsync(_clip)));

        Assert.All(responses, response => Assert.Contains(
            response.StatusCode, (HttpStatusCode[])[HttpStatusCode.OK, HttpStatusCode.ServiceUnavailable]));
        Assert.Contains(responses, response => response.StatusCode == HttpStatusCode.OK);
        HttpResponseMessage busy = Assert.IsType<HttpResponseMessage>(
            responses.First(response => response.StatusCode == HttpStatusCode.ServiceUnavailable));
        Assert.Equal(TimeSpan.FromSeconds(1), busy.Headers.RetryAfter!.Delta);
        Assert.Contains("raise QueueLimit", await busy.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Array.ForEach(responses, response => response.Dispose());
    }

    [Fact]
    public async Task ClientsThatGoAway_LeaveNothingBehind()
    {
        using var server = new SampleServer(_model, "--Ata:Serving:MaxConcurrency", "1");
        using var source = new CancellationTokenSource();
        Task<HttpResponseMessage>[] gone = [.. Enumerable.Range(0, 20).Select(_ => server.PredictAsync(_clip, source.Token))];
        await source.CancelAsync();
        foreach (Task<HttpResponseMessage> request in gone)
        {
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => request);
        }

        Assert.Equal(5, (await server.LabelsAsync(_clip)).Length);
        Assert.DoesNotContain("Exception", server.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void WrongSettings_KeepTheServerFromStarting()
    {
        (int code, string output) = SampleServer.RunToItsEnd("--Ata:ModelPath", _folder.In("nothing.safetensors"));

        Assert.NotEqual(0, code);
        Assert.Contains("there is no file", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ManyClientsAtOnce_AreAllAnsweredWhileTheServerStaysResponsive()
    {
        // As `Ata.Benchmarks server` does with vit-tiny; with limits that hold on a machine that does other things, too.
        using var server = new SampleServer(_model);

        LoadResult result = await LoadTest.RunAsync(server, _clip, clients: 32, requests: 200);

        Assert.Equal(0, result.Failures);
        Assert.True(result.PingP95 < 2, result.ToString());
        Assert.True(result.LastResident < 2 * result.FirstResident, result.ToString());
        Assert.True(result.BurstRate > 0.3 * result.AloneRate, result.ToString());
    }

    private static async Task<string> FailureAsync(SampleServer server, HttpStatusCode status, byte[] upload)
    {
        using HttpResponseMessage response = await server.PredictAsync(upload);
        Assert.Equal(status, response.StatusCode);
        using JsonDocument problem = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
        return problem.RootElement.GetProperty("detail").GetString()!;
    }
}
