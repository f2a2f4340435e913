using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Ata.Cli;

/// <summary>Writes warnings, such as those of unreadable videos or repaired timestamps, to standard error; each once,
/// however often a file is opened.</summary>
internal sealed class WarningLogger : ILogger
{
    // More than anybody reads; bounds the memory.
    private const int MostRemembered = 10_000;

    private readonly ConcurrentDictionary<string, bool> _written = new(StringComparer.Ordinal);

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        string message = formatter(state, exception);
        if (IsEnabled(logLevel) && _written.Count < MostRemembered && _written.TryAdd(message, true))
        {
            Terminal.WriteWarning(message);
        }
    }
}
