using System.Numerics.Tensors;
using Ata.Interop;
using Ata.Serving;
using Microsoft.Extensions.Logging;

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

    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
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
/// Recognises actions in videos: a model, and a bounded set of sessions in which calls of any number of threads run, in the
/// order in which they come. The probabilities of several views (clips in time times crops) are averaged.
/// </summary>
/// <remarks>
/// <para>Thread-safe. <see cref="VideoClassifierOptions.MaxConcurrency"/> calls run at the same time; others wait for their turn.
/// Asynchronous calls run on a few threads of the classifier's own, so that .NET's pool stays free for other work; synchronous
/// ones run on the thread that makes them.</para>
/// <para>Disposing waits for nothing: calls that are running finish normally, and the last one releases the model. Calls that
/// wait for their turn, and new ones, throw <see cref="ObjectDisposedException"/>.</para>
/// </remarks>
public sealed partial class VideoClassifier : IDisposable
{
    private readonly CallQueue _queue;
    private readonly SessionPool _sessions;
    private readonly ClassifierTelemetry _telemetry;
    private readonly ClipBatcher? _batcher;

    /// <summary>Makes a classifier of a model, which it takes over and disposes.</summary>
    /// <param name="model">The model.</param>
    /// <param name="serving">How many calls run and wait; null for the defaults.</param>
    /// <param name="logging">Makes the logger of category <see cref="AtaTelemetry.ClassifierLogCategory"/>; null for no log.</param>
    /// <exception cref="ArgumentException">An option is out of range, or contradicts another. The model is still the
    /// caller's.</exception>
    public VideoClassifier(Model model, VideoClassifierOptions? serving = null, ILoggerFactory? logging = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        Model = model;
        Options = (serving ?? new VideoClassifierOptions()).Resolve();
        _telemetry = new ClassifierTelemetry(Options.Name, model.Device, logging);
        _sessions = new SessionPool(CreateSession, Options.MaxIdleSessions!.Value);
        string threads = Options.Name is null ? "Ata classifier" : $"Ata classifier {Options.Name}";
        _queue = new CallQueue(Options.MaxConcurrency!.Value, Options.QueueLimit, nameof(VideoClassifier), threads, Release);
        _batcher = Options.MaxBatch > 1 ? new ClipBatcher(_sessions, _queue, _telemetry, model.Config, Options) : null;
        _telemetry.Attach(Options, () => Statistics);
    }

    /// <summary>The model, which lives as long as the classifier.</summary>
    public Model Model { get; }

    /// <summary>How calls share the machine; nothing of it is null but the name and a limit of threads.</summary>
    public VideoClassifierOptions Options { get; }

    /// <summary>What the classifier does now.</summary>
    public VideoClassifierStatistics Statistics => new(_queue.Running, _queue.Waiting, _sessions.Count, _sessions.IdleCount);

    /// <summary>Whether the classifier was disposed: it takes no further calls.</summary>
    public bool IsDisposed => _queue.IsClosed;

