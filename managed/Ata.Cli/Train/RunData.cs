using Ata.Data;

namespace Ata.Cli.Train;

/// <summary>Finds the training and validation videos that a configuration means.</summary>
internal static class RunData
{
    /// <summary>Reads the lists.</summary>
    /// <param name="config">Where the videos come from.</param>
    /// <param name="seed">Seed of a random division.</param>
    /// <returns>The videos, numbered alike; null for no validation.</returns>
    public static (VideoDataset Train, VideoDataset? Validation) Load(DataConfig config, ulong seed)
    {
        if (config.Train is null)
        {
            throw new UsageException("--data is missing: name the list or folder of training videos.");
        }

        if (new[] { config.Validation is not null, config.ValidationSplit is not null, config.ValidationFraction > 0 }.Count(g => g) > 1)
        {
            throw new UsageException("--val, --val-split and --val-fraction exclude each other.");
        }

        VideoDataset all = Read(config.Train, config);
        VideoDataset train = OfTraining(all, config);
        if (config.Validation is { } list)
        {
            VideoDataset validation = Read(list, config);
            string? split = Split(validation, null, "val", "test");
            validation = split is null ? validation : validation.OfSplit(split);
            return (train, validation.WithLabels(all.Labels));
        }

        if (config.ValidationFraction > 0)
        {
            return train.Divide(config.ValidationFraction, seed);
        }

        string? name = Split(all, config.ValidationSplit, "val");
        return (train, name is null ? null : all.OfSplit(name));
    }

    /// <summary>Reads the videos of an evaluation.</summary>
    /// <param name="config">Where the videos come from; <see cref="DataConfig.ValidationSplit"/> names the split.</param>
    public static VideoDataset LoadForEvaluation(DataConfig config)
    {
        VideoDataset all = Read(config.Train!, config);
        string? split = Split(all, config.ValidationSplit, "test", "val");
        return split is null ? all : all.OfSplit(split);
    }

    private static VideoDataset OfTraining(VideoDataset all, DataConfig config)
    {
        string? split = Split(all, config.TrainSplit, "train");
        VideoDataset train = split is null ? all : all.OfSplit(split);
        return split is null && all.Splits.Count > 1
            ? throw new DatasetException($"{config.Train} has the splits {Known(all)} and none is called train; name one with --train-split.")
            : train;
    }

    private static VideoDataset Read(string path, DataConfig config) => VideoDataset.Load(path, new DatasetOptions
    {
        Format = config.Format,
        Root = config.Root,
        LabelsFile = config.Labels,
        Fold = config.Fold,
    });

    /// <summary>The split asked for, which must exist, or the first of the usual ones that does, or null.</summary>
    private static string? Split(VideoDataset dataset, string? asked, params string[] usual)
    {
        if (asked is not null)
        {
            return dataset.Splits.Contains(asked)
                ? asked
                : throw new DatasetException($"There is no split \"{asked}\"; the list has {Known(dataset)}.");
        }

        return usual.FirstOrDefault(dataset.Splits.Contains);
    }

    private static string Known(VideoDataset dataset) =>
        string.Join(", ", dataset.Splits.Select(s => s.Length > 0 ? $"\"{s}\"" : "videos without a split"));
}
