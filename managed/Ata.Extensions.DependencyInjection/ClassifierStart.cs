using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Ata.Extensions.DependencyInjection;

/// <summary>Loads a classifier when the host starts.</summary>
internal sealed class ClassifierStart(IServiceProvider services, string? key) : IHostedService
{
    public Task StartAsync(CancellationToken cancellationToken)
    {
        AtaOptions options = services.GetRequiredService<IOptionsMonitor<AtaOptions>>().Get(key);
        return options.LoadOnStart
            ? Task.Run(() => services.GetRequiredKeyedService<VideoClassifier>(key), cancellationToken)
            : Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
