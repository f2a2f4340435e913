using System.Diagnostics;
using Ata.Data;

namespace Ata.Training;

/// <summary>How far an evaluation is.</summary>
/// <param name="Videos">Videos done.</param>
/// <param name="Total">Videos in all.</param>
/// <param name="Top1">Share of right answers so far.</param>
/// <param name="BrokenVideos">Videos that could not be read.</param>
public readonly record struct EvaluationProgress(int Videos, int Total, double Top1, int BrokenVideos)
{
    /// <summary>Views that are done of the next video, where videos have so many that each is evaluated by itself.</summary>
    public int Views { get; init; }
}

/// <summary>Measures how well a model classifies a dataset. The probabilities of a video's views are averaged.</summary>
public static class Evaluator
{
    /// <summary>Largest number of clips that run at once; more views of a video run one after another.</summary>
    private const int MostClips = 16;

    /// <summary>Largest number of views of a video that are held in memory at once. Videos of more views are evaluated
    /// by themselves, view by view, instead of in batches that are made ready ahead.</summary>
    private const int MostViews = 64;

    /// <summary>Classifies every video of a dataset.</summary>
    /// <param name="model">The model. Its classes are those of the dataset, in the same order.</param>
    /// <param name="dataset">The videos.</param>
    /// <param name="options">How to make clips; frames, size and normalisation must be the model's, as
    /// <see cref="OptionsFor"/> sets them.</param>
    /// <param name="keepPredictions">Whether the result has every video's prediction.</param>
    /// <param name="progress">Told of every batch; may be null.</param>
    /// <param name="cancellationToken">Stops the evaluation.</param>
    /// <exception cref="ArgumentException">Model, dataset and options contradict one another.</exception>
    /// <exception cref="TooManyBrokenVideosException">More videos than allowed cannot be read.</exception>
    public static Task<EvaluationResult> EvaluateAsync(
        Model model,
        IVideoDataset dataset,
        LoaderOptions options,
        bool keepPredictions = false,
        IProgress<EvaluationProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(dataset);
        ArgumentNullException.ThrowIfNull(options);
        if (dataset.Labels.Count != model.Config.Classes)
        {
            throw new ArgumentException($"The dataset has {dataset.Labels.Count} classes and the model {model.Config.Classes}; use VideoDataset.WithLabels to number the videos by the model's classes.", nameof(dataset));
        }

        if (options.Frames != model.Config.Frames || options.Size != model.Config.ImageSize)
        {
            throw new ArgumentException($"Clips of {options.Frames} frames of {options.Size} pixels are to be made, but the model takes {model.Config.Frames} of {model.Config.ImageSize}.", nameof(options));
        }

        return Task.Run(() => RunAsync(model, dataset, options, keepPredictions, progress, cancellationToken), cancellationToken);
    }

    /// <summary>The options that suit a model.</summary>
    /// <param name="model">The model.</param>
    public static LoaderOptions OptionsFor(ModelConfig model)
    {
        ArgumentNullException.ThrowIfNull(model);
        return new LoaderOptions
        {
            Frames = model.Frames,
            Size = model.ImageSize,
            Mean = [model.Mean.Red, model.Mean.Green, model.Mean.Blue],
            Deviation = [model.Std.Red, model.Std.Green, model.Std.Blue],
            Augmentation = AugmentationOptions.None,
        };
    }

    private static async Task<EvaluationResult> RunAsync(
        Model model, IVideoDataset dataset, LoaderOptions options, bool keepPredictions, IProgress<EvaluationProgress>? progress, CancellationToken cancellationToken)
    {
        long start = Stopwatch.GetTimestamp();
        using Session session = model.CreateSession();
        var tally = new Tally(dataset, model.Config.Classes, options.ClipViews * options.CropViews, keepPredictions, progress);
        int broken = tally.Views > MostViews
            ? RunByView(session, options, tally, cancellationToken)
            : await RunByBatchAsync(session, options, tally, cancellationToken).ConfigureAwait(false);
        return ResultOf(tally.Metrics, dataset.Labels, broken, Stopwatch.GetElapsedTime(start).TotalSeconds) with { Predictions = tally.Predictions };
    }

    private static async Task<int> RunByBatchAsync(Session session, LoaderOptions options, Tally tally, CancellationToken cancellationToken)
    {
        using VideoLoader loader = VideoLoader.ForEvaluation(tally.Dataset, options);
        while (await loader.NextAsync(cancellationToken).ConfigureAwait(false) is { } batch)
        {
            using (batch)
            {
                float[] logits = Forward(session, batch.Clips.AsSpan<float>(), tally.Classes, cancellationToken);
                for (int i = 0; i < batch.Items.Length; ++i)
                {
                    int length = tally.Views * tally.Classes;
                    tally.Add(batch.Items[i], batch.Labels[i], logits.AsSpan(i * length, length));
                }

                tally.Report(loader.BrokenVideos.Count);
            }
        }

        return loader.BrokenVideos.Count;
    }

