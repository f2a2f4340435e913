using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Ata.Serving;

/// <summary>Reports the calls of one classifier as metrics, traces and logs. Costs next to nothing where nobody listens.</summary>
/// <remarks>Thread-safe.</remarks>
internal sealed class ClassifierTelemetry
{
    private const string Outcome = "ata.outcome";

    private static readonly string? Version = typeof(ClassifierTelemetry).Assembly.GetName().Version?.ToString(3);
    private static readonly ActivitySource Activities = new(AtaTelemetry.ActivitySourceName, Version);
    private static readonly Meter Meter = new(AtaTelemetry.MeterName, Version);

    private static readonly Counter<long> Requests = Meter.CreateCounter<long>(
        "ata.requests", "{request}", "Calls that were made.");
    private static readonly Counter<long> Failures = Meter.CreateCounter<long>(
        "ata.request.failures", "{request}", "Calls that failed, by error.type.");
    private static readonly Counter<long> Busy = Meter.CreateCounter<long>(
        "ata.request.busy", "{request}", "Calls that were refused because too many waited.");
    private static readonly Histogram<double> Duration = Meter.CreateHistogram<double>(
        "ata.request.duration", "s", "Time from a call to its end, with its wait, by outcome.");
    private static readonly Histogram<double> Wait = Meter.CreateHistogram<double>(
        "ata.request.wait", "s", "Time that a call waited for its turn.");
    private static readonly Histogram<int> Batches = Meter.CreateHistogram<int>(
        "ata.batch.size", "{clip}", "Clips of one pass of the model.");

    /// <summary>The classifiers that there are, as far as the garbage collector knows.</summary>
    private static readonly ConditionalWeakTable<ClassifierTelemetry, Func<VideoClassifierStatistics>> Classifiers = [];

    private readonly KeyValuePair<string, object?> _model;
    private readonly string _device;
    private readonly ILogger _log;

    static ClassifierTelemetry()
    {
        Meter.CreateObservableUpDownCounter(
            "ata.queue.length", () => Observe(now => now.Waiting), "{request}", "Calls that wait for their turn.");
        Meter.CreateObservableUpDownCounter(
            "ata.requests.active", () => Observe(now => now.Running), "{request}", "Calls that run.");
        Meter.CreateObservableUpDownCounter(
            "ata.sessions", () => Observe(now => now.Sessions), "{session}", "Sessions that there are.");
    }

    /// <param name="name">The classifier's name, or null.</param>
    /// <param name="device">The model's device.</param>
    /// <param name="logging">Makes the logger; null for no log.</param>
    internal ClassifierTelemetry(string? name, string device, ILoggerFactory? logging)
    {
        _model = new("ata.classifier", name ?? "default");
        _device = device;
        _log = logging?.CreateLogger(AtaTelemetry.ClassifierLogCategory) ?? NullLogger.Instance;
    }

    /// <summary>Observes a classifier for as long as it lives, and says that it is there.</summary>
    internal void Attach(VideoClassifierOptions options, Func<VideoClassifierStatistics> statistics)
    {
        Classifiers.Add(this, statistics);
        _log.ClassifierReady(Name, _device, options.MaxConcurrency!.Value, options.QueueLimit, options.MaxBatch);
    }

    /// <summary>The classifier takes no further calls.</summary>
    internal void Detach(int running, int refused)
    {
        Classifiers.Remove(this);
        _log.ClassifierClosed(Name, running, refused);
    }

    private string Name => (string)_model.Value!;

    /// <summary>A call is made.</summary>
    /// <param name="operation"><c>predict</c> or <c>forward</c>.</param>
    /// <param name="options">How a video is looked at; null for a forward pass.</param>
    internal Request Begin(string operation, PredictOptions? options)
    {
        var kind = new KeyValuePair<string, object?>("ata.operation", operation);
        Requests.Add(1, _model, kind);
        Activity? activity = Activities.StartActivity($"ata.{operation}");
        activity?.SetTag(_model.Key, _model.Value).SetTag("ata.device", _device);
        if (options is not null)
        {
            activity?.SetTag("ata.views", options.TemporalViews * options.SpatialViews).SetTag("ata.top", options.Top);
        }

        return new Request(Stopwatch.GetTimestamp(), kind, activity);
    }

    /// <summary>The turn of a call has come.</summary>
    internal void Admit(in Request request)
    {
        double seconds = Stopwatch.GetElapsedTime(request.Start).TotalSeconds;
        Wait.Record(seconds, _model, request.Operation);
        request.Activity?.SetTag("ata.wait", seconds);
    }

    internal void Batch(int clips) => Batches.Record(clips, _model);

    internal void SessionCreated(int sessions) => _log.SessionCreated(Name, sessions);

    internal void Trimmed(int sessions) => _log.SessionsReleased(Name, sessions);

    /// <summary>A call has ended.</summary>
    internal void End(in Request request, Exception? failure)
    {
        TimeSpan time = Stopwatch.GetElapsedTime(request.Start);
        string outcome = failure switch
        {
            null => "ok",
            AtaBusyException => "busy",
            OperationCanceledException => "cancelled",
            _ => "failed",
        };
        Duration.Record(time.TotalSeconds, _model, request.Operation, new(Outcome, outcome));
        switch (outcome)
        {
            case "ok":
                _log.RequestDone(Name, time.TotalMilliseconds);
                break;
            case "busy":
                Busy.Add(1, _model, request.Operation);
                _log.RequestRefused(Name, failure!.Message);
                break;
            case "cancelled":
                _log.RequestCancelled(Name, time.TotalMilliseconds);
                break;
            default:
                Failures.Add(1, _model, request.Operation, new("error.type", failure!.GetType().FullName));
                _log.RequestFailed(Name, failure!.Message, failure);
                break;
        }

        if (request.Activity is { } activity)
        {
            activity.SetTag(Outcome, outcome);
            if (outcome is "failed" or "busy")
            {
                activity.SetTag("error.type", failure!.GetType().FullName).SetStatus(ActivityStatusCode.Error, failure.Message);
            }

            activity.Dispose();
        }
    }

    private static List<Measurement<int>> Observe(Func<VideoClassifierStatistics, int> value)
    {
        // Classifiers of the same name count together.
        var sums = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach ((ClassifierTelemetry classifier, Func<VideoClassifierStatistics> statistics) in Classifiers)
        {
            sums[classifier.Name] = sums.GetValueOrDefault(classifier.Name) + value(statistics());
        }

        return [.. sums.Select(sum => new Measurement<int>(sum.Value, new KeyValuePair<string, object?>("ata.classifier", sum.Key)))];
    }

    /// <summary>A call that is under way.</summary>
    internal readonly record struct Request(long Start, KeyValuePair<string, object?> Operation, Activity? Activity);
}
