using System.Diagnostics;
using Xunit;

namespace Ata.Cli.Tests;

/// <summary>No verb writes over what it reads, whatever the files are called, and what is no file is neither read nor
/// replaced.</summary>
public sealed class FileTests : IDisposable
{
    private readonly CliFiles _files = new();

    public void Dispose() => _files.Dispose();

    public static TheoryData<string, string[]> Overwriting => new()
    {
        { "clip.mp4", ["sample", "{clip.mp4}", "--output", "{}"] },
        { "clip.mp4", ["align", "{clip.mp4}", "--overlay", "{}"] },
        { "model.safetensors", ["align", "{clip.mp4}", "--model", "{model.safetensors}", "--overlay", "{}"] },
        { "model.safetensors", ["forward", "--model", "{model.safetensors}", "--input", "{clip.safetensors}", "--output", "{}"] },
        { "clip.safetensors", ["forward", "--model", "{model.safetensors}", "--input", "{clip.safetensors}", "--output", "{}"] },
        { "model.safetensors", ["import", "{model.safetensors}", "{}"] },
        { "labels.txt", ["import", "{model.safetensors}", "{}", "--labels", "{labels.txt}"] },
        { "labels.txt", ["init", "{}", "--arch", "vit-tiny", "--labels", "{labels.txt}"] },
        { "model.safetensors", ["eval", "--data", "{list.csv}", "--model", "{model.safetensors}", "--csv", "{}"] },
        { "list.csv", ["eval", "--data", "{list.csv}", "--model", "{model.safetensors}", "--csv", "{}"] },
        { "labels.txt", ["eval", "--data", "{list.csv}", "--labels", "{labels.txt}", "--model", "{model.safetensors}", "--csv", "{}"] },
        { "clip.mp4", ["eval", "--data", "{list.csv}", "--model", "{model.safetensors}", "--csv", "{}"] },
        { "run.json", ["eval", "--data", "{list.csv}", "--model", "{model.safetensors}", "--csv", "{}"] },
        { "frames/img_00001.png", ["align", "{frames}", "--size", "16", "--patch-size", "8", "--overlay", "{}"] },
    };

    [Theory]
    [MemberData(nameof(Overwriting))]
    public void NoVerbWritesOverWhatItReads(string input, string[] arguments)
    {
        _files.Write("labels.txt", "walk\nrun\njump\nsit\n[wave]\ngrößer\n");
        _files.Write("list.csv", "path,label\nclip.mp4,walk\n");
        _files.Write("run.json", "{}");
        Directory.CreateDirectory(_files.In("frames"));
        for (int i = 1; i <= 8; ++i)
        {
            ImageFile.Write(_files.In($"frames/img_{i:00000}.png"), new byte[32 * 32 * 3], 32, 32);
        }

        if (arguments.Contains("{clip.safetensors}"))
        {
            Assert.Equal(0, AtaProgram.Run("sample", _files.Clip, "--frames", "4", "--stride", "1", "--size", "32", "--output", _files.In("clip.safetensors")).Code);
        }

        // Links keep the ending, by which pictures and videos are known.
        byte[] before = File.ReadAllBytes(_files.In(input));
        string symbolic = _files.In("symbolic" + Path.GetExtension(input));
        File.CreateSymbolicLink(symbolic, _files.In(input));
        foreach (string output in new[] { _files.In(input), symbolic })
        {
            ProgramResult result = AtaProgram.Run(arguments.Select(a => a == "{}" ? output : a.StartsWith('{') ? _files.In(a[1..^1]) : a).ToArray());

            Assert.Equal(2, result.Code);
            Assert.Contains("would overwrite what is read", result.ErrorLines[^1]);
            Assert.Equal(before, File.ReadAllBytes(_files.In(input)));
            Assert.Equal(_files.In(input), new FileInfo(symbolic).ResolveLinkTarget(true)!.FullName);
        }
    }

    [Fact]
    public void HardLinksAndOtherSpellingsAreTheSameFile()
    {
        byte[] before = File.ReadAllBytes(_files.Clip);
        string linked = _files.In("hard.mp4");
        using (Process link = Process.Start("ln", [_files.Clip, linked]))
        {
            link.WaitForExit();
        }

        foreach (string output in new[] { linked, Path.Combine(_files.Folder, ".", "clip.mp4") })
        {
            Assert.Equal(2, AtaProgram.Run("sample", _files.Clip, "--output", output).Code);
            Assert.Equal(before, File.ReadAllBytes(_files.Clip));
        }
    }

