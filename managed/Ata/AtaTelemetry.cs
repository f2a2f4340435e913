namespace Ata;

/// <summary>The names under which Ata reports what it does to whoever listens: metrics, traces and logs of .NET. What each
/// of them holds is in <c>docs/servers.md</c>.</summary>
public static class AtaTelemetry
{
    /// <summary>Name of the <see cref="System.Diagnostics.Metrics.Meter"/>.</summary>
    public const string MeterName = "Ata";

    /// <summary>Name of the <see cref="System.Diagnostics.ActivitySource"/>.</summary>
    public const string ActivitySourceName = "Ata";

    /// <summary>Category of the native library's log; see <see cref="AtaRuntime.UseLogger(Microsoft.Extensions.Logging.ILoggerFactory?)"/>.</summary>
    public const string NativeLogCategory = "Ata";

    /// <summary>Category of the log of classifiers.</summary>
    public const string ClassifierLogCategory = "Ata.VideoClassifier";
}
