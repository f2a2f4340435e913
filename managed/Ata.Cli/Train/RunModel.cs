using Ata.Training;

namespace Ata.Cli.Train;

/// <summary>Makes the model that a configuration means.</summary>
internal static class RunModel
{
    /// <summary>Makes a trainable model for the classes of a dataset.</summary>
    /// <param name="source">What it is made of.</param>
    /// <param name="labels">The dataset's classes.</param>
    /// <param name="seed">Seed of new weights.</param>
    /// <param name="device">Where it is trained.</param>
    /// <returns>The model, whose <see cref="Model.Labels"/> are the classes to train on.</returns>
    public static Model Create(ModelSource source, IReadOnlyList<string> labels, ulong seed, string device)
    {
        if ((source.Checkpoint is null) == (source.Architecture is null))
        {
            throw new UsageException("Give either --model CHECKPOINT to start from, or --arch NAME for random weights.");
        }

        Model model = source.Checkpoint is { } path ? FromCheckpoint(path, source, labels, seed, device) : Model.Create(source.NewModel() with { Classes = labels.Count }, seed, device);
        if (model.Labels.Count == 0)
        {
            model.SetLabels(labels);
        }

        return model;
    }

    /// <summary>Loads a checkpoint; a head for other classes is replaced by a new one.</summary>
    private static Model FromCheckpoint(string path, ModelSource source, IReadOnlyList<string> labels, ulong seed, string device)
    {
        if (source.PatchSize is not null || source.Dim is not null || source.Depth is not null || source.Heads is not null)
        {
            throw new UsageException("--patch-size, --dim, --depth and --heads describe new models; a checkpoint has its own.");
        }

        var options = new ModelOptions
        {
            Device = device,
            Trainable = true,
            Temporal = source.Temporal,
            Alignment = source.Alignment,
            AlignEvery = source.AlignEvery,
            Frames = source.Frames,
            ImageSize = source.ImageSize,
        };
        Model model = Model.Load(path, options);
        if (labels.All(model.Labels.Contains) || (model.Labels.Count == 0 && model.Config.Classes == labels.Count))
        {
            return model;
        }

        using (model)
        {
            return model.ReplaceHead(labels.Count, seed);
        }
    }
}
