using Ata.Tests.Support;
using Xunit;

namespace Ata.Tests.Serving;

/// <summary>Clips of several calls in one pass of the model.</summary>
public sealed class BatchingTests : IDisposable
{
    private const int Calls = 4;

    private readonly TestFolder _folder = new();
    private readonly VideoClip[] _clips;

    public BatchingTests()
    {
        string path = _folder.In("clip.mp4");
        TestVideo.Write(path);
        using VideoReader video = VideoReader.Open(path);
        _clips = [.. Enumerable.Range(0, Calls).Select(i => video.Sample(
            ClipOptions.For(TinyModel.Config) with { Stride = 2, ClipCount = Calls, ClipIndex = i }))];
    }

    public void Dispose()
    {
        Array.ForEach(_clips, clip => clip.Dispose());
        _folder.Dispose();
    }

    [Theory]
    [InlineData(TemporalMode.Ata)]
    [InlineData(TemporalMode.Divided)]
    [InlineData(TemporalMode.Joint)]
    [InlineData(TemporalMode.SpaceOnly)]
    public async Task Results_HaveTheBitsThatTheyHaveAlone(TemporalMode mode)
    {
        ModelConfig config = TinyModel.Config with { Temporal = mode };
        using var alone = new VideoClassifier(Model.Create(config, 1));
        using var batching = new VideoClassifier(Model.Create(config, 1), Patient);
        using var metrics = new MetricRecorder("ata.batch.size", batching.Options.Name!);

        using var gate = new Gate();
        string path = _folder.In("clip.mp4");
        var options = new PredictOptions { TemporalViews = 2, Sampling = new ClipOptions { Stride = 2 } };

        // The last one of a batch is the second view of a call that is held after its first, which runs alone.
        Task<Predictions> held = batching.PredictAsync(path, options with { Progress = gate });
        gate.WaitFor(1);
        Task<Predictions>[] calls = [.. _clips[1..].Select(clip => batching.PredictAsync(clip))];
        Gate.Until(() => batching.Statistics.Running == Calls);
        gate.Open();

        Assert.Equal(alone.Predict(path, options).Probabilities.ToArray(), (await held).Probabilities.ToArray());
        Assert.All(_clips[1..].Zip(await Task.WhenAll(calls)), pair => Assert.Equal(
            alone.Predict(pair.First).Probabilities.ToArray(), pair.Second.Probabilities.ToArray()));
        Assert.Equal([1, Calls], metrics.Values);
        Assert.Equal(1, batching.Statistics.Sessions);
    }

    [Fact]
    public async Task Results_HaveTheBitsThatTheyHaveAlone_InBFloat16()
    {
        string path = _folder.In("model.safetensors");
        using (Model model = TinyModel.Create())
        {
            model.Save(path);
        }

        var options = new ModelOptions { Precision = Precision.BFloat16 };
        using VideoClassifier alone = VideoClassifier.Load(path, options);
        using VideoClassifier batching = VideoClassifier.Load(path, options, Patient);

        Predictions[] results = await Task.WhenAll(_clips.Select(clip => batching.PredictAsync(clip)));

        Assert.All(_clips.Zip(results), pair => Assert.Equal(
            alone.Predict(pair.First).Probabilities.ToArray(), pair.Second.Probabilities.ToArray()));
    }

    [Fact]
    public async Task AClipThatIsWrong_FailsItsOwnCallAlone()
    {
        using var batching = new VideoClassifier(TinyModel.Create(), Patient);
        _clips[2].AsSpan()[17] = float.NaN;

        Task<Predictions>[] calls = [.. _clips.Select(clip => batching.PredictAsync(clip))];

        await Assert.ThrowsAsync<ArgumentException>(() => calls[2]);
        foreach (int i in new[] { 0, 1, 3 })
        {
            Assert.Equal(batching.Predict(_clips[i]).Probabilities.ToArray(), (await calls[i]).Probabilities.ToArray());
        }
    }

    [Fact]
    public async Task AClipOfAnotherShape_IsRefusedAlthoughItHasAsManyValues()
    {
        using var batching = new VideoClassifier(TinyModel.Create(), Patient);
        using VideoReader video = VideoReader.Open(_folder.In("clip.mp4"));
        using VideoClip other = video.Sample(new ClipOptions { Frames = 16, Size = 16, Stride = 1 });
        Assert.Equal(_clips[0].AsSpan().Length, other.AsSpan().Length);

        Task<Predictions>[] calls = [.. _clips[1..].Append(other).Select(clip => batching.PredictAsync(clip))];

        Assert.Contains("[1, 3, 4, 32, 32]", (await Assert.ThrowsAsync<ArgumentException>(() => calls[^1])).Message, StringComparison.Ordinal);
        await Task.WhenAll(calls[..^1]);
    }

    [Fact]
    public async Task ACallThatIsCancelled_LeavesItsBatch()
    {
        // Two calls gather while a third one keeps them waiting for it.
        using var batching = new VideoClassifier(TinyModel.Create(), Patient with { MaxBatch = 3 });
        using var gate = new Gate();
        string path = _folder.In("clip.mp4");
        Task<Predictions> third = batching.PredictAsync(
            path, new PredictOptions { TemporalViews = 2, Sampling = new ClipOptions { Stride = 2 }, Progress = gate });
        gate.WaitFor(1);
        using var source = new CancellationTokenSource();
        Task<Predictions> first = batching.PredictAsync(_clips[0]);
        Gate.Until(() => batching.Statistics.Running == 2);
        Task<Predictions> second = batching.PredictAsync(_clips[1], cancellationToken: source.Token);
        Gate.Until(() => batching.Statistics.Running == 3);

        await source.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second);
        Assert.False(first.IsCompleted);
        gate.Open();
        Assert.Equal(5, (await first).Count);
        Assert.Equal(2, (await third).Views);
    }

    [Fact]
    public void ACallAlone_DoesNotWait()
    {
        using var batching = new VideoClassifier(TinyModel.Create(), Patient);
        long start = Environment.TickCount64;

        batching.Predict(_clips[0]);

        Assert.InRange(Environment.TickCount64 - start, 0, (long)Patient.BatchDelay.TotalMilliseconds / 2);
    }

    /// <summary>Waits for the other calls as long as it takes them.</summary>
    private static VideoClassifierOptions Patient => new()
    {
        Name = Guid.NewGuid().ToString(),
        MaxConcurrency = Calls,
        MaxBatch = Calls,
        BatchDelay = TimeSpan.FromSeconds(30),
    };
}
