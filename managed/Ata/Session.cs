using System.Numerics.Tensors;
using Ata.Bindings;
using Ata.Interop;

namespace Ata;

/// <summary>
/// Workspace of one sequence of runs on a model. Clips are Float32 <c>[B, 3, T, H, W]</c>, normalised, with T, H and W
/// as in the model's configuration; logits are <c>[B, classes]</c>.
/// </summary>
/// <remarks>One thread at a time; make one session for each thread, they share the weights.</remarks>
public sealed unsafe class Session : IDisposable
{
    private readonly SessionHandle _handle;
    private readonly long _parameterCount;

    internal SessionHandle Handle => _handle;

    internal Session(Model model, SessionOptions options)
    {
        ata_session_options native = options.ToNative();
        using Lease<ata_model> lease = model.Handle.Lease();
        ata_session* session;
        NativeStatus.Check(NativeMethods.ata_session_create(lease.Pointer, &native, &session));
        _handle = new SessionHandle(session, model.Handle);
        _parameterCount = model.ParameterCount;
        Config = model.Config;
    }

    /// <summary>The configuration of the model.</summary>
    public ModelConfig Config { get; }

    /// <summary>Classifies clips, without copying them.</summary>
    /// <param name="clips">One or more whole clips in row-major order; their number follows from the length.</param>
    /// <param name="logits">Receives the logits of all clips.</param>
    /// <param name="cancellationToken">Stops the run between two blocks.</param>
    /// <exception cref="ArgumentException">A span has the wrong length, or a clip holds a value that is not
    /// finite.</exception>
    /// <exception cref="AtaNotFiniteException">The model computes values that are not finite.</exception>
    /// <exception cref="OperationCanceledException">The run was cancelled.</exception>
    public void Forward(ReadOnlySpan<float> clips, Span<float> logits, CancellationToken cancellationToken = default)
    {
        Span<long> shape = stackalloc long[5];
        ShapeOf(clips, shape);
        fixed (float* data = clips)
        {
            using var tensor = BorrowedTensor.OfFloats(data, clips.Length, shape);
            Forward(tensor.Pointer, logits, cancellationToken);
        }
    }

    /// <summary>Classifies clips, without copying them.</summary>
    /// <param name="clips"><c>[B, 3, T, H, W]</c>, dense.</param>
    /// <param name="logits">Receives the logits of all clips.</param>
    /// <param name="cancellationToken">Stops the run between two blocks.</param>
    public void Forward(
        in ReadOnlyTensorSpan<float> clips, Span<float> logits, CancellationToken cancellationToken = default)
    {
        fixed (float* data = clips)
        {
            using var tensor = BorrowedTensor.Of(data, clips, nameof(clips));
            Forward(tensor.Pointer, logits, cancellationToken);
        }
    }

    /// <summary>Classifies clips.</summary>
    /// <param name="clips">Float32 <c>[B, 3, T, H, W]</c>, on the CPU or the model's device.</param>
    /// <param name="logits">Receives the logits of all clips.</param>
    /// <param name="cancellationToken">Stops the run between two blocks.</param>
    public void Forward(AtaTensor clips, Span<float> logits, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(clips);
        using Lease<ata_tensor> lease = clips.Handle.Lease();
        Forward(lease.Pointer, logits, cancellationToken);
    }

    /// <summary>Classifies one clip.</summary>
    /// <param name="clip">The clip.</param>
    /// <param name="logits">Receives one value for each class.</param>
    /// <param name="cancellationToken">Stops the run between two blocks.</param>
    public void Forward(VideoClip clip, Span<float> logits, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(clip);
        Forward(clip.Tensor, logits, cancellationToken);
    }

    /// <summary>Runs the model once and gives all that is wanted of that pass, which goes no further than that needs. Each
    /// result has the bits that it has alone.</summary>
    /// <param name="clips">Float32 <c>[B, 3, T, H, W]</c>, on the CPU or the model's device.</param>
    /// <param name="outputs">What is wanted, and where it goes. Nothing is written when the run fails.</param>
    /// <param name="cancellationToken">Stops the run between two blocks.</param>
    /// <exception cref="ArgumentException">A span has the wrong length, a block does not exist or is named twice, or
    /// nothing is wanted.</exception>
    /// <exception cref="AtaNotFiniteException">The model computes values that are not finite.</exception>
    /// <exception cref="NotSupportedException">Trajectories are wanted, and the model does not run in mode
    /// <see cref="TemporalMode.Ata"/>, or its alignment has no trajectories.</exception>
    /// <exception cref="OperationCanceledException">The run was cancelled.</exception>
    public void Run(AtaTensor clips, in SessionOutputs outputs, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(clips);
        using Lease<ata_tensor> lease = clips.Handle.Lease();
        Run(lease.Pointer, clips.Rank == 0 ? 0 : clips.Shape[0], outputs, cancellationToken);
    }

