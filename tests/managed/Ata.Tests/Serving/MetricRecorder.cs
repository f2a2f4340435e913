using System.Diagnostics.Metrics;

namespace Ata.Tests.Serving;

/// <summary>What one classifier reports by one instrument.</summary>
internal sealed class MetricRecorder : IDisposable
{
    private readonly MeterListener _listener = new();
    private readonly Lock _lock = new();
    private readonly List<(double Value, Dictionary<string, object?> Tags)> _measured = [];
    private readonly string _classifier;

    public MetricRecorder(string instrument, string classifier)
    {
        _classifier = classifier;
        _listener.InstrumentPublished = (published, listener) =>
        {
            if (published.Meter.Name == AtaTelemetry.MeterName && published.Name == instrument)
            {
                listener.EnableMeasurementEvents(published);
            }
        };
        _listener.SetMeasurementEventCallback<int>((_, value, tags, _) => Add(value, tags));
        _listener.SetMeasurementEventCallback<long>((_, value, tags, _) => Add(value, tags));
        _listener.SetMeasurementEventCallback<double>((_, value, tags, _) => Add(value, tags));
        _listener.Start();
    }

    public double[] Values
    {
        get
        {
            lock (_lock)
            {
                return [.. _measured.Select(measured => measured.Value)];
            }
        }
    }

    public object?[] Tags(string name)
    {
        lock (_lock)
        {
            return [.. _measured.Select(measured => measured.Tags.GetValueOrDefault(name))];
        }
    }

    /// <summary>Asks an observable instrument.</summary>
    public double Observe()
    {
        lock (_lock)
        {
            _measured.Clear();
        }

        _listener.RecordObservableInstruments();
        return Values.Single();
    }

    public void Dispose() => _listener.Dispose();

    private void Add(double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var named = new Dictionary<string, object?>(tags.ToArray(), StringComparer.Ordinal);
        if (Equals(named["ata.classifier"], _classifier))
        {
            lock (_lock)
            {
                _measured.Add((value, named));
            }
        }
    }
}
