using System.Runtime.InteropServices;

namespace Ata.Interop;

/// <summary>Strings as an array of zero-terminated UTF-8 for the length of a call.</summary>
internal sealed unsafe class Utf8Texts : IDisposable
{
    private readonly byte** _pointers;
    private readonly int _count;

    /// <param name="texts">The strings.</param>
    /// <param name="what">What one of them is, for the message.</param>
    /// <param name="parameter">Name of the caller's parameter.</param>
    /// <exception cref="ArgumentException">One of them is null or contains a zero, where C would end it.</exception>
    public Utf8Texts(IReadOnlyList<string> texts, string what, string parameter)
    {
        for (int i = 0; i < texts.Count; ++i)
        {
            if (texts[i] is null || texts[i].Contains('\0'))
            {
                throw new ArgumentException($"{what} {i} is null or contains a zero character.", parameter);
            }
        }

        _pointers = (byte**)NativeMemory.AllocZeroed((nuint)Math.Max(texts.Count, 1), (nuint)sizeof(byte*));
        for (; _count < texts.Count; ++_count)
        {
            _pointers[_count] = (byte*)Marshal.StringToCoTaskMemUTF8(texts[_count]);
        }
    }

    /// <summary>The strings; null when there are none.</summary>
    public byte** Pointer => _count == 0 ? null : _pointers;

    public void Dispose()
    {
        for (int i = 0; i < _count; ++i)
        {
            Marshal.FreeCoTaskMem((nint)_pointers[i]);
        }

        NativeMemory.Free(_pointers);
    }
}
