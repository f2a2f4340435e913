using Ata.Data;
using Ata.Tests.Data;
using Ata.Training;
using Xunit;

namespace Ata.Tests.Training;

public sealed class TrainingRunTests(TinyVideos videos) : IClassFixture<TinyVideos>, IDisposable
{
    private readonly TestFolder _runs = new();

    private static readonly ModelConfig s_model = new()
    {
        ImageSize = 16,
        PatchSize = 8,
        Dim = 16,
        Depth = 2,
        Heads = 2,
        Frames = 4,
        Classes = 2,
    };

    private static readonly TrainingRunOptions s_options = new()
    {
        Steps = 12,
        BatchSize = 4,
        Accumulate = 2,
        Stride = 2,
        Seed = 5,
        LearningRate = new() { Peak = 3e-3, WarmUpSteps = 3 },
        Optimizer = new() { AverageDecay = 0.5f, StochasticDepth = 0.1f, Dropout = 0.1f, LabelSmoothing = 0.1f },
        Augmentation = new() { ColorJitter = 0.2, Mixup = 0.5 },
        ValidateEverySteps = 4,
        CheckpointEverySteps = 3,
        LogEverySteps = 2,
        KeepCheckpoints = 0,
    };

    public void Dispose() => _runs.Dispose();

    [Fact]
    public async Task RunContinuesBitForBitFromAnyCheckpoint()
    {
        RunDirectory whole = await RunAsync("whole", s_options);
        foreach (string checkpoint in whole.Checkpoints().Skip(1))
        {
            // What a crash leaves behind: the checkpoint, and logs that may be longer than it remembers.
            string name = Path.GetFileNameWithoutExtension(checkpoint);
            var stopped = new RunDirectory(_runs.In(name));
            Directory.CreateDirectory(stopped.Path);
            foreach (string file in new[] { checkpoint, whole.Metrics, whole.Events })
            {
                File.Copy(file, Path.Combine(stopped.Path, Path.GetFileName(file)));
            }

            RunDirectory continued = await RunAsync(name, s_options, Path.Combine(stopped.Path, Path.GetFileName(checkpoint)));

            Assert.Equal(WithoutTiming(whole), WithoutTiming(continued));
            Assert.Equal(File.ReadAllBytes(whole.FinalModel), File.ReadAllBytes(continued.FinalModel));
            Assert.Equal(new FileInfo(whole.Events).Length, new FileInfo(continued.Events).Length);
        }

        Assert.True(whole.Checkpoints().Count >= 4);
    }

    [Fact]
    public async Task CancelledRunSavesAndContinuesBitForBit()
    {
        RunDirectory whole = await RunAsync("whole", s_options);
        using var cancel = new CancellationTokenSource();
        var stopAt = new Watcher(p =>
        {
            if (p.Step == 4 && p.Phase == TrainingPhase.Validating)
            {
                cancel.Cancel();
            }
        });

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => RunAsync("stopped", s_options, null, stopAt, cancel.Token));
        var stopped = new RunDirectory(_runs.In("stopped"));
        RunDirectory continued = await RunAsync("stopped", s_options, stopped.LastCheckpoint());