    /// <summary>Loads a model.</summary>
    /// <param name="path">Checkpoint to read.</param>
    /// <param name="options">Device, arithmetic, temporal mode; null for the defaults.</param>
    /// <param name="serving">How many calls run and wait; null for the defaults.</param>
    /// <param name="logging">Makes the logger of category <see cref="AtaTelemetry.ClassifierLogCategory"/>; null for no log.</param>
    /// <exception cref="FileNotFoundException">The file does not exist.</exception>
    /// <exception cref="AtaModelException">The file is malformed, or contradicts its own configuration.</exception>
    /// <exception cref="AtaDeviceException">The device does not exist, or cannot be used.</exception>
    /// <exception cref="ArgumentException">An option is out of range, or contradicts another or the checkpoint.</exception>
    /// <exception cref="NotSupportedException">The checkpoint lacks what the temporal mode needs, or the device does not
    /// support what was asked for.</exception>
    public static VideoClassifier Load(
        string path, ModelOptions? options = null, VideoClassifierOptions? serving = null, ILoggerFactory? logging = null)
    {
        // Before the file is read.
        serving?.Check();
        Model model = Model.Load(path, options);
        try
        {
            return new VideoClassifier(model, serving, logging);
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>Loads a model on another thread.</summary>
    /// <param name="path">Checkpoint to read.</param>
    /// <param name="options">Device, arithmetic, temporal mode; null for the defaults.</param>
    /// <param name="cancellationToken">Stops the call before it begins to read; reading itself is not
    /// interrupted.</param>
    /// <inheritdoc cref="Load" path="/exception"/>
    public static Task<VideoClassifier> LoadAsync(
        string path, ModelOptions? options = null, CancellationToken cancellationToken = default) =>
        LoadAsync(path, options, serving: null, logging: null, cancellationToken);

    /// <summary>Loads a model on another thread.</summary>
    /// <param name="path">Checkpoint to read.</param>
    /// <param name="options">Device, arithmetic, temporal mode; null for the defaults.</param>
    /// <param name="serving">How many calls run and wait; null for the defaults.</param>
    /// <param name="logging">Makes the logger of category <see cref="AtaTelemetry.ClassifierLogCategory"/>; null for no log.</param>
    /// <param name="cancellationToken">Stops the call before it begins to read; reading itself is not
    /// interrupted.</param>
    /// <inheritdoc cref="Load" path="/exception"/>
    public static Task<VideoClassifier> LoadAsync(
        string path,
        ModelOptions? options,
        VideoClassifierOptions? serving,
        ILoggerFactory? logging = null,
        CancellationToken cancellationToken = default) =>
        Task.Run(() => Load(path, options, serving, logging), cancellationToken);

    /// <summary>Classifies a video file or a folder of images, on the calling thread when its turn has come.</summary>
    /// <param name="path">File or folder.</param>
    /// <param name="options">Views and number of classes; null for the defaults.</param>
    /// <param name="cancellationToken">Leaves the queue at once, or stops between two frames or two blocks of the model.</param>
    /// <exception cref="FileNotFoundException">There is no such file or folder.</exception>
    /// <exception cref="AtaLibraryException">The video plugin cannot be loaded.</exception>
    /// <exception cref="AtaVideoException">The video is malformed or too short.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    /// <exception cref="AtaNotFiniteException">The model computes values that are not finite.</exception>
    /// <exception cref="AtaBusyException">As many calls wait as may (<see cref="VideoClassifierOptions.QueueLimit"/>).</exception>
    /// <exception cref="OperationCanceledException">The call was stopped.</exception>
    /// <exception cref="ObjectDisposedException">The classifier was disposed before the call had its turn.</exception>
    /// <exception cref="InvalidOperationException">The call is made inside of another one of this classifier, and would wait for
    /// it.</exception>
    public Predictions Predict(
        string path, PredictOptions? options = null, CancellationToken cancellationToken = default) =>
        Run(OfFile(path), options, cancellationToken);

    /// <summary>Classifies an open video, on the calling thread when its turn has come.</summary>
    /// <param name="video">The video; no other thread may use it meanwhile.</param>
    /// <param name="options">Views and number of classes; null for the defaults.</param>
    /// <param name="cancellationToken">Leaves the queue at once, or stops between two frames or two blocks of the model.</param>
    /// <inheritdoc cref="Predict(string, PredictOptions?, CancellationToken)" path="/exception"/>
    public Predictions Predict(
        VideoReader video, PredictOptions? options = null, CancellationToken cancellationToken = default) =>
        Run(OfReader(video), options, cancellationToken);

    /// <summary>Classifies one clip that was sampled as the model needs it, on the calling thread when its turn has come.</summary>
    /// <param name="clip">The clip; see <see cref="ClipOptions.For"/>.</param>
    /// <param name="top">How many classes to list.</param>
    /// <param name="cancellationToken">Leaves the queue at once, or stops between two blocks of the model.</param>
    /// <inheritdoc cref="Predict(string, PredictOptions?, CancellationToken)" path="/exception"/>
    public Predictions Predict(VideoClip clip, int top = 5, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(clip);
        return Run(OfClip(clip), new PredictOptions { Top = top }, cancellationToken);
    }

    /// <summary>Classifies a video file or a folder of images, on a thread of the classifier when its turn has come.</summary>
    /// <param name="path">File or folder.</param>
    /// <param name="options">Views and number of classes; null for the defaults.</param>
    /// <param name="cancellationToken">Leaves the queue at once, or stops between two frames or two blocks of the model.</param>
    /// <inheritdoc cref="Predict(string, PredictOptions?, CancellationToken)" path="/exception"/>
    public Task<Predictions> PredictAsync(
        string path, PredictOptions? options = null, CancellationToken cancellationToken = default) =>
        RunAsync(OfFile(path), options, cancellationToken);

    /// <summary>Classifies an open video, on a thread of the classifier when its turn has come.</summary>
    /// <param name="video">The video; nobody else may use it until the task has ended.</param>
    /// <param name="options">Views and number of classes; null for the defaults.</param>
    /// <param name="cancellationToken">Leaves the queue at once, or stops between two frames or two blocks of the model.</param>
    /// <inheritdoc cref="Predict(string, PredictOptions?, CancellationToken)" path="/exception"/>
    public Task<Predictions> PredictAsync(
        VideoReader video, PredictOptions? options = null, CancellationToken cancellationToken = default) =>
        RunAsync(OfReader(video), options, cancellationToken);

    /// <summary>Classifies one clip that was sampled as the model needs it, on a thread of the classifier when its turn has
    /// come.</summary>
    /// <param name="clip">The clip, which must live until the task has ended; see <see cref="ClipOptions.For"/>.</param>
    /// <param name="top">How many classes to list.</param>
    /// <param name="cancellationToken">Leaves the queue at once, or stops between two blocks of the model.</param>
    /// <inheritdoc cref="Predict(string, PredictOptions?, CancellationToken)" path="/exception"/>
    public Task<Predictions> PredictAsync(VideoClip clip, int top = 5, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(clip);
        return RunAsync(OfClip(clip), new PredictOptions { Top = top }, cancellationToken);
    }

    /// <summary>Computes the logits of clips, without copying them, on the calling thread when its turn has come.</summary>
    /// <param name="clips">One or more whole clips <c>[3, T, H, W]</c>, normalised, in row-major order.</param>
    /// <param name="logits">Receives the logits of all clips.</param>
    /// <param name="cancellationToken">Leaves the queue at once, or stops between two blocks of the model.</param>
    public void Forward(ReadOnlySpan<float> clips, Span<float> logits, CancellationToken cancellationToken = default) =>
        Forward(clips, logits, static (session, of, to, cancellation) => session.Forward(of, to, cancellation), cancellationToken);

    /// <summary>Computes the logits of clips, without copying them, on the calling thread when its turn has come.</summary>
    /// <param name="clips"><c>[B, 3, T, H, W]</c>, normalised, dense.</param>
    /// <param name="logits">Receives the logits of all clips.</param>
    /// <param name="cancellationToken">Leaves the queue at once, or stops between two blocks of the model.</param>
    public void Forward(
        in ReadOnlyTensorSpan<float> clips, Span<float> logits, CancellationToken cancellationToken = default) =>
        Forward(clips, logits, static (session, of, to, cancellation) => session.Forward(of, to, cancellation), cancellationToken);

    /// <summary>Runs the model once in as many sessions as calls can run at the same time, so that the first calls are as fast as
    /// later ones, and the memory that full load needs is taken now or not at all.</summary>
    /// <param name="cancellationToken">Stops between two blocks of the model.</param>
    /// <exception cref="InsufficientMemoryException">There is not so much memory.</exception>
    /// <exception cref="AtaNotFiniteException">The model computes values that are not finite.</exception>
    /// <exception cref="OperationCanceledException">The call was stopped.</exception>
    /// <exception cref="ObjectDisposedException">The classifier is disposed.</exception>
    public void WarmUp(CancellationToken cancellationToken = default)
    {
        ModelConfig config = Model.Config;
        using AtaTensor clip = AtaTensor.Create<float>(1, 3, config.Frames, config.ImageSize, config.ImageSize);
        var logits = new float[config.Classes];
        var sessions = new Stack<Session>();
        using CallQueue.Place place = _queue.Enter(cancellationToken);
        try
        {
            while (sessions.Count < Options.MaxConcurrency)
            {
                sessions.Push(_sessions.Rent());
                sessions.Peek().Forward(clip, logits, cancellationToken);
            }
        }
        finally
        {
            while (sessions.TryPop(out Session? session))
            {
                _sessions.Return(session);
            }
        }
    }

    /// <summary>Releases the memory that is kept for calls to come: the sessions that no call uses, and what the native library
    /// keeps (<see cref="AtaRuntime.ReleaseCaches"/>). The next calls make what they need again.</summary>
    public void Trim()
    {
        _telemetry.Trimmed(_sessions.Trim());
        AtaRuntime.ReleaseCaches();
    }

    /// <summary>Takes no further calls, and releases the model and the sessions when the calls that are running have ended.
    /// Calls that wait for their turn are refused.</summary>
    public void Dispose()
    {
        if (_queue.Close() is ({ } running, { } refused))
        {
            _telemetry.Detach(running, refused);
        }
    }

    /// <summary>What is predicted, and how: the same for all kinds of input.</summary>
    private delegate Predictions Work(Call call, PredictOptions options, CancellationToken cancellationToken);

    /// <summary>Computes logits in a session.</summary>
    private delegate void SessionForward<TClips>(Session session, TClips clips, Span<float> logits, CancellationToken cancellationToken)
        where TClips : allows ref struct;

    private void Forward<TClips>(TClips clips, Span<float> logits, SessionForward<TClips> forward, CancellationToken cancellationToken)
        where TClips : allows ref struct
    {
        using var call = new Call(this, "forward");
        try
        {
            call.Enter(cancellationToken);
            forward(call.Session, clips, logits, cancellationToken);
        }
        catch (Exception error)
        {
            call.Failure = error;
            throw;
        }
    }

    private Work OfFile(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return OfOpened(video => VideoReader.Open(path, video));
    }

    /// <summary>A video that is opened when the call's turn has come, and closed with it.</summary>
    private Work OfOpened(Func<VideoOptions, VideoReader> open) => (call, options, cancellationToken) =>
    {
        VideoOptions opening = options.Video ?? new VideoOptions();
        using VideoReader video = open(opening with { Threads = opening.Threads ?? Options.ThreadsPerCall });
        return call.Predict(video, options, cancellationToken);
    };

    private static Work OfReader(VideoReader video)
    {
        ArgumentNullException.ThrowIfNull(video);
        return (call, options, cancellationToken) => call.Predict(video, options, cancellationToken);
    }

    private static Work OfClip(VideoClip clip) => (call, options, cancellationToken) => call.Classify(
        options.Top, 1, (_, logits) => call.Forward(clip, logits, cancellationToken));

    private Predictions Run(Work work, PredictOptions? options, CancellationToken cancellationToken)
    {
        options ??= new PredictOptions();
        options.Check();
        using var call = new Call(this, "predict", options);
        try
        {
            call.Enter(cancellationToken);
            return work(call, options, cancellationToken);
        }
        catch (Exception error)
        {
            call.Failure = error;
            throw;
        }
    }

    private Task<Predictions> RunAsync(Work work, PredictOptions? options, CancellationToken cancellationToken)
    {
        options ??= new PredictOptions();
        options.Check();
        return Begin();

        async Task<Predictions> Begin()
        {
            using var call = new Call(this, "predict", options);
            try
            {
                return await _queue.RunAsync(() => call.RunAdmitted(work, options, cancellationToken), cancellationToken)
                    .ConfigureAwait(false);
            }
            catch (Exception error)
            {
                call.Failure = error;
                throw;
            }
        }
    }

    private Session CreateSession()
    {
        Session session = Model.CreateSession(new SessionOptions { Threads = Options.ThreadsPerCall });
        _telemetry.SessionCreated(_sessions.Count);
        return session;
    }

    /// <summary>Nobody uses the classifier any more, nor will.</summary>
    private void Release()
    {
        _sessions.Trim();
        Model.Dispose();
    }

    /// <summary>A call from its beginning, through its wait, to its end. Its session is taken at its first use.</summary>
    private sealed class Call : IDisposable
    {
        private readonly VideoClassifier _owner;
        private readonly ClassifierTelemetry.Request _request;
        private CallQueue.Place? _place;
        private Session? _session;

        internal Call(VideoClassifier owner, string operation, PredictOptions? options = null)
        {
            _owner = owner;
            _request = owner._telemetry.Begin(operation, options);
        }

        /// <summary>Why the call failed; null as long as it did not.</summary>
        internal Exception? Failure { get; set; }

        internal Session Session => _session ??= _owner._sessions.Rent();

        /// <summary>Waits for the call's turn, to run on this thread.</summary>
        internal void Enter(CancellationToken cancellationToken)
        {
            _place = _owner._queue.Enter(cancellationToken);
            _owner._telemetry.Admit(_request);
        }

        /// <summary>Runs the call, whose turn has come, on this worker thread.</summary>
        internal Predictions RunAdmitted(Work work, PredictOptions options, CancellationToken cancellationToken)
        {
            _owner._telemetry.Admit(_request);
            try
            {
                return work(this, options, cancellationToken);
            }
            finally
            {
                ReturnSession();
            }
        }

        /// <summary>Averages the views of a video.</summary>
        internal Predictions Predict(VideoReader video, PredictOptions options, CancellationToken cancellationToken)
        {
            ModelConfig config = _owner.Model.Config;
            ClipOptions sampling = (options.Sampling ?? new ClipOptions()) with
            {
                Frames = config.Frames,
                Size = config.ImageSize,
                Mean = config.Mean,
                Std = config.Std,
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
                options.Top,
                views.Length,
                (view, logits) =>
                {
                    clips.MoveNext();
                    using VideoClip clip = clips.Current;
                    Forward(clip, logits, cancellationToken);
                    options.Progress?.Report(view + 1);
                });
        }

        /// <summary>Averages views.</summary>
        /// <param name="top">How many classes to list.</param>
        /// <param name="views">How many views there are.</param>
        /// <param name="forward">Computes the logits of a view.</param>
        internal Predictions Classify(int top, int views, Action<int, float[]> forward)
        {
            int classes = _owner.Model.Config.Classes;
            var logits = new float[classes];
            var probabilities = new float[classes];
            for (int view = 0; view < views; ++view)
            {
                forward(view, logits);
                ToProbabilities(logits);
                TensorPrimitives.Add(probabilities, logits, probabilities);
            }

            TensorPrimitives.Divide(probabilities, views, probabilities);
            return new Predictions(BestOf(probabilities, Math.Min(top, classes)), probabilities, views);
        }

        internal void Forward(VideoClip clip, float[] logits, CancellationToken cancellationToken)
        {
            if (_owner._batcher is { } batcher)
            {
                batcher.Forward(clip, logits, cancellationToken);
            }
            else
            {
                Session.Forward(clip, logits, cancellationToken);
            }
        }

        public void Dispose()
        {
            ReturnSession();
            _place?.Dispose();
            // Clips that wait for those of other calls have one less to wait for.
            _owner._batcher?.Wake();
            _owner._telemetry.End(_request, Failure);
        }

        private void ReturnSession()
        {
            if (_session is { } session)
            {
                _session = null;
                _owner._sessions.Return(session);
            }
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
            IReadOnlyList<string> labels = _owner.Model.Labels;
            return Array.ConvertAll(
                order[..count],
                index => new Prediction(labels.Count > 0 ? labels[index] : $"class {index}", index, probabilities[index]));
        }
    }
}
