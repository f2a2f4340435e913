using Ata.Tests.Data;
using Xunit;

namespace Ata.Tests;

public sealed class VideoClassifierTests : IDisposable
{
    private static readonly ClipOptions Sampling = new() { Stride = 2 };

    private readonly TestFolder _folder = new();
    private readonly string _video;
    private readonly string _model;

    public VideoClassifierTests()
    {
        _video = _folder.In("clip.mp4");
        TestVideo.Write(_video);
        _model = _folder.In("model.safetensors");
        using Model model = TinyModel.Create();
        model.SetLabels(["walk", "run", "jump", "sit", "wave"]);
        model.Save(_model);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Predict_ListsTheMostProbableClasses()
    {
        using VideoClassifier classifier = VideoClassifier.Load(_model);

        Predictions predictions = classifier.Predict(_video, new PredictOptions { Top = 3, Sampling = Sampling });

        Assert.Equal(3, predictions.Count);
        Assert.Equal(predictions.OrderByDescending(p => p.Probability), predictions);
        Assert.Equal(1, predictions.Probabilities.ToArray().Sum(), 1e-5f);
        Assert.Equal(predictions.Probabilities.ToArray().Max(), predictions.Best.Probability);
        Assert.Equal(predictions.Probabilities[predictions.Best.Index], predictions.Best.Probability);
        Assert.Equal(classifier.Model.Labels[predictions.Best.Index], predictions.Best.Label);
    }

    [Fact]
    public void Views_AreAveragedAsProbabilities()
    {
        using VideoClassifier classifier = VideoClassifier.Load(_model);
        var progress = new List<int>();
        var options = new PredictOptions
        {
            TemporalViews = 2,
            SpatialViews = 3,
            Sampling = Sampling,
            Progress = new Recorder(progress),
        };

        Predictions predictions = classifier.Predict(_video, options);

        var mean = new double[5];
        using VideoReader video = VideoReader.Open(_video);
        for (int view = 0; view < 6; ++view)
        {
            using VideoClip clip = video.Sample(ClipOptions.For(classifier.Model.Config) with
            {
                Stride = 2,
                ClipCount = 2,
                ClipIndex = view / 3,
                CropCount = 3,
                CropIndex = view % 3,
            });
            ReadOnlySpan<float> probabilities = classifier.Predict(clip).Probabilities;
            for (int c = 0; c < 5; ++c)
            {
                mean[c] += probabilities[c] / 6.0;
            }
        }

        Assert.Equal(6, predictions.Views);
        Assert.Equal([1, 2, 3, 4, 5, 6], progress);
        Assert.All(mean.Zip(predictions.Probabilities.ToArray()), pair => Assert.Equal(pair.First, pair.Second, 1e-6));
    }

    [Fact]
    public void Predict_GivesTheSameBitsInManyThreads()
    {
        using VideoClassifier classifier = VideoClassifier.Load(_model);
        var options = new PredictOptions { TemporalViews = 2, Sampling = Sampling };
        float[] expected = classifier.Predict(_video, options).Probabilities.ToArray();
        var results = new float[6][];

        Thread[] threads = Enumerable.Range(0, results.Length)
            .Select(i => new Thread(() => results[i] = classifier.Predict(_video, options).Probabilities.ToArray()))
            .ToArray();
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());

        Assert.All(results, result => Assert.Equal(expected, result));
    }

    [Fact]
    public async Task Dispose_LetsRunningCallsFinish()
    {
        VideoClassifier classifier = VideoClassifier.Load(_model);
        var options = new PredictOptions { TemporalViews = 20, Sampling = Sampling };
        float[] expected = classifier.Predict(_video, options).Probabilities.ToArray();

        Task<Predictions>[] running = Enumerable.Range(0, 3).Select(_ => classifier.PredictAsync(_video, options)).ToArray();
        await Task.Delay(20);
        classifier.Dispose();

        foreach (Task<Predictions> call in running)
        {
            try
            {
                Assert.Equal(expected, (await call).Probabilities.ToArray());
            }
            catch (ObjectDisposedException)
            {
                // It had not begun.
            }
        }

        Assert.Contains(
            nameof(VideoClassifier), Assert.Throws<ObjectDisposedException>(() => classifier.Predict(_video, options)).Message);
        classifier.Dispose();
    }

