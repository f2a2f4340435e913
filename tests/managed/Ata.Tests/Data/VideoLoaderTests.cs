using Ata.Data;
using Xunit;

namespace Ata.Tests.Data;

public sealed class VideoLoaderTests(TinyVideos videos) : IClassFixture<TinyVideos>
{
    private static readonly LoaderOptions s_options = new()
    {
        Frames = 4,
        Size = 16,
        Stride = 2,
        BatchSize = 5,
        Seed = 3,
        Augmentation = new AugmentationOptions { ColorJitter = 0.3, HueJitter = 0.1, RandAugmentOperations = 1, ErasingProbability = 0.3 },
    };

    [Fact]
    public async Task CancelledWait_LosesNoBatch()
    {
        List<string> expected = await TakeAsync(VideoLoader.ForTraining(videos.Dataset, s_options), 3);
        using VideoLoader loader = VideoLoader.ForTraining(videos.Dataset, s_options);
        var taken = new List<ClipBatch>();
        while (taken.Count < 3)
        {
            using var source = new CancellationTokenSource(TimeSpan.FromMilliseconds(1));
            try
            {
                taken.Add((await loader.NextAsync(source.Token))!);
            }
            catch (OperationCanceledException error)
            {
                Assert.Equal(source.Token, error.CancellationToken);
            }
        }

        Assert.Equal([0, 1, 2], taken.Select(b => b.Number));
        Assert.Equal(3, expected.Count);
        taken.ForEach(b => b.Dispose());
    }

