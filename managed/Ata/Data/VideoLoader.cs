using System.Collections.Concurrent;

namespace Ata.Data;

/// <summary>
/// Decodes the videos of a dataset into batches, ahead of their use, with several threads and bounded memory. What
/// the batches contain depends on the dataset, the options and the seed only. One thread may take batches.
/// </summary>
public sealed class VideoLoader : IDisposable
{
    private readonly LoaderOptions _options;
    private readonly IVideoDataset _dataset;
    private readonly ClipSampler _sampler;
    private readonly PassOrder _order;
    private readonly int _views;
    private readonly ConcurrentBag<(AtaTensor Clips, AtaTensor Targets)> _pool = [];
    private readonly BatchPipeline<Job> _pipeline;
    private volatile bool _closed;

    private VideoLoader(IVideoDataset dataset, LoaderOptions options, bool training, long firstBatch)
    {
        ArgumentNullException.ThrowIfNull(dataset);
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        if (dataset.Count == 0)
        {
            throw new DatasetException("The dataset has no videos.");
        }

        _dataset = dataset;
        _options = options;
        _order = new PassOrder(dataset, training && options.BalanceClasses);
        _sampler = new ClipSampler(dataset, options);
        _views = training ? 1 : options.ClipViews * options.CropViews;
        BatchesPerEpoch = training ? TrainingBatchesPerEpoch(dataset.Count, options.BatchSize) : (dataset.Count + options.BatchSize - 1) / options.BatchSize;
        _pipeline = new BatchPipeline<Job>(
            options.Workers,
            options.Prefetch,
            training ? TrainingPlan(firstBatch) : EvaluationPlan(),
            training ? PrepareForTraining : PrepareViews,
            training && options.Augmentation.MixesTargets ? Mix : static (_, _) => { });
    }

    /// <summary>Batches in one pass over the data. In training, videos that do not fill the last batch of a pass are
    /// left out of it; which ones they are changes from pass to pass.</summary>
    public long BatchesPerEpoch { get; }

    /// <summary>Time that <see cref="NextAsync"/> has spent waiting for data.</summary>
    public TimeSpan Waited => _pipeline.Waited;

    /// <summary>The videos found unreadable so far.</summary>
    public IReadOnlyList<BrokenVideo> BrokenVideos => _sampler.Broken.Snapshot();

    /// <summary>Batches of random clips without end: each pass over the videos is in another order.</summary>
    /// <param name="dataset">The videos.</param>
    /// <param name="options">How to make clips.</param>
    /// <param name="firstBatch">Batch to start at: a run that continues starts where it stopped.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    /// <exception cref="DatasetException">The dataset has no videos.</exception>
    public static VideoLoader ForTraining(IVideoDataset dataset, LoaderOptions options, long firstBatch = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(firstBatch);
        return new VideoLoader(dataset, options, training: true, firstBatch);
    }

    /// <summary>All videos once, in order, without random changes; each in
    /// <see cref="LoaderOptions.ClipViews"/> x <see cref="LoaderOptions.CropViews"/> views.
    /// <see cref="LoaderOptions.BatchSize"/> counts videos.</summary>
    /// <param name="dataset">The videos.</param>
    /// <param name="options">How to make clips.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    /// <exception cref="DatasetException">The dataset has no videos.</exception>
    public static VideoLoader ForEvaluation(IVideoDataset dataset, LoaderOptions options) => new(dataset, options, training: false, 0);

