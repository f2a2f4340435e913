using System.Runtime.InteropServices;
using Ata.Bindings;
using Ata.Interop;

namespace Ata;

/// <summary>
/// Attention over time along trajectories, to plug into any image backbone: it aligns the frames of features, and adds
/// to each patch what attention gathers along its trajectory. Its weights are those of a model block's temporal step:
/// <c>temporal_norm1</c>, <c>temporal_attn.qkv</c>, <c>temporal_attn.proj</c> and <c>temporal_fc</c>, which starts at zero,
/// so that a pretrained backbone is at first unchanged.
/// </summary>
/// <remarks>One thread at a time.</remarks>
public sealed unsafe class TemporalBlock : IDisposable
{
    private readonly TemporalBlockHandle _handle;

    /// <summary>Creates a block with random weights.</summary>
    /// <param name="channels">Channels of a patch, D.</param>
    /// <param name="options">Options; null for the defaults.</param>
    /// <exception cref="ArgumentException">An option is out of range, the heads do not divide the channels, or the alignment
    /// names another device than the block's.</exception>
    /// <exception cref="AtaDeviceException">The device cannot be used.</exception>
    public TemporalBlock(int channels, TemporalBlockOptions? options = null)
    {
        options ??= new TemporalBlockOptions();
        ArgumentNullException.ThrowIfNull(options.Device);
        ArgumentNullException.ThrowIfNull(options.Alignment);
        using var alignmentDevice = new Utf8Text(options.Alignment.Device, stackalloc byte[Utf8Text.BufferSize], nameof(options));
        ata_alignment_options alignment = options.Alignment.ToNative(alignmentDevice.Pointer);
        using var device = new Utf8Text(options.Device, stackalloc byte[Utf8Text.BufferSize], nameof(options));
        ata_temporal_block_options native = options.ToNative(device.Pointer);
        ata_temporal_block* block;
        NativeStatus.Check(NativeMethods.ata_temporal_block_create(channels, &native, &alignment, &block));
        _handle = new TemporalBlockHandle(block, HeldBytes.OfTemporalBlock(channels));
        Channels = channels;
        ParameterNames = ReadNames();
    }

    /// <summary>Channels of a patch, D.</summary>
    public int Channels { get; }

    /// <summary><c>temporal_norm1.weight</c> and so on, as in a block of a checkpoint.</summary>
    public IReadOnlyList<string> ParameterNames { get; }

    /// <summary>Runs the block.</summary>
    /// <param name="features">Finite Float32 <c>[B, T, N, D]</c>, or feature maps <c>[B, T, D, H, W]</c>, whose H x W patches
    /// are also the grid of <see cref="AlignmentMethod.Window"/>. Class tokens have no place here.</param>
    /// <param name="forBackward">Keep what <see cref="Backward"/> needs.</param>
    /// <returns>Features of the same shape, on the device that they came from, which the caller disposes.</returns>
    /// <exception cref="ArgumentException">The features have another type, shape or number of channels, or are not
    /// finite.</exception>
    public AtaTensor Forward(AtaTensor features, bool forBackward = false)
    {
        ArgumentNullException.ThrowIfNull(features);
        using Lease<ata_temporal_block> lease = _handle.LeaseExclusively();
        using Lease<ata_tensor> tensor = features.Handle.Lease();
        ata_tensor* output;
        NativeStatus.Check(NativeMethods.ata_temporal_block_forward(lease.Pointer, tensor.Pointer, forBackward ? 1 : 0, &output));
        ReportPass(HeldBytes.OfTemporalPass(features.ByteCount, forBackward));
        return new AtaTensor(output);
    }

