using System.Globalization;
using System.Text.RegularExpressions;
using CppSharp.AST;

namespace Ata.Bindings.Generator;

/// <summary>A macro that stands for an integer.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">The C# type of its value.</param>
/// <param name="Value">Its value, as C#.</param>
/// <param name="Comment">The text of the documentation comment before it, or empty.</param>
internal sealed partial record IntegerMacro(string Name, string Type, string Value, string Comment)
{
    /// <summary>Finds the macros that a header defines as an integer literal, in their order.</summary>
    /// <param name="unit">The header.</param>
    /// <returns>The macros; others (attributes, function-like macros, strings) are not constants of the API.</returns>
    public static IEnumerable<IntegerMacro> FindAll(TranslationUnit unit)
    {
        // CppSharp attaches no comments to macros, so they are taken from the header itself.
        string header = File.ReadAllText(unit.FilePath);
        foreach (MacroDefinition macro in unit.PreprocessedEntities.OfType<MacroDefinition>())
        {
            Match literal = Literal().Match(macro.Expression);
            if (!literal.Success)
            {
                continue;
            }

            string digits = literal.Groups["digits"].Value;
            bool hexadecimal = digits.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
            ulong magnitude = hexadecimal
                ? ulong.Parse(digits.AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture)
                : ulong.Parse(digits, CultureInfo.InvariantCulture);
            bool unsigned = literal.Groups["suffix"].Value.Contains('u', StringComparison.OrdinalIgnoreCase);
            bool wide = magnitude > (unsigned ? uint.MaxValue : int.MaxValue);
            string type = (unsigned, wide) switch
            {
                (false, false) => "int",
                (false, true) => "long",
                (true, false) => "uint",
                (true, true) => "ulong",
            };
            yield return new IntegerMacro(
                macro.Name, type, literal.Groups["sign"].Value + digits, FindComment(header, macro.Name));
        }
    }

    private static string FindComment(string header, string name)
    {
        Match match = Regex.Match(
            header, @$"/\*\*(?<text>(?:(?!\*/).)*)\*/\s*#\s*define\s+{name}\b", RegexOptions.Singleline);
        return LineStart().Replace(match.Groups["text"].Value, " ").Trim();
    }

    [GeneratedRegex(@"^\(?\s*(?<sign>-?)(?<digits>0[xX][0-9a-fA-F]+|0|[1-9][0-9]*)(?<suffix>[uUlL]*)\s*\)?$")]
    private static partial Regex Literal();

    [GeneratedRegex(@"\s*\n\s*\*?\s*")]
    private static partial Regex LineStart();
}
