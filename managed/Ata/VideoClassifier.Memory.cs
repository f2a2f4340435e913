namespace Ata;

/// <content>Videos that are not files.</content>
public sealed partial class VideoClassifier
{
    /// <summary>Classifies a video that a stream holds from its position on, such as an upload. It is read into memory;
    /// <see cref="VideoOptions.MaxStreamBytes"/> of <see cref="PredictOptions.Video"/> says how much at most.</summary>
    /// <param name="stream">The stream, which stays open.</param>
    /// <param name="options">Views and number of classes; null for the defaults.</param>
    /// <param name="cancellationToken">Stops between two frames or two blocks of the model.</param>
    /// <exception cref="IOException">The stream is too long, or cannot be read.</exception>
    /// <exception cref="AtaLibraryException">FFmpeg's libraries cannot be loaded.</exception>
    /// <exception cref="AtaVideoException">The video is malformed or too short.</exception>
    /// <exception cref="ArgumentException">The stream is not readable, or an option is out of range.</exception>
    /// <exception cref="AtaNotFiniteException">The model computes values that are not finite.</exception>
    /// <exception cref="OperationCanceledException">The call was stopped.</exception>
    /// <exception cref="ObjectDisposedException">The classifier was disposed before the call.</exception>
    public Predictions Predict(
        Stream stream, PredictOptions? options = null, CancellationToken cancellationToken = default)
    {
        using VideoReader video = VideoReader.Open(stream, options?.Video);
        return Predict(video, options, cancellationToken);
    }

    /// <summary>Classifies a video that is in memory.</summary>
    /// <param name="content">The bytes of its file. They are not copied, and may not change during the call.</param>
    /// <param name="options">Views and number of classes; null for the defaults.</param>
    /// <param name="cancellationToken">Stops between two frames or two blocks of the model.</param>
    /// <exception cref="AtaLibraryException">FFmpeg's libraries cannot be loaded.</exception>
    /// <exception cref="AtaVideoException">The video is malformed or too short.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    /// <exception cref="AtaNotFiniteException">The model computes values that are not finite.</exception>
    /// <exception cref="OperationCanceledException">The call was stopped.</exception>
    /// <exception cref="ObjectDisposedException">The classifier was disposed before the call.</exception>
    public Predictions Predict(
        ReadOnlyMemory<byte> content, PredictOptions? options = null, CancellationToken cancellationToken = default)
    {
        using VideoReader video = VideoReader.Open(content, options?.Video);
        return Predict(video, options, cancellationToken);
    }

    /// <summary>Classifies a video that a stream holds from its position on: reads it asynchronously, and classifies it
    /// on another thread.</summary>
    /// <param name="stream">The stream, which stays open.</param>
    /// <param name="options">Views and number of classes; null for the defaults.</param>
    /// <param name="cancellationToken">Stops reading, or between two frames or two blocks of the model.</param>
    /// <inheritdoc cref="Predict(Stream, PredictOptions?, CancellationToken)" path="/exception"/>
    public async Task<Predictions> PredictAsync(
        Stream stream, PredictOptions? options = null, CancellationToken cancellationToken = default)
    {
        using VideoReader video = await VideoReader.OpenAsync(
            stream, options?.Video, cancellationToken: cancellationToken).ConfigureAwait(false);
        return await PredictAsync(video, options, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Classifies a video that is in memory on another thread.</summary>
    /// <param name="content">The bytes of its file. They are not copied, and may not change until the task is done.</param>
    /// <param name="options">Views and number of classes; null for the defaults.</param>
    /// <param name="cancellationToken">Stops between two frames or two blocks of the model.</param>
    /// <inheritdoc cref="Predict(ReadOnlyMemory{byte}, PredictOptions?, CancellationToken)" path="/exception"/>
    public async Task<Predictions> PredictAsync(
        ReadOnlyMemory<byte> content, PredictOptions? options = null, CancellationToken cancellationToken = default)
    {
        using VideoReader video = await Task.Run(
            () => VideoReader.Open(content, options?.Video), cancellationToken).ConfigureAwait(false);
        return await PredictAsync(video, options, cancellationToken).ConfigureAwait(false);
    }
}
