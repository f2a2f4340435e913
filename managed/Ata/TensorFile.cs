using System.Runtime.InteropServices;
using Ata.Bindings;
using Ata.Interop;

namespace Ata;

/// <summary>A set of named tensors with text metadata, as a safetensors file holds.</summary>
/// <remarks>One thread at a time.</remarks>
public sealed unsafe class TensorFile : IDisposable
{
    private readonly TensorFileHandle _handle;
    private readonly string? _path;
    private IReadOnlyList<string>? _names;

    /// <summary>Makes an empty set, to be filled and saved.</summary>
    public TensorFile()
    {
        ata_tensor_file* file;
        NativeStatus.Check(NativeMethods.ata_tensor_file_create(&file));
        _handle = new TensorFileHandle(file);
    }

    private TensorFile(ata_tensor_file* file, string path)
    {
        _handle = new TensorFileHandle(file);
        _path = path;
    }

    /// <summary>The names of the tensors, in the order of the file.</summary>
    public IReadOnlyList<string> Names => _names ??= ReadNames();

    /// <summary>Opens a safetensors file and checks its header. Tensors are read when asked for.</summary>
    /// <param name="path">File to read.</param>
    /// <exception cref="FileNotFoundException">The file does not exist.</exception>
    /// <exception cref="AtaModelException">The file is malformed.</exception>
    public static TensorFile Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        using var text = new Utf8Text(path, stackalloc byte[Utf8Text.BufferSize]);
        ata_tensor_file* file;
        NativeStatus.Check(NativeMethods.ata_tensor_file_open(text.Pointer, &file), path);
        return new TensorFile(file, path);
    }

    /// <summary>Tells whether the set has a tensor of a name.</summary>
    /// <param name="name">The name.</param>
    public bool Contains(string name) => Names.Contains(name, StringComparer.Ordinal);

    /// <summary>Reads one tensor. Half and double precision become <see cref="TensorElementType.Float32"/>.</summary>
    /// <param name="name">Its name.</param>
    /// <returns>A tensor that the caller disposes.</returns>
    /// <exception cref="KeyNotFoundException">The set has no tensor of that name.</exception>
    /// <exception cref="AtaModelException">The tensor's type is not supported.</exception>
    public AtaTensor Get(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (!Contains(name))
        {
            throw new KeyNotFoundException(
                PrintableText.Of($"{_path ?? "The set"} has no tensor '{PrintableText.Name(name)}'; it has {NamesForMessage()}."));
        }

        using Lease<ata_tensor_file> lease = _handle.LeaseExclusively();
        using var text = new Utf8Text(name, stackalloc byte[Utf8Text.BufferSize]);
        ata_tensor* tensor;
        NativeStatus.Check(NativeMethods.ata_tensor_file_get(lease.Pointer, text.Pointer, &tensor), _path);
        return new AtaTensor(tensor);
    }

    /// <summary>Adds a tensor, or replaces the one of that name. The elements are shared, not copied, and stay alive
    /// even when the tensor is disposed before the set is saved.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="tensor">The tensor.</param>
    public void Set(string name, AtaTensor tensor)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(tensor);
        using Lease<ata_tensor_file> lease = _handle.LeaseExclusively();
        using Lease<ata_tensor> tensorLease = tensor.Handle.Lease();
        using var text = new Utf8Text(name, stackalloc byte[Utf8Text.BufferSize]);
        NativeStatus.Check(NativeMethods.ata_tensor_file_set(lease.Pointer, text.Pointer, tensorLease.Pointer));
        _names = null;
    }

    /// <summary>Adds a tensor of given elements, which are copied.</summary>
    /// <typeparam name="T">As for <see cref="AtaTensor.Create{T}(ReadOnlySpan{nint})"/>.</typeparam>
    /// <param name="name">Its name.</param>
    /// <param name="values">The elements in row-major order.</param>
    /// <param name="shape">Extents whose product is the number of elements.</param>
    public void Set<T>(string name, ReadOnlySpan<T> values, params ReadOnlySpan<nint> shape)
        where T : unmanaged
    {
        using AtaTensor tensor = AtaTensor.CopyOf(values, shape);
        Set(name, tensor);
    }

    /// <summary>Reads a metadata text; null if there is none.</summary>
    /// <param name="key">Its key.</param>
    public string? GetMetadata(string key)
    {
        ArgumentNullException.ThrowIfNull(key);
        using Lease<ata_tensor_file> lease = _handle.LeaseExclusively();
        using var text = new Utf8Text(key, stackalloc byte[Utf8Text.BufferSize]);
        byte* value;
        NativeStatus.Check(NativeMethods.ata_tensor_file_get_metadata(lease.Pointer, text.Pointer, &value));
        return Marshal.PtrToStringUTF8((nint)value);
    }

    /// <summary>Sets a metadata text.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="value">The text.</param>
    public void SetMetadata(string key, string value)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(value);
        using Lease<ata_tensor_file> lease = _handle.LeaseExclusively();
        using var keyText = new Utf8Text(key, stackalloc byte[Utf8Text.BufferSize]);
        using var valueText = new Utf8Text(value, stackalloc byte[Utf8Text.BufferSize]);
        NativeStatus.Check(
            NativeMethods.ata_tensor_file_set_metadata(lease.Pointer, keyText.Pointer, valueText.Pointer));
    }

    /// <summary>Writes the set as a safetensors file. The file is never half-written: it appears when it is
    /// complete.</summary>
    /// <param name="path">File to write.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void Save(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        using Lease<ata_tensor_file> lease = _handle.LeaseExclusively();
        using var text = new Utf8Text(path, stackalloc byte[Utf8Text.BufferSize]);
        NativeStatus.Check(NativeMethods.ata_tensor_file_save(lease.Pointer, text.Pointer), path);
    }

    /// <summary>Releases the set.</summary>
    public void Dispose() => _handle.Dispose();

    private string[] ReadNames()
    {
        using Lease<ata_tensor_file> lease = _handle.LeaseExclusively();
        var names = new string[checked((int)NativeMethods.ata_tensor_file_count(lease.Pointer))];
        for (int i = 0; i < names.Length; ++i)
        {
            byte* name;
            NativeStatus.Check(NativeMethods.ata_tensor_file_get_name(lease.Pointer, (nuint)i, &name));
            names[i] = Marshal.PtrToStringUTF8((nint)name)!;
        }

        return names;
    }

    private static string Quoted(string name) => $"'{PrintableText.Name(name)}'";

    private string NamesForMessage()
    {
        const int Most = 8;
        return Names.Count switch
        {
            0 => "no tensors",
            <= Most => string.Join(", ", Names.Select(Quoted)),
            _ => string.Join(", ", Names.Take(Most).Select(Quoted)) + $" and {Names.Count - Most} more",
        };
    }
}
