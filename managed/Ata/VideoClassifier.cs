using System.Numerics.Tensors;
using Ata.Interop;

namespace Ata;

/// <summary>How a video is looked at for a prediction.</summary>
public sealed record PredictOptions
{
    /// <summary>Largest number of clips in time, for predictions and evaluations alike.</summary>
    internal const int MostTemporalViews = 10_000;

    /// <summary>How many classes to list, at least 1; fewer are listed if the model has fewer.</summary>
    public int Top { get; init; } = 5;

    /// <summary>Clips in time, spread evenly over the video: 1 to 10000.</summary>
    public int TemporalViews { get; init; } = 1;

    /// <summary>Crops of each clip: 1 or 3.</summary>
    public int SpatialViews { get; init; } = 1;

    /// <summary>How clips are sampled; null for the defaults with the model's frames, size and normalisation. Frames,
    /// size, normalisation and the indices and counts of clips and crops are set by the classifier in any case.</summary>
    public ClipOptions? Sampling { get; init; }

    /// <summary>How the video is opened, unless it is open already; null for the defaults.</summary>
    public VideoOptions? Video { get; init; }

    /// <summary>Receives the number of views that are done.</summary>
    public IProgress<int>? Progress { get; init; }

    internal void Check()
    {
        OptionRange.Check(Top, 1, int.MaxValue);
        OptionRange.Check(TemporalViews, 1, MostTemporalViews);
        if (SpatialViews is not (1 or 3))
        {
            throw new ArgumentOutOfRangeException(nameof(SpatialViews), SpatialViews, "There can be 1 or 3 spatial views.");
        }
    }
}

/// <summary>
/// Recognises actions in videos: a model, and as many sessions as threads use it at once. The probabilities of several
/// views (clips in time times crops) are averaged.
/// </summary>
/// <remarks>
/// Thread-safe. Each call takes a session of its own, which is kept for later calls; weights are shared. Disposing waits
/// for nothing: calls that are running finish normally, and the last one releases the model.
/// </remarks>
public sealed partial class VideoClassifier : IDisposable
{
    private readonly Lock _lock = new();
    private readonly Stack<Session> _idle = [];
    private int _calls;
    private bool _disposed;

    /// <summary>Makes a classifier of a model, which it takes over and disposes.</summary>
    /// <param name="model">The model.</param>
    public VideoClassifier(Model model)
    {
        ArgumentNullException.ThrowIfNull(model);
        Model = model;
    }

    /// <summary>The model, which lives as long as the classifier.</summary>
    public Model Model { get; }

    /// <summary>Loads a model.</summary>
    /// <param name="path">Checkpoint to read.</param>
    /// <param name="options">Device, arithmetic, temporal mode; null for the defaults.</param>
    /// <exception cref="FileNotFoundException">The file does not exist.</exception>
    /// <exception cref="AtaModelException">The file is malformed, or contradicts its own configuration.</exception>
    /// <exception cref="AtaDeviceException">The device does not exist, or cannot be used.</exception>
    /// <exception cref="ArgumentException">An option is out of range, or contradicts the checkpoint.</exception>
    /// <exception cref="NotSupportedException">The checkpoint lacks what the temporal mode needs, or the device does not
    /// support what was asked for.</exception>
    public static VideoClassifier Load(string path, ModelOptions? options = null) => new(Model.Load(path, options));

    /// <summary>Loads a model on another thread.</summary>
    /// <param name="path">Checkpoint to read.</param>
    /// <param name="options">Device, arithmetic, temporal mode; null for the defaults.</param>
    /// <param name="cancellationToken">Stops the call before it begins to read; reading itself is not
    /// interrupted.</param>
    /// <inheritdoc cref="Load" path="/exception"/>
    public static Task<VideoClassifier> LoadAsync(
        string path, ModelOptions? options = null, CancellationToken cancellationToken = default) =>
        Task.Run(() => Load(path, options), cancellationToken);

