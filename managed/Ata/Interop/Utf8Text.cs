using System.Runtime.CompilerServices;
using System.Runtime.InteropServices.Marshalling;

namespace Ata.Interop;

/// <summary>A string as zero-terminated UTF-8 for the length of a call.</summary>
internal unsafe ref struct Utf8Text
{
    /// <summary>Size of the caller's buffer; longer strings are put on the native heap.</summary>
    public const int BufferSize = 256;

    private Utf8StringMarshaller.ManagedToUnmanagedIn _marshaller;

    /// <param name="text">The string; null gives a null pointer.</param>
    /// <param name="buffer">Memory on the stack that outlives this.</param>
    /// <param name="parameter">Name of the caller's parameter.</param>
    /// <exception cref="ArgumentException">The string contains a zero, where C would end it.</exception>
    public Utf8Text(
        string? text, Span<byte> buffer, [CallerArgumentExpression(nameof(text))] string? parameter = null)
    {
        if (text is not null && text.Contains('\0'))
        {
            throw new ArgumentException("The text contains a zero character.", parameter);
        }

        _marshaller.FromManaged(text, buffer);
        Pointer = _marshaller.ToUnmanaged();
    }

    public byte* Pointer { get; }

    public void Dispose() => _marshaller.Free();
}