    /// <summary>Runs the block along trajectories that are given, instead of aligning the features: those of another layer, of
    /// <see cref="FrameAligner"/> on other features, of a tracker. Where several trajectories meet in a patch, the mean of
    /// what they gather is added; patches that none visits keep their value.</summary>
    /// <param name="features">As for <see cref="Forward"/>.</param>
    /// <param name="trajectories">Int32 <c>[B, T, N]</c>: the patch of frame t on trajectory n, 0 to N - 1; for instance
    /// <see cref="Trajectories.Tensor"/>.</param>
    /// <param name="forBackward">Keep what <see cref="Backward"/> needs.</param>
    /// <returns>Features of the same shape, on the device that they came from, which the caller disposes.</returns>
    /// <exception cref="ArgumentException">The features are not as <see cref="Forward"/> takes them, or the trajectories have
    /// another type or shape or leave the frame.</exception>
    public AtaTensor ForwardAlong(AtaTensor features, AtaTensor trajectories, bool forBackward = false)
    {
        ArgumentNullException.ThrowIfNull(features);
        ArgumentNullException.ThrowIfNull(trajectories);
        using Lease<ata_temporal_block> lease = _handle.LeaseExclusively();
        using Lease<ata_tensor> tensor = features.Handle.Lease();
        using Lease<ata_tensor> index = trajectories.Handle.Lease();
        ata_tensor* output;
        NativeStatus.Check(NativeMethods.ata_temporal_block_forward_along(
            lease.Pointer, tensor.Pointer, index.Pointer, forBackward ? 1 : 0, &output));
        ReportPass(HeldBytes.OfTemporalPass(features.ByteCount, forBackward));
        return new AtaTensor(output);
    }

    /// <summary>Goes back through the last <see cref="Forward"/>, once; then <see cref="GetGradient"/> has the gradients of
    /// the parameters. Trajectories are constants for the gradient.</summary>
    /// <param name="gradient">Gradient of the output, Float32 of its shape.</param>
    /// <returns>The gradient of the features, on the device that <paramref name="gradient"/> came from, which the caller
    /// disposes.</returns>
    /// <exception cref="InvalidOperationException">There is no forward to go back through.</exception>
    /// <exception cref="ArgumentException">The gradient has another type or shape, or is not finite.</exception>
    public AtaTensor Backward(AtaTensor gradient)
    {
        ArgumentNullException.ThrowIfNull(gradient);
        using Lease<ata_temporal_block> lease = _handle.LeaseExclusively();
        using Lease<ata_tensor> tensor = gradient.Handle.Lease();
        ata_tensor* back;
        NativeStatus.Check(NativeMethods.ata_temporal_block_backward(lease.Pointer, tensor.Pointer, &back));
        // The gradients of the weights, too.
        ReportPass(HeldBytes.OfTemporalBackward(gradient.ByteCount) + HeldBytes.OfTemporalBlock(Channels));
        return new AtaTensor(back);
    }

    /// <summary>Opens a parameter.</summary>
    /// <param name="name">Name of the parameter.</param>
    /// <returns>Float32 that shares the block's memory on its device, which the caller disposes: writing to it, between a
    /// backward and the next forward, changes the block. <see cref="AtaTensor.CopyTo(AtaTensor)"/> does so on any
    /// device.</returns>
    /// <exception cref="KeyNotFoundException">The block has no parameter of that name.</exception>
    public AtaTensor GetParameter(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        using Lease<ata_temporal_block> lease = _handle.LeaseExclusively();
        using var text = new Utf8Text(name, stackalloc byte[Utf8Text.BufferSize]);
        ata_tensor* parameter;
        NativeStatus.Check(NativeMethods.ata_temporal_block_get_parameter(lease.Pointer, text.Pointer, &parameter));
        return new AtaTensor(parameter);
    }

    /// <summary>Reads a parameter's gradient, of the last <see cref="Backward"/>.</summary>
    /// <param name="name">Name of the parameter.</param>
    /// <returns>Float32 of the parameter's shape, which the caller disposes.</returns>
    /// <exception cref="KeyNotFoundException">The block has no parameter of that name.</exception>
    /// <exception cref="InvalidOperationException">There was no backward yet.</exception>
    public AtaTensor GetGradient(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        using Lease<ata_temporal_block> lease = _handle.LeaseExclusively();
        using var text = new Utf8Text(name, stackalloc byte[Utf8Text.BufferSize]);
        ata_tensor* gradient;
        NativeStatus.Check(NativeMethods.ata_temporal_block_get_gradient(lease.Pointer, text.Pointer, &gradient));
        return new AtaTensor(gradient);
    }