    /// <summary>Classifies a video file or a folder of images.</summary>
    /// <param name="path">File or folder.</param>
    /// <param name="options">Views and number of classes; null for the defaults.</param>
    /// <param name="cancellationToken">Stops between two frames or two blocks of the model.</param>
    /// <exception cref="FileNotFoundException">There is no such file or folder.</exception>
    /// <exception cref="AtaLibraryException">The video plugin cannot be loaded.</exception>
    /// <exception cref="AtaVideoException">The video is malformed or too short.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    /// <exception cref="AtaNotFiniteException">The model computes values that are not finite.</exception>
    /// <exception cref="OperationCanceledException">The call was stopped.</exception>
    /// <exception cref="ObjectDisposedException">The classifier was disposed before the call.</exception>
    public Predictions Predict(
        string path, PredictOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        using var call = new Call(this);
        using VideoReader video = VideoReader.Open(path, options?.Video);
        return Predict(call, video, options, cancellationToken);
    }

    /// <summary>Classifies an open video.</summary>
    /// <param name="video">The video; no other thread may use it meanwhile.</param>
    /// <param name="options">Views and number of classes; null for the defaults.</param>
    /// <param name="cancellationToken">Stops between two frames or two blocks of the model.</param>
    /// <exception cref="AtaVideoException">The video is malformed or too short.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    /// <exception cref="AtaNotFiniteException">The model computes values that are not finite.</exception>
    /// <exception cref="OperationCanceledException">The call was stopped.</exception>
    /// <exception cref="ObjectDisposedException">The classifier was disposed before the call.</exception>
    public Predictions Predict(
        VideoReader video, PredictOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(video);
        using var call = new Call(this);
        return Predict(call, video, options, cancellationToken);
    }

    /// <summary>Classifies one clip that was sampled as the model needs it.</summary>
    /// <param name="clip">The clip; see <see cref="ClipOptions.For"/>.</param>
    /// <param name="top">How many classes to list.</param>
    /// <param name="cancellationToken">Stops between two blocks of the model.</param>
    public Predictions Predict(VideoClip clip, int top = 5, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(clip);
        ArgumentOutOfRangeException.ThrowIfLessThan(top, 1);
        using var call = new Call(this);
        return Classify(call, top, 1, (session, _, logits) => session.Forward(clip, logits, cancellationToken));
    }

    /// <summary>Classifies a video file or a folder of images on another thread.</summary>
    /// <param name="path">File or folder.</param>
    /// <param name="options">Views and number of classes; null for the defaults.</param>
    /// <param name="cancellationToken">Stops between two frames or two blocks of the model.</param>
    public Task<Predictions> PredictAsync(
        string path, PredictOptions? options = null, CancellationToken cancellationToken = default) =>
        Task.Run(() => Predict(path, options, cancellationToken), cancellationToken);

    /// <summary>Classifies an open video on another thread.</summary>
    /// <param name="video">The video; no other thread may use it meanwhile.</param>
    /// <param name="options">Views and number of classes; null for the defaults.</param>
    /// <param name="cancellationToken">Stops between two frames or two blocks of the model.</param>
    public Task<Predictions> PredictAsync(
        VideoReader video, PredictOptions? options = null, CancellationToken cancellationToken = default) =>
        Task.Run(() => Predict(video, options, cancellationToken), cancellationToken);

    /// <summary>Computes the logits of clips, without copying them.</summary>
    /// <param name="clips">One or more whole clips <c>[3, T, H, W]</c>, normalised, in row-major order.</param>
    /// <param name="logits">Receives the logits of all clips.</param>
    /// <param name="cancellationToken">Stops between two blocks of the model.</param>
    public void Forward(ReadOnlySpan<float> clips, Span<float> logits, CancellationToken cancellationToken = default)
    {
        using var call = new Call(this);
        call.Session.Forward(clips, logits, cancellationToken);
    }

    /// <summary>Computes the logits of clips, without copying them.</summary>
    /// <param name="clips"><c>[B, 3, T, H, W]</c>, normalised, dense.</param>
    /// <param name="logits">Receives the logits of all clips.</param>
    /// <param name="cancellationToken">Stops between two blocks of the model.</param>
    public void Forward(
        in ReadOnlyTensorSpan<float> clips, Span<float> logits, CancellationToken cancellationToken = default)
    {
        using var call = new Call(this);
        call.Session.Forward(clips, logits, cancellationToken);
    }

