using Ata.Bindings;
using Ata.Interop;

namespace Ata.Training;

/// <summary>
/// The steps of training, for loops of one's own: gradients of a batch, and updates of the weights. Activations stay
/// in native memory. <see cref="TrainingRun"/> is the loop that does the rest.
/// </summary>
/// <remarks>One thread at a time. While a call runs, no session of the model may run.</remarks>
public sealed unsafe class Trainer : IDisposable
{
    private readonly TrainerHandle _handle;
    private readonly ModelConfig _config;
    private readonly long _parameterCount;

    /// <summary>Creates a trainer, which updates the model's weights in place and keeps them alive.</summary>
    /// <param name="model">A trainable model.</param>
    /// <param name="options">Options; null for the defaults.</param>
    /// <param name="seed">Seed of dropout and stochastic depth.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    /// <exception cref="NotSupportedException">The model is not trainable.</exception>
    public Trainer(Model model, OptimizerOptions? options = null, ulong seed = 0)
    {
        ArgumentNullException.ThrowIfNull(model);
        OptimizerOptions chosen = (options ?? new OptimizerOptions()) with { Seed = seed };
        using var newParameters = new Utf8Text(chosen.NewParameters, stackalloc byte[Utf8Text.BufferSize]);
        using var frozen = new Utf8Text(chosen.Frozen, stackalloc byte[Utf8Text.BufferSize]);
        ata_train_options native = chosen.ToNative(newParameters.Pointer, frozen.Pointer);
        using Lease<ata_model> lease = model.Handle.Lease();
        ata_trainer* trainer;
        NativeStatus.Check(NativeMethods.ata_trainer_create(lease.Pointer, &native, &trainer));
        _handle = new TrainerHandle(trainer, model.Handle, HeldBytes.OfTrainer(model.ParameterCount));
        _config = model.Config;
        _parameterCount = model.ParameterCount;
    }

    /// <summary>How many updates were made.</summary>
    public long UpdateCount
    {
        get
        {
            using Lease<ata_trainer> lease = _handle.LeaseExclusively();
            return NativeMethods.ata_trainer_update_count(lease.Pointer);
        }
    }

    /// <summary>Runs forward and backward on one batch and adds <paramref name="weight"/> times the gradient of its
    /// mean loss to what has been accumulated since the last update. On failure nothing is accumulated.</summary>
    /// <remarks>To have the next batch on its way to a GPU meanwhile, call <see cref="AtaTensor.CopyTo(string)"/> of its clips
    /// in another task, as <see cref="TrainingRun"/> does: a copy is complete when the call returns.</remarks>
    /// <param name="clips">f32 <c>[B, 3, T, H, W]</c>, normalised; of the host or of the model's device.</param>
    /// <param name="targets">i64 <c>[B]</c> labels, or f32 <c>[B, classes]</c> probabilities.</param>
    /// <param name="logits">Receives B x classes values; empty if they are not wanted.</param>
    /// <param name="weight">Factor of this batch, e.g. 1 / number of batches accumulated.</param>
    /// <param name="cancellationToken">Stops the work between two blocks.</param>
    /// <returns>The mean loss of the batch.</returns>
    /// <exception cref="ArgumentException">Clips, targets or logits have another type or shape than the model needs, or
    /// hold values that are not finite.</exception>
    /// <exception cref="AtaNotFiniteException">The loss is not finite: training diverges.</exception>
    /// <exception cref="OperationCanceledException">The work was stopped.</exception>
    public float Accumulate(AtaTensor clips, AtaTensor targets, Span<float> logits, float weight = 1, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(clips);
        ArgumentNullException.ThrowIfNull(targets);
        if (!logits.IsEmpty && (clips.Rank == 0 || logits.Length != clips.Shape[0] * _config.Classes))
        {
            throw new ArgumentException($"There is room for {logits.Length} logits; clips {clips} and {_config.Classes} classes need another number.", nameof(logits));
        }

        using Lease<ata_trainer> trainer = _handle.LeaseExclusively();
        using Lease<ata_tensor> clipsLease = clips.Handle.Lease();
        using Lease<ata_tensor> targetsLease = targets.Handle.Lease();
        using var cancellation = new NativeCancellation(cancellationToken);
        float loss;
        fixed (float* values = logits)
        {
            NativeStatus.Check(
                NativeMethods.ata_trainer_accumulate(trainer.Pointer, clipsLease.Pointer, targetsLease.Pointer, weight, cancellation.Pointer, values, (nuint)logits.Length, &loss),
                cancellation: cancellationToken);
        }

        _handle.Report(HeldBytes.OfTrainer(_parameterCount) + HeldBytes.OfBackward(_config, clips.Shape[0], _parameterCount));
        return loss;
    }

