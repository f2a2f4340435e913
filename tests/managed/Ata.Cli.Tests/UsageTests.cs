using System.Diagnostics;
using System.Text.Json;
using Xunit;

namespace Ata.Cli.Tests;

/// <summary>Exit codes, errors of one line, help, and what the whole program shares.</summary>
public sealed class UsageTests(CliFiles files) : IClassFixture<CliFiles>
{
    public static TheoryData<string[], string> BadUsages => new()
    {
        { [], "verb" },
        { ["frobnicate"], "frobnicate" },
        { ["predict"], "--model" },
        { ["predict", "x.mp4"], "--model" },
        { ["predict", "--model", "m"], "clip" },
        { ["predict", "x.mp4", "--model", "m", "--temporal", "sideways"], "ata, divided, joint, space_only" },
        { ["predict", "x.mp4", "--model", "m", "--precision", "f64"], "f32, bf16" },
        { ["predict", "x.mp4", "--model", "m", "--alignment", "best"], "exact, none, nearest, window, sinkhorn, soft" },
        { ["predict", "x.mp4", "--model", "m", "--views", "10"], "10x3" },
        { ["predict", "x.mp4", "--model", "m", "--views", "1x2"], "1 or 3" },
        { ["predict", "x.mp4", "--model", "m", "--top", "0"], "at least 1" },
        { ["predict", "x.mp4", "--model", "m", "--short", "guess"], "error, repeat, loop" },
        { ["predict", "x.mp4", "--model", "m", "--unknown"], "--unknown" },
        { ["sample", "x.mp4"], "--output" },
        { ["sample", "x.mp4", "--output", "o", "--stride", "2", "--segments"], "--stride" },
        { ["sample", "x.mp4", "--output", "o", "--stride", "-1"], "above 0" },
        { ["init", "o.safetensors"], "--arch" },
        { ["import", "in.safetensors"], "output" },
        { ["import", "a", "b", "--from", "keras"], "auto, timm, clip, timesformer" },
        { ["import", "a", "b", "--activation", "relu"], "gelu, quick_gelu, gelu_tanh" },
        { ["import", "a", "b", "--mean", "0.5"], "--std" },
        { ["import", "a", "b", "--mean", "0.5,0.5", "--std", "0.5"], "--mean is '0.5,0.5'" },
        { ["import", "a", "b", "--mean", "0.5", "--std", "0"], "--std is '0'" },
        { ["import", "a", "b", "--mean", "0.5", "--std", "0.5", "--normalization", "clip"], "--normalization" },
        { ["import", "a", "b", "--normalization", "none"], "half, imagenet, clip, timesformer" },
        { ["import", "a", "b", "--ignore", ""], "--ignore" },
        { ["import", "a", "b", "--interpolation", "linear"], "bicubic, nearest" },
        { ["align", "x.mp4", "--block", "1"], "--model" },
        { ["align", "x.mp4", "--image-size", "64"], "--image-size needs --model" },
        { ["align", "x.mp4", "--model", "m", "--patch-size", "8"], "exclude" },
        { ["align", "x.mp4", "--overlay", "picture.gif"], ".png" },
        { ["align", "x.mp4", "--html", "page.txt"], ".html" },
        { ["bench"], "--arch" },
        { ["bench", "--arch", "vit-tiny", "--model", "m"], "either" },
        { ["info", "--threads", "none"], "--threads" },
        { ["info", "--threads", "1025"], "1024" },
        { ["sample", "x.mp4", "--output", "o", "--offset", "1e300"], "--offset is '1e300'" },
        { ["predict", "", "--model", "m"], "clip is empty" },
        { ["predict", "x.mp4", "--model", ""], "--model is empty" },
        { ["predict", "x.mp4", "--model", "m", "--device", "tpu"], "--device is 'tpu'" },
        { ["align", "x.mp4", "--device", "gpu"], "--device is 'gpu'" },
        { ["train", "--resume", "run", "--device", "cuda:"], "--device is 'cuda:'" },
        { ["compare", "--data", "d", "--out", "o", "--device", ""], "--device is ''" },
        { ["bench", "--arch", "vit-tiny", "--device", "cuda:-1"], "--device is 'cuda:-1'" },
        { ["align", "x.mp4", "--alignment", "soft"], "--alignment is 'soft'" },
        { ["init", "o.safetensors", "--arch", "vit-enormous"], "--arch is 'vit-enormous'" },
        { ["init", "o.safetensors", "--arch", "vit-tiny", "--image-size", "100"], "--image-size is 100, not a multiple of --patch-size" },
        { ["init", "o.safetensors", "--arch", "vit-tiny", "--heads", "5"], "--heads is 5, which does not divide --dim" },
        { ["synth", "o", "--frames", "1"], "--frames is '1'" },
        { ["synth", "o", "--size", "33x64"], "--size is '33x64'; it must be WIDTHxHEIGHT, both even and from 32 to 4096" },
        { ["train", "--data", "x", "--out", "o", "--arch", "vit-tiny", "--flip", "2"], "--flip is '2'" },
    };

