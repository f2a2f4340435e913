using System.Globalization;
using Ata.Data;

namespace Ata.Cli.Train;

/// <summary>Finds the training and validation videos that a configuration means.</summary>
internal static class RunData
{
    /// <summary>Reads the lists.</summary>
    /// <param name="config">Where the videos come from.</param>
    /// <param name="seed">Seed of a random division.</param>
    /// <param name="files">Told of what is read.</param>
    /// <returns>The videos, numbered alike; null for no validation.</returns>
    public static (VideoDataset Train, VideoDataset? Validation) Load(DataConfig config, ulong seed, FileGuard files)
    {
        if (config.Train is null)
        {
            throw new UsageException("--data is missing: name the list or folder of training videos.");
        }

        if (new[] { config.Validation is not null, config.ValidationSplit is not null, config.ValidationFraction > 0 }.Count(g => g) > 1)
        {
            throw new UsageException("--val, --val-split and --val-fraction exclude each other.");
        }

        VideoDataset all = Read(config.Train, config, null, files);
        VideoDataset train = OfTraining(all, config);
        VideoDataset? validation = null;
        if (config.Validation is { } list)
        {
            validation = Read(list, config, all.Labels, files);
            string? split = Split(validation, null, "val", "test");
            validation = split is null ? validation : validation.OfSplit(split);
        }
        else if (config.ValidationFraction > 0)
        {
            (train, validation) = train.Divide(config.ValidationFraction, seed);
        }
        else if (Split(all, config.ValidationSplit, "val") is { } name)
        {
            validation = all.OfSplit(name);
        }

        WarnOfClasses(all, train);
        return (train, validation);
    }

    /// <summary>Reads the videos of an evaluation.</summary>
    /// <param name="config">Where the videos come from; <see cref="DataConfig.ValidationSplit"/> names the split.</param>
    /// <param name="model">The model, whose classes are those of the videos.</param>
    /// <param name="files">Told of what is read.</param>
    public static VideoDataset LoadForEvaluation(DataConfig config, Model model, FileGuard files)
    {
        VideoDataset all = Read(config.Train!, config, ClassesOf(model, config), files);
        string? split = Split(all, config.ValidationSplit, "test", "val");
        VideoDataset chosen = split is null ? all : all.OfSplit(split);
        return model.Labels.Count > 0 ? chosen.WithLabels(model.Labels) : chosen;
    }

    /// <summary>The classes of a model. Of one that does not name them, only numbers are known.</summary>
    private static IReadOnlyList<string>? ClassesOf(Model model, DataConfig config) =>
        config.Labels is not null ? null
        : model.Labels.Count > 0 ? model.Labels
        : Enumerable.Range(0, model.Config.Classes).Select(n => n.ToString(CultureInfo.InvariantCulture)).ToArray();

    /// <summary>Warns of classes that only other splits have: nothing is learnt of them.</summary>
    private static void WarnOfClasses(VideoDataset all, VideoDataset train)
    {
        var trained = train.Items.Select(i => i.Label).ToHashSet(StringComparer.Ordinal);
        string[] untrained = all.Items.Select(i => i.Label).Distinct(StringComparer.Ordinal).Where(l => !trained.Contains(l)).ToArray();
        if (untrained.Length > 0)
        {
            Terminal.WriteWarning($"{DatasetReport.Count(untrained.Length, "class has", "classes have")} no training video: {DatasetReport.Some(untrained)}");
        }
    }

    private static VideoDataset OfTraining(VideoDataset all, DataConfig config)
    {
        string? split = Split(all, config.TrainSplit, "train");
        VideoDataset train = split is null ? all : all.OfSplit(split);
        return split is null && all.Splits.Count > 1
            ? throw new DatasetException($"{config.Train} has the splits {Known(all)} and none is called train; name one with --train-split.")
            : train;
    }

    /// <summary>Reads a list, and says in one line what was read and what was not.</summary>
    private static VideoDataset Read(string path, DataConfig config, IReadOnlyList<string>? labels, FileGuard files)
    {
        VideoDataset dataset = VideoDataset.Load(path, new DatasetOptions
        {
            Format = config.Format,
            Root = config.Root,
            LabelsFile = config.Labels,
            Labels = labels,
            Fold = config.Fold,
        });
        files.Reads(dataset);
        DatasetReport report = dataset.Report!;
        Terminal.WriteNote(string.Join("; ", report.Omissions.Prepend(report.Summary)));
        return dataset;
    }

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