    /// <summary>Runs the model once, without copying the clips; see
    /// <see cref="Run(AtaTensor, in SessionOutputs, CancellationToken)"/>.</summary>
    /// <param name="clips">One or more whole clips in row-major order; their number follows from the length.</param>
    /// <param name="outputs">What is wanted, and where it goes. Nothing is written when the run fails.</param>
    /// <param name="cancellationToken">Stops the run between two blocks.</param>
    public void Run(ReadOnlySpan<float> clips, in SessionOutputs outputs, CancellationToken cancellationToken = default)
    {
        Span<long> shape = stackalloc long[5];
        ShapeOf(clips, shape);
        fixed (float* data = clips)
        {
            using var tensor = BorrowedTensor.OfFloats(data, clips.Length, shape);
            Run(tensor.Pointer, shape[0], outputs, cancellationToken);
        }
    }

    /// <summary>Classifies clips of a trainable model, and computes the mean cross-entropy and its gradient with respect
    /// to every parameter; see <see cref="GetGradient"/>.</summary>
    /// <param name="clips">Float32 <c>[B, 3, T, H, W]</c>, on the CPU or the model's device.</param>
    /// <param name="labels">The class of each clip.</param>
    /// <param name="logits">Receives the logits of all clips.</param>
    /// <param name="cancellationToken">Stops the run between two blocks.</param>
    /// <returns>The loss.</returns>
    /// <exception cref="ArgumentException">Clips, labels or logits do not fit the model.</exception>
    /// <exception cref="NotSupportedException">The model is not trainable.</exception>
    /// <exception cref="AtaNotFiniteException">Logits or loss are not finite.</exception>
    /// <exception cref="OperationCanceledException">The run was cancelled.</exception>
    public float ComputeGradients(
        AtaTensor clips, ReadOnlySpan<long> labels, Span<float> logits, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(clips);
        using Lease<ata_tensor> lease = clips.Handle.Lease();
        return ComputeGradients(lease.Pointer, labels, logits, cancellationToken);
    }

    /// <inheritdoc cref="ComputeGradients(AtaTensor, ReadOnlySpan{long}, Span{float}, CancellationToken)"/>
    public float ComputeGradients(
        ReadOnlySpan<float> clips,
        ReadOnlySpan<long> labels,
        Span<float> logits,
        CancellationToken cancellationToken = default)
    {
        Span<long> shape = stackalloc long[5];
        ShapeOf(clips, shape);
        fixed (float* data = clips)
        {
            using var tensor = BorrowedTensor.OfFloats(data, clips.Length, shape);
            return ComputeGradients(tensor.Pointer, labels, logits, cancellationToken);
        }
    }

    /// <summary>Reads a gradient of the last <c>ComputeGradients</c>.</summary>
    /// <param name="parameter">Name of the parameter.</param>
    /// <returns>Float32 of the parameter's shape, which the caller disposes.</returns>
    /// <exception cref="KeyNotFoundException">The model has no parameter of that name.</exception>
    /// <exception cref="InvalidOperationException">No gradients were computed yet.</exception>
    /// <exception cref="NotSupportedException">The model is not trainable.</exception>
    public AtaTensor GetGradient(string parameter)
    {
        ArgumentNullException.ThrowIfNull(parameter);
        using Lease<ata_session> lease = _handle.LeaseExclusively();
        using var name = new Utf8Text(parameter, stackalloc byte[Utf8Text.BufferSize]);
        ata_tensor* gradient;
        NativeStatus.Check(NativeMethods.ata_session_get_gradient(lease.Pointer, name.Pointer, &gradient));
        return new AtaTensor(gradient);
    }

    /// <summary>Reads the trajectories that a block of the last run followed.</summary>
    /// <param name="block">0 to depth - 1.</param>
    /// <returns>Trajectories that the caller disposes.</returns>
    /// <exception cref="NotSupportedException">The model does not run in mode <see cref="TemporalMode.Ata"/>, or its
    /// alignment has no trajectories.</exception>
    /// <exception cref="ArgumentException">There is no such block.</exception>
    /// <exception cref="InvalidOperationException">No run has reached the block yet.</exception>
    public Trajectories GetTrajectories(int block)
    {
        using Lease<ata_session> lease = _handle.LeaseExclusively();
        ata_tensor* trajectories;
        NativeStatus.Check(NativeMethods.ata_session_get_trajectories(lease.Pointer, block, &trajectories));
        return new Trajectories(trajectories, null);
    }