    /// <summary>Reads the trajectories of the last <see cref="Forward"/>.</summary>
    /// <returns>Trajectories that the caller disposes.</returns>
    /// <exception cref="NotSupportedException">The alignment is <see cref="AlignmentMethod.Soft"/>, which has
    /// none.</exception>
    /// <exception cref="InvalidOperationException">There was no forward yet.</exception>
    public Trajectories GetTrajectories()
    {
        using Lease<ata_temporal_block> lease = _handle.LeaseExclusively();
        ata_tensor* trajectories;
        NativeStatus.Check(NativeMethods.ata_temporal_block_get_trajectories(lease.Pointer, &trajectories));
        return new Trajectories(trajectories, null);
    }

    /// <summary>Takes the weights from a file of tensors, such as a checkpoint. All or none.</summary>
    /// <param name="file">The file.</param>
    /// <param name="prefix">What their names begin with, such as <c>blocks.3.</c></param>
    /// <exception cref="KeyNotFoundException">A tensor is missing.</exception>
    /// <exception cref="ArgumentException">A tensor has another type or shape.</exception>
    public void ReadFrom(TensorFile file, string prefix = "")
    {
        ArgumentNullException.ThrowIfNull(file);
        ArgumentNullException.ThrowIfNull(prefix);
        var tensors = new List<AtaTensor>();
        try
        {
            foreach (string name in ParameterNames)
            {
                AtaTensor tensor = file.Get(prefix + name);
                tensors.Add(tensor);
                using AtaTensor parameter = GetParameter(name);
                if (tensor.ElementType != parameter.ElementType || !tensor.Shape.SequenceEqual(parameter.Shape))
                {
                    throw new ArgumentException($"The tensor '{PrintableText.Name(prefix + name)}' is {tensor}; the block takes {parameter}.", nameof(file));
                }
            }

            for (int i = 0; i < tensors.Count; ++i)
            {
                using AtaTensor parameter = GetParameter(ParameterNames[i]);
                tensors[i].CopyTo(parameter);
            }
        }
        finally
        {
            tensors.ForEach(t => t.Dispose());
        }
    }

    /// <summary>Puts copies of the weights into a file of tensors.</summary>
    /// <param name="file">The file.</param>
    /// <param name="prefix">What their names shall begin with.</param>
    public void WriteTo(TensorFile file, string prefix = "")
    {
        ArgumentNullException.ThrowIfNull(file);
        ArgumentNullException.ThrowIfNull(prefix);
        foreach (string name in ParameterNames)
        {
            using AtaTensor parameter = GetParameter(name);
            using AtaTensor copy = parameter.CopyTo("cpu");
            file.Set(prefix + name, copy);
        }
    }

    /// <summary>Releases the block; parameters that were opened stay valid.</summary>
    public void Dispose() => _handle.Dispose();

    /// <summary>Reports what the block holds after a pass, while it is leased.</summary>
    private void ReportPass(long bytes) => _handle.Report(HeldBytes.OfTemporalBlock(Channels) + bytes);

    private string[] ReadNames()
    {
        using Lease<ata_temporal_block> lease = _handle.LeaseExclusively();
        var names = new string[NativeMethods.ata_temporal_block_parameter_count(lease.Pointer)];
        for (int i = 0; i < names.Length; ++i)
        {
            byte* name;
            NativeStatus.Check(NativeMethods.ata_temporal_block_get_parameter_name(lease.Pointer, (nuint)i, &name));
            names[i] = Marshal.PtrToStringUTF8((nint)name)!;
        }

        return names;
    }
}
