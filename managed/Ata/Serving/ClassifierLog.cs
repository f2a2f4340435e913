using Microsoft.Extensions.Logging;

namespace Ata.Serving;

/// <summary>The events of category <see cref="AtaTelemetry.ClassifierLogCategory"/>. Their numbers do not change.</summary>
internal static partial class ClassifierLog
{
    [LoggerMessage(
        100,
        LogLevel.Information,
        "Classifier {Classifier} is ready on device {Device}: {MaxConcurrency} calls at a time, {QueueLimit} may wait, {MaxBatch} clips a pass")]
    internal static partial void ClassifierReady(
        this ILogger log, string classifier, string device, int maxConcurrency, int queueLimit, int maxBatch);

    [LoggerMessage(101, LogLevel.Information, "Classifier {Classifier} takes no further calls; {Running} run to their end, {Refused} that waited are refused")]
    internal static partial void ClassifierClosed(this ILogger log, string classifier, int running, int refused);

    [LoggerMessage(102, LogLevel.Debug, "A call of classifier {Classifier} was done after {Milliseconds:0.0} ms")]
    internal static partial void RequestDone(this ILogger log, string classifier, double milliseconds);

    [LoggerMessage(103, LogLevel.Warning, "A call of classifier {Classifier} failed: {Reason}")]
    internal static partial void RequestFailed(this ILogger log, string classifier, string reason, Exception error);

    [LoggerMessage(104, LogLevel.Debug, "A call of classifier {Classifier} was cancelled after {Milliseconds:0.0} ms")]
    internal static partial void RequestCancelled(this ILogger log, string classifier, double milliseconds);

    [LoggerMessage(105, LogLevel.Warning, "A call of classifier {Classifier} was refused: {Reason}")]
    internal static partial void RequestRefused(this ILogger log, string classifier, string reason);

    [LoggerMessage(106, LogLevel.Debug, "Classifier {Classifier} made a session; it has {Sessions}")]
    internal static partial void SessionCreated(this ILogger log, string classifier, int sessions);

    [LoggerMessage(107, LogLevel.Debug, "Classifier {Classifier} released {Sessions} idle sessions")]
    internal static partial void SessionsReleased(this ILogger log, string classifier, int sessions);
}