    /// <summary>Computes the patch tokens that enter a block: what alignment sees.
    /// <see cref="Run(AtaTensor, in SessionOutputs, CancellationToken)"/> gives those of several blocks in one pass.</summary>
    /// <param name="clips">Float32 <c>[B, 3, T, H, W]</c>, on the CPU or the model's device.</param>
    /// <param name="block">0 to depth - 1; depth for the output of the last block.</param>
    /// <param name="cancellationToken">Stops the run between two blocks.</param>
    /// <returns>Float32 <c>[B, T, N, D]</c>, which the caller disposes.</returns>
    /// <exception cref="ArgumentException">The clips do not fit the model, or there is no such block.</exception>
    /// <exception cref="AtaNotFiniteException">The model computes values that are not finite.</exception>
    /// <exception cref="OperationCanceledException">The run was cancelled.</exception>
    public AtaTensor GetFeatures(AtaTensor clips, int block, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(clips);
        // What is no clip is refused by the library; room for it would be as large as its first extent.
        AtaTensor features = AtaTensor.Create<float>(
            clips.Rank == 5 ? clips.Shape[0] : 0, Config.Frames, Config.Patches, Config.Dim);
        try
        {
            Run(clips, new SessionOutputs { FeatureBlocks = [block], Features = features.AsSpan<float>() }, cancellationToken);
            return features;
        }
        catch
        {
            features.Dispose();
            throw;
        }
    }

    /// <summary>Releases the session.</summary>
    public void Dispose() => _handle.Dispose();

    private void Forward(ata_tensor* clips, Span<float> logits, CancellationToken cancellationToken)
    {
        using Lease<ata_session> lease = _handle.LeaseExclusively();
        using var native = new NativeCancellation(cancellationToken);
        fixed (float* results = logits)
        {
            NativeStatus.Check(
                NativeMethods.ata_session_forward(lease.Pointer, clips, native.Pointer, results, (nuint)logits.Length),
                cancellation: cancellationToken);
        }

        _handle.Report(HeldBytes.OfForward(Config, logits.Length / Config.Classes));
    }

    private void Run(ata_tensor* clips, long count, in SessionOutputs outputs, CancellationToken cancellationToken)
    {
        using Lease<ata_session> lease = _handle.LeaseExclusively();
        using var native = new NativeCancellation(cancellationToken);
        fixed (float* logits = outputs.Logits)
        fixed (float* classToken = outputs.ClassToken)
        fixed (int* featureBlocks = outputs.FeatureBlocks)
        fixed (float* features = outputs.Features)
        fixed (int* trajectoryBlocks = outputs.TrajectoryBlocks)
        fixed (int* trajectories = outputs.Trajectories)
        {
            var wanted = new ata_session_outputs
            {
                struct_size = (nuint)sizeof(ata_session_outputs),
                logits = logits,
                logits_count = (nuint)outputs.Logits.Length,
                class_token = classToken,
                class_token_count = (nuint)outputs.ClassToken.Length,
                feature_blocks = featureBlocks,
                feature_block_count = (nuint)outputs.FeatureBlocks.Length,
                features = features,
                features_count = (nuint)outputs.Features.Length,
                trajectory_blocks = trajectoryBlocks,
                trajectory_block_count = (nuint)outputs.TrajectoryBlocks.Length,
                trajectories = trajectories,
                trajectories_count = (nuint)outputs.Trajectories.Length,
            };
            NativeStatus.Check(
                NativeMethods.ata_session_run(lease.Pointer, clips, native.Pointer, &wanted),
                cancellation: cancellationToken);
        }

        _handle.Report(HeldBytes.OfForward(Config, count));
    }

    private float ComputeGradients(
        ata_tensor* clips, ReadOnlySpan<long> labels, Span<float> logits, CancellationToken cancellationToken)
    {
        using Lease<ata_session> lease = _handle.LeaseExclusively();
        using var native = new NativeCancellation(cancellationToken);
        fixed (float* results = logits)
        fixed (long* classes = labels)
        {
            using var targets = new BorrowedTensor(
                classes, (nuint)labels.Length * sizeof(long), TensorElementType.Int64, [labels.Length]);
            float loss;
            NativeStatus.Check(
                NativeMethods.ata_session_compute_gradients(
                    lease.Pointer, clips, targets.Pointer, native.Pointer, results, (nuint)logits.Length, &loss),
                cancellation: cancellationToken);
            _handle.Report(HeldBytes.OfBackward(Config, labels.Length, _parameterCount));
            return loss;
        }
    }

    private void ShapeOf(ReadOnlySpan<float> clips, Span<long> shape)
    {
        long length = Config.ClipLength;
        if (clips.IsEmpty || clips.Length % length != 0)
        {
            throw new ArgumentException(
                $"The span has {clips.Length} values; a clip [3, {Config.Frames}, {Config.ImageSize}, {Config.ImageSize}] has {length}.",
                nameof(clips));
        }

        shape[0] = clips.Length / length;
        shape[1] = 3;
        shape[2] = Config.Frames;
        shape[3] = Config.ImageSize;
        shape[4] = Config.ImageSize;
    }
}
