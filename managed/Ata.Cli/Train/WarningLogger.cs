using Microsoft.Extensions.Logging;

namespace Ata.Cli.Train;

/// <summary>Writes warnings of training, such as unreadable videos, to standard error.</summary>
internal sealed class WarningLogger : ILogger
{
    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (IsEnabled(logLevel))
        {
            Terminal.WriteWarning($"{formatter(state, exception)}");
        }
    }
}
