using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Ata.Cli.Train;

/// <summary>Writes warnings of training, such as unreadable videos, to standard error, each once. Thread-safe.</summary>
internal sealed class WarningLogger : ILogger
{
    private readonly ConcurrentDictionary<string, bool> _said = new(StringComparer.Ordinal);

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        string warning = $"warning: {formatter(state, exception)}";
        if (IsEnabled(logLevel) && _said.TryAdd(warning, true))
        {
            Terminal.WriteNote(warning);
        }
    }
}
