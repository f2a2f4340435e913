using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;

namespace Ata.Samples.Server;

/// <summary>What may be uploaded: the configuration's section <c>Upload</c>.</summary>
internal sealed class UploadOptions
{
    public const string Section = "Upload";

    /// <summary>Largest upload in bytes.</summary>
    public long MaxBytes { get; init; } = 64L << 20;
}

/// <summary>What a prediction answers.</summary>
/// <param name="Top">The most probable classes, best first.</param>
internal sealed record Answer(IReadOnlyList<AnswerClass> Top);

/// <summary>One class of an answer.</summary>
internal sealed record AnswerClass(string Label, int Index, float Probability);

/// <summary>Takes a clip as the body of a request, and answers its five most probable classes.</summary>
internal static class PredictEndpoint
{
    // What a client waits before it tries again: by then some of the calls that run have ended.
    private const string RetryAfterSeconds = "1";

    /// <param name="request">Its body is a video file: <c>curl --data-binary @clip.mp4</c>.</param>
    /// <param name="classifier">The service that <c>AddAta</c> added.</param>
    /// <param name="options">How large a clip may be.</param>
    /// <param name="cancellationToken">Cancelled when the client goes away: the call leaves the queue, or stops.</param>
    public static async Task<Results<Ok<Answer>, ProblemHttpResult>> PredictAsync(
        HttpRequest request, VideoClassifier classifier, IOptions<UploadOptions> options, CancellationToken cancellationToken)
    {
        // On disk, so that calls that wait take no memory.
        string path = Path.Combine(Path.GetTempPath(), $"ata-upload-{Path.GetRandomFileName()}");
        try
        {
            await ReceiveAsync(request.Body, path, cancellationToken);
            Predictions predictions = await classifier.PredictAsync(path, cancellationToken: cancellationToken);
            return TypedResults.Ok(new Answer([.. predictions.Select(best => new AnswerClass(best.Label, best.Index, best.Probability))]));
        }
        catch (AtaBusyException error)
        {
            request.HttpContext.Response.Headers.RetryAfter = RetryAfterSeconds;
            return Problem(StatusCodes.Status503ServiceUnavailable, error.Message);
        }
        catch (AtaVideoException error)
        {
            return Problem(StatusCodes.Status400BadRequest, error.Message.Replace(path, "the upload", StringComparison.Ordinal));
        }
        catch (BadHttpRequestException error) when (error.StatusCode == StatusCodes.Status413PayloadTooLarge)
        {
            return Problem(error.StatusCode, $"The upload is larger than {options.Value.MaxBytes} bytes; send a shorter clip.");
        }
        catch (OperationCanceledException)
        {
            // Nobody reads the answer.
            return Problem(StatusCodes.Status499ClientClosedRequest, "The client went away.");
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static async Task ReceiveAsync(Stream body, string path, CancellationToken cancellationToken)
    {
        await using FileStream file = new(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1 << 16, useAsync: true);
        try
        {
            await body.CopyToAsync(file, cancellationToken);
        }
        catch (Exception error) when (error is InvalidOperationException)
        {
            // What Kestrel says of a connection that ended, where it comes before the token's word.
            throw new OperationCanceledException("The client went away while it sent its clip.", error, cancellationToken);
        }
    }

    private static ProblemHttpResult Problem(int status, string reason) => TypedResults.Problem(reason, statusCode: status);
}
