using CppSharp;
using CppSharp.AST;
using CppSharp.Generators;
using CppSharp.Parser;
using CppSharp.Passes;

namespace Ata.Bindings.Generator;

/// <summary>Drives CppSharp over a header.</summary>
internal static class HeaderBinder
{
    private static readonly GeneratorKind Kind =
        new("AtaRawCSharp", "C# P/Invokes", typeof(RawGenerator), typeof(RawTypePrinter));

    /// <summary>Parses a header and generates its bindings.</summary>
    /// <param name="header">Absolute path of the header.</param>
    /// <returns>The files, in a fixed order.</returns>
    public static IReadOnlyList<GeneratedFile> Bind(string header)
    {
        if (!File.Exists(header))
        {
            throw new BindingException($"'{header}' does not exist.");
        }

        var options = new DriverOptions
        {
            GeneratorKind = Kind,
            OutputNewLineType = NewLineType.LF,
            Quiet = true,
        };
        using var driver = new Driver(options);
        Configure(driver.ParserOptions);

        Module module = options.AddModule("ata");
        module.OutputNamespace = "Ata.Bindings";
        module.IncludeDirs.Add(Path.GetDirectoryName(header)!);
        module.Headers.Add(Path.GetFileName(header));

        driver.Setup();
        if (!driver.ParseCode())
        {
            throw new BindingException($"'{header}' does not compile.");
        }

        new CleanUnitPass { Context = driver.Context }.VisitASTContext(driver.Context.ASTContext);

        // Of CppSharp's passes only this one is wanted: the others rename and reshape declarations for an idiomatic
        // C# API, which here is written by hand on top of the bindings.
        driver.AddTranslationUnitPass(new ResolveIncompleteDeclsPass());
        driver.SetupTypeMaps();
        driver.SetupDeclMaps();
        driver.ProcessCode();

        return
        [
            .. from output in driver.GenerateCode()
               from source in output.Outputs
               select new GeneratedFile(source.FilePath, source.Generate()),
        ];
    }

    /// <summary>
    /// Fixes everything the output could depend on, so that it is the same on every machine: one target, and Clang's
    /// own freestanding <c>stdint.h</c> and <c>stddef.h</c> instead of the system's.
    /// </summary>
    private static void Configure(ParserOptions parser)
    {
        parser.TargetTriple = "x86_64-unknown-linux-gnu";
        parser.MicrosoftMode = false;
        parser.LanguageVersion = LanguageVersion.CPP20;
        parser.NoBuiltinIncludes = true;
        parser.NoStandardIncludes = true;
        parser.AddSystemIncludeDirs(parser.BuiltinsDir);
        parser.AddArguments("-ffreestanding");
    }
}
