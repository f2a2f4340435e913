using System.Runtime.InteropServices;
using Ata.Bindings;
using Ata.Interop;

namespace Ata;

/// <summary>
/// Weights and configuration of a model. Runs happen in a <see cref="Session"/>; <see cref="VideoClassifier"/> does
/// both in one.
/// </summary>
/// <remarks>Thread-safe, except that <see cref="SetLabels"/> must come before other threads use the model.</remarks>
public sealed unsafe class Model : IDisposable
{
    private readonly ModelHandle _handle;
    private IReadOnlyList<string>? _labels;
    private IReadOnlyList<string>? _parameterNames;

    /// <summary>Takes ownership of a native model.</summary>
    internal Model(ata_model* pointer, Precision precision = Precision.Float32)
    {
        ata_model_config config;
        try
        {
            NativeStatus.Check(NativeMethods.ata_model_get_config(pointer, &config));
        }
        catch
        {
            NativeMethods.ata_model_release(pointer);
            throw;
        }

        Config = ModelConfig.FromNative(&config);
        _handle = new ModelHandle(pointer, Config.ParameterCount * (precision == Precision.BFloat16 ? 2 : 4));
    }

    /// <summary>The configuration that the model runs with.</summary>
    public ModelConfig Config { get; }

    /// <summary>The names of the classes; empty if the model has none.</summary>
    public IReadOnlyList<string> Labels => _labels ??= ReadLabels();

    /// <summary>The names of the parameter tensors, as in the checkpoint.</summary>
    public IReadOnlyList<string> ParameterNames => _parameterNames ??= ReadParameterNames();

    internal ModelHandle Handle => _handle;

    /// <summary>Loads a checkpoint: safetensors with a configuration, as <see cref="Save"/> writes.</summary>
    /// <param name="path">File to read.</param>
    /// <param name="options">Options; null for the defaults.</param>
    /// <exception cref="FileNotFoundException">The file does not exist.</exception>
    /// <exception cref="AtaModelException">The file is malformed, or contradicts its own configuration.</exception>
    /// <exception cref="AtaDeviceException">The device does not exist, or cannot be used.</exception>
    /// <exception cref="ArgumentException">An option is out of range, or contradicts the checkpoint.</exception>
    /// <exception cref="NotSupportedException">The checkpoint lacks what the temporal mode needs, or the device does not
    /// support what was asked for.</exception>
    public static Model Load(string path, ModelOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        options ??= new ModelOptions();
        ArgumentNullException.ThrowIfNull(options.Device);
        using var text = new Utf8Text(path, stackalloc byte[Utf8Text.BufferSize]);
        using var device = new Utf8Text(options.Device, stackalloc byte[Utf8Text.BufferSize], nameof(options));
        ata_model_options native = options.ToNative(device.Pointer);
        ata_model* model;
        NativeStatus.Check(NativeMethods.ata_model_load(text.Pointer, &native, &model), path);
        return new Model(model, options.Precision);
    }

    /// <summary>Loads a checkpoint on another thread.</summary>
    /// <param name="path">File to read.</param>
    /// <param name="options">Options; null for the defaults.</param>
    /// <param name="cancellationToken">Stops the call before it begins to read; reading itself is not interrupted.</param>
    /// <inheritdoc cref="Load" path="/exception"/>
    public static Task<Model> LoadAsync(
        string path, ModelOptions? options = null, CancellationToken cancellationToken = default) =>
        Task.Run(() => Load(path, options), cancellationToken);

    /// <summary>Makes a trainable model with random weights.</summary>
    /// <param name="config">Its configuration.</param>
    /// <param name="seed">Seed; the same seed gives the same weights on every machine.</param>
    /// <exception cref="ArgumentException">The configuration contradicts itself.</exception>
    public static Model Create(ModelConfig config, ulong seed = 0)
    {
        ArgumentNullException.ThrowIfNull(config);
        ata_model_config native = config.ToNative();
        ata_model* model;
        NativeStatus.Check(NativeMethods.ata_model_create(&native, seed, &model));
        return new Model(model);
    }