    public static TheoryData<string[], string> FailedJobs => new()
    {
        { ["predict", "x.mp4", "--model", "no/such/model.safetensors"], "no/such/model.safetensors" },
        { ["forward", "--model", "m", "--input", "no/such/input.safetensors", "--output", "o"], "no/such/input.safetensors" },
        { ["align", "no/such/clip.mp4"], "no/such/clip.mp4" },
        // The page is tried first: it would be a pity to find out after the work.
        { ["align", "no/such/clip.mp4", "--html", "no/such/page.html"], "no/such/page.html" },
        { ["sample", "no/such/clip.mp4", "--output", "o"], "no/such/clip.mp4" },
        // Names like any other, and not a file with more arguments.
        { ["align", "@no-such-clip.mp4"], "@no-such-clip.mp4" },
        { ["predict", "x.mp4", "--model", "@no/such/model.safetensors"], "@no/such/model.safetensors" },
        { ["init", "o.safetensors", "--arch", "vit-tiny", "--labels", "no/such/labels.txt"], "no/such/labels.txt" },
        { ["import", "no/such/in.safetensors", "o.safetensors"], "no/such/in.safetensors" },
    };

    [Theory]
    [MemberData(nameof(BadUsages))]
    public void BadUsage_Is2AndOneLine(string[] arguments, string names)
    {
        ProgramResult result = AtaProgram.Run(arguments);

        Assert.Equal(2, result.Code);
        AssertOneError(result, names);
        Assert.Empty(result.Output);
    }

    [Theory]
    [MemberData(nameof(FailedJobs))]
    public void FailedJob_Is1AndOneLine(string[] arguments, string names)
    {
        ProgramResult result = AtaProgram.Run(arguments);

        Assert.Equal(1, result.Code);
        AssertOneError(result, names);
    }

    [Theory]
    [InlineData("info")]
    [InlineData("import")]
    [InlineData("init")]
    [InlineData("predict")]
    [InlineData("sample")]
    [InlineData("forward")]
    [InlineData("align")]
    [InlineData("bench")]
    public void Help_ShowsUsageAndExamples(string verb)
    {
        ProgramResult result = AtaProgram.Run(verb, "--help");

        Assert.Equal(0, result.Code);
        Assert.Contains($"ata {verb}", result.Output);
        Assert.Contains("Examples:", result.Output);
        Assert.Contains("--json", result.Output);
        Assert.Empty(result.Error);
    }

    [Fact]
    public void Info_IsJson()
    {
        ProgramResult result = AtaProgram.Run("info", "--json", "--threads", "1");

        Assert.Equal(0, result.Code);
        using JsonDocument report = JsonDocument.Parse(result.Output);
        Assert.Equal(AtaRuntime.Version, report.RootElement.GetProperty("version").GetString());
        Assert.Equal(1, report.RootElement.GetProperty("threads").GetInt32());
        Assert.True(report.RootElement.GetProperty("devices")[0].GetProperty("available").GetBoolean());
        Assert.Contains("oneDNN", AtaProgram.Run("info").Output);
    }

    [Fact]
    public void MissingLibrary_IsNamed()
    {
        (string, string)[] environment = [("ATA_LIBRARY_PATH", "/no/such/libata.so")];

        ProgramResult info = AtaProgram.Run(environment, "info", "--json");
        Assert.Equal(1, info.Code);
        AssertOneError(info, "/no/such/libata.so");
        using JsonDocument report = JsonDocument.Parse(info.Output);
        JsonElement attempt = report.RootElement.GetProperty("attempts")[0];
        Assert.Equal("/no/such/libata.so", attempt.GetProperty("path").GetString());
        Assert.NotEmpty(attempt.GetProperty("error").GetString()!);

        ProgramResult align = AtaProgram.Run(environment, "align", files.Clip);
        Assert.Equal(1, align.Code);
        AssertOneError(align, "/no/such/libata.so");
    }

    [Fact]
    public void FileThatIsNoLibrary_IsNamedWithTheReason()
    {
        string file = files.In("libata.so");
        File.WriteAllText(file, "This is not a library.");

        ProgramResult result = AtaProgram.Run([("ATA_LIBRARY_PATH", file)], "align", files.Clip);

        Assert.Equal(1, result.Code);
        AssertOneError(result, file);
        Assert.DoesNotContain("LD_DEBUG", result.Error);
    }

