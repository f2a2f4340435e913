using System.Diagnostics;
using Ata.Data;
using Ata.Training;

namespace Ata.Cli.Train;

/// <summary>
/// The paper's protocol in small: an image model, given or trained on single frames; the temporal modules are plugged in at
/// zero, and frames get a random time embedding; the same model is then fine-tuned on clips as each variant, with the same data in the same order.
/// </summary>
/// <param name="variants">What is compared.</param>
/// <param name="config">The model with the frames of a clip and the classes.</param>
/// <param name="given">Checkpoint of the image model; null to train one with each seed.</param>
/// <param name="images">Videos whose single frames the image model learns to tell apart.</param>
/// <param name="train">Training videos.</param>
/// <param name="test">Test videos, which nothing is chosen by.</param>
/// <param name="image">How the image model is trained.</param>
/// <param name="video">How each mode is fine-tuned.</param>
/// <param name="folder">Receives a run for each mode and seed.</param>
/// <param name="device">Where models are trained and run.</param>
/// <param name="truth">Where objects really are; null where nobody knows.</param>
internal sealed class TemporalComparison(
    IReadOnlyList<ComparedVariant> variants,
    ModelConfig config,
    string? given,
    VideoDataset images,
    VideoDataset train,
    VideoDataset test,
    TrainingRunOptions image,
    TrainingRunOptions video,
    string folder,
    string device,
    TrajectoryTruth? truth)
{
    private const int TimedRuns = 30;
    private const int InformationClips = 32;

    private readonly WarningLogger _logger = new();

    /// <summary>Runs one seed.</summary>
    /// <param name="seed">Seed of weights and data.</param>
    /// <param name="results">Receives a result for each variant.</param>
    /// <param name="cancellationToken">Stops the work.</param>
    public async Task RunAsync(ulong seed, ComparisonResults results, CancellationToken cancellationToken)
    {
        string plugged = Path.Combine(folder, $"image-{seed}.safetensors");
        PlugIn(given ?? await TrainImageModelAsync(seed, cancellationToken), seed, plugged);
        foreach (ComparedVariant variant in variants)
        {
            var run = new RunDirectory(Path.Combine(folder, $"{variant.Name}-{seed}"));
            using Model model = Model.Load(plugged, new ModelOptions
            {
                Device = device,
                Trainable = true,
                Temporal = variant.Mode,
                Alignment = variant.Alignment,
                AlignEvery = config.AlignEvery,
            });
            long start = Stopwatch.GetTimestamp();
            await FitAsync($"{variant.Name}, seed {seed}", model, train, test, video with { Seed = seed, OutputDirectory = run.Path }, cancellationToken);
            double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
            EvaluationResult result = EvaluationResult.ReadJson(run.Validation);
            using Model trained = Model.Load(run.FinalModel, new ModelOptions { Device = device });
            results.Modes.Add(new VariantResult(
                variant.Name,
                seed,
                Names.Temporal.Of(variant.Mode),
                variant.Alignment is { } alignment ? Names.Alignment.Of(alignment) : null,
                result.Top1,
                result.Loss,
                await TimeAsync(trained, cancellationToken),
                seconds,
                Curve(run),
                truth?.OnObject(trained, test, video, cancellationToken)));
            if (variant is { Mode: TemporalMode.Ata, Alignment: AlignmentMethod.Exact })
            {
                results.Information.AddRange(await InformationAsync(seed, trained, cancellationToken));
            }
        }
    }

    private static CurvePoint[] Curve(RunDirectory run) => MetricsLog.Read(run.Metrics)
        .Where(m => m.Kind == MetricsKind.Validation)
        .Select(m => new CurvePoint(m.Step, m.Top1, m.Loss))
        .ToArray();

    private async Task<string> TrainImageModelAsync(ulong seed, CancellationToken cancellationToken)
    {
        using Model model = Model.Create(
            config with { Frames = 1, Temporal = TemporalMode.SpaceOnly, Classes = images.Labels.Count }, seed, device);
        model.SetLabels(images.Labels);
        string run = Path.Combine(folder, $"image-{seed}");
        await FitAsync($"image model, seed {seed}", model, images, null, image with { Seed = seed, OutputDirectory = run }, cancellationToken);
        return new RunDirectory(run).FinalModel;
    }

    private void PlugIn(string imageModel, ulong seed, string plugged)
    {
        using (Model trained = Model.Load(imageModel, new ModelOptions { Trainable = true, ImageSize = config.ImageSize }))
        using (Model headed = trained.ReplaceHead(train.Labels.Count, seed))
        {
            headed.Save(plugged);
        }

        using Model video = Model.Import(plugged, new ImportOptions
        {
            Temporal = TemporalMode.Ata,
            Frames = config.Frames,
            Seed = seed,
            RandomTimes = true,
        });
        video.SetLabels(train.Labels);
        video.Save(plugged);
    }

    private async Task FitAsync(string name, Model model, VideoDataset train, VideoDataset? validation, TrainingRunOptions options, CancellationToken cancellationToken)
    {
        Terminal.WriteNote($"{name}: {options.Steps} updates of {options.BatchSize} clips");
        using var run = new TrainingRun(model, train, validation, options, _logger);
        await TrainingScreen.ShowAsync(validation?.Count ?? 0, progress => run.FitAsync(progress, cancellationToken));
    }

    private async Task<double> TimeAsync(Model model, CancellationToken cancellationToken)
    {
        using AtaTensor clip = await TestClipsAsync(1, cancellationToken);
        using Session session = model.CreateSession();
        var logits = new float[model.Config.Classes];
        session.Forward(clip, logits, cancellationToken);
        double[] times = new double[TimedRuns];
        for (int i = 0; i < times.Length; ++i)
        {
            long start = Stopwatch.GetTimestamp();
            session.Forward(clip, logits, cancellationToken);
            times[i] = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        }

        return times.Order().ElementAt(times.Length / 2);
    }

    /// <summary>Mutual information of what enters the last block, which is what it aligns.</summary>
    private async Task<IEnumerable<InformationResult>> InformationAsync(ulong seed, Model model, CancellationToken cancellationToken)
    {
        using AtaTensor clips = await TestClipsAsync(InformationClips, cancellationToken);
        using Session session = model.CreateSession();
        using AtaTensor features = session.GetFeatures(clips, model.Config.Depth - 1, cancellationToken);
        using Trajectories trajectories = FrameAligner.Align(features, new AlignmentOptions { Device = device });
        return Enum.GetValues<InformationEstimator>().Select(estimator =>
        {
            InformationJson result = AlignmentInformation.Of(
                "last block", Names.Estimator.Of(estimator), features, trajectories, new InformationOptions { Estimator = estimator });
            return new InformationResult(seed, result.Estimator, result.Before, result.After, result.Undefined);
        }).ToArray();
    }

    private async Task<AtaTensor> TestClipsAsync(int count, CancellationToken cancellationToken)
    {
        LoaderOptions options = video.ValidationLoader(config, found: null) with { BatchSize = Math.Min(count, test.Count), ClipViews = 1, CropViews = 1 };
        using VideoLoader loader = VideoLoader.ForEvaluation(test, options);
        using ClipBatch batch = (await loader.NextAsync(cancellationToken))!;
        return AtaTensor.CopyOf(batch.Clips.AsSpan<float>(), batch.Clips.Shape);
    }
}
