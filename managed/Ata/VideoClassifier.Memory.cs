using Ata.Interop;

namespace Ata;

/// <content>Videos that are not files.</content>
public sealed partial class VideoClassifier
{
    /// <summary>Classifies a video that a stream holds from its position on, such as an upload. It is read into memory;
    /// <see cref="VideoOptions.MaxStreamBytes"/> of <see cref="PredictOptions.Video"/> says how much at most.</summary>
    /// <param name="stream">The stream, which stays open.</param>
    /// <param name="options">Views and number of classes; null for the defaults.</param>
    /// <param name="cancellationToken">Leaves the queue at once, or stops between two frames or two blocks of the model.</param>
    /// <exception cref="IOException">The stream is too long, or cannot be read.</exception>
    /// <exception cref="AtaLibraryException">FFmpeg's libraries cannot be loaded.</exception>
    /// <exception cref="AtaVideoException">The video is malformed or too short.</exception>
    /// <exception cref="ArgumentException">The stream is not readable, or an option is out of range.</exception>
    /// <exception cref="AtaNotFiniteException">The model computes values that are not finite.</exception>
    /// <exception cref="AtaBusyException">As many calls wait as may (<see cref="VideoClassifierOptions.QueueLimit"/>).</exception>
    /// <exception cref="OperationCanceledException">The call was stopped.</exception>
    /// <exception cref="ObjectDisposedException">The classifier was disposed before the call.</exception>
    public Predictions Predict(
        Stream stream, PredictOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ReadOnlyMemory<byte> content = WholeStream.Read(stream, MaxStreamBytes(options), nameof(VideoOptions.MaxStreamBytes));
        return Run(OfContent(content, stream), options, cancellationToken);
    }

    /// <summary>Classifies a video that is in memory.</summary>
    /// <param name="content">The bytes of its file. They are not copied, and may not change during the call.</param>
    /// <param name="options">Views and number of classes; null for the defaults.</param>
    /// <param name="cancellationToken">Leaves the queue at once, or stops between two frames or two blocks of the model.</param>
    /// <exception cref="AtaLibraryException">FFmpeg's libraries cannot be loaded.</exception>
    /// <exception cref="AtaVideoException">The video is malformed or too short.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    /// <exception cref="AtaNotFiniteException">The model computes values that are not finite.</exception>
    /// <exception cref="AtaBusyException">As many calls wait as may (<see cref="VideoClassifierOptions.QueueLimit"/>).</exception>
    /// <exception cref="OperationCanceledException">The call was stopped.</exception>
    /// <exception cref="ObjectDisposedException">The classifier was disposed before the call.</exception>
    public Predictions Predict(
        ReadOnlyMemory<byte> content, PredictOptions? options = null, CancellationToken cancellationToken = default) =>
        Run(OfContent(content), options, cancellationToken);

    /// <summary>Classifies a video that a stream holds from its position on: reads it asynchronously, and classifies it
    /// on a thread of the classifier when its turn has come.</summary>
    /// <param name="stream">The stream, which stays open.</param>
    /// <param name="options">Views and number of classes; null for the defaults.</param>
    /// <param name="cancellationToken">Stops reading, leaves the queue at once, or stops between two frames or two blocks of the model.</param>
    /// <inheritdoc cref="Predict(Stream, PredictOptions?, CancellationToken)" path="/exception"/>
    public async Task<Predictions> PredictAsync(
        Stream stream, PredictOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ReadOnlyMemory<byte> content = await WholeStream.ReadAsync(
            stream, MaxStreamBytes(options), nameof(VideoOptions.MaxStreamBytes), content => content, cancellationToken).ConfigureAwait(false);
        return await RunAsync(OfContent(content, stream), options, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Classifies a video that is in memory on a thread of the classifier when its turn has come.</summary>
    /// <param name="content">The bytes of its file. They are not copied, and may not change until the task is done.</param>
    /// <param name="options">Views and number of classes; null for the defaults.</param>
    /// <param name="cancellationToken">Leaves the queue at once, or stops between two frames or two blocks of the model.</param>
    /// <inheritdoc cref="Predict(ReadOnlyMemory{byte}, PredictOptions?, CancellationToken)" path="/exception"/>
    public Task<Predictions> PredictAsync(
        ReadOnlyMemory<byte> content, PredictOptions? options = null, CancellationToken cancellationToken = default) =>
        RunAsync(OfContent(content), options, cancellationToken);

    /// <summary>The bytes of a file, and the stream that they were read from.</summary>
    private Work OfContent(ReadOnlyMemory<byte> content, Stream? stream = null) =>
        OfOpened(video => VideoReader.Open(content, video, stream is null ? null : WholeStream.NameOf(stream)));

    private static long MaxStreamBytes(PredictOptions? options) => (options?.Video ?? new VideoOptions()).MaxStreamBytes;
}