    [Fact]
    public void Dispose_InTheMidstOfTheFirstCall_LetsItFinishWithItsLabels()
    {
        // The labels are not yet read then.
        VideoClassifier classifier = VideoClassifier.Load(_model);
        var views = new List<int>();
        var options = new PredictOptions { TemporalViews = 4, Sampling = Sampling, Progress = new Recorder(views, done => DisposeAt(done, 2, classifier)) };

        Predictions predictions = classifier.Predict(_video, options);

        Assert.Equal([1, 2, 3, 4], views);
        Assert.Contains(predictions.Best.Label, (string[])["walk", "run", "jump", "sit", "wave"]);
        Assert.Throws<ObjectDisposedException>(() => classifier.Predict(_video));
        Assert.Throws<ObjectDisposedException>(() => classifier.Model.CreateSession());
        Assert.Throws<ObjectDisposedException>(() => classifier.Forward(TinyModel.Clips(1), new float[5]));
    }

    [Fact]
    public async Task Dispose_WithTwoCallsRunning_LetsBothFinish()
    {
        VideoClassifier classifier = VideoClassifier.Load(_model);
        using var begun = new CountdownEvent(2);
        using var disposed = new ManualResetEventSlim();
        Task<Predictions>[] calls = Enumerable.Range(0, 2).Select(_ => classifier.PredictAsync(_video, new PredictOptions
        {
            TemporalViews = 3,
            Sampling = Sampling,
            Progress = new Recorder([], done => Meet(done, begun, disposed)),
        })).ToArray();
        begun.Wait();
        classifier.Dispose();
        disposed.Set();

        Assert.All(await Task.WhenAll(calls), predictions => Assert.Equal(5, predictions.Count));
    }

    private static void DisposeAt(int done, int view, VideoClassifier classifier)
    {
        if (done == view)
        {
            classifier.Dispose();
        }
    }

    private static void Meet(int done, CountdownEvent begun, ManualResetEventSlim disposed)
    {
        if (done == 1)
        {
            begun.Signal();
            disposed.Wait();
        }
    }

    [Fact]
    public async Task PredictAsync_CanBeCancelled()
    {
        using VideoClassifier classifier = await VideoClassifier.LoadAsync(_model);
        using var source = new CancellationTokenSource();
        var options = new PredictOptions
        {
            TemporalViews = 10_000,
            Sampling = Sampling,
            Progress = new Recorder([], done => { if (done == 3) { source.Cancel(); } }),
        };

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => classifier.PredictAsync(_video, options, source.Token));

        Assert.Equal(5, classifier.Predict(_video, new PredictOptions { Sampling = Sampling }).Count);
    }

    [Fact]
    public void Predict_RefusesOptionsThatMakeNoSense()
    {
        using VideoClassifier classifier = VideoClassifier.Load(_model);

        Assert.Throws<ArgumentOutOfRangeException>(() => classifier.Predict(_video, new PredictOptions { Top = 0 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => classifier.Predict(_video, new PredictOptions { TemporalViews = 0 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => classifier.Predict(_video, new PredictOptions { SpatialViews = 2 }));
        Assert.Throws<FileNotFoundException>(() => classifier.Predict(_folder.In("nothing.mp4")));
    }

    [Fact]
    public void Predict_RefusesWeightsThatAreNotFinite()
    {
        using (TensorFile file = TensorFile.Open(_model))
        using (var damaged = new TensorFile())
        {
            foreach (string name in file.Names)
            {
                using AtaTensor tensor = file.Get(name);
                if (name == "head.weight")
                {
                    tensor.AsSpan<float>()[3] = float.NaN;
                }

                damaged.Set(name, tensor);
            }

            damaged.SetMetadata("config", file.GetMetadata("config")!);
            damaged.Save(_folder.In("damaged.safetensors"));
        }

        Assert.Throws<AtaModelException>(() =>
        {
            using VideoClassifier classifier = VideoClassifier.Load(_folder.In("damaged.safetensors"));
            classifier.Predict(_video, new PredictOptions { Sampling = Sampling });
        });
    }

    private sealed class Recorder(List<int> values, Action<int>? then = null) : IProgress<int>
    {
        public void Report(int value)
        {
            values.Add(value);
            then?.Invoke(value);
        }
    }
}
