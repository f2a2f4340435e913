using System.Diagnostics;
using System.Reflection;
using System.Text.Json;
using Xunit;

namespace Ata.Cli.Tests;

/// <summary>What a run of the program gave.</summary>
internal sealed record ProgramResult(int Code, string Output, string Error)
{
    /// <summary>The lines on standard error.</summary>
    public string[] ErrorLines => Error.Split('\n', StringSplitOptions.RemoveEmptyEntries);
}

/// <summary>Runs <c>ata</c> as a program.</summary>
internal static class AtaProgram
{
    private static readonly string Dll = typeof(AtaProgram).Assembly
        .GetCustomAttributes<AssemblyMetadataAttribute>().Single(attribute => attribute.Key == "AtaProgram").Value!;

    public static ProgramResult Run(params string[] arguments) => Run([], arguments);

    public static ProgramResult Run((string Name, string Value)[] environment, params string[] arguments)
    {
        using Process process = Start(environment, arguments);
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> error = process.StandardError.ReadToEndAsync();
        process.WaitForExit();
        return new ProgramResult(process.ExitCode, output.Result, error.Result);
    }

    /// <summary>Runs the program, which must succeed, and returns what it prints.</summary>
    public static string Succeed(params string[] arguments)
    {
        ProgramResult result = Run(arguments);
        Assert.True(result.Code == 0, $"ata {string.Join(' ', arguments)} ended with {result.Code}: {result.Error}");
        return result.Output;
    }

    /// <summary>Runs the program, which must succeed without a word on standard error, and reads what it prints.</summary>
    public static JsonElement Json(params string[] arguments)
    {
        ProgramResult result = Run(arguments);
        Assert.Equal(string.Empty, result.Error);
        Assert.Equal(0, result.Code);
        using JsonDocument document = JsonDocument.Parse(result.Output);
        return document.RootElement.Clone();
    }

    public static Process Start((string Name, string Value)[] environment, params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true };
        start.ArgumentList.Add(Dll);
        foreach (string argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        foreach ((string name, string value) in environment)
        {
            start.Environment[name] = value;
        }

        return Process.Start(start)!;
    }
}