    /// <summary>Clips the accumulated gradient, updates the weights and their average, and clears the gradient.</summary>
    /// <param name="learningRate">Rate of this update, at least 0.</param>
    /// <returns>The norm of the gradient before clipping.</returns>
    /// <exception cref="AtaNotFiniteException">The gradient is not finite: training diverges. It is cleared and the
    /// weights stay.</exception>
    /// <exception cref="ArgumentException">The rate is negative or not finite; the gradient stays.</exception>
    /// <exception cref="InvalidOperationException">Nothing was accumulated since the last update.</exception>
    /// <exception cref="AtaDeviceException">The device failed. Weights and gradient are as before; unless it is lost with the
    /// whole update under way: then the trainer takes no call but <see cref="Load"/>.</exception>
    public double Update(double learningRate)
    {
        using Lease<ata_trainer> trainer = _handle.LeaseExclusively();
        double norm;
        NativeStatus.Check(NativeMethods.ata_trainer_update(trainer.Pointer, learningRate, &norm));
        return norm;
    }

    /// <summary>Copies the average of the weights, or the weights if no average is kept, into a new trainable
    /// model.</summary>
    public Model AveragedModel()
    {
        using Lease<ata_trainer> trainer = _handle.LeaseExclusively();
        ata_model* model;
        NativeStatus.Check(NativeMethods.ata_trainer_get_averaged_model(trainer.Pointer, &model));
        return new Model(model);
    }

    /// <summary>Writes everything that training needs to continue bit for bit; the file is never half-written.</summary>
    /// <param name="path">File to write.</param>
    /// <param name="state">The caller's own state, stored with it as metadata <c>state</c>; null for none.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void Save(string path, string? state = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        using var pathText = new Utf8Text(path, stackalloc byte[Utf8Text.BufferSize]);
        using var stateText = new Utf8Text(state, stackalloc byte[Utf8Text.BufferSize]);
        using Lease<ata_trainer> trainer = _handle.LeaseExclusively();
        NativeStatus.Check(NativeMethods.ata_trainer_save(trainer.Pointer, pathText.Pointer, stateText.Pointer), path);
    }

    /// <summary>Restores what <see cref="Save"/> wrote for an equal model and equal options. On failure nothing has
    /// changed.</summary>
    /// <param name="path">File to read.</param>
    /// <exception cref="FileNotFoundException">The file does not exist.</exception>
    /// <exception cref="AtaModelException">The file is not such a checkpoint.</exception>
    /// <exception cref="ArgumentException">It was saved with another model or other options.</exception>
    public void Load(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        using var pathText = new Utf8Text(path, stackalloc byte[Utf8Text.BufferSize]);
        using Lease<ata_trainer> trainer = _handle.LeaseExclusively();
        NativeStatus.Check(NativeMethods.ata_trainer_load(trainer.Pointer, pathText.Pointer), path);
    }

    /// <inheritdoc/>
    public void Dispose() => _handle.Dispose();

    private sealed class TrainerHandle(ata_trainer* pointer, System.Runtime.InteropServices.SafeHandle model, long bytes)
        : NativeHandle<ata_trainer>(pointer, nameof(Trainer), model, bytes)
    {
        protected override void ReleaseNative(ata_trainer* pointer) => NativeMethods.ata_trainer_release(pointer);
    }
}
