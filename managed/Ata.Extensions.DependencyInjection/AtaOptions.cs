using Microsoft.Extensions.Options;

namespace Ata.Extensions.DependencyInjection;

/// <summary>Which model a service of type <see cref="VideoClassifier"/> has, and how it shares the machine among its callers. Bound from
/// configuration, for instance <c>{ "Ata": { "ModelPath": "model.safetensors", "Serving": { "QueueLimit": 100 } } }</c>.</summary>
public sealed class AtaOptions
{
    /// <summary>The checkpoint to load; or <see cref="ModelFactory"/> gives the model.</summary>
    public string? ModelPath { get; set; }

    /// <summary>How to load it: device, arithmetic, temporal mode.</summary>
    public ModelOptions Model { get; set; } = new();

    /// <summary>How many calls run and wait. <see cref="VideoClassifierOptions.Name"/> is the key of a keyed service if nothing
    /// else is said.</summary>
    public VideoClassifierOptions Serving { get; set; } = new();

    /// <summary>Gives the model in place of <see cref="ModelPath"/>; the classifier takes it over.</summary>
    public Func<IServiceProvider, Model>? ModelFactory { get; set; }

    /// <summary>Loads the model when the host starts, so that the first request does not wait for it and a model that cannot be
    /// loaded keeps the host from starting. Otherwise the first use loads it.</summary>
    public bool LoadOnStart { get; set; } = true;

    /// <summary>With <see cref="LoadOnStart"/>: runs the model once in each session then (<see cref="VideoClassifier.WarmUp"/>), so that
    /// the first requests are as fast as later ones, and a host that has too little memory for full load does not start.</summary>
    public bool WarmUp { get; set; } = true;

    /// <summary>Sends the native library's messages to the host's loggers. They are one log for the process.</summary>
    public bool UseLogger { get; set; } = true;
}

/// <summary>Checks options when the host starts, so that a wrong one is found before the first request.</summary>
internal sealed class AtaOptionsValidation : IValidateOptions<AtaOptions>
{
    public ValidateOptionsResult Validate(string? name, AtaOptions options)
    {
        string owner = string.IsNullOrEmpty(name) ? "Ata" : $"Ata '{name}'";
        var failures = new List<string>();
        if (options.ModelFactory is null)
        {
            if (string.IsNullOrEmpty(options.ModelPath))
            {
                failures.Add($"{owner}: no model is named; set ModelPath to a checkpoint, or ModelFactory.");
            }
            else if (!File.Exists(options.ModelPath))
            {
                failures.Add($"{owner}: there is no file {Path.GetFullPath(options.ModelPath)}; set ModelPath to a checkpoint.");
            }
        }
        else if (options.ModelPath is not null)
        {
            failures.Add($"{owner}: both ModelPath and ModelFactory are set; set one of them.");
        }

        if (options.Model is null || options.Serving is null)
        {
            failures.Add($"{owner}: Model and Serving must not be null; leave them out for the defaults.");
            return ValidateOptionsResult.Fail(failures);
        }

        try
        {
            options.Serving.Check();
        }
        catch (ArgumentException error)
        {
            failures.Add($"{owner}: Serving: {error.Message}");
        }

        return failures.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);
    }
}