    [Fact]
    public void Interrupt_EndsTheProgramCleanly()
    {
        if (!OperatingSystem.IsLinux())
        {
            return;
        }

        using Process process = AtaProgram.Start([], "predict", files.Clip, "--model", files.Model, "--stride", "2", "--views", "10000x3");

        // Until it reads the video, however long that takes.
        SpinWait.SpinUntil(() => process.HasExited || File.ReadAllText($"/proc/{process.Id}/maps").Contains("libata_video", StringComparison.Ordinal), Patience.Limit);
        Assert.False(process.HasExited, process.HasExited ? process.StandardError.ReadToEnd() : string.Empty);
        Process.Start("kill", ["-INT", $"{process.Id}"]).WaitForExit();

        Assert.True(process.WaitForExit(Patience.Limit));
        Assert.Equal(1, process.ExitCode);
        Assert.Equal("error: cancelled", process.StandardError.ReadToEnd().Trim());
    }

    [Fact]
    public void FileThatBeginsWithAt_IsAFile()
    {
        string clip = files.In("@clip.mp4");
        File.Copy(files.Clip, clip);

        ProgramResult result = AtaProgram.Run("sample", clip, "--frames", "2", "--size", "32", "--output", files.In("@out.safetensors"));

        Assert.Equal(0, result.Code);
        Assert.True(File.Exists(files.In("@out.safetensors")));
    }

    [Fact]
    public void OptionThatTheLibraryRefuses_IsNamedAsTyped()
    {
        // The model has 32 pixels in patches of 8.
        ProgramResult size = AtaProgram.Run("predict", files.Clip, "--model", files.Model, "--image-size", "33");
        Assert.Equal(2, size.Code);
        AssertOneError(size, "--image-size is 33");

        ProgramResult block = AtaProgram.Run("align", files.Clip, "--model", files.Model, "--stride", "1", "--block", "9");
        Assert.Equal(2, block.Code);
        AssertOneError(block, "--block is 9");

        ProgramResult resize = AtaProgram.Run("sample", files.Clip, "--frames", "2", "--size", "64", "--resize", "32", "--output", files.In("o"));
        Assert.Equal(2, resize.Code);
        AssertOneError(resize, "--resize is 32");
    }

    [Fact]
    public void MissingGpu_IsAFailedJobThatNamesTheRemedy()
    {
        string[][] jobs =
        [
            ["predict", files.Clip, "--model", files.Model],
            ["align", files.Clip, "--size", "32", "--stride", "1"],
            ["align", files.Clip, "--model", files.Model, "--stride", "1"],
            ["bench", "--model", files.Model],
        ];
        foreach (string[] job in jobs)
        {
            ProgramResult result = AtaProgram.Run([.. job, "--device", "cuda:7"]);

            Assert.Equal(1, result.Code);
            AssertOneError(result, "'cpu'");
        }
    }

    [Fact]
    public void NamesFromFiles_DoNotReachTheTerminalAsTheyAre()
    {
        string model = files.In("labels.safetensors");
        using (Model made = Model.Create(new ModelConfig { ImageSize = 32, PatchSize = 16, Dim = 16, Depth = 1, Heads = 1, Frames = 2, Classes = 2 }))
        {
            made.SetLabels(["\u001b[31mred\u001b[0m", "two\nlines \u202etfel"]);
            made.Save(model);
        }

        ProgramResult result = AtaProgram.Run("predict", files.Clip, "--model", model, "--stride", "1");
        Assert.Equal(0, result.Code);
        Assert.DoesNotContain('\u001b', result.Output);
        Assert.DoesNotContain('\u202e', result.Output);
        Assert.Contains("\\x1b[31mred", result.Output);
        Assert.Contains("two\\nlines \\u202etfel", result.Output);

        if (!OperatingSystem.IsWindows())
        {
            ProgramResult missing = AtaProgram.Run("align", "no\nsuch\u001b[2Jclip.mp4");
            Assert.Equal(1, missing.Code);
            AssertOneError(missing, "\\x1b[2J");
        }
    }

    private static void AssertOneError(ProgramResult result, string names)
    {
        string line = Assert.Single(result.ErrorLines);
        Assert.StartsWith("error: ", line);
        Assert.Contains(names, line);
        Assert.DoesNotContain("   at ", line);
        Assert.DoesNotContain("internal error", line);
        Assert.DoesNotContain(line, c => char.IsControl(c));
    }
}
