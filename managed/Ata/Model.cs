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
    private IReadOnlyList<ImportNote>? _importNotes;

    /// <summary>Takes ownership of a native model.</summary>
    internal Model(ata_model* pointer, Precision precision = Precision.Float32)
    {
        ata_model_config config = new() { struct_size = (nuint)sizeof(ata_model_config) };
        byte* device;
        try
        {
            NativeStatus.Check(NativeMethods.ata_model_get_config(pointer, &config));
            NativeStatus.Check(NativeMethods.ata_model_get_device(pointer, &device));
        }
        catch
        {
            NativeMethods.ata_model_release(pointer);
            throw;
        }

        Config = ModelConfig.FromNative(&config);
        Device = Marshal.PtrToStringUTF8((nint)device)!;
        ParameterCount = NativeMethods.ata_model_value_count(pointer);
        _handle = new ModelHandle(pointer, ParameterCount * (precision == Precision.BFloat16 ? 2 : 4));
    }

    /// <summary>The configuration that the model runs with.</summary>
    public ModelConfig Config { get; }

    /// <summary>The device that the model is on. Its sessions and trainers run there; clips come from the CPU or from
    /// it.</summary>
    public string Device { get; }

    /// <summary>The names of the classes; empty if the model has none.</summary>
    public IReadOnlyList<string> Labels => _labels ??= ReadLabels();

    /// <summary>The names of the parameter tensors, as in the checkpoint.</summary>
    public IReadOnlyList<string> ParameterNames => _parameterNames ??= ReadParameterNames();

    /// <summary>How many values the parameter tensors hold together. It may be more than the temporal mode needs, for a
    /// checkpoint keeps what other modes read.</summary>
    public long ParameterCount { get; }

    /// <summary>What became of the file that <see cref="Import"/> read: what was found, assumed, converted, made new and
    /// left out. Empty for a model that was not imported.</summary>
    public IReadOnlyList<ImportNote> ImportNotes => _importNotes ??= ReadImportNotes();

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

    /// <summary>Loads a checkpoint that a stream holds from its position on. The stream is read into memory to its end (up
    /// to <see cref="ModelOptions.MaxStreamBytes"/>), which is let go when the model is loaded.</summary>
    /// <param name="stream">The stream, seekable or not, which stays open.</param>
    /// <param name="options">Options; null for the defaults.</param>
    /// <param name="name">What messages call the checkpoint; null for the path of a <see cref="FileStream"/>, else
    /// <c>&lt;memory&gt;</c>.</param>
    /// <exception cref="IOException">The stream is too long, or cannot be read.</exception>
    /// <exception cref="AtaModelException">The content is malformed, or contradicts its own configuration.</exception>
    /// <exception cref="AtaDeviceException">The device does not exist, or cannot be used.</exception>
    /// <exception cref="ArgumentException">The stream is not readable; or an option is out of range, or contradicts the
    /// checkpoint.</exception>
    /// <exception cref="NotSupportedException">The checkpoint lacks what the temporal mode needs, or the device does not
    /// support what was asked for.</exception>
    public static Model Load(Stream stream, ModelOptions? options = null, string? name = null)
    {
        ArgumentNullException.ThrowIfNull(stream);
        options ??= new ModelOptions();
        ReadOnlyMemory<byte> content = WholeStream.Read(stream, options.MaxStreamBytes, nameof(options.MaxStreamBytes));
        return Load(content, options, name ?? WholeStream.NameOf(stream));
    }

    /// <summary>Loads a checkpoint that is in memory, as one that is a file.</summary>
    /// <param name="content">The file's bytes, which are not needed any more when the method returns.</param>
    /// <param name="options">Options; null for the defaults.</param>
    /// <param name="name">What messages call the checkpoint; null for <c>&lt;memory&gt;</c>.</param>
    /// <exception cref="AtaModelException">The content is malformed, or contradicts its own configuration.</exception>
    /// <exception cref="AtaDeviceException">The device does not exist, or cannot be used.</exception>
    /// <exception cref="ArgumentException">An option is out of range, or contradicts the checkpoint.</exception>
    /// <exception cref="NotSupportedException">The checkpoint lacks what the temporal mode needs, or the device does not
    /// support what was asked for.</exception>
    public static Model Load(ReadOnlyMemory<byte> content, ModelOptions? options = null, string? name = null)
    {
        options ??= new ModelOptions();
        ArgumentNullException.ThrowIfNull(options.Device);
        using var text = new Utf8Text(name, stackalloc byte[Utf8Text.BufferSize]);
        using var device = new Utf8Text(options.Device, stackalloc byte[Utf8Text.BufferSize], nameof(options));
        ata_model_options native = options.ToNative(device.Pointer);
        ata_model* model;
        fixed (byte* data = content.Span)
        {
            NativeStatus.Check(
                NativeMethods.ata_model_load_memory(data, (nuint)content.Length, text.Pointer, &native, &model), name);
        }

        return new Model(model, options.Precision);
    }

    /// <summary>Loads a checkpoint on another thread.</summary>
    /// <param name="path">File to read.</param>
    /// <param name="options">Options; null for the defaults.</param>
    /// <param name="cancellationToken">Stops the call before it begins to read; reading itself is not interrupted.</param>
    /// <inheritdoc cref="Load(string, ModelOptions?)" path="/exception"/>
    public static Task<Model> LoadAsync(
        string path, ModelOptions? options = null, CancellationToken cancellationToken = default) =>
        Task.Run(() => Load(path, options), cancellationToken);

    /// <summary>Loads a checkpoint that a stream holds from its position on: reads it asynchronously, and loads it on
    /// another thread.</summary>
    /// <param name="stream">The stream, seekable or not, which stays open.</param>
    /// <param name="options">Options; null for the defaults.</param>
    /// <param name="name">What messages call the checkpoint; null for the path of a <see cref="FileStream"/>, else
    /// <c>&lt;memory&gt;</c>.</param>
    /// <param name="cancellationToken">Stops reading the stream.</param>
    /// <inheritdoc cref="Load(Stream, ModelOptions?, string?)" path="/exception"/>
    public static Task<Model> LoadAsync(
        Stream stream, ModelOptions? options = null, string? name = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(stream);
        options ??= new ModelOptions();
        return WholeStream.ReadAsync(
            stream,
            options.MaxStreamBytes,
            nameof(options.MaxStreamBytes),
            content => Load(content, options, name ?? WholeStream.NameOf(stream)),
            cancellationToken);
    }

    /// <summary>Makes a trainable model with random weights.</summary>
    /// <param name="config">Its configuration.</param>
    /// <param name="seed">Seed; the same seed gives the same weights on every machine and device.</param>
    /// <param name="device">Where the model is and runs, and is trained: <c>cpu</c>, <c>cuda</c> or <c>cuda:1</c>.</param>
    /// <exception cref="ArgumentException">The configuration contradicts itself.</exception>
    /// <exception cref="AtaDeviceException">The device does not exist, or cannot be used.</exception>
    public static Model Create(ModelConfig config, ulong seed = 0, string device = "cpu")
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(device);
        using var name = new Utf8Text(device, stackalloc byte[Utf8Text.BufferSize], nameof(device));
        using var native = new ModelConfig.NativeConfig(config);
        ata_model_config value = native.Value;
        ata_model* model;
        NativeStatus.Check(NativeMethods.ata_model_create(&value, seed, name.Pointer, &model));
        return new Model(model);
    }

    /// <summary>Makes a copy of this trainable model with a new head, random as a new model's and without labels. The
    /// rest is the same.</summary>
    /// <param name="classes">Number of classes of the new head.</param>
    /// <param name="seed">Seed of its weights.</param>
    /// <exception cref="NotSupportedException">The model was not loaded as trainable.</exception>
    /// <exception cref="ArgumentException">There cannot be so many classes.</exception>
    public Model ReplaceHead(int classes, ulong seed = 0)
    {
        using Lease<ata_model> lease = _handle.Lease();
        ata_model* replaced;
        NativeStatus.Check(NativeMethods.ata_model_replace_head(lease.Pointer, classes, seed, &replaced));
        return new Model(replaced);
    }

    /// <summary>Reads a foreign checkpoint: safetensors, shards with their index, a PyTorch file (of which nothing is
    /// executed), or the folder of one. The model computes what the original computed; <see cref="ImportNotes"/> tells
    /// what became of the file. The result is trainable.</summary>
    /// <param name="path">File or folder to read.</param>
    /// <param name="options">Options; null for the defaults.</param>
    /// <exception cref="FileNotFoundException">The file does not exist.</exception>
    /// <exception cref="AtaModelException">The file is malformed, is not of a kind that is known, has a tensor that is
    /// unknown, lacks one, is contradicted by a configuration file, or must be told more about.</exception>
    /// <exception cref="AtaDeviceException">The device does not exist, or cannot be used.</exception>
    /// <exception cref="ArgumentException">An option is out of range, or contradicts the checkpoint, or names what the file does not have.</exception>
    public static Model Import(string path, ImportOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        options ??= new ImportOptions();
        ArgumentNullException.ThrowIfNull(options.Device);
        using var text = new Utf8Text(path, stackalloc byte[Utf8Text.BufferSize]);
        using var key = new Utf8Text(options.Key, stackalloc byte[Utf8Text.BufferSize], nameof(options));
        using var ignore = new Utf8Texts(options.Ignore, "Pattern", nameof(options));
        using var device = new Utf8Text(options.Device, stackalloc byte[Utf8Text.BufferSize], nameof(options));
        ata_import_options native = options.ToNative(key.Pointer, ignore.Pointer, device.Pointer);
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
        using var texts = new Utf8Texts(labels, "Label", nameof(labels));
        NativeStatus.Check(NativeMethods.ata_model_set_labels(lease.Pointer, texts.Pointer, (nuint)labels.Count));
        _labels = null;
    }

    /// <summary>Creates a session, which keeps the weights alive even when the model is disposed.</summary>
    public Session CreateSession() => CreateSession(new SessionOptions());

    /// <summary>Creates a session, which keeps the weights alive even when the model is disposed.</summary>
    /// <param name="options">Options.</param>
    /// <exception cref="ArgumentException">An option is out of range, or the stream is none of the model's device.</exception>
    /// <exception cref="NotSupportedException">A stream is given, and the device has no queues: the CPU.</exception>
    public Session CreateSession(SessionOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return new Session(this, options);
    }

    /// <summary>Creates a session that does its work on the caller's queue of the model's device, in order with what else
    /// is queued there.</summary>
    /// <param name="stream">A <c>cudaStream_t</c>, which the caller keeps until the session is disposed.</param>
    /// <exception cref="ArgumentException">It is no stream of the model's device.</exception>
    /// <exception cref="NotSupportedException">The device has no queues: the CPU.</exception>
    public Session CreateSession(nint stream)
    {
        ArgumentOutOfRangeException.ThrowIfZero(stream);
        return CreateSession(new SessionOptions { Stream = stream });
    }

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

    private ImportNote[] ReadImportNotes()
    {
        using Lease<ata_model> lease = _handle.Lease();
        var notes = new ImportNote[checked((int)NativeMethods.ata_model_import_note_count(lease.Pointer))];
        for (int i = 0; i < notes.Length; ++i)
        {
            notes[i] = ImportNote.Read(lease.Pointer, (nuint)i);
        }

        return notes;
    }

    private string[] ReadParameterNames()
    {
        using Lease<ata_model> lease = _handle.Lease();
        var names = new string[checked((int)NativeMethods.ata_model_parameter_count(lease.Pointer))];
        for (int i = 0; i < names.Length; ++i)
        {
            byte* name;
            NativeStatus.Check(NativeMethods.ata_model_get_parameter_name(lease.Pointer, (nuint)i, &name));
            names[i] = Marshal.PtrToStringUTF8((nint)name)!;
        }

        return names;
    }
}
