using CppSharp.AST;
using CppSharp.AST.Extensions;
using CppSharp.Generators;
using CppSharp.Generators.CSharp;

namespace Ata.Bindings.Generator;

/// <summary>Prints C types as blittable C# types.</summary>
/// <param name="context">What was parsed, and the options.</param>
internal sealed class RawTypePrinter(BindingContext context) : CSharpTypePrinter(context)
{
    // By name, because their underlying types differ between platforms while their meaning does not.
    private static readonly Dictionary<string, string> StandardTypedefs = new()
    {
        ["int8_t"] = "sbyte",
        ["uint8_t"] = "byte",
        ["int16_t"] = "short",
        ["uint16_t"] = "ushort",
        ["int32_t"] = "int",
        ["uint32_t"] = "uint",
        ["int64_t"] = "long",
        ["uint64_t"] = "ulong",
        ["size_t"] = "nuint",
        ["ptrdiff_t"] = "nint",
        ["intptr_t"] = "nint",
        ["uintptr_t"] = "nuint",
    };

    /// <summary>Prints the declaration of a field, without access and semicolon.</summary>
    /// <param name="field">The field.</param>
    /// <returns>For instance <c>fixed float mean[3]</c>.</returns>
    public string PrintField(Field field)
    {
        string name = CSharpSources.SafeIdentifier(field.Name);
        if (field.IsBitField)
        {
            throw new BindingException($"{field.QualifiedName}: bit fields have no portable layout.");
        }

        if (field.Type.Desugar() is not ArrayType array)
        {
            return $"{Print(field.Type, field)} {name}";
        }

        if (array.SizeType != ArrayType.ArraySize.Constant)
        {
            throw new BindingException($"{field.QualifiedName}: arrays in structs need a constant length.");
        }

        // C# has fixed buffers of numbers only; an enum's underlying type has the same layout.
        string element = array.Type.Desugar() switch
        {
            BuiltinType => Print(array.Type, field),
            TagType { Declaration: Enumeration @enum } => Print(@enum.Type, @enum),
            _ => throw new BindingException($"{field.QualifiedName}: only arrays of numbers are supported."),
        };
        return $"fixed {element} {name}[{array.Size}]";
    }

    /// <summary>Prints a type of a declaration.</summary>
    /// <param name="type">The type.</param>
    /// <param name="owner">The declaration, to be named if the type is not supported.</param>
    /// <returns>The C# type.</returns>
    public string Print(CppSharp.AST.Type type, Declaration owner)
    {
        try
        {
            return Print(type);
        }
        catch (BindingException failure)
        {
            throw new BindingException($"{owner.QualifiedName}: {failure.Message}");
        }
    }

    private string Print(CppSharp.AST.Type type) => type.Visit(this).Type;

    /// <inheritdoc/>
    public override TypePrinterResult VisitTagType(TagType tag, TypeQualifiers quals) =>
        CSharpSources.SafeIdentifier(tag.Declaration.Name);

    /// <inheritdoc/>
    public override TypePrinterResult VisitTypedefType(TypedefType typedef, TypeQualifiers quals) =>
        StandardTypedefs.TryGetValue(typedef.Declaration.Name, out string? name)
            ? name
            : typedef.Declaration.Type.Visit(this);

    /// <inheritdoc/>
    public override TypePrinterResult VisitPointerType(PointerType pointer, TypeQualifiers quals) =>
        pointer.Pointee.Desugar() is FunctionType function
            ? VisitFunctionType(function, quals)
            : $"{Print(pointer.Pointee)}*";

    /// <inheritdoc/>
    public override TypePrinterResult VisitArrayType(ArrayType array, TypeQualifiers quals) =>
        $"{Print(array.Type)}*";

    /// <inheritdoc/>
    public override TypePrinterResult VisitFunctionType(FunctionType function, TypeQualifiers quals)
    {
        IEnumerable<string> signature =
            function.Parameters.Select(parameter => Print(parameter.Type)).Append(Print(function.ReturnType.Type));
        return $"delegate* unmanaged[Cdecl]<{string.Join(", ", signature)}>";
    }

    /// <inheritdoc/>
    public override TypePrinterResult VisitBuiltinType(BuiltinType builtin, TypeQualifiers quals) =>
        VisitPrimitiveType(builtin.Type, quals);

    /// <inheritdoc/>
    public override TypePrinterResult VisitPrimitiveType(PrimitiveType primitive, TypeQualifiers quals) =>
        primitive switch
        {
            PrimitiveType.Void => "void",
            PrimitiveType.Char => "byte",
            PrimitiveType.SChar => "sbyte",
            PrimitiveType.UChar => "byte",
            PrimitiveType.Short => "short",
            PrimitiveType.UShort => "ushort",
            PrimitiveType.Int => "int",
            PrimitiveType.UInt => "uint",
            PrimitiveType.LongLong => "long",
            PrimitiveType.ULongLong => "ulong",
            PrimitiveType.Float => "float",
            PrimitiveType.Double => "double",
            _ => throw new BindingException(
                $"the C type {primitive} has no fixed size or is not blittable; use a type of stdint.h."),
        };
}
