using Ata;
using Ata.Extensions.DependencyInjection;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

// Where .NET's own extensions of this interface are, so that they are found without a further using.
#pragma warning disable IDE0130
namespace Microsoft.Extensions.DependencyInjection;
#pragma warning restore IDE0130

/// <summary>Adds video classifiers to an application's services.</summary>
public static class AtaServiceCollectionExtensions
{
    /// <summary>The configuration section of the classifier without a key.</summary>
    public const string Section = "Ata";

    /// <summary>The configuration section with one section for each key of keyed classifiers.</summary>
    public const string KeyedSection = "AtaModels";

    /// <summary>Adds a <see cref="VideoClassifier"/> as a singleton, with options of the configuration's section <c>Ata</c>.</summary>
    /// <param name="services">The services.</param>
    /// <param name="configure">Changes the options after the configuration; null for none.</param>
    /// <returns>The options, to be changed further.</returns>
    public static OptionsBuilder<AtaOptions> AddAta(this IServiceCollection services, Action<AtaOptions>? configure = null) =>
        Add(services, null, Section, configure);

    /// <summary>Adds a <see cref="VideoClassifier"/> of a checkpoint as a singleton.</summary>
    /// <param name="services">The services.</param>
    /// <param name="modelPath">The checkpoint.</param>
    /// <param name="configure">Changes the other options; null for none.</param>
    /// <returns>The options, to be changed further.</returns>
    public static OptionsBuilder<AtaOptions> AddAta(
        this IServiceCollection services, string modelPath, Action<AtaOptions>? configure = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(modelPath);
        return AddAta(services, options =>
        {
            options.ModelPath = modelPath;
            configure?.Invoke(options);
        });
    }

    /// <summary>Adds a <see cref="VideoClassifier"/> as a singleton, with options of a section.</summary>
    /// <param name="services">The services.</param>
    /// <param name="section">The section.</param>
    /// <param name="configure">Changes the options after it; null for none.</param>
    /// <returns>The options, to be changed further.</returns>
    public static OptionsBuilder<AtaOptions> AddAta(
        this IServiceCollection services, IConfigurationSection section, Action<AtaOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(section);
        OptionsBuilder<AtaOptions> builder = Add(services, null, null, null).Bind(section, Strictly);
        return configure is null ? builder : builder.Configure(configure);
    }

    /// <summary>Adds a <see cref="VideoClassifier"/> as a keyed singleton, one of several models, with options of the
    /// configuration's section <c>AtaModels:</c> and the key.</summary>
    /// <param name="services">The services.</param>
    /// <param name="key">The key, by which <c>[FromKeyedServices]</c> asks for it; also its name in metrics and logs.</param>
    /// <param name="configure">Changes the options after the configuration; null for none.</param>
    /// <returns>The options, to be changed further.</returns>
    public static OptionsBuilder<AtaOptions> AddKeyedAta(
        this IServiceCollection services, string key, Action<AtaOptions>? configure = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(key);
        return Add(services, key, $"{KeyedSection}:{key}", configure);
    }

    /// <summary>Adds a health check of the classifier: unhealthy when its model cannot be loaded, it is disposed or its device cannot be
    /// used any more; degraded when its queue is full.</summary>
    /// <param name="builder">The health checks.</param>
    /// <param name="key">The key of a keyed classifier; null for the one without.</param>
    /// <param name="name">Name of the check; null for <c>ata</c>, or <c>ata:</c> and the key.</param>
    /// <param name="tags">Tags of the check.</param>
    public static IHealthChecksBuilder AddAta(
        this IHealthChecksBuilder builder, string? key = null, string? name = null, IEnumerable<string>? tags = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.Add(new Diagnostics.HealthChecks.HealthCheckRegistration(
            name ?? (key is null ? "ata" : $"ata:{key}"), services => new ClassifierHealthCheck(services, key), failureStatus: null, tags));
    }

    private static OptionsBuilder<AtaOptions> Add(
        IServiceCollection services, string? key, string? section, Action<AtaOptions>? configure)
    {
        ArgumentNullException.ThrowIfNull(services);
        if (services.Any(service => service.ServiceType == typeof(VideoClassifier) && Equals(service.ServiceKey, key)))
        {
            throw new InvalidOperationException(key is null
                ? "Ata was added already; add further models by AddKeyedAta."
                : $"Ata '{key}' was added already; give each model a key of its own.");
        }

        services.AddOptions();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<AtaOptions>, AtaOptionsValidation>());
        OptionsBuilder<AtaOptions> builder = services.AddOptions<AtaOptions>(key ?? Options.Options.DefaultName);
        if (section is not null)
        {
            // Not BindConfiguration, which fails where there is no configuration at all.
            services.AddSingleton<IConfigureOptions<AtaOptions>>(provider => new ConfigureNamedOptions<AtaOptions>(
                builder.Name,
                options => provider.GetService<IConfiguration>()?.GetSection(section).Bind(options, Strictly)));
        }

        if (configure is not null)
        {
            builder.Configure(configure);
        }

        builder.ValidateOnStart();
        if (key is null)
        {
            services.AddSingleton(provider => Load(provider, null));
        }
        else
        {
            services.AddKeyedSingleton(key, (provider, _) => Load(provider, key));
        }

        services.AddSingleton<IHostedService>(provider => new ClassifierStart(provider, key));
        return builder;
    }

    /// <summary>A setting that no option has is a mistake in its name, and not overlooked.</summary>
    private static void Strictly(BinderOptions binder) => binder.ErrorOnUnknownConfiguration = true;

    private static VideoClassifier Load(IServiceProvider services, string? key)
    {
        AtaOptions options = services.GetRequiredService<IOptionsMonitor<AtaOptions>>().Get(key);
        var logging = services.GetService<ILoggerFactory>();
        if (options.UseLogger && logging is not null)
        {
            AtaRuntime.UseLogger(logging);
        }

        VideoClassifierOptions serving = options.Serving with { Name = options.Serving.Name ?? key };
        if (options.ModelFactory is null)
        {
            return VideoClassifier.Load(options.ModelPath!, options.Model, serving, logging);
        }

        Model model = options.ModelFactory(services)
            ?? throw new InvalidOperationException("ModelFactory gave no model.");
        try
        {
            return new VideoClassifier(model, serving, logging);
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }
}
