using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using Ata.Bindings;
using Xunit;

namespace Ata.Tests;

/// <summary>
/// The committed bindings match both ata.h and the library that was built. The lists are compared both ways, so
/// that nothing can be missing on either side.
/// </summary>
public sealed unsafe partial class BindingsTests
{
    private const BindingFlags Instance = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic;

    private static readonly string Header = ReadHeader();

    private static IEnumerable<MethodInfo> Functions =>
        typeof(NativeMethods).GetMethods(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic)
            .Where(method => method.IsDefined(typeof(DllImportAttribute)));

    // Opaque handles have no fields, and the buffers that C# makes for `fixed` arrays are nested.
    private static IEnumerable<Type> Structs =>
        BindingTypes.Where(type => type.IsValueType && !type.IsEnum && type.GetFields(Instance).Length > 0);

    private static IEnumerable<Type> BindingTypes =>
        typeof(NativeMethods).Assembly.GetTypes()
            .Where(type => type.Namespace == typeof(NativeMethods).Namespace && !type.IsNested);

    [Fact]
    public void Functions_HaveTheNamesAndParametersOfTheHeader()
    {
        IEnumerable<string> declared = FunctionPattern().Matches(Header).Select(function =>
        {
            IEnumerable<string> names = function.Groups["parameters"].Value.Split(',')
                .Where(parameter => parameter.Trim() is not ("void" or ""))
                .Select(parameter => LastName().Match(parameter).Value);
            return $"{function.Groups["name"].Value}({string.Join(", ", names)})";
        });
        IEnumerable<string> bound = Functions.Select(function =>
            $"{function.Name}({string.Join(", ", function.GetParameters().Select(parameter => parameter.Name))})");

        AssertSame(declared, bound);
    }

    [Fact]
    public void Functions_AreExportedByTheLibrary()
    {
        Assert.NotEmpty(Functions);
        Assert.Empty(Functions.Where(function => !IsExported(function)).Select(function => function.Name));
    }

    [Fact]
    public void Functions_AreBlittable()
    {
        IEnumerable<Type> types = Functions.SelectMany(function =>
            function.GetParameters().Select(parameter => parameter.ParameterType).Append(function.ReturnType));

        Assert.All(types, type => Assert.True(IsBlittable(type), $"{type} is not blittable."));
    }

    [Fact]
    public void Enums_HaveTheValuesOfTheHeader()
    {
        IEnumerable<string> declared = EnumPattern().Matches(Header).SelectMany(
            @enum => EnumItem().Matches(@enum.Groups["items"].Value).Select(
                item => $"{@enum.Groups["name"].Value}.{item.Groups["name"].Value} = {item.Groups["value"].Value}"));
        IEnumerable<string> bound = BindingTypes.Where(type => type.IsEnum).SelectMany(
            type => Enum.GetValues(type).Cast<Enum>().Select(value => $"{type.Name}.{value} = {value:D}"));

        AssertSame(declared, bound);
    }

    [Fact]
    public void Enums_AreOfTheHeadersSize()
    {
        IEnumerable<Type> enums = BindingTypes.Where(type => type.IsEnum);

        Assert.All(enums, type => Assert.Equal(typeof(int), type.GetEnumUnderlyingType()));
    }

    [Fact]
    public void Structs_HaveTheLayoutThatTheLibraryReports()
    {
        IEnumerable<string> bound = Structs.SelectMany(type => type.GetFields(Instance)
            .Select(field => $"{type.Name}.{field.Name}: {Marshal.OffsetOf(type, field.Name)}, {SizeOf(field)}")
            .Append($"{type.Name}: 0, {Marshal.SizeOf(type)}"));

        AssertSame(ReportedLayout(), bound);
    }

    [Fact]
    public void AbiVersion_IsThatOfTheLibrary() =>
        Assert.Equal((uint)NativeMethods.ATA_ABI_VERSION, NativeMethods.ata_abi_version());

    private static List<string> ReportedLayout()
    {
        List<string> layout = [];
        nuint count;
        ata_abi_entry* entries = NativeMethods.ata_abi_layout(&count);
        foreach (ref readonly ata_abi_entry entry in new ReadOnlySpan<ata_abi_entry>(entries, checked((int)count)))
        {
            string? name = Marshal.PtrToStringUTF8((nint)entry.struct_name);
            string? field = Marshal.PtrToStringUTF8((nint)entry.field_name);
            layout.Add($"{(field is null ? name : $"{name}.{field}")}: {entry.offset}, {entry.size}");
        }

        return layout;
    }

    private static bool IsExported(MethodInfo function)
    {
        try
        {
            // Finds the export the way a call would, so that it tests what an application gets.
            Marshal.Prelink(function);
            return true;
        }
        catch (EntryPointNotFoundException)
        {
            return false;
        }
    }

    private static int SizeOf(FieldInfo field)
    {
        if (field.GetCustomAttribute<FixedBufferAttribute>() is { } buffer)
        {
            return buffer.Length * Marshal.SizeOf(buffer.ElementType);
        }

        Type type = field.FieldType;
        return type.IsPointer || type.IsFunctionPointer ? sizeof(nint)
            : Marshal.SizeOf(type.IsEnum ? type.GetEnumUnderlyingType() : type);
    }

    // `bool` and `char` are primitive, but not what C passes.
    private static bool IsBlittable(Type type) =>
        type.IsPointer || type.IsFunctionPointer || type.IsEnum || type == typeof(void)
        || (type.IsPrimitive && type != typeof(bool) && type != typeof(char));

    private static void AssertSame(IEnumerable<string> expected, IEnumerable<string> actual)
    {
        Assert.NotEmpty(expected);
        Assert.Empty(expected.Except(actual));
        Assert.Empty(actual.Except(expected));
    }

    private static string ReadHeader()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            string path = Path.Combine(folder.FullName, "native", "include", "ata", "ata.h");
            if (File.Exists(path))
            {
                return Comment().Replace(File.ReadAllText(path), string.Empty);
            }
        }

        throw new InvalidOperationException("The tests read native/include/ata/ata.h: run them inside the repository.");
    }

    [GeneratedRegex(@"/\*.*?\*/|//[^\n]*", RegexOptions.Singleline)]
    private static partial Regex Comment();

    [GeneratedRegex(@"ATA_API\([^)]*\)\s*(?<name>\w+)\s*\((?<parameters>[^)]*)\)")]
    private static partial Regex FunctionPattern();

    [GeneratedRegex(@"ATA_ENUM\((?<name>\w+)\)\s*\{(?<items>[^}]*)\}")]
    private static partial Regex EnumPattern();

    [GeneratedRegex(@"(?<name>\w+)\s*=\s*(?<value>-?\d+)")]
    private static partial Regex EnumItem();

    [GeneratedRegex(@"\w+(?=\s*(\[\w*\]\s*)?$)")]
    private static partial Regex LastName();
}
