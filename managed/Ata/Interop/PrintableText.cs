using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;

namespace Ata.Interop;

/// <summary>
/// Text that is safe to show: one line, on which a terminal does not act. Names that come from files and callers may
/// hold anything. The native library shows its messages by the same rule (<c>base/text.h</c>).
/// </summary>
internal static class PrintableText
{
    /// <summary>Longest name that a message shows whole.</summary>
    private const int LongestName = 160;

    /// <summary>The text with control characters, line separators, marks that turn the writing direction and halves of
    /// characters as <c>\n</c>, <c>\x1b</c> or <c>\u202e</c>. Escaping twice changes nothing.</summary>
    [return: NotNullIfNotNull(nameof(text))]
    public static string? Of(string? text)
    {
        if (text is null || IsPrintable(text))
        {
            return text;
        }

        var result = new StringBuilder(text.Length + 16);
        for (int i = 0; i < text.Length; ++i)
        {
            char character = text[i];
            if (char.IsHighSurrogate(character) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]))
            {
                result.Append(character).Append(text[++i]);
            }
            else if (IsPrintable(character))
            {
                result.Append(character);
            }
            else
            {
                result.Append(character switch
                {
                    '\n' => "\\n",
                    '\r' => "\\r",
                    '\t' => "\\t",
                    < '\u0080' => string.Create(CultureInfo.InvariantCulture, $"\\x{(int)character:x2}"),
                    _ => string.Create(CultureInfo.InvariantCulture, $"\\u{(int)character:x4}"),
                });
            }
        }

        return result.ToString();
    }

    /// <summary>A name for a message: printable, and shortened in the middle if it is very long.</summary>
    public static string Name(string name)
    {
        if (name.Length <= LongestName)
        {
            return Of(name);
        }

        int head = LongestName / 2;
        int tail = name.Length - (LongestName / 4);
        head -= char.IsLowSurrogate(name[head]) ? 1 : 0;
        tail += char.IsLowSurrogate(name[tail]) ? 1 : 0;
        return string.Create(CultureInfo.InvariantCulture, $"{Of(name[..head])}...{Of(name[tail..])} ({name.Length} characters)");
    }

    private static bool IsPrintable(string text)
    {
        foreach (char character in text)
        {
            if (char.IsSurrogate(character) || !IsPrintable(character))
            {
                return false;
            }
        }

        return true;
    }

    private static bool IsPrintable(char character) =>
        !char.IsControl(character)
        && !char.IsSurrogate(character)
        && character is not ('\u2028' or '\u2029' or '\u061c' or '\u200e' or '\u200f' or '\ufeff'
            or (>= '\u202a' and <= '\u202e') or (>= '\u2066' and <= '\u2069'));
}