    /// <summary>Reads a foreign checkpoint that is stored as safetensors. The result is trainable.</summary>
    /// <param name="path">File to read.</param>
    /// <param name="options">Options; null for the defaults.</param>
    /// <exception cref="FileNotFoundException">The file does not exist.</exception>
    /// <exception cref="AtaModelException">The file is malformed, or not of a kind that is known.</exception>
    /// <exception cref="ArgumentException">An option is out of range, or contradicts the checkpoint.</exception>
    public static Model Import(string path, ImportOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        using var text = new Utf8Text(path, stackalloc byte[Utf8Text.BufferSize]);
        ata_import_options native = (options ?? new ImportOptions()).ToNative();
        ata_model* model;
        NativeStatus.Check(NativeMethods.ata_model_import(text.Pointer, &native, &model), path);
        return new Model(model);
    }

    /// <summary>Writes the checkpoint of a trainable model. The file is never half-written.</summary>
    /// <param name="path">File to write.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    /// <exception cref="NotSupportedException">The model is not trainable.</exception>
    public void Save(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        using Lease<ata_model> lease = _handle.Lease();
        using var text = new Utf8Text(path, stackalloc byte[Utf8Text.BufferSize]);
        NativeStatus.Check(NativeMethods.ata_model_save(lease.Pointer, text.Pointer), path);
    }

    /// <summary>Names the classes of a model that no session uses yet.</summary>
    /// <param name="labels">One name for each class.</param>
    /// <exception cref="ArgumentException">There are more or fewer labels than classes, or one is null or contains a zero
    /// character.</exception>
    public void SetLabels(IReadOnlyList<string> labels)
    {
        ArgumentNullException.ThrowIfNull(labels);
        using Lease<ata_model> lease = _handle.Lease();
        var texts = new nint[labels.Count];
        try
        {
            for (int i = 0; i < texts.Length; ++i)
            {
                string label = labels[i];
                if (label is null || label.Contains('\0'))
                {
                    throw new ArgumentException($"Label {i} is null or contains a zero character.", nameof(labels));
                }

                texts[i] = Marshal.StringToCoTaskMemUTF8(label);
            }

            fixed (nint* pointers = texts)
            {
                NativeStatus.Check(
                    NativeMethods.ata_model_set_labels(lease.Pointer, (byte**)pointers, (nuint)texts.Length));
            }
        }
        finally
        {
            foreach (nint text in texts)
            {
                Marshal.FreeCoTaskMem(text);
            }
        }

        _labels = null;
    }

    /// <summary>Creates a session, which keeps the weights alive even when the model is disposed.</summary>
    public Session CreateSession() => new(this);

    /// <summary>Releases the model; sessions keep the weights alive.</summary>
    public void Dispose() => _handle.Dispose();

    private string[] ReadLabels()
    {
        using Lease<ata_model> lease = _handle.Lease();
        var labels = new string[Config.Classes];
        for (int i = 0; i < labels.Length; ++i)
        {
            byte* label;
            NativeStatus.Check(NativeMethods.ata_model_get_label(lease.Pointer, i, &label));
            if (label is null)
            {
                return [];
            }

            labels[i] = Marshal.PtrToStringUTF8((nint)label)!;
        }

        return labels;
    }

    private string[] ReadParameterNames()
    {
        using Lease<ata_model> lease = _handle.Lease();
        var names = new string[checked((int)NativeMethods.ata_model_parameter_count(lease.Pointer))];
        for (int i = 0; i < names.Length; ++i)
        {
            byte* name;
            NativeStatus.Check(NativeMethods.ata_model_parameter_name(lease.Pointer, (nuint)i, &name));
            names[i] = Marshal.PtrToStringUTF8((nint)name)!;
        }

        return names;
    }
}
