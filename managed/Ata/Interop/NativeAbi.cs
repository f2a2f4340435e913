using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Runtime.InteropServices;
using Ata.Bindings;

namespace Ata.Interop;

/// <summary>
/// Compares what a library has with what the bindings call before anything else is called, so that a library of another
/// version is an error and not corrupted memory. The binary interface must be of the same version, with every function
/// and every field that the bindings know, where they know it. A library that has more is newer, and serves older callers.
/// </summary>
internal static unsafe class NativeAbi
{
    private const string Remedy = "install both from the same release";

    /// <summary>Tells whether a library is one of Ata, of whatever version.</summary>
    public static bool IsAta(nint library) =>
        NativeLibrary.TryGetExport(library, nameof(NativeMethods.ata_abi_version), out _);

    /// <summary>Checks a library of Ata.</summary>
    /// <returns>Null if it matches, else the reason.</returns>
    public static string? Check(nint library)
    {
        nint versionExport = NativeLibrary.GetExport(library, nameof(NativeMethods.ata_abi_version));
        nint layoutExport = NativeLibrary.GetExport(library, nameof(NativeMethods.ata_abi_layout));
        uint version = ((delegate* unmanaged[Cdecl]<uint>)versionExport)();
        if (version != NativeMethods.ATA_ABI_VERSION)
        {
            return $"its binary interface is version {version}, not {NativeMethods.ATA_ABI_VERSION}; {Remedy}";
        }

        nuint count;
        ata_abi_entry* entries = ((delegate* unmanaged[Cdecl]<nuint*, ata_abi_entry*>)layoutExport)(&count);
        return CheckFunctions(library) ?? CheckLayout(new ReadOnlySpan<ata_abi_entry>(entries, checked((int)count)));
    }

    internal static string? CheckFunctions(nint library)
    {
        foreach (MethodInfo function in typeof(NativeMethods).GetMethods(BindingFlags.Public | BindingFlags.Static | BindingFlags.DeclaredOnly))
        {
            if (!NativeLibrary.TryGetExport(library, function.Name, out _))
            {
                return $"it is older and has no {function.Name}; {Remedy}";
            }
        }

        return null;
    }

    internal static string? CheckLayout(ReadOnlySpan<ata_abi_entry> layout) =>
        Difference<ata_abi_entry>(layout)
        ?? Difference<ata_device_info>(layout)
        ?? Difference<ata_tensor_info>(layout)
        ?? Difference<ata_alignment_options>(layout)
        ?? Difference<ata_assign_options>(layout)
        ?? Difference<ata_mi_options>(layout)
        ?? Difference<ata_model_config>(layout)
        ?? Difference<ata_model_dimensions>(layout)
        ?? Difference<ata_model_options>(layout)
        ?? Difference<ata_import_options>(layout)
        ?? Difference<ata_session_options>(layout)
        ?? Difference<ata_session_outputs>(layout)
        ?? Difference<ata_temporal_block_options>(layout)
        ?? Difference<ata_train_options>(layout)
        ?? Difference<ata_video_options>(layout)
        ?? Difference<ata_video_info>(layout)
        ?? Difference<ata_clip_options>(layout)
        ?? Difference<ata_frame_layout>(layout);

    private static string? Difference<[DynamicallyAccessedMembers(
        DynamicallyAccessedMemberTypes.PublicFields | DynamicallyAccessedMemberTypes.NonPublicFields)] T>(
        ReadOnlySpan<ata_abi_entry> layout)
        where T : unmanaged
    {
        string name = typeof(T).Name;
        nuint? size = null;
        var offsets = new Dictionary<string, nuint>();
        foreach (ref readonly ata_abi_entry entry in layout)
        {
            if (Marshal.PtrToStringUTF8((nint)entry.struct_name) != name)
            {
                continue;
            }

            if (Marshal.PtrToStringUTF8((nint)entry.field_name) is { } field)
            {
                offsets[field] = entry.offset;
            }
            else
            {
                size = entry.size;
            }
        }

        if (size is null)
        {
            return $"it has no {name}; {Remedy}";
        }

        // Only a struct that says its size can grow.
        bool grows = offsets.ContainsKey(nameof(ata_tensor_info.struct_size));
        if (grows ? size < (nuint)sizeof(T) : size != (nuint)sizeof(T))
        {
            return $"its {name} has {size} bytes, not {sizeof(T)}; {Remedy}";
        }

        foreach (FieldInfo field in typeof(T).GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic))
        {
            nint offset = Marshal.OffsetOf<T>(field.Name);
            if (!offsets.Remove(field.Name, out nuint there))
            {
                return $"its {name} has no field '{field.Name}'; {Remedy}";
            }

            if (there != (nuint)offset)
            {
                return $"its {name}.{field.Name} is at byte {there}, not {offset}; {Remedy}";
            }
        }

        // What is unknown here must lie behind what the bindings pass.
        foreach ((string field, nuint offset) in offsets)
        {
            if (offset < (nuint)sizeof(T))
            {
                return $"its {name} has a field '{field}' at byte {offset} that is unknown here; {Remedy}";
            }
        }

        return null;
    }
}
