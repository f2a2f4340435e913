using System.Globalization;
using CppSharp.AST;
using CppSharp.Generators;

namespace Ata.Bindings.Generator;

/// <summary>Writes the enumerations.</summary>
/// <param name="context">What was parsed, and the options.</param>
/// <param name="units">The headers to bind.</param>
/// <param name="types">Prints types.</param>
/// <param name="docs">Prints documentation.</param>
internal sealed class EnumSources(
    BindingContext context, IEnumerable<TranslationUnit> units, RawTypePrinter types, DocCommentPrinter docs)
    : RawSources(context, units, types, docs, "Enums")
{
    /// <inheritdoc/>
    protected override void WriteDeclarations(TranslationUnit unit)
    {
        foreach (Enumeration @enum in unit.Enums.Where(@enum => !@enum.IsIncomplete))
        {
            @enum.Visit(this);
        }
    }

    /// <inheritdoc/>
    public override bool VisitEnumDecl(Enumeration @enum)
    {
        NewLine();
        WriteDocs(@enum);
        WriteLine($"public enum {@enum.Name} : {Types.Print(@enum.Type, @enum)}");
        WriteOpenBraceAndIndent();
        foreach (Enumeration.Item item in @enum.Items)
        {
            WriteDocs(item);
            WriteLine($"{item.Name} = {Value(@enum, item)},");
        }

        UnindentAndWriteCloseBrace();
        return true;
    }

    // CppSharp keeps every value as its 64-bit pattern.
    private static string Value(Enumeration @enum, Enumeration.Item item) =>
        @enum.BuiltinType.IsUnsigned
            ? item.Value.ToString(CultureInfo.InvariantCulture)
            : unchecked((long)item.Value).ToString(CultureInfo.InvariantCulture);
}