        Assert.Equal(WithoutTiming(whole), WithoutTiming(continued));
        Assert.Equal(File.ReadAllBytes(whole.FinalModel), File.ReadAllBytes(continued.FinalModel));
        Assert.Equal(File.ReadAllBytes(whole.BestModel), File.ReadAllBytes(continued.BestModel));
    }

    [Fact]
    public async Task WeightsDoNotDependOnWorkersOrCache()
    {
        RunDirectory one = await RunAsync("one", s_options with { Workers = 1 });
        RunDirectory four = await RunAsync("four", s_options with { Workers = 4, Prefetch = 3, CacheMegabytes = 8 });

        Assert.Equal(File.ReadAllBytes(one.FinalModel), File.ReadAllBytes(four.FinalModel));
    }

    [Fact]
    public async Task EvaluationOfManyViewsIsThatOfAPrediction()
    {
        using Model model = Model.Create(s_model, 3);
        VideoDataset dataset = videos.WithBroken(2);
        LoaderOptions options = Evaluator.OptionsFor(model.Config) with { Stride = 2, ClipViews = 30, CropViews = 3, AllowedBroken = 0.5 };
        var progress = new Steps();

        EvaluationResult result = await Evaluator.EvaluateAsync(model, dataset, options, keepPredictions: true, progress);

        Assert.Equal(1, result.BrokenVideos);
        Assert.Equal(dataset.Count - 1, result.Videos);
        Assert.Equal(90, progress.MostViews);
        using var classifier = new VideoClassifier(model);
        foreach (VideoPrediction prediction in result.Predictions.Take(3))
        {
            Predictions expected = classifier.Predict(
                prediction.Path, new PredictOptions { TemporalViews = 30, SpatialViews = 3, Sampling = new ClipOptions { Stride = 2 } });
            Assert.All(
                prediction.Probabilities.Zip(expected.Probabilities.ToArray()), pair => Assert.Equal(pair.Second, pair.First, 1e-5f));
        }
    }

    [Fact]
    public async Task EvaluationTreatsShortVideosAsAsked()
    {
        using Model model = Model.Create(s_model, 3);
        LoaderOptions options = Evaluator.OptionsFor(model.Config) with { Stride = 8, AllowedBroken = 1 };

        EvaluationResult looped = await Evaluator.EvaluateAsync(model, videos.Dataset, options);
        var broken = new System.Collections.Concurrent.ConcurrentBag<BrokenVideo>();
        EvaluationResult refused = await Evaluator.EvaluateAsync(
            model, videos.Dataset, options with { ShortPolicy = ShortVideoPolicy.Error, BrokenVideoFound = broken.Add });

        Assert.Equal(videos.Dataset.Count, looped.Videos);
        Assert.Equal(0, refused.Videos);
        Assert.All(broken, video => Assert.Contains("--short", video.Reason));
        Assert.Equal(videos.Dataset.Count, broken.Count);
    }

    [Fact]
    public async Task TrainingLearnsAndTheBestModelIsWhatItWasMeasuredToBe()
    {
        TrainingRunOptions options = new()
        {
            Steps = 150,
            BatchSize = 12,
            Stride = 3,
            LearningRate = new() { Peak = 3e-3, WarmUpSteps = 10 },
            Augmentation = AugmentationOptions.None with { FlipProbability = 0.5 },
            ValidateEverySteps = 50,
            CacheMegabytes = 16,
        };
        RunDirectory run = await RunAsync("learning", options);

        MetricsRecord[] records = [.. MetricsLog.Read(run.Metrics)];
        double best = records.Where(r => r.Kind == MetricsKind.Validation).Max(r => r.Top1);
        using Model model = Model.Load(run.BestModel);
        EvaluationResult result = await Evaluator.EvaluateAsync(model, videos.Dataset, Evaluator.OptionsFor(model.Config) with { Stride = 3, BatchSize = 12 }, keepPredictions: true);

        Assert.True(records.Last(r => r.Kind == MetricsKind.Train).Loss < 0.3, $"the loss is {records.Last(r => r.Kind == MetricsKind.Train).Loss}");
        Assert.Equal(1, best);
        Assert.Equal(best, result.Top1);
        Assert.Equal(["brighten", "dim"], model.Labels);
        Assert.Equal(result.Correct, result.Predictions.Count(p => p.Label == p.Predicted));
        Assert.All(result.Predictions, p => Assert.Equal(1, p.Probabilities.Sum(), 4));
    }

    [Fact]
    public async Task RunStopsEarlyWhenValidationsDoNotImprove()
    {
        TrainingRunOptions options = s_options with { Steps = 100, ValidateEverySteps = 2, EarlyStopping = 2, LearningRate = new() { Peak = 1e-12 } };
        using Model model = Model.Create(s_model);
        using var run = new TrainingRun(model, videos.Dataset, videos.Dataset, options);

        TrainingResult result = await run.FitAsync();

        Assert.True(result.StoppedEarly);
        Assert.Equal((6, 2), (result.Steps, result.BestStep));
    }

    [Fact]
    public async Task BrokenVideosDoNotStopTheRun()
    {
        using Model model = Model.Create(s_model);
        using var run = new TrainingRun(model, videos.WithBroken(1), null, s_options);

        TrainingResult result = await run.FitAsync();

        Assert.Equal(12, result.Steps);
        Assert.Equal("broken-1.mp4", Path.GetFileName(Assert.Single(result.BrokenVideos).Path));
        Assert.Null(result.Validation);
    }

    [Fact]
    public async Task CheckpointOfAnotherRunIsRefused()
    {
        RunDirectory run = await RunAsync("run", s_options with { Steps = 3 });
        using Model model = Model.Create(s_model);
        using var other = new TrainingRun(model, videos.Dataset, null, s_options with { Steps = 3, Seed = 6 });
        using var fewer = new TrainingRun(model, videos.WithBroken(1), null, s_options with { Steps = 3 });

        Assert.Contains("\"seed\": 5 there, \"seed\": 6 here", Assert.Throws<ArgumentException>(() => other.Resume(run.LastCheckpoint())).Message);
        Assert.Contains("12 training videos; there are 13 now", Assert.Throws<ArgumentException>(() => fewer.Resume(run.LastCheckpoint())).Message);
        Assert.Throws<AtaModelException>(() => other.Resume(run.FinalModel));
        Assert.Throws<FileNotFoundException>(() => new RunDirectory(_runs.In("none")).LastCheckpoint());
    }

    [Theory]
    [InlineData("missing")]
    [InlineData("truncated")]
    [InlineData("edited")]
    [InlineData("binary")]
    public async Task DamagedLogsNeverCostARun(string damage)
    {
        RunDirectory whole = await RunAsync("whole", s_options);
        string checkpoint = whole.Checkpoints()[1];
        var stopped = new RunDirectory(_runs.In("stopped"));
        Directory.CreateDirectory(stopped.Path);
        foreach (string file in new[] { checkpoint, whole.Metrics, whole.Events, whole.Validation })
        {
            File.Copy(file, Path.Combine(stopped.Path, Path.GetFileName(file)));
        }

        foreach (string file in new[] { stopped.Metrics, stopped.Events, stopped.Validation })
        {
            byte[] content = File.ReadAllBytes(file);
            switch (damage)
            {
                case "missing":
                    File.Delete(file);
                    break;
                case "truncated":
                    File.WriteAllBytes(file, content[..40]);
                    break;
                case "edited":
                    content[20] ^= 1;
                    File.WriteAllBytes(file, [.. content[..30], .. "oops"u8, .. content[30..]]);
                    break;
                default:
                    File.WriteAllBytes(file, new byte[content.Length]);
                    break;
            }
        }

        RunDirectory continued = await RunAsync("stopped", s_options, Path.Combine(stopped.Path, Path.GetFileName(checkpoint)));

        Assert.Equal(File.ReadAllBytes(whole.FinalModel), File.ReadAllBytes(continued.FinalModel));
        MetricsRecord[] records = WithoutTiming(continued);
        Assert.Equal(WithoutTiming(whole)[^records.Length..], records);
        Assert.Equal(12, records[^1].Step);
        Assert.All(File.ReadAllLines(continued.Metrics), line => Assert.StartsWith("{", line));
        Assert.Contains("<svg", File.ReadAllText(continued.Report));
        Assert.Equal(damage == "missing" ? 0 : 2, Directory.GetFiles(stopped.Path, "*.damaged").Length);

        // What could be read of a damaged log is kept: an edited line costs that line.
        Assert.Equal(damage == "edited", records.Length > WithoutTiming(whole).Count(r => r.Step > 9));
    }

    [Fact]
    public async Task OneRunAtATimeWritesIntoAFolder()
    {
        RunDirectory directory = new(_runs.In("run"));
        using (RunLock held = directory.Lock())
        {
            var error = await Assert.ThrowsAsync<RunInUseException>(() => RunAsync("run", s_options));
            Assert.Contains($"{directory.Path} is in use by another run (process {Environment.ProcessId})", error.Message);
            Assert.False(File.Exists(directory.Metrics));
        }

        // Nothing came of it, so that nothing stays.
        Assert.False(Directory.Exists(directory.Path));
        await RunAsync("run", s_options with { Steps = 2 });
        byte[] metrics = File.ReadAllBytes(directory.Metrics);

        Assert.Contains("holds a run already", (await Assert.ThrowsAsync<IOException>(() => RunAsync("run", s_options))).Message);
        Assert.Equal(metrics, File.ReadAllBytes(directory.Metrics));
    }

    [Fact]
    public async Task DivergenceIsSaid()
    {
        using Model model = Model.Create(s_model);
        using var run = new TrainingRun(model, videos.Dataset, null, s_options with { Steps = 50, LearningRate = new() { Kind = ScheduleKind.Constant, Peak = 1e30 } });

        var error = await Assert.ThrowsAsync<TrainingDivergedException>(() => run.FitAsync());

        Assert.Contains("Training diverged at step", error.Message);
        Assert.Contains("lower the learning rate", error.Message);
        Assert.Equal(AtaStatus.NotFinite, error.Status);
    }

    /// <summary>What goes wrong otherwise comes through as what it is, and not as advice about the learning rate.</summary>
    [Fact]
    public async Task OtherFailuresAreNotDivergence()
    {
        using Model model = Model.Create(s_model);
        var options = s_options with { Augmentation = AugmentationOptions.None, Steps = 3 };
        using var run = new TrainingRun(model, new OtherLabels(videos.Dataset), null, options);

        Exception error = await Assert.ThrowsAnyAsync<Exception>(() => run.FitAsync());

        Assert.IsNotType<TrainingDivergedException>(error);
        Assert.DoesNotContain("learning rate", error.Message);
    }

    /// <summary>A dataset whose videos have classes that it does not name.</summary>
    private sealed class OtherLabels(IVideoDataset inner) : IVideoDataset
    {
        public int Count => inner.Count;

        public IReadOnlyList<string> Labels => inner.Labels;

        public VideoItem this[int index] => inner[index] with { Label = "unheard-of" };
    }

    [Fact]
    public void ContradictionsAreRefusedAtOnce()
    {
        using Model model = Model.Create(s_model with { Classes = 3 });

        Assert.Contains("2 classes and the model 3", Assert.Throws<ArgumentException>(() => new TrainingRun(model, videos.Dataset)).Message);
        using Model two = Model.Create(s_model);
        Assert.Throws<ArgumentOutOfRangeException>(() => new TrainingRun(two, videos.Dataset, null, s_options with { Accumulate = 0 }));
        Assert.Throws<ArgumentException>(() => new TrainingRun(two, videos.Dataset, null, s_options with { Optimizer = new() { Frozen = "no-such-parameter" } }));
    }

    private async Task<RunDirectory> RunAsync(string name, TrainingRunOptions options, string? checkpoint = null, IProgress<TrainingProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        using Model model = Model.Create(s_model, seed: 1);
        using var run = new TrainingRun(model, videos.Dataset, videos.Dataset, options with { OutputDirectory = _runs.In(name) });
        if (checkpoint is not null)
        {
            run.Resume(checkpoint);
        }

        await run.FitAsync(progress, cancellationToken);
        return new RunDirectory(_runs.In(name));
    }

    private static MetricsRecord[] WithoutTiming(RunDirectory run) =>
        MetricsLog.Read(run.Metrics).Select(r => r with { ClipsPerSecond = 0, DataWait = 0 }).ToArray();

    private sealed class Watcher(Action<TrainingProgress> watch) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value) => watch(value);
    }

    private sealed class Steps : IProgress<EvaluationProgress>
    {
        public int MostViews { get; private set; }

        public void Report(EvaluationProgress value) => MostViews = Math.Max(MostViews, value.Views);
    }
}
