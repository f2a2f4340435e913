using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using Xunit;

namespace Ata.Extensions.Tests;

/// <summary>Classifiers as services.</summary>
public sealed class AddAtaTests : IDisposable
{
    private readonly TestFolder _folder = new();
    private readonly string _model;

    public AddAtaTests() => _model = Models.Write(_folder.In("model.safetensors"));

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task AddAta_GivesAClassifierOfTheConfiguration()
    {
        using IHost host = Host(
            services => services.AddAta(),
            ("Ata:ModelPath", _model),
            ("Ata:Model:Temporal", "Divided"),
            ("Ata:Model:Precision", "BFloat16"),
            ("Ata:Serving:MaxConcurrency", "3"),
            ("Ata:Serving:QueueLimit", "7"),
            ("Ata:Serving:BatchDelay", "00:00:00.010"));
        await host.StartAsync();

        VideoClassifier classifier = host.Services.GetRequiredService<VideoClassifier>();

        Assert.Same(classifier, host.Services.GetRequiredService<VideoClassifier>());
        Assert.Equal(TemporalMode.Divided, classifier.Model.Config.Temporal);
        Assert.Equal(3, classifier.Options.MaxConcurrency);
        Assert.Equal(7, classifier.Options.QueueLimit);
        Assert.Equal(TimeSpan.FromMilliseconds(10), classifier.Options.BatchDelay);
        await host.StopAsync();
        host.Dispose();
        Assert.True(classifier.IsDisposed);
    }

    [Fact]
    public void AddAta_WorksWithoutAHost()
    {
        using ServiceProvider provider = new ServiceCollection()
            .AddAtaAnd(services => services.AddAta(_model, options => options.Serving = options.Serving with { MaxConcurrency = 1 }))
            .BuildServiceProvider();

        Assert.Equal(1, provider.GetRequiredService<VideoClassifier>().Options.MaxConcurrency);
    }

    [Fact]
    public void AddAta_TakesASectionAndAFactory()
    {
        IConfiguration configuration = Configuration(("Vision:Serving:QueueLimit", "5"));
        using ServiceProvider provider = new ServiceCollection()
            .AddAtaAnd(services => services.AddAta(
                configuration.GetSection("Vision"), options => options.ModelFactory = _ => Model.Create(Models.Tiny)))
            .BuildServiceProvider();

        VideoClassifier classifier = provider.GetRequiredService<VideoClassifier>();

        Assert.Equal(5, classifier.Options.QueueLimit);
        Assert.Equal(6, classifier.Model.Config.Classes);
    }