    private static int RunByView(Session session, LoaderOptions options, Tally tally, CancellationToken cancellationToken)
    {
        options.Validate();
        using var sampler = new ClipSampler(tally.Dataset, options);
        var logits = new float[tally.Views * tally.Classes];
        for (int item = 0; item < tally.Dataset.Count; ++item)
        {
            (int read, int label) = sampler.VisitViews(
                item,
                (view, clip) =>
                {
                    session.Forward(clip, logits.AsSpan(view * tally.Classes, tally.Classes), cancellationToken);
                    tally.Report(sampler.Broken.Snapshot().Count, view + 1);
                },
                cancellationToken);
            tally.Add(read, label, logits);
            tally.Report(sampler.Broken.Snapshot().Count);
        }

        return sampler.Broken.Snapshot().Count;
    }

    private static float[] Forward(Session session, ReadOnlySpan<float> clips, int classes, CancellationToken cancellationToken)
    {
        int length = checked((int)session.Config.ClipLength);
        int count = clips.Length / length;
        var logits = new float[count * classes];
        for (int first = 0; first < count; first += MostClips)
        {
            int these = Math.Min(MostClips, count - first);
            session.Forward(clips.Slice(first * length, these * length), logits.AsSpan(first * classes, these * classes), cancellationToken);
        }

        return logits;
    }

    private static float[] AverageOfViews(ReadOnlySpan<float> logits, int classes)
    {
        var mean = new double[classes];
        int views = logits.Length / classes;
        for (int v = 0; v < views; ++v)
        {
            ReadOnlySpan<float> view = logits.Slice(v * classes, classes);
            double largest = view[IndexOfLargest(view)];
            double sum = 0;
            foreach (float logit in view)
            {
                sum += Math.Exp(logit - largest);
            }

            for (int c = 0; c < classes; ++c)
            {
                mean[c] += Math.Exp(view[c] - largest) / sum / views;
            }
        }

        return Array.ConvertAll(mean, p => (float)p);
    }

    private static int IndexOfLargest(ReadOnlySpan<float> values)
    {
        int best = 0;
        for (int i = 1; i < values.Length; ++i)
        {
            best = values[i] > values[best] ? i : best;
        }

        return best;
    }

    private static EvaluationResult ResultOf(ClassificationMetrics metrics, IReadOnlyList<string> labels, int broken, double seconds) => new()
    {
        Labels = labels,
        Videos = metrics.Count,
        Correct = metrics.Correct,
        Top1 = metrics.Top1,
        Top5 = metrics.Top5,
        MeanClassAccuracy = metrics.MeanClassAccuracy,
        Loss = metrics.Loss,
        BrokenVideos = broken,
        Seconds = seconds,
        Classes = metrics.PerClass().Select((c, i) => new ClassAccuracy(labels[i], c.Count, c.Correct)).ToArray(),
        Confusion = Enumerable.Range(0, labels.Count)
            .Select(a => (IReadOnlyList<int>)Enumerable.Range(0, labels.Count).Select(p => metrics.Confusion(a, p)).ToArray()).ToArray(),
    };

    /// <summary>What is known of an evaluation so far.</summary>
    private sealed class Tally(IVideoDataset dataset, int classes, int views, bool keepPredictions, IProgress<EvaluationProgress>? progress)
    {
        private int _done;

        internal IVideoDataset Dataset => dataset;

        internal int Classes => classes;

        internal int Views => views;

        internal ClassificationMetrics Metrics { get; } = new(classes);

        internal List<VideoPrediction> Predictions { get; } = [];

        /// <summary>Adds a video.</summary>
        /// <param name="item">The video; -1 if it could not be read.</param>
        /// <param name="label">Its class.</param>
        /// <param name="logits">The logits of its views.</param>
        internal void Add(int item, int label, ReadOnlySpan<float> logits)
        {
            ++_done;
            if (item < 0)
            {
                return;
            }

            float[] probabilities = AverageOfViews(logits, classes);
            Metrics.Add(probabilities, label, -Math.Log(Math.Max(probabilities[label], 1e-12)));
            if (keepPredictions)
            {
                VideoItem video = dataset[item];
                Predictions.Add(new VideoPrediction(video.Path, video.Label, dataset.Labels[IndexOfLargest(probabilities)], probabilities, video.Start, video.End));
            }
        }

        internal void Report(int broken, int viewsOfNext = 0) =>
            progress?.Report(new EvaluationProgress(_done, dataset.Count, Metrics.Top1, broken) { Views = viewsOfNext });
    }
}