    [Fact]
    public void PicturesAreNotWrittenOverTheFramesThatAreRead()
    {
        Directory.CreateDirectory(_files.In("frames"));
        for (int i = 1; i <= 2; ++i)
        {
            ImageFile.Write(_files.In($"frames/img_{i:00000}.png"), new byte[32 * 32 * 3], 32, 32);
        }

        ProgramResult result = AtaProgram.Run("sample", _files.In("frames"), "--frames", "2", "--stride", "1", "--output", _files.In("c.safetensors"), "--png", _files.In("frames"));

        Assert.Equal(2, result.Code);
        Assert.Contains("--png would overwrite what is read", result.Error);
    }

    [Fact]
    public void OneFileIsNotTwoResults()
    {
        ProgramResult result = AtaProgram.Run("align", _files.Clip, "--overlay", _files.In("x.mp4"), "--html", _files.In("x.mp4"));

        Assert.Equal(2, result.Code);
        Assert.Contains("are the same file", result.Error);
        Assert.False(File.Exists(_files.In("x.mp4")));
    }

    [Fact]
    public void FoldersWithOtherContentAreNotFilled()
    {
        _files.Write("mine/list.csv", "precious");

        ProgramResult synth = AtaProgram.Run("synth", _files.In("mine"), "--clips", "8");
        ProgramResult compare = AtaProgram.Run("compare", "--data", _files.In("mine/list.csv"), "--out", _files.In("mine"), "--arch", "vit-tiny");
        _files.Write("site/report.html", "precious");
        ProgramResult train = AtaProgram.Run("train", "--data", _files.In("mine/list.csv"), "--out", _files.In("site"), "--arch", "vit-tiny");

        Assert.Equal((2, 2, 2), (synth.Code, compare.Code, train.Code));
        Assert.All([synth, compare], r => Assert.Contains("is not empty", r.Error));
        Assert.Contains("report.html, which the run would overwrite", train.Error);
        Assert.Equal("precious", File.ReadAllText(_files.In("mine/list.csv")));
        Assert.Equal("precious", File.ReadAllText(_files.In("site/report.html")));
    }

    [Fact]
    public async Task PipesAreRefusedWithoutWaiting()
    {
        string pipe = _files.In("pipe");
        using (Process make = Process.Start("mkfifo", [pipe]))
        {
            make.WaitForExit();
        }

        _files.Write("list.csv", "path,label\nclip.mp4,walk\n");
        string[][] commands =
        [
            ["sample", pipe, "--output", _files.In("out.safetensors")],
            ["predict", pipe, "--model", _files.Model],
            ["predict", _files.Clip, "--model", pipe],
            ["import", pipe, _files.In("out.safetensors")],
            ["init", _files.In("out.safetensors"), "--arch", "vit-tiny", "--labels", pipe],
            ["init", pipe, "--arch", "vit-tiny"],
            ["train", "--data", _files.In("list.csv"), "--config", pipe, "--out", _files.In("run")],
            ["eval", "--data", pipe, "--model", _files.Model],
            ["eval", "--data", _files.In("list.csv"), "--labels", pipe, "--model", _files.Model],
        ];
        foreach (string[] command in commands)
        {
            using Process run = AtaProgram.Start([], command);
            Task<string> error = run.StandardError.ReadToEndAsync();
            await run.WaitForExitAsync().WaitAsync(Patience.Limit);
            string said = await error;
            Assert.NotEqual(0, run.ExitCode);
            Assert.DoesNotContain("internal error", said);
            Assert.Contains("pipe", said);
        }

        Assert.Equal([pipe], Directory.EnumerateFileSystemEntries(_files.Folder, "pipe*"));
    }

    [Fact]
    public void DevicesAreWrittenStraight()
    {
        ProgramResult result = AtaProgram.Run("sample", _files.Clip, "--frames", "2", "--stride", "1", "--output", "/dev/null");

        Assert.Equal(0, result.Code);
        Assert.Equal(0, new FileInfo("/dev/null").Length);
    }
}
