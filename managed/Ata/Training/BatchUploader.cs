using System.Diagnostics;
using Ata.Data;

namespace Ata.Training;

/// <summary>
/// Takes the batches of training from a loader, and brings the next one's clips to a device while the one before is in
/// use: each copy has a stream of its own. For the CPU it takes them as they are. One thread at a time.
/// </summary>
internal sealed class BatchUploader : IDisposable
{
    private readonly VideoLoader _loader;
    private readonly string? _device;
    private readonly CancellationTokenSource _stop = new();
    private Task<UploadedBatch>? _next;

    /// <summary>Prepares uploads.</summary>
    /// <param name="loader">Where batches come from; disposed by the caller, after this.</param>
    /// <param name="device">The device of the model.</param>
    internal BatchUploader(VideoLoader loader, string device)
    {
        _loader = loader;
        _device = device == "cpu" ? null : device;
    }

    /// <summary>Time that <see cref="NextAsync"/> has spent waiting.</summary>
    internal TimeSpan Waited { get; private set; }

    /// <summary>Takes the next batch, and begins to bring the one behind it. A batch that was waited for in vain is the
    /// next one again; one that failed fails again.</summary>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <returns>The batch, to be disposed before the next one is taken.</returns>
    internal async Task<UploadedBatch> NextAsync(CancellationToken cancellationToken)
    {
        long start = Stopwatch.GetTimestamp();
        try
        {
            _next ??= Task.Run(BringAsync, CancellationToken.None);
            UploadedBatch batch = await _next.WaitAsync(cancellationToken).ConfigureAwait(false);
            _next = _device is null ? null : Task.Run(BringAsync, CancellationToken.None);
            return batch;
        }
        finally
        {
            Waited += Stopwatch.GetElapsedTime(start);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _stop.Cancel();
        if (Interlocked.Exchange(ref _next, null) is { } pending)
        {
            // A batch that nobody took; its failure no longer matters.
            ((IAsyncResult)pending).AsyncWaitHandle.WaitOne();
            if (pending.IsCompletedSuccessfully)
            {
                pending.Result.Dispose();
            }

            _ = pending.Exception;
        }

        _stop.Dispose();
    }

    private async Task<UploadedBatch> BringAsync()
    {
        ClipBatch batch = await _loader.NextAsync(_stop.Token).ConfigureAwait(false) ?? throw new UnreachableException();
        try
        {
            return new UploadedBatch(batch, _device is null ? null : batch.Clips.CopyTo(_device));
        }
        catch
        {
            batch.Dispose();
            throw;
        }
    }
}

/// <summary>A batch with its clips where the model computes.</summary>
internal sealed class UploadedBatch(ClipBatch batch, AtaTensor? copy) : IDisposable
{
    /// <summary>The batch as it came from the loader.</summary>
    internal ClipBatch Batch => batch;

    /// <summary>Its clips, in the memory of the device.</summary>
    internal AtaTensor Clips => copy ?? batch.Clips;

    /// <inheritdoc/>
    public void Dispose()
    {
        copy?.Dispose();
        batch.Dispose();
    }
}