    /// <summary>Releases the model and the sessions, when the calls that are running have ended; new calls are
    /// refused.</summary>
    public void Dispose()
    {
        bool last;
        lock (_lock)
        {
            last = !_disposed && _calls == 0;
            _disposed = true;
        }

        if (last)
        {
            Release();
        }
    }

    private Predictions Predict(Call call, VideoReader video, PredictOptions? options, CancellationToken cancellationToken)
    {
        options ??= new PredictOptions();
        options.Check();
        ClipOptions sampling = (options.Sampling ?? new ClipOptions()) with
        {
            Frames = Model.Config.Frames,
            Size = Model.Config.ImageSize,
            Mean = Model.Config.Mean,
            Std = Model.Config.Std,
            ClipCount = options.TemporalViews,
            CropCount = options.SpatialViews,
        };
        var views = new ClipOptions[options.TemporalViews * options.SpatialViews];
        for (int view = 0; view < views.Length; ++view)
        {
            views[view] = sampling with
            {
                ClipIndex = view / options.SpatialViews,
                CropIndex = view % options.SpatialViews,
            };
        }

        using IEnumerator<VideoClip> clips = video.SampleViews(views, cancellationToken).GetEnumerator();
        return Classify(
            call,
            options.Top,
            views.Length,
            (session, view, logits) =>
            {
                clips.MoveNext();
                using VideoClip clip = clips.Current;
                session.Forward(clip, logits, cancellationToken);
                options.Progress?.Report(view + 1);
            });
    }

    private Predictions Classify(Call call, int top, int views, Action<Session, int, float[]> forward)
    {
        int classes = Model.Config.Classes;
        var logits = new float[classes];
        var probabilities = new float[classes];
        for (int view = 0; view < views; ++view)
        {
            forward(call.Session, view, logits);
            ToProbabilities(logits);
            TensorPrimitives.Add(probabilities, logits, probabilities);
        }

        TensorPrimitives.Divide(probabilities, views, probabilities);
        return new Predictions(BestOf(probabilities, Math.Min(top, classes)), probabilities, views);
    }

    private static void ToProbabilities(float[] logits)
    {
        // Relative to the largest one, so that no exponential overflows.
        TensorPrimitives.Subtract(logits, TensorPrimitives.Max<float>(logits), logits);
        TensorPrimitives.SoftMax(logits, logits);
    }

    private Prediction[] BestOf(float[] probabilities, int count)
    {
        int[] order = Enumerable.Range(0, probabilities.Length).ToArray();
        Array.Sort(order, (a, b) => probabilities[b].CompareTo(probabilities[a]) is var by and not 0 ? by : a.CompareTo(b));
        IReadOnlyList<string> labels = Model.Labels;
        return Array.ConvertAll(
            order[..count],
            index => new Prediction(labels.Count > 0 ? labels[index] : $"class {index}", index, probabilities[index]));
    }

    /// <summary>Nobody uses the classifier any more, nor will.</summary>
    private void Release()
    {
        foreach (Session session in _idle)
        {
            session.Dispose();
        }

        _idle.Clear();
        Model.Dispose();
    }

    /// <summary>A call that is running: until it ends, the model lives. The call's session is taken at its first
    /// use.</summary>
    private sealed class Call : IDisposable
    {
        private readonly VideoClassifier _owner;
        private Session? _session;

        /// <exception cref="ObjectDisposedException">The classifier is disposed.</exception>
        internal Call(VideoClassifier owner)
        {
            _owner = owner;
            lock (owner._lock)
            {
                ObjectDisposedException.ThrowIf(owner._disposed, owner);
                ++owner._calls;
            }
        }

        internal Session Session => _session ??= Take();

        public void Dispose()
        {
            bool last;
            lock (_owner._lock)
            {
                if (_session is not null)
                {
                    _owner._idle.Push(_session);
                }

                last = --_owner._calls == 0 && _owner._disposed;
            }

            if (last)
            {
                _owner.Release();
            }
        }

        private Session Take()
        {
            lock (_owner._lock)
            {
                if (_owner._idle.TryPop(out Session? session))
                {
                    return session;
                }
            }

            return _owner.Model.CreateSession();
        }
    }
}
