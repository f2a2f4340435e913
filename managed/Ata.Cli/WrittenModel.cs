using Spectre.Console;

namespace Ata.Cli;

/// <summary>Saves a model and says what it is.</summary>
internal static class WrittenModel
{
    public static int Save(Model model, string[]? labels, string path, bool json, CancellationToken cancellationToken)
    {
        ModelConfig config = model.Config;
        if (labels is not null)
        {
            if (labels.Length != config.Classes)
            {
                throw new UsageException($"--labels has {labels.Length} labels for {config.Classes} classes; give as many labels as classes.");
            }

            model.SetLabels(labels);
        }

        cancellationToken.ThrowIfCancellationRequested();
        model.Save(path);
        if (json)
        {
            CliJson.Print(new ModelJson(
                path,
                config.ParameterCount,
                config.ImageSize,
                config.PatchSize,
                config.Dim,
                config.Depth,
                config.Heads,
                config.Frames,
                config.Classes,
                Names.Temporal.Of(config.Temporal),
                Names.Alignment.Of(config.Alignment)));
        }
        else
        {
            Terminal.WriteLine(
                $"[bold]{path}[/]: {config.ParameterCount / 1e6:0.0} million parameters, {config.Depth} blocks of width {config.Dim}, {config.Frames} frames of {config.ImageSize} pixels, {config.Classes} classes, mode {Names.Temporal.Of(config.Temporal)}");
        }

        return 0;
    }
}