    /// <summary>Batches in one training pass over a dataset; at least 1.</summary>
    /// <param name="videos">Videos of the dataset.</param>
    /// <param name="batchSize">Clips of a batch.</param>
    public static long TrainingBatchesPerEpoch(int videos, int batchSize)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(videos);
        ArgumentOutOfRangeException.ThrowIfLessThan(batchSize, 1);
        return Math.Max(1, videos / batchSize);
    }

    /// <summary>Takes the next batch.</summary>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <returns>The batch, to be disposed; null when an evaluation is at its end.</returns>
    /// <exception cref="TooManyBrokenVideosException">More videos than allowed cannot be read.</exception>
    /// <exception cref="OperationCanceledException">The waiting was stopped; the batch is the next one again.</exception>
    /// <exception cref="ObjectDisposedException">The loader was disposed, perhaps while the call waited.</exception>
    public Task<ClipBatch?> NextAsync(CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_closed, this);
        return _pipeline.NextAsync(cancellationToken);
    }

    /// <summary>Stops decoding and releases the memory. Batches that were taken stay valid until they are disposed.</summary>
    public void Dispose()
    {
        if (_closed)
        {
            return;
        }

        _closed = true;
        _pipeline.Dispose();
        _sampler.Dispose();
        EmptyPool();
    }

    private bool MixesTargets => _options.Augmentation.MixesTargets;

    private IEnumerable<(Func<ClipBatch> Rent, IReadOnlyList<Job> Jobs)> TrainingPlan(long firstBatch)
    {
        int perBatch = _options.BatchSize;
        long epoch = -1;
        int[] order = [];
        for (long batch = firstBatch; ; ++batch)
        {
            if (batch / BatchesPerEpoch != epoch)
            {
                epoch = batch / BatchesPerEpoch;
                order = _order.Draw(new SampleRandom(_options.Seed, (ulong)epoch, ulong.MaxValue));
            }

            long number = batch;
            int first = (int)(batch % BatchesPerEpoch) * perBatch;
            var jobs = new Job[perBatch];
            for (int i = 0; i < perBatch; ++i)
            {
                // A dataset smaller than a batch fills it several times over.
                jobs[i] = new Job(order[(first + i) % order.Length], (ulong)epoch, (ulong)(first + i));
            }

            yield return (() => Rent(number, perBatch, mixed: MixesTargets), jobs);
        }
    }

    private IEnumerable<(Func<ClipBatch> Rent, IReadOnlyList<Job> Jobs)> EvaluationPlan()
    {
        for (int first = 0; first < _dataset.Count; first += _options.BatchSize)
        {
            int number = first / _options.BatchSize;
            Job[] jobs = Enumerable.Range(first, Math.Min(_options.BatchSize, _dataset.Count - first)).Select(i => new Job(i, 0, (ulong)i)).ToArray();
            yield return (() => Rent(number, jobs.Length, mixed: false), jobs);
        }
    }

    private void PrepareForTraining(Job job, ClipBatch batch, int place, CancellationToken cancellationToken)
    {
        int count = _sampler.Shape.Count;
        Span<float> clip = batch.Clips.AsSpan<float>().Slice(place * count, count);
        (int item, int label) = _sampler.SampleForTraining(job.Item, job.Epoch, job.Place, clip, cancellationToken);
        batch.Items[place] = item;
        batch.Labels[place] = label;
        if (MixesTargets)
        {
            Span<float> target = batch.Targets.AsSpan<float>().Slice(place * _dataset.Labels.Count, _dataset.Labels.Count);
            target.Clear();
            target[label] = 1;
        }
        else
        {
            batch.Targets.AsSpan<long>()[place] = label;
        }
    }

    private void PrepareViews(Job job, ClipBatch batch, int place, CancellationToken cancellationToken)
    {
        int count = _sampler.Shape.Count * _views;
        Span<float> clips = batch.Clips.AsSpan<float>().Slice(place * count, count);
        (batch.Items[place], int label) = _sampler.SampleViews(job.Item, clips, cancellationToken);
        batch.Labels[place] = label;
        batch.Targets.AsSpan<long>().Slice(place * _views, _views).Fill(label);
    }

    private void Mix(ClipBatch batch, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        (long epoch, long inEpoch) = Math.DivRem(batch.Number, BatchesPerEpoch);
        _sampler.Mix(batch.Clips.AsSpan<float>(), batch.Targets.AsSpan<float>(), (ulong)epoch, (ulong)inEpoch);
    }

    private ClipBatch Rent(long number, int videos, bool mixed)
    {
        nint clips = videos * _views;
        if (clips != _options.BatchSize * _views || !_pool.TryTake(out (AtaTensor Clips, AtaTensor Targets) tensors))
        {
            AtaTensor pixels = AtaTensor.Create<float>(clips, ClipShape.Channels, _options.Frames, _options.Size, _options.Size);
            tensors = (pixels, mixed ? AtaTensor.Create<float>(clips, _dataset.Labels.Count) : AtaTensor.Create<long>(clips));
        }

        return new ClipBatch(number, tensors.Clips, tensors.Targets, videos, GiveBack);
    }

    private void GiveBack(ClipBatch batch)
    {
        if (batch.Items.Length == _options.BatchSize)
        {
            _pool.Add((batch.Clips, batch.Targets));
        }
        else
        {
            batch.Clips.Dispose();
            batch.Targets.Dispose();
        }

        if (_closed)
        {
            EmptyPool();
        }

        _pipeline.Release();
    }

    private void EmptyPool()
    {
        while (_pool.TryTake(out (AtaTensor Clips, AtaTensor Targets) tensors))
        {
            tensors.Clips.Dispose();
            tensors.Targets.Dispose();
        }
    }

    /// <summary>One video of a batch.</summary>
    /// <param name="Item">The video.</param>
    /// <param name="Epoch">Pass over the data.</param>
    /// <param name="Place">Place in the pass.</param>
    private readonly record struct Job(int Item, ulong Epoch, ulong Place);
}
