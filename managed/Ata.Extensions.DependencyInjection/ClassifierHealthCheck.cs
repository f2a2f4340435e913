using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Ata.Extensions.DependencyInjection;

/// <summary>Whether a classifier can take a call.</summary>
internal sealed class ClassifierHealthCheck(IServiceProvider services, string? key) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        VideoClassifier classifier;
        try
        {
            classifier = services.GetRequiredKeyedService<VideoClassifier>(key);
        }
        catch (Exception error)
        {
            return Task.FromResult(Failed(context, $"The model cannot be loaded: {error.Message}", error));
        }

        if (classifier.IsDisposed)
        {
            return Task.FromResult(Failed(context, "The classifier is disposed."));
        }

        DeviceReport? device = AtaRuntime.Devices.FirstOrDefault(device => device.Name == classifier.Model.Device);
        VideoClassifierStatistics now = classifier.Statistics;
        var data = new Dictionary<string, object>
        {
            ["device"] = classifier.Model.Device,
            ["running"] = now.Running,
            ["waiting"] = now.Waiting,
            ["queueLimit"] = classifier.Options.QueueLimit,
            ["sessions"] = now.Sessions,
        };
        if (device is not { Available: true })
        {
            return Task.FromResult(Failed(context, device?.Reason ?? $"Device {classifier.Model.Device} is gone.", data: data));
        }

        bool full = now.Running >= classifier.Options.MaxConcurrency && now.Waiting >= classifier.Options.QueueLimit;
        return Task.FromResult(full
            ? HealthCheckResult.Degraded($"The queue is full: {now.Running} calls run and {now.Waiting} wait.", data: data)
            : HealthCheckResult.Healthy($"{now.Running} calls run and {now.Waiting} wait.", data));
    }

    private static HealthCheckResult Failed(
        HealthCheckContext context, string reason, Exception? error = null, IReadOnlyDictionary<string, object>? data = null) =>
        new(context.Registration.FailureStatus, reason, error, data);
}
