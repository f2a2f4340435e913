using CppSharp.AST;
using CppSharp.Generators;

namespace Ata.Bindings.Generator;

/// <summary>Writes the functions, and the macros that stand for integers.</summary>
/// <param name="context">What was parsed, and the options.</param>
/// <param name="units">The headers to bind.</param>
/// <param name="types">Prints types.</param>
/// <param name="docs">Prints documentation.</param>
internal sealed class FunctionSources(
    BindingContext context, IEnumerable<TranslationUnit> units, RawTypePrinter types, DocCommentPrinter docs)
    : RawSources(context, units, types, docs, ClassName)
{
    /// <summary>Name of the class of the functions.</summary>
    public const string ClassName = "NativeMethods";

    // The run time adds the platform's prefix and extension.
    private const string Library = "ata";

    /// <inheritdoc/>
    protected override void WriteDeclarations(TranslationUnit unit)
    {
        NewLine();
        WriteLine($"/// <summary>The constants and functions of {unit.FileName}.</summary>");
        WriteLine($"public static unsafe partial class {ClassName}");
        WriteOpenBraceAndIndent();

        // Everything but the first member is set off by an empty line.
        bool first = true;
        foreach (IntegerMacro macro in IntegerMacro.FindAll(unit))
        {
            Separate(ref first);
            foreach (string line in Docs.Print(macro))
            {
                WriteLine(line);
            }

            WriteLine($"public const {macro.Type} {macro.Name} = {macro.Value};");
        }

        foreach (Function function in unit.Functions)
        {
            Separate(ref first);
            function.Visit(this);
        }

        UnindentAndWriteCloseBrace();
    }

    /// <inheritdoc/>
    public override bool VisitFunctionDecl(Function function)
    {
        if (function.IsVariadic)
        {
            throw new BindingException($"{function.Name}: variadic functions cannot be called portably.");
        }

        IEnumerable<string> parameters = function.Parameters.Select(
            parameter => $"{Types.Print(parameter.Type, function)} {SafeIdentifier(parameter.Name)}");
        WriteDocs(function);
        WriteLine($"[DllImport(\"{Library}\", CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]");
        WriteLine(
            $"public static extern {Types.Print(function.ReturnType.Type, function)} {function.Name}("
            + $"{string.Join(", ", parameters)});");
        return true;
    }

    private void Separate(ref bool first)
    {
        if (!first)
        {
            NewLine();
        }

        first = false;
    }
}
