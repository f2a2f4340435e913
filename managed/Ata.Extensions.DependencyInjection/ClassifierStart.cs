using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Ata.Extensions.DependencyInjection;

/// <summary>Loads a classifier, and warms it up, when the host starts.</summary>
internal sealed class ClassifierStart(IServiceProvider services, string? key) : IHostedService
{
    public Task StartAsync(CancellationToken cancellationToken)
    {
        AtaOptions options = services.GetRequiredService<IOptionsMonitor<AtaOptions>>().Get(key);
        return options.LoadOnStart ? Task.Run(() => Load(options, cancellationToken), cancellationToken) : Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private void Load(AtaOptions options, CancellationToken cancellationToken)
    {
        VideoClassifier classifier = services.GetRequiredKeyedService<VideoClassifier>(key);
        if (options.WarmUp)
        {
            classifier.WarmUp(cancellationToken);
        }
    }
}
