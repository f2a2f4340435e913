using System.Diagnostics;
using Ata.Tests.Support;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Ata.Tests.Serving;

/// <summary>What a classifier reports as metrics, traces and logs.</summary>
public sealed class TelemetryTests : IDisposable
{
    private readonly TestFolder _folder = new();
    private readonly string _name = Guid.NewGuid().ToString();
    private readonly string _video;

    public TelemetryTests()
    {
        _video = _folder.In("clip.mp4");
        TestVideo.Write(_video);
    }

    private static PredictOptions Usual => new() { Sampling = new ClipOptions { Stride = 2 } };

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Metrics_CountCallsByTheirOutcome()
    {
        using VideoClassifier classifier = Make(new() { Name = _name, MaxConcurrency = 1, QueueLimit = 0 });
        using var requests = new MetricRecorder("ata.requests", _name);
        using var failures = new MetricRecorder("ata.request.failures", _name);
        using var busy = new MetricRecorder("ata.request.busy", _name);
        using var durations = new MetricRecorder("ata.request.duration", _name);
        using var waits = new MetricRecorder("ata.request.wait", _name);

        await OneOfEachOutcome(classifier);

        Assert.Equal([1, 1, 1, 1, 1], requests.Values);
        Assert.Equal(["predict", "predict", "predict", "predict", "forward"], requests.Tags("ata.operation"));
        Assert.Equal([typeof(FileNotFoundException).FullName], failures.Tags("error.type"));
        Assert.Equal([1], busy.Values);
        Assert.Equal(["failed", "busy", "cancelled", "ok", "ok"], durations.Tags("ata.outcome"));
        Assert.All(durations.Values, seconds => Assert.InRange(seconds, 0, 60));
        Assert.Equal(4, waits.Values.Length);
    }

    [Fact]
    public async Task Metrics_TellWhatGoesOn()
    {
        using VideoClassifier classifier = Make(new() { Name = _name, MaxConcurrency = 1 });
        using var waiting = new MetricRecorder("ata.queue.length", _name);
        using var running = new MetricRecorder("ata.requests.active", _name);
        using var sessions = new MetricRecorder("ata.sessions", _name);
        using var gate = new Gate();
        Assert.Equal((0, 0, 0), (waiting.Observe(), running.Observe(), sessions.Observe()));

        Task<Predictions>[] calls =
            [.. Enumerable.Range(0, 3).Select(_ => classifier.PredictAsync(_video, Usual with { Progress = gate }))];
        gate.WaitFor(1);

        Assert.Equal((2, 1, 1), (waiting.Observe(), running.Observe(), sessions.Observe()));
        gate.Open();
        await Task.WhenAll(calls);
        Assert.Equal((0, 0, 1), (waiting.Observe(), running.Observe(), sessions.Observe()));
        classifier.Dispose();
        Assert.Throws<InvalidOperationException>(() => sessions.Observe());
    }

    [Fact]
    public async Task Traces_TellWhatACallWasAbout()
    {
        using VideoClassifier classifier = Make(new() { Name = _name, MaxConcurrency = 1, QueueLimit = 0 });
        var activities = new List<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == AtaTelemetry.ActivitySourceName,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = activity =>
            {
                if (Equals(activity.GetTagItem("ata.classifier"), _name))
                {
                    lock (activities)
                    {
                        activities.Add(activity);
                    }
                }
            },
        };
        ActivitySource.AddActivityListener(listener);
        using var parent = new Activity("request");
        parent.Start();

        await OneOfEachOutcome(classifier);

        Assert.Same(parent, Activity.Current);
        Assert.Equal(["failed", "busy", "cancelled", "ok", "ok"], activities.Select(activity => activity.GetTagItem("ata.outcome")));
        Assert.All(activities, activity => Assert.Equal(parent.TraceId, activity.TraceId));
        Assert.Equal(ActivityStatusCode.Error, activities[0].Status);
        Assert.Contains("nothing.mp4", activities[0].StatusDescription, StringComparison.Ordinal);
        Assert.Equal(ActivityStatusCode.Unset, activities[3].Status);
        Assert.Equal("ata.predict", activities[3].OperationName);
        Assert.Equal(3, activities[3].GetTagItem("ata.views"));
        Assert.Equal("cpu", activities[3].GetTagItem("ata.device"));
        Assert.InRange(Assert.IsType<double>(activities[3].GetTagItem("ata.wait")), 0, 60);
        Assert.Equal("ata.forward", activities[4].OperationName);
    }

    [Fact]
    public async Task Logs_HaveACategoryAndNumbers()
    {
        using var logs = new LogRecorder();
        using (VideoClassifier classifier = Make(new() { Name = _name, MaxConcurrency = 1, QueueLimit = 0 }, logs))
        {
            await OneOfEachOutcome(classifier);
            classifier.Trim();
        }

        Assert.All(logs.Entries, entry => Assert.Equal("Ata.VideoClassifier", entry.Category));
        Assert.Equal(
            [
                (100, LogLevel.Information, "ClassifierReady"),
                (103, LogLevel.Warning, "RequestFailed"),
                (106, LogLevel.Debug, "SessionCreated"),
                (105, LogLevel.Warning, "RequestRefused"),
                (104, LogLevel.Debug, "RequestCancelled"),
                (102, LogLevel.Debug, "RequestDone"),
                (102, LogLevel.Debug, "RequestDone"),
                (107, LogLevel.Debug, "SessionsReleased"),
                (101, LogLevel.Information, "ClassifierClosed"),
            ],
            logs.Entries.Select(entry => (entry.Id.Id, entry.Level, entry.Id.Name)));
        Assert.All(logs.Entries, entry => Assert.Contains(_name, entry.Message, StringComparison.Ordinal));
        Assert.IsType<FileNotFoundException>(logs.Entries[1].Error);
    }

    /// <summary>A call that fails, one that is refused, one that is cancelled, one that works, and a forward pass.</summary>
    private async Task OneOfEachOutcome(VideoClassifier classifier)
    {
        using var gate = new Gate();
        using var source = new CancellationTokenSource();
        await Assert.ThrowsAsync<FileNotFoundException>(() => classifier.PredictAsync(_folder.In("nothing.mp4")));
        Task<Predictions> cancelled = classifier.PredictAsync(
            _video, Usual with { TemporalViews = 2, Progress = gate }, source.Token);
        gate.WaitFor(1);
        await Assert.ThrowsAsync<AtaBusyException>(() => classifier.PredictAsync(_video, Usual));
        await source.CancelAsync();
        gate.Open();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled);
        await classifier.PredictAsync(_video, Usual with { SpatialViews = 3 });
        classifier.Forward(TinyModel.Clips(1), new float[5]);
    }

    private static VideoClassifier Make(VideoClassifierOptions options, ILoggerFactory? logging = null) =>
        new(TinyModel.Create(), options, logging);

    private sealed class LogRecorder : ILoggerFactory
    {
        public List<(string Category, LogLevel Level, EventId Id, string Message, Exception? Error)> Entries { get; } = [];

        public ILogger CreateLogger(string categoryName) => new Logger(this, categoryName);

        public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

        public void Dispose()
        {
        }

        private sealed class Logger(LogRecorder recorder, string category) : ILogger
        {
            public IDisposable? BeginScope<TState>(TState state)
                where TState : notnull => null;

            public bool IsEnabled(LogLevel logLevel) => true;

            public void Log<TState>(
                LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
            {
                lock (recorder.Entries)
                {
                    recorder.Entries.Add((category, logLevel, eventId, formatter(state, exception), exception));
                }
            }
        }
    }
}
