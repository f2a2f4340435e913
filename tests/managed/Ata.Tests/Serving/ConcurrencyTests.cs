using Ata.Tests.Support;
using Xunit;

namespace Ata.Tests.Serving;

/// <summary>How calls of a classifier share its sessions, wait, and are refused.</summary>
public sealed class ConcurrencyTests : IDisposable
{
    private static readonly ClipOptions Sampling = new() { Stride = 2 };

    private readonly TestFolder _folder = new();
    private readonly Gate _gate = new();
    private readonly string _video;

    public ConcurrencyTests()
    {
        _video = _folder.In("clip.mp4");
        TestVideo.Write(_video);
    }

    private static PredictOptions Gateless => new() { Sampling = Sampling };

    private PredictOptions Gated => new() { Sampling = Sampling, Progress = _gate };

    public void Dispose()
    {
        _gate.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task PredictAsync_RunsAsManyCallsAsMayOnThreadsOfItsOwn()
    {
        using VideoClassifier classifier = Make(new() { MaxConcurrency = 2, Name = "two" });
        Task<Predictions>[] calls = [.. Enumerable.Range(0, 9).Select(_ => classifier.PredictAsync(_video, Gated))];

        _gate.WaitFor(2);
        Assert.Equal(new VideoClassifierStatistics(Running: 2, Waiting: 7, Sessions: 2, IdleSessions: 0), classifier.Statistics);
        _gate.Open();
        Predictions[] results = await Task.WhenAll(calls);

        Assert.All(results, result => Assert.Equal(results[0].Probabilities.ToArray(), result.Probabilities.ToArray()));
        Assert.Equal(2, _gate.Most);
        Assert.All(_gate.Threads, thread =>
        {
            Assert.False(thread.IsThreadPoolThread);
            Assert.True(thread.IsBackground);
            Assert.StartsWith("Ata classifier two ", thread.Name, StringComparison.Ordinal);
        });
        Assert.InRange(_gate.Threads.Distinct().Count(), 1, 2);
        Assert.Equal(new VideoClassifierStatistics(Running: 0, Waiting: 0, Sessions: 2, IdleSessions: 2), classifier.Statistics);
    }

    [Fact]
    public void Predict_WaitsForItsTurnAndRunsWhereItIsCalled()
    {
        using VideoClassifier classifier = Make(new() { MaxConcurrency = 2 });
        Thread[] threads = [.. Enumerable.Range(0, 6).Select(_ => new Thread(() => classifier.Predict(_video, Gated)))];
        Array.ForEach(threads, thread => thread.Start());

        _gate.WaitFor(2);
        Gate.Until(() => classifier.Statistics.Waiting == 4);
        _gate.Open();
        Array.ForEach(threads, thread => thread.Join());

        Assert.Equal(2, _gate.Most);
        Assert.Equal(threads.ToHashSet(), _gate.Threads.ToHashSet());
    }

    [Fact]
    public async Task AFullQueue_RefusesAtOnceAndSaysWhatToDo()
    {
        using VideoClassifier classifier = Make(new() { MaxConcurrency = 1, QueueLimit = 1 });
        Task<Predictions> running = classifier.PredictAsync(_video, Gated);
        Task<Predictions> waiting = classifier.PredictAsync(_video, Gated);
        _gate.WaitFor(1);

        AtaBusyException busy = await Assert.ThrowsAsync<AtaBusyException>(() => classifier.PredictAsync(_video, Gated));
        Assert.Equal(1, busy.QueueLimit);
        Assert.Contains("raise QueueLimit or MaxConcurrency", busy.Message, StringComparison.Ordinal);
        Assert.Throws<AtaBusyException>(() => classifier.Predict(_video, Gated));
        Assert.Throws<AtaBusyException>(() => classifier.Forward(TinyModel.Clips(1), new float[5]));

        _gate.Open();
        Assert.Equal(5, (await running).Count);
        Assert.Equal(5, (await waiting).Count);
        Assert.Equal(5, (await classifier.PredictAsync(_video, Gated)).Count);
    }

    [Fact]
    public async Task WithoutAQueue_CallsOneAfterAnotherAreNeverRefused()
    {
        using VideoClassifier classifier = Make(new() { MaxConcurrency = 1, QueueLimit = 0 });
        for (int i = 0; i < 200; ++i)
        {
            using VideoClip clip = Clip(classifier);
            await classifier.PredictAsync(clip);
            classifier.Predict(clip);
        }
    }

    [Fact]
    public async Task CancelledCalls_LeaveTheQueueAtOnce()
    {
        using VideoClassifier classifier = Make(new() { MaxConcurrency = 1, QueueLimit = 2 });
        Task<Predictions> running = classifier.PredictAsync(_video, Gated);
        _gate.WaitFor(1);
        using var source = new CancellationTokenSource();
        Task<Predictions> waiting = classifier.PredictAsync(_video, Gated, source.Token);
        Exception? seen = null;
        var thread = new Thread(() => seen = Record.Exception(() => classifier.Predict(_video, Gated, source.Token)));
        thread.Start();
        Gate.Until(() => classifier.Statistics.Waiting == 2);

        await source.CancelAsync();

        // The call that runs still does.
        Assert.Equal(source.Token, (await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting)).CancellationToken);
        thread.Join();
        Assert.IsAssignableFrom<OperationCanceledException>(seen);
        Assert.True(waiting.IsCanceled);
        Assert.Equal(1, classifier.Statistics.Running);
        Assert.Equal(0, classifier.Statistics.Waiting);
        Task<Predictions> next = classifier.PredictAsync(_video, Gated);
        _gate.Open();
        await Task.WhenAll(running, next);
        Assert.Equal(2, _gate.Threads.Count);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => classifier.PredictAsync(_video, Gated, source.Token));
    }

    [Fact]
    public async Task Dispose_RefusesWhatWaitsAndLetsTheRunningEnd()
    {
        VideoClassifier classifier = Make(new() { MaxConcurrency = 1 });
        Task<Predictions> running = classifier.PredictAsync(_video, Gated);
        _gate.WaitFor(1);
        Task<Predictions> waiting = classifier.PredictAsync(_video, Gated);
        Exception? seen = null;
        var thread = new Thread(() => seen = Record.Exception(() => classifier.Predict(_video, Gated)));
        thread.Start();
        Gate.Until(() => classifier.Statistics.Waiting == 2);

        Assert.False(classifier.IsDisposed);
        classifier.Dispose();
        classifier.Dispose();

        Assert.True(classifier.IsDisposed);
        Assert.Contains(
            nameof(VideoClassifier), (await Assert.ThrowsAsync<ObjectDisposedException>(() => waiting)).Message, StringComparison.Ordinal);
        thread.Join();
        Assert.IsType<ObjectDisposedException>(seen);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => classifier.PredictAsync(_video, Gated));
        Assert.False(running.IsCompleted);
        _gate.Open();
        Assert.Equal(5, (await running).Count);
        Gate.Until(() => classifier.Statistics.Sessions == 0);
        Assert.Throws<ObjectDisposedException>(() => classifier.Model.CreateSession());
    }

    [Fact]
    public void CallsInsideOfACall_AreRefusedWhereTheyWouldWaitForThemselves()
    {
        using VideoClassifier one = Make(new() { MaxConcurrency = 1 });
        using VideoClassifier two = Make(new() { MaxConcurrency = 2 });

        Assert.Contains(
            "inside of another one",
            Assert.Throws<InvalidOperationException>(() => one.Predict(_video, Nesting(one))).Message,
            StringComparison.Ordinal);
        two.Predict(_video, Nesting(two));
        one.Predict(_video, Nesting(two));
        Assert.Equal(0, one.Statistics.Running);

        PredictOptions Nesting(VideoClassifier classifier) => new()
        {
            Sampling = Sampling,
            Progress = new Callback(() => classifier.Predict(_video, new PredictOptions { Sampling = Sampling })),
        };
    }

    [Fact]
    public async Task Sessions_AreKeptUpToTheLimitAndTrimmed()
    {
        using VideoClassifier classifier = Make(new() { MaxConcurrency = 3, MaxIdleSessions = 1 });
        Task<Predictions>[] calls = [.. Enumerable.Range(0, 3).Select(_ => classifier.PredictAsync(_video, Gated))];
        _gate.WaitFor(3);
        Assert.Equal(3, classifier.Statistics.Sessions);
        classifier.Trim();
        Assert.Equal(3, classifier.Statistics.Sessions);
        _gate.Open();
        await Task.WhenAll(calls);

        Assert.Equal(new VideoClassifierStatistics(0, 0, Sessions: 1, IdleSessions: 1), classifier.Statistics);
        classifier.Trim();
        Assert.Equal(default, classifier.Statistics);
        Assert.Equal(5, classifier.Predict(_video, Gated).Count);
        Assert.Equal(1, classifier.Statistics.IdleSessions);

        using VideoClassifier forgetful = Make(new() { MaxIdleSessions = 0 });
        Assert.Equal(5, forgetful.Predict(_video, Gated).Count);
        Assert.Equal(default, forgetful.Statistics);
    }

    [Fact]
    public void WarmUp_MakesTheSessionsOfFullLoad()
    {
        using var created = new MetricRecorder("ata.sessions", "warm");
        using VideoClassifier classifier = Make(new() { MaxConcurrency = 3, MaxIdleSessions = 3, Name = "warm" });
        classifier.WarmUp();

        Assert.Equal(new VideoClassifierStatistics(0, 0, Sessions: 3, IdleSessions: 3), classifier.Statistics);
        classifier.Predict(_video, Gateless);
        Assert.Equal(3, created.Observe());
        using var source = new CancellationTokenSource();
        source.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => classifier.WarmUp(source.Token));
        classifier.Dispose();
        Assert.Throws<ObjectDisposedException>(() => classifier.WarmUp());
    }

    [Fact]
    public async Task AFailedCall_GivesItsPlaceBack()
    {
        using VideoClassifier classifier = Make(new() { MaxConcurrency = 1, QueueLimit = 0 });
        for (int i = 0; i < 3; ++i)
        {
            await Assert.ThrowsAsync<FileNotFoundException>(() => classifier.PredictAsync(_folder.In("nothing.mp4")));
            Assert.Throws<FileNotFoundException>(() => classifier.Predict(_folder.In("nothing.mp4")));
            Assert.Throws<ArgumentException>(() => classifier.Forward(new float[7], new float[5]));
        }

        Assert.Equal(0, classifier.Statistics.Running);
    }

    [Fact]
    public async Task PredictAsync_RunsInTheContextOfItsCaller()
    {
        using VideoClassifier classifier = Make(new() { MaxConcurrency = 1 });
        var local = new AsyncLocal<string>();
        var seen = new List<string?>();
        foreach (string value in new[] { "first", "second" })
        {
            local.Value = value;
            await classifier.PredictAsync(
                _video, new PredictOptions { Sampling = Sampling, Progress = new Callback(() => seen.Add(local.Value)) });
        }

        Assert.Equal(["first", "second"], seen);
    }

    [Fact]
    public void Options_AreCheckedAndFilledIn()
    {
        Assert.Equal(7, Make(new() { MaxBatch = 7 }).Options.MaxConcurrency);
        VideoClassifierOptions usual = Make(new()).Options;
        Assert.Equal(Math.Min(AtaRuntime.ThreadCount, 4), usual.MaxConcurrency);
        Assert.Equal(usual.MaxConcurrency, usual.MaxIdleSessions);

        Assert.Equal(AtaRuntime.ThreadCount, Make(new() { ThreadsPerCall = 1 }).Options.MaxConcurrency);
        Assert.Equal(1, Make(new() { ThreadsPerCall = 1000 }).Options.MaxConcurrency);

        AssertOutOfRange(nameof(VideoClassifierOptions.MaxConcurrency), new() { MaxConcurrency = 0 });
        AssertOutOfRange(nameof(VideoClassifierOptions.ThreadsPerCall), new() { ThreadsPerCall = 0 });
        AssertOutOfRange(nameof(VideoClassifierOptions.MaxIdleSessions), new() { MaxIdleSessions = -1 });
        AssertOutOfRange(nameof(VideoClassifierOptions.QueueLimit), new() { QueueLimit = -1 });
        AssertOutOfRange(nameof(VideoClassifierOptions.MaxBatch), new() { MaxBatch = 0 });
        AssertOutOfRange(nameof(VideoClassifierOptions.BatchDelay), new() { BatchDelay = TimeSpan.FromHours(1) });
        Assert.Contains(
            "raise MaxConcurrency",
            Assert.Throws<ArgumentException>(() => Make(new() { MaxConcurrency = 2, MaxBatch = 4 })).Message,
            StringComparison.Ordinal);
        // Before the file is looked for.
        Assert.Throws<ArgumentOutOfRangeException>(() => VideoClassifier.Load("nothing", null, new() { MaxBatch = 0 }));

        static void AssertOutOfRange(string name, VideoClassifierOptions options) =>
            Assert.Equal(name, Assert.Throws<ArgumentOutOfRangeException>(() => Make(options)).ParamName);
    }

    [Fact]
    public void ThreadsPerCall_DoesNotChangeResults()
    {
        int before = AtaRuntime.ThreadCount;
        AtaRuntime.ThreadCount = 8;
        try
        {
            using VideoClassifier one = Make(new() { ThreadsPerCall = 1, MaxConcurrency = 1 });
            using VideoClassifier eight = Make(new() { MaxConcurrency = 1 });
            var limited = new float[5];
            var free = new float[5];
            one.Forward(TinyModel.Clips(1), limited);
            eight.Forward(TinyModel.Clips(1), free);
            Assert.Equal(free, limited);
        }
        finally
        {
            AtaRuntime.ThreadCount = before;
        }
    }

    private static VideoClassifier Make(VideoClassifierOptions options) => new(TinyModel.Create(), options);

    private VideoClip Clip(VideoClassifier classifier)
    {
        using VideoReader video = VideoReader.Open(_video);
        return video.Sample(ClipOptions.For(classifier.Model.Config) with { Stride = 2 });
    }

    private sealed class Callback(Action action) : IProgress<int>
    {
        public void Report(int value) => action();
    }
}
