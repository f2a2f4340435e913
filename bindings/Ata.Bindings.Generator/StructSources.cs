using CppSharp.AST;
using CppSharp.Generators;

namespace Ata.Bindings.Generator;

/// <summary>Writes the structs, and an empty struct for every opaque handle.</summary>
/// <param name="context">What was parsed, and the options.</param>
/// <param name="units">The headers to bind.</param>
/// <param name="types">Prints types.</param>
/// <param name="docs">Prints documentation.</param>
internal sealed class StructSources(
    BindingContext context, IEnumerable<TranslationUnit> units, RawTypePrinter types, DocCommentPrinter docs)
    : RawSources(context, units, types, docs, "Structs")
{
    /// <inheritdoc/>
    protected override void WriteDeclarations(TranslationUnit unit)
    {
        foreach (Class @class in unit.Classes)
        {
            @class.Visit(this);
        }
    }

    /// <inheritdoc/>
    public override bool VisitClassDecl(Class @class)
    {
        if (@class.IsIncomplete && @class.CompleteDeclaration is not null)
        {
            return false;
        }

        if (@class.IsUnion || @class.Classes.Any())
        {
            throw new BindingException($"{@class.Name}: unions and nested structs are not supported.");
        }

        NewLine();
        WriteDocs(@class);
        if (@class.IsIncomplete)
        {
            WriteLine($"public partial struct {@class.Name}");
            WriteOpenBraceAndIndent();
            UnindentAndWriteCloseBrace();
            return true;
        }

        WriteLine("[StructLayout(LayoutKind.Sequential)]");
        WriteLine($"public unsafe partial struct {@class.Name}");
        WriteOpenBraceAndIndent();
        for (int i = 0; i < @class.Fields.Count; i++)
        {
            if (i > 0)
            {
                NewLine();
            }

            @class.Fields[i].Visit(this);
        }

        UnindentAndWriteCloseBrace();
        return true;
    }

    /// <inheritdoc/>
    public override bool VisitFieldDecl(Field field)
    {
        WriteDocs(field);
        WriteLine($"public {Types.PrintField(field)};");
        return true;
    }
}
