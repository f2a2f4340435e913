using CppSharp.AST;
using CppSharp.Generators;
using CppSharp.Generators.CSharp;

namespace Ata.Bindings.Generator;

/// <summary>
/// CppSharp's C# generator with its classes, marshalling and runtime replaced by raw P/Invokes: handles stay pointers
/// to opaque structs, so that <c>T**</c> results and calls under ahead-of-time compilation work.
/// </summary>
/// <param name="context">What was parsed, and the options.</param>
internal sealed class RawGenerator(BindingContext context) : CSharpGenerator(context)
{
    /// <inheritdoc/>
    public override bool SetupPasses() => true;

    /// <inheritdoc/>
    public override List<CodeGenerator> Generate(IEnumerable<TranslationUnit> units)
    {
        List<TranslationUnit> list = [.. units];
        var docs = new DocCommentPrinter(list);
        var types = (RawTypePrinter)typePrinter;
        return
        [
            new EnumSources(Context, list, types, docs),
            new StructSources(Context, list, types, docs),
            new FunctionSources(Context, list, types, docs),
        ];
    }
}
