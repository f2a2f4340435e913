using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using Ata.Bindings;

namespace Ata.Interop;

/// <summary>
/// Compares the structs of a library with those of the bindings before anything else is called, so that a library of
/// another version is an error and not corrupted memory.
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
        return CheckLayout(new ReadOnlySpan<ata_abi_entry>(entries, checked((int)count)));
    }

    internal static string? CheckLayout(ReadOnlySpan<ata_abi_entry> layout) =>
        Difference<ata_abi_entry>(layout)
        ?? Difference<ata_tensor_info>(layout)
        ?? Difference<ata_alignment_options>(layout)
        ?? Difference<ata_assign_options>(layout)
        ?? Difference<ata_mi_options>(layout)
        ?? Difference<ata_model_config>(layout)
        ?? Difference<ata_model_options>(layout)
        ?? Difference<ata_import_options>(layout)
        ?? Difference<ata_temporal_block_options>(layout)
        ?? Difference<ata_train_options>(layout)
        ?? Difference<ata_video_options>(layout)
        ?? Difference<ata_video_info>(layout)
        ?? Difference<ata_clip_options>(layout);

    private static string? Difference<[DynamicallyAccessedMembers(
        DynamicallyAccessedMemberTypes.PublicFields | DynamicallyAccessedMemberTypes.NonPublicFields)] T>(
        ReadOnlySpan<ata_abi_entry> layout)
        where T : unmanaged
    {
        string name = typeof(T).Name;
        bool known = false;
        foreach (ref readonly ata_abi_entry entry in layout)
        {
            if (Marshal.PtrToStringUTF8((nint)entry.struct_name) != name)
            {
                continue;
            }

            known = true;
            string? field = Marshal.PtrToStringUTF8((nint)entry.field_name);
            if (field is null)
            {
                if (entry.size != (nuint)sizeof(T))
                {
                    return $"its {name} has {entry.size} bytes, not {sizeof(T)}; {Remedy}";
                }
            }
            else if (OffsetOf<T>(field) is not { } offset)
            {
                return $"its {name} has a field '{field}' that is unknown here; {Remedy}";
            }
            else if (entry.offset != (nuint)offset)
            {
                return $"its {name}.{field} is at byte {entry.offset}, not {offset}; {Remedy}";
            }
        }

        return known ? null : $"it has no {name}; {Remedy}";
    }

    private static nint? OffsetOf<[DynamicallyAccessedMembers(
        DynamicallyAccessedMemberTypes.PublicFields | DynamicallyAccessedMemberTypes.NonPublicFields)] T>(string field)
    {
        try
        {
            return Marshal.OffsetOf<T>(field);
        }
        catch (ArgumentException)
        {
            return null;
        }
    }
}