    [Fact]
    public async Task Dispose_EndsAWaitingCall()
    {
        // All batches that may be ready are out, so that the call waits until the loader is disposed.
        VideoLoader loader = VideoLoader.ForTraining(videos.Dataset, s_options with { Prefetch = 1 });
        using ClipBatch first = (await loader.NextAsync())!;
        using ClipBatch second = (await loader.NextAsync())!;
        Task<ClipBatch?> waiting = loader.NextAsync();
        Assert.False(waiting.IsCompleted);

        loader.Dispose();

        await Assert.ThrowsAsync<ObjectDisposedException>(() => waiting.WaitAsync(Patience.Limit));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => loader.NextAsync());
    }

    [Fact]
    public async Task FailedBatch_FailsAgain()
    {
        var dataset = new VideoDataset([new VideoItem("no/such/video.mp4", "a")], ["a"]);
        using VideoLoader loader = VideoLoader.ForTraining(dataset, s_options with { AllowedBroken = 0 });
        for (int i = 0; i < 5; ++i)
        {
            await Assert.ThrowsAsync<TooManyBrokenVideosException>(() => loader.NextAsync().WaitAsync(Patience.Limit));
        }
    }

    [Theory]
    [InlineData("png", 1)]
    [InlineData("jpg", 4)]
    public async Task PictureIsAVideoOfOneFrame(string type, int frames)
    {
        string path = Path.Combine(videos.Folder, $"grey.{type}");
        ImageFile.Write(path, Enumerable.Repeat((byte)90, 24 * 20 * 3).ToArray(), 24, 20);
        var dataset = new VideoDataset([new VideoItem(path, "dim")], videos.Dataset.Labels);
        LoaderOptions options = s_options with { Frames = frames, BatchSize = 1, Augmentation = AugmentationOptions.None, Mean = [0, 0, 0], Deviation = [1, 1, 1] };

        using VideoLoader loader = VideoLoader.ForTraining(dataset, options);
        using ClipBatch batch = (await loader.NextAsync())!;

        float[] values = batch.Clips.AsSpan<float>().ToArray();
        Assert.Equal(3 * frames * 16 * 16, values.Length);
        Assert.All(values, v => Assert.Equal(90 / 255f, v, 0.02f));
    }

    [Theory]
    [InlineData(FrameSpread.Dense, 2, 1)]
    [InlineData(FrameSpread.Dense, 3, 3)]
    [InlineData(FrameSpread.Segments, 4, 2)]
    public async Task ClipsOfAPartShowNothingElse(FrameSpread spread, int frames, int views)
    {
        // The video becomes brighter with every frame; the part is its frames 4 to 7.
        VideoItem whole = videos.Dataset[0];
        var dataset = new VideoDataset(
            [whole with { Start = TimeSpan.FromSeconds(0.5), End = TimeSpan.FromSeconds(1) }, whole with { Start = TimeSpan.FromSeconds(100) }],
            videos.Dataset.Labels);
        using VideoReader video = VideoReader.Open(whole.Path);
        using VideoFrames shown = video.Read([4.5 / 8, 7.5 / 8]);
        byte[] pixels = shown.Tensor.AsSpan<byte>().ToArray();
        double darkest = pixels.Take(pixels.Length / 2).Average(p => p) / 255;
        double brightest = pixels.Skip(pixels.Length / 2).Average(p => p) / 255;
        LoaderOptions options = s_options with
        {
            Spread = spread,
            Frames = frames,
            Stride = 1,
            BatchSize = 2,
            ClipViews = views,
            AllowedBroken = 0.5,
            Augmentation = AugmentationOptions.None with { Crop = CropMode.Full },
            Mean = [0, 0, 0],
            Deviation = [1, 1, 1],
        };

        using VideoLoader training = VideoLoader.ForTraining(dataset, options);
        var levels = new List<double>();
        for (int i = 0; i < 8; ++i)
        {
            using ClipBatch batch = (await training.NextAsync())!;
            levels.AddRange(LevelsOf(batch, frames));
        }

        using VideoLoader evaluation = VideoLoader.ForEvaluation(dataset, options);
        using (ClipBatch batch = (await evaluation.NextAsync())!)
        {
            Assert.Equal([0, -1], batch.Items.ToArray());
            levels.AddRange(LevelsOf(batch, frames).Take(frames * views));
        }

        Assert.All(levels, l => Assert.InRange(l, darkest - 0.01, brightest + 0.01));
        Assert.True(levels.Max() - levels.Min() > 0.8 * (brightest - darkest));
        Assert.Contains("ends before the part", Assert.Single(evaluation.BrokenVideos).Reason);
    }

    /// <summary>The mean brightness of every frame of every clip.</summary>
    private static IEnumerable<double> LevelsOf(ClipBatch batch, int frames)
    {
        const int Plane = 16 * 16;
        float[] values = batch.Clips.AsSpan<float>().ToArray();
        for (int clip = 0; clip < values.Length / (3 * frames * Plane); ++clip)
        {
            for (int t = 0; t < frames; ++t)
            {
                yield return Enumerable.Range(0, 3).Average(c => values.Skip(((((clip * 3) + c) * frames) + t) * Plane).Take(Plane).Average());
            }
        }
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(0.8, 0.5)]
    public async Task ClipsDoNotDependOnWorkers(double mixup, double cutMix)
    {
        LoaderOptions options = s_options with { Augmentation = s_options.Augmentation with { Mixup = mixup, CutMix = cutMix } };

        List<string> one = await TakeAsync(VideoLoader.ForTraining(videos.Dataset, options with { Workers = 1, Prefetch = 1 }), 7);
        List<string> four = await TakeAsync(VideoLoader.ForTraining(videos.Dataset, options with { Workers = 4, Prefetch = 3 }), 7);
        List<string> cached = await TakeAsync(VideoLoader.ForTraining(videos.Dataset, options with { Workers = 2, CacheMegabytes = 1 }), 7);

        Assert.Equal(one, four);
        Assert.Equal(one, cached);
        Assert.Equal(one.Count, one.Distinct().Count());
    }

    [Theory]
    [InlineData(1, 1, TinyVideos.Width)]
    [InlineData(3, 1, TinyVideos.Width)]
    [InlineData(3, 64, TinyVideos.Width)]
    [InlineData(3, 1, 640)]
    public async Task ClipsDoNotDependOnTheCache(int workers, int megabytes, int width)
    {
        // Some videos are too large for the cache, or for the rest of it; each is used several times.
        List<VideoItem> items = [.. videos.Dataset.Items];
        if (width != TinyVideos.Width)
        {
            string large = Path.Combine(videos.Folder, "large.mp4");
            TestVideo.Write(large, width: width);
            items.Add(new VideoItem(large, "dim"));
        }

        var dataset = new VideoDataset(items, videos.Dataset.Labels);
        LoaderOptions options = s_options with { Workers = workers, Augmentation = new AugmentationOptions { Crop = CropMode.RandomResized } };

        List<string> without = await TakeAsync(VideoLoader.ForTraining(dataset, options), 12);
        List<string> with = await TakeAsync(VideoLoader.ForTraining(dataset, options with { CacheMegabytes = megabytes }), 12);

        Assert.Equal(without, with);
        Assert.Equal(with.Count, with.Distinct().Count());
    }

    [Fact]
    public void VideosAreKeptFromTheirSecondUseAsFarAsTheyFit()
    {
        const long Bytes = 3L * TinyVideos.Width * TinyVideos.Height * TinyVideos.Frames;
        using var kept = new DecodedVideos(Bytes + 1);
        string[] paths = [.. videos.Dataset.Items.Take(2).Select(item => item.Path)];

        Assert.Equal([0, 0], paths.Select(path => KeptAfterUse(kept, path)));
        Assert.Equal([Bytes, 0], paths.Select(path => KeptAfterUse(kept, path)));
        using DecodedVideos.Lease first = kept.Open(paths[0]);
        using DecodedVideos.Lease again = kept.Open(paths[0]);
        Assert.Equal(Bytes, first.Video.KeptBytes);
        Assert.NotSame(first.Video, again.Video);
        Assert.Equal(0, KeptAfterUse(kept, paths[1]));
    }

    [Fact]
    public async Task ClipsDependOnTheSeed()
    {
        List<string> one = await TakeAsync(VideoLoader.ForTraining(videos.Dataset, s_options), 2);
        List<string> other = await TakeAsync(VideoLoader.ForTraining(videos.Dataset, s_options with { Seed = 4 }), 2);

        Assert.Empty(one.Intersect(other));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task RunThatContinuesSeesTheSameBatches(bool balanceClasses)
    {
        LoaderOptions options = s_options with { BalanceClasses = balanceClasses };
        List<string> all = await TakeAsync(VideoLoader.ForTraining(videos.Dataset, options), 6);
        List<string> rest = await TakeAsync(VideoLoader.ForTraining(videos.Dataset, options, firstBatch: 3), 3);

        Assert.Equal(all.Skip(3), rest);
    }

    [Fact]
    public async Task EpochShowsEachVideoOnceInAnotherOrder()
    {
        using VideoLoader loader = VideoLoader.ForTraining(videos.Dataset, s_options with { BatchSize = 4 });
        var epochs = new List<int[]>();
        Assert.Equal(3, loader.BatchesPerEpoch);
        for (int epoch = 0; epoch < 2; ++epoch)
        {
            var items = new List<int>();
            for (int i = 0; i < 3; ++i)
            {
                using ClipBatch batch = (await loader.NextAsync())!;
                items.AddRange(batch.Items);
                Assert.Equal(batch.Labels.Select(l => (long)l), batch.Targets.AsSpan<long>().ToArray());
            }

            Assert.Equal(Enumerable.Range(0, 12), items.Order());
            epochs.Add([.. items]);
        }

        Assert.NotEqual(epochs[0], epochs[1]);
    }

    [Fact]
    public async Task BalanceDecidesWhatIsTrainedOnAndNotWhatIsEvaluated()
    {
        VideoItem[] uneven = [.. videos.Dataset.Items.Where(item => item.Label == "dim"), videos.Dataset[0]];
        var dataset = new VideoDataset(uneven, videos.Dataset.Labels);
        LoaderOptions options = s_options with { BatchSize = 7, BalanceClasses = true };
        using VideoLoader training = VideoLoader.ForTraining(dataset, options);
        using VideoLoader evaluation = VideoLoader.ForEvaluation(dataset, options);

        using ClipBatch drawn = (await training.NextAsync())!;
        using ClipBatch evaluated = (await evaluation.NextAsync())!;

        Assert.InRange(drawn.Labels.Count(label => label == 0), 3, 4);
        Assert.Equal(Enumerable.Range(0, 7), evaluated.Items);
    }

    [Fact]
    public async Task SmallDatasetFillsALargeBatch()
    {
        using VideoLoader loader = VideoLoader.ForTraining(videos.Dataset, s_options with { BatchSize = 30 });
        using ClipBatch batch = (await loader.NextAsync())!;

        Assert.Equal(30, batch.Items.Length);
        Assert.All(Enumerable.Range(0, 12), item => Assert.InRange(batch.Items.Count(i => i == item), 2, 3));
    }

    [Fact]
    public async Task EvaluationShowsEveryVideoOnceInItsViews()
    {
        LoaderOptions options = s_options with { ClipViews = 2, CropViews = 3 };
        using VideoLoader loader = VideoLoader.ForEvaluation(videos.Dataset, options);
        var items = new List<int>();
        while (await loader.NextAsync() is { } batch)
        {
            using (batch)
            {
                items.AddRange(batch.Items);
                Assert.Equal(batch.Items.Length * 6, batch.Clips.Shape[0]);
                int view = 3 * 4 * 16 * 16;
                for (int i = 0; i < batch.Items.Length; ++i)
                {
                    IEnumerable<string> views = Enumerable.Range(0, 6).Select(v => Hash(batch.Clips.AsSpan<float>().Slice(((i * 6) + v) * view, view))).ToArray();
                    Assert.Equal(6, views.Distinct().Count());
                }
            }
        }

        Assert.Equal(Enumerable.Range(0, 12), items);
    }

    [Theory]
    [InlineData(FrameSpread.Dense, 100)]
    [InlineData(FrameSpread.Segments, 4)]
    public async Task ShortVideosStartAgain(FrameSpread spread, int frames)
    {
        LoaderOptions options = s_options with { Frames = frames, Spread = spread, BatchSize = 2 };
        using VideoLoader training = VideoLoader.ForTraining(videos.Dataset, options);
        using ClipBatch batch = (await training.NextAsync())!;
        using VideoLoader evaluation = VideoLoader.ForEvaluation(videos.Dataset, options);
        using ClipBatch views = (await evaluation.NextAsync())!;

        Assert.Equal(frames, batch.Clips.Shape[2]);
        Assert.All(views.Items, i => Assert.True(i >= 0));
    }

    [Fact]
    public async Task SegmentsOfAnEvaluationRunOverTheWholeVideo()
    {
        using VideoLoader loader = VideoLoader.ForEvaluation(
            videos.Dataset,
            s_options with { Spread = FrameSpread.Segments, BatchSize = 1, Mean = [0, 0, 0], Deviation = [1, 1, 1], Augmentation = AugmentationOptions.None });
        using ClipBatch batch = (await loader.NextAsync())!;

        // The video rises by 12 of 255 a frame; four segments of three frames each, taken in the middle.
        double[] light = Enumerable.Range(0, 4).Select(t => batch.Clips.AsSpan<float>().Slice(t * 256, 256).ToArray().Average(v => 255.0 * v)).ToArray();
        for (int t = 1; t < 4; ++t)
        {
            Assert.InRange(light[t] - light[t - 1], 33, 39);
        }

        Assert.InRange(light[0], 40 + 12 - 6, 40 + 12 + 6);
    }

    [Fact]
    public async Task BrokenVideosAreReportedOnceAndReplacedAlike()
    {
        VideoDataset dataset = videos.WithBroken(3, 7);
        var found = new List<BrokenVideo>();
        LoaderOptions options = s_options with { AllowedBroken = 0.2, BrokenVideoFound = v => { lock (found) { found.Add(v); } } };

        List<string> one = await TakeAsync(VideoLoader.ForTraining(dataset, options with { Workers = 1 }), 8);
        Assert.Equal(["broken-3.mp4", "broken-7.mp4"], found.Select(v => Path.GetFileName(v.Path)).Order());
        List<string> four = await TakeAsync(VideoLoader.ForTraining(dataset, options with { Workers = 4 }), 8);

        Assert.Equal(one, four);
    }

    [Fact]
    public async Task EvaluationLeavesBrokenVideosOut()
    {
        using VideoLoader loader = VideoLoader.ForEvaluation(videos.WithBroken(2), s_options with { BatchSize = 13, AllowedBroken = 0.5 });
        using ClipBatch batch = (await loader.NextAsync())!;

        Assert.Equal(-1, batch.Items[2]);
        Assert.Equal(12, batch.Items.Count(i => i >= 0));
        Assert.Single(loader.BrokenVideos);
    }

    [Fact]
    public async Task TooManyBrokenVideosFail()
    {
        using VideoLoader loader = VideoLoader.ForEvaluation(videos.WithBroken(0, 1, 2), s_options with { AllowedBroken = 0.1 });

        var error = await Assert.ThrowsAsync<TooManyBrokenVideosException>(async () =>
        {
            while (await loader.NextAsync() is { } batch)
            {
                batch.Dispose();
            }
        });

        Assert.Equal(2, error.Broken.Count);
        Assert.Contains("2 of 15 videos cannot be read, and 1 may be", error.Message);
    }

    [Fact]
    public async Task WaitingCanBeCancelledAndALoaderLeftEarly()
    {
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        VideoLoader loader = VideoLoader.ForTraining(videos.Dataset, s_options);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => loader.NextAsync(cancelled.Token));
        loader.Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => loader.NextAsync());
    }

    [Fact]
    public void OptionsOutOfRangeAreRefused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => VideoLoader.ForTraining(videos.Dataset, s_options with { CropViews = 2 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => VideoLoader.ForTraining(videos.Dataset, s_options with { Stride = 0 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => VideoLoader.ForTraining(videos.Dataset, s_options with { Augmentation = new() { MinArea = 0 } }));
        Assert.Throws<DatasetException>(() => VideoLoader.ForTraining(new VideoDataset([], ["a"]), s_options));
    }

    private static long KeptAfterUse(DecodedVideos kept, string path)
    {
        using DecodedVideos.Lease lease = kept.Open(path);
        lease.Video.Read([0]).Dispose();
        return lease.Video.KeptBytes;
    }

    private static async Task<List<string>> TakeAsync(VideoLoader loader, int batches)
    {
        using (loader)
        {
            var hashes = new List<string>();
            for (int i = 0; i < batches; ++i)
            {
                using ClipBatch batch = (await loader.NextAsync())!;
                string targets = batch.Targets.ElementType == TensorElementType.Int64
                    ? string.Join(',', batch.Targets.AsSpan<long>().ToArray())
                    : Hash(batch.Targets.AsSpan<float>());
                hashes.Add($"{Hash(batch.Clips.AsSpan<float>())} {string.Join(',', batch.Items)} {targets}");
            }

            return hashes;
        }
    }

    private static string Hash(ReadOnlySpan<float> values) =>
        Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(System.Runtime.InteropServices.MemoryMarshal.AsBytes(values)));
}