    [Fact]
    public async Task AddKeyedAta_GivesSeveralModels()
    {
        using IHost host = Host(
            services =>
            {
                services.AddAta(_model);
                services.AddKeyedAta("fast");
                services.AddKeyedAta("good", options => options.ModelFactory = _ => Model.Create(Models.Tiny with { Classes = 9 }));
            },
            ("AtaModels:fast:ModelPath", _model),
            ("AtaModels:fast:Model:Temporal", "SpaceOnly"));
        await host.StartAsync();

        VideoClassifier fast = host.Services.GetRequiredKeyedService<VideoClassifier>("fast");
        VideoClassifier good = host.Services.GetRequiredKeyedService<VideoClassifier>("good");

        Assert.Equal(TemporalMode.SpaceOnly, fast.Model.Config.Temporal);
        Assert.Equal("fast", fast.Options.Name);
        Assert.Equal(9, good.Model.Config.Classes);
        Assert.Equal(TemporalMode.Ata, host.Services.GetRequiredService<VideoClassifier>().Model.Config.Temporal);
        Assert.Contains("'fast' was added already", Assert.Throws<InvalidOperationException>(
            () => new ServiceCollection().AddAtaAnd(services =>
            {
                services.AddKeyedAta("fast");
                services.AddKeyedAta("fast");
            })).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("no model is named")]
    [InlineData("there is no file", "Ata:ModelPath", "nothing.safetensors")]
    [InlineData("MaxConcurrency", "Ata:Serving:MaxConcurrency", "0")]
    [InlineData("raise MaxConcurrency", "Ata:Serving:MaxConcurrency", "2", "Ata:Serving:MaxBatch", "3")]
    public async Task WrongOptions_KeepTheHostFromStarting(string message, params string[] settings)
    {
        using IHost host = Host(
            services => services.AddAta(), [.. settings.Chunk(2).Select(setting => (setting[0], setting[1]))]);

        OptionsValidationException error = await Assert.ThrowsAsync<OptionsValidationException>(() => host.StartAsync());

        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task MisspeltSettings_KeepTheHostFromStarting()
    {
        using IHost host = Host(services => services.AddAta(_model), ("Ata:Serving:MaxConcurency", "2"));

        Exception error = await Assert.ThrowsAnyAsync<InvalidOperationException>(() => host.StartAsync());

        Assert.Contains("MaxConcurency", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AModelThatCannotBeLoaded_KeepsTheHostFromStarting()
    {
        string broken = _folder.Write("broken.safetensors", "this is no checkpoint");
        using IHost host = Host(services => services.AddAta(broken));
        await Assert.ThrowsAsync<AtaModelException>(() => host.StartAsync());

        using IHost later = Host(services => services.AddAta(broken, options => options.LoadOnStart = false));
        await later.StartAsync();
        Assert.Throws<AtaModelException>(() => later.Services.GetRequiredService<VideoClassifier>());
    }

    [Fact]
    public async Task HealthCheck_TellsWhetherACallCanBeMade()
    {
        using IHost host = Host(
            services =>
            {
                services.AddAta(_model, options => options.Serving = new() { MaxConcurrency = 1, QueueLimit = 1 });
                services.AddHealthChecks().AddAta();
            });
        HealthCheckService health = host.Services.GetRequiredService<HealthCheckService>();
        VideoClassifier classifier = host.Services.GetRequiredService<VideoClassifier>();
        Assert.Equal(HealthStatus.Healthy, (await health.CheckHealthAsync()).Status);

        using var open = new ManualResetEventSlim();
        using var begun = new ManualResetEventSlim();
        string video = _folder.In("clip.mp4");
        Benchmarks.ServerLoad.LoadTest.MakeClip(video, 64, 128, 24);
        var options = new PredictOptions
        {
            Progress = new Callback(() =>
        {
            begun.Set();
            open.Wait();
        })
        };
        Task<Predictions>[] calls = [classifier.PredictAsync(video, options), classifier.PredictAsync(video, options)];
        begun.Wait();
        HealthReport full = await health.CheckHealthAsync();
        Assert.Equal(HealthStatus.Degraded, full.Status);
        Assert.Equal("The queue is full: 1 calls run and 1 wait.", full.Entries["ata"].Description);
        Assert.Equal(1, full.Entries["ata"].Data["waiting"]);
        open.Set();
        await Task.WhenAll(calls);
        Assert.Equal(HealthStatus.Healthy, (await health.CheckHealthAsync()).Status);

        classifier.Dispose();
        Assert.Equal(HealthStatus.Unhealthy, (await health.CheckHealthAsync()).Status);
    }

    [Fact]
    public async Task HealthCheck_TellsThatAModelCannotBeLoaded()
    {
        string broken = _folder.Write("broken.safetensors", "this is no checkpoint");
        using IHost host = Host(services =>
        {
            services.AddKeyedAta("broken", options =>
            {
                options.ModelPath = broken;
                options.LoadOnStart = false;
            });
            services.AddHealthChecks().AddAta("broken");
        });

        HealthReport report = await host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync();

        Assert.Equal(HealthStatus.Unhealthy, report.Entries["ata:broken"].Status);
        Assert.IsType<AtaModelException>(report.Entries["ata:broken"].Exception);
    }

    private static IConfiguration Configuration(params (string Key, string Value)[] settings) => new ConfigurationBuilder()
        .AddInMemoryCollection(settings.Select(setting => KeyValuePair.Create(setting.Key, (string?)setting.Value))).Build();

    private static IHost Host(Action<IServiceCollection> add, params (string Key, string Value)[] settings)
    {
        HostApplicationBuilder builder = Microsoft.Extensions.Hosting.Host.CreateEmptyApplicationBuilder(null);
        builder.Configuration.AddConfiguration(Configuration(settings));
        add(builder.Services);
        return builder.Build();
    }

    private sealed class Callback(Action action) : IProgress<int>
    {
        public void Report(int value) => action();
    }
}

internal static class ServiceCollectionExtensions
{
    /// <summary>Adds, and goes on with the services.</summary>
    public static IServiceCollection AddAtaAnd(this IServiceCollection services, Action<IServiceCollection> add)
    {
        add(services);
        return services;
    }
}
