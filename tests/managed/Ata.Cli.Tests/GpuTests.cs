using System.Text.Json;
using Xunit;

namespace Ata.Cli.Tests;

/// <summary>Every verb that computes, on the emulated GPU; and what is said when there is none to compute on.</summary>
public sealed class GpuTests(CliFiles files) : IClassFixture<CliFiles>
{
    private static readonly string[] s_tinyRun =
    [
        "--arch", "vit-tiny", "--image-size", "32", "--patch-size", "16", "--dim", "16", "--depth", "1", "--heads", "1", "--frames", "2",
        "--batch", "2", "--stride", "1",
    ];

    [EmulatedGpuFact]
    public void Predict_GivesWhatTheCpuGives()
    {
        string[] arguments = ["predict", files.Clip, "--model", files.Model, "--stride", "1", "--views", "2x1", "--json"];
        (JsonElement cpu, JsonElement gpu) = OnBoth(arguments);

        JsonElement[] expected = [.. cpu[0].GetProperty("predictions").EnumerateArray()];
        JsonElement[] predictions = [.. gpu[0].GetProperty("predictions").EnumerateArray()];
        Assert.Equal(expected.Select(p => p.GetProperty("label").GetString()), predictions.Select(p => p.GetProperty("label").GetString()));
        Assert.All(expected.Zip(predictions), pair => AssertClose(pair.First, pair.Second, "probability"));
    }

    [EmulatedGpuTheory]
    [InlineData("exact")]
    [InlineData("nearest")]
    [InlineData("window")]
    public void Align_GivesWhatTheCpuGives(string method)
    {
        string[][] jobs =
        [
            ["align", files.Clip, "--size", "32", "--patch-size", "4", "--frames", "6", "--stride", "1"],
            ["align", files.Clip, "--model", files.Model, "--stride", "1"],
        ];
        foreach (string[] job in jobs)
        {
            (JsonElement cpu, JsonElement gpu) = OnBoth([.. job, "--alignment", method, "--json"]);

            Assert.Equal(cpu.GetProperty("trajectories").GetRawText(), gpu.GetProperty("trajectories").GetRawText());
            Assert.Contains(gpu.GetProperty("moved_share").EnumerateArray(), share => share.GetDouble() > 0);
        }
    }

    [EmulatedGpuTheory]
    [InlineData("ata")]
    [InlineData("divided")]
    [InlineData("joint")]
    [InlineData("space_only")]
    public void Forward_GivesWhatTheCpuGives(string temporal)
    {
        string input = files.In($"{temporal}.safetensors");
        using (var file = new TensorFile())
        using (AtaTensor clip = AtaTensor.Create<float>(2, 3, 4, 32, 32))
        using (AtaTensor labels = AtaTensor.CopyOf<long>([1, 5], 2))
        {
            var random = new Random(1);
            foreach (ref float value in clip.AsSpan<float>())
            {
                value = (2 * random.NextSingle()) - 1;
            }

            file.Set("clip", clip);
            file.Set("labels", labels);
            file.Save(input);
        }

        string Output(string device)
        {
            string output = files.In($"{temporal}-{device}.safetensors");
            ProgramResult result = OnGpu(
                "forward", "--model", files.Model, "--temporal", temporal, "--input", input, "--output", output, "--gradients", "--device", device);
            Assert.Equal((0, string.Empty), (result.Code, result.Error));
            return output;
        }

        using TensorFile cpu = TensorFile.Open(Output("cpu"));
        using TensorFile gpu = TensorFile.Open(Output("cuda"));
        Assert.Equal(cpu.Names, gpu.Names);
        Assert.Contains("grad/head.weight", gpu.Names);
        foreach (string name in cpu.Names)
        {
            using AtaTensor expected = cpu.Get(name);
            using AtaTensor values = gpu.Get(name);
            Assert.Equal(expected.Shape, values.Shape);
            if (expected.ElementType != TensorElementType.Float32)
            {
                Assert.Equal(expected.AsSpan<int>(), values.AsSpan<int>());
                continue;
            }

            for (int i = 0; i < expected.Count; ++i)
            {
                Assert.Equal(expected.AsSpan<float>()[i], values.AsSpan<float>()[i], 1e-4f);
            }
        }
    }

    [EmulatedGpuFact]
    public void TrainEvalAndCompare_RunToTheirEnd()
    {
        string clips = files.In("clips");
        Assert.Equal(0, AtaProgram.Run("synth", clips, "--clips", "8", "--classes", "2", "--size", "32x32", "--frames", "6", "--test", "0.5").Code);
        string list = Path.Combine(clips, "list.csv");
        string run = files.In("run");
        string[] data = ["--data", list];

        // A run may change its device at a checkpoint.
        Assert.Equal(0, OnGpu(["train", .. data, "--out", run, .. s_tinyRun, "--steps", "2", "--checkpoint-steps", "1", "--keep", "0", "--device", "cpu"]).Code);
        string model = Path.Combine(run, "final.safetensors");
        File.Delete(model);
        File.Delete(Path.Combine(run, "checkpoint-000000002.safetensors"));
        ProgramResult resumed = OnGpu("train", "--resume", run, "--device", "cuda");
        Assert.True(resumed.Code == 0, resumed.Error);

        JsonElement Evaluated(string device) => Parsed(
            OnGpu(["eval", .. data, "--split", "test", "--model", model, "--stride", "1", "--device", device, "--json"]).Output);
        JsonElement cpu = Evaluated("cpu");
        JsonElement gpu = Evaluated("cuda");
        AssertClose(cpu, gpu, "loss");
        Assert.Equal(cpu.GetProperty("correct").GetInt32(), gpu.GetProperty("correct").GetInt32());

        string bench = OnGpu("bench", "--model", model, "--runs", "1", "--warmup", "1", "--device", "cuda:0", "--json").Output;
        Assert.Contains("\"device\":\"cuda:0\"", bench);

        ProgramResult compared = OnGpu(
            ["compare", .. data, "--out", files.In("compared"), .. s_tinyRun, "--steps", "1", "--image-steps", "1", "--device", "cuda"]);
        Assert.True(compared.Code == 0, compared.Error);
        Assert.True(File.Exists(files.In("compared/table.md")));
    }

    [EmulatedGpuFact]
    public void Info_SaysThatTheGpuIsEmulated()
    {
        ProgramResult result = OnGpu("info");

        Assert.Equal(0, result.Code);
        Assert.Contains("cuda:0", result.Output);
        Assert.Contains("emulated GPU (no hardware)", result.Output);
        Assert.Contains("cuBLASLt 13", result.Output);
        string warning = Assert.Single(result.ErrorLines);
        Assert.Contains("emulated", warning);
        Assert.Contains(EmulatedGpu.Plugin, warning);
    }

    /// <summary>Options of the emulator (tests/native/cuda_emulator/README.md) and what is said.</summary>
    public static TheoryData<string, string> Troubles => new()
    {
        { "driver=12040", "supports CUDA 12.4, and CUDA 13 is needed; install NVIDIA's driver 580 or newer" },
        { "driver=0", "no NVIDIA driver was found; install NVIDIA's driver 580 or newer" },
        { "devices=0", "the NVIDIA driver sees no GPU (is CUDA_VISIBLE_DEVICES set?)" },
        { "architecture=70", "has compute capability 7.0; Ata needs 7.5 (Turing) or newer" },
        { "memory=1000000", "the GPU is out of memory; use smaller batches, fewer frames, or bf16" },
        { "fail=cudaLaunchKernel:1:719", "this process can use the GPU no more: start it anew" },
        { "fail=cudaMemcpyAsync:1", "an upload failed" },
        { "fail=cublasLtCreate:1", "cuBLASLt" },
        { "fail=cudaMemPoolCreate:1", "making a pool of memory failed" },
    };

    [EmulatedGpuTheory]
    [MemberData(nameof(Troubles))]
    public void GpuInTrouble_IsOneErrorWithTheReason(string options, string reason)
    {
        ProgramResult result = AtaProgram.Run(
            [(EmulatedGpu.Variable, EmulatedGpu.Plugin), ("ATA_CUDA_EMULATOR", options)],
            "predict", files.Clip, "--model", files.Model, "--stride", "1", "--device", "cuda");

        AssertFailed(result, reason);
    }

    [Fact]
    public void ChosenPluginThatIsNone_IsNamedWithItsVariable()
    {
        if (!OperatingSystem.IsLinux())
        {
            return;
        }

        files.Write("text.so", "This is not a library.");
        foreach ((string plugin, string problem) in new[]
        {
            (files.In("missing.so"), "No such file"),
            ("libata_cuda.so", "it must be an absolute path"),
            (files.In("text.so"), "this file cannot be loaded"),
            (files.Folder, "this file cannot be loaded"),
            (NativeFile("libata_video.so.*")!, "does not export"),
        })
        {
            ProgramResult result = AtaProgram.Run([(EmulatedGpu.Variable, plugin)], "bench", "--model", files.Model, "--device", "cuda");

            AssertFailed(result, problem);
            Assert.Contains($"ATA_CUDA_PLUGIN is '{plugin}'", result.Error);
            Assert.Contains("unset it", result.Error);
        }
    }

    [Fact]
    public void InstalledPlugin_SaysWhyItHasNoGpu()
    {
        JsonElement devices = AtaProgram.Json("info", "--json").GetProperty("devices");
        if (devices.EnumerateArray().All(device => device.GetProperty("name").GetString() != "cuda"))
        {
            return; // This machine has a GPU.
        }

        string reason = devices.EnumerateArray().Last().GetProperty("reason").GetString()!;
        Assert.Contains("device 'cpu'", reason);
        AssertFailed(AtaProgram.Run("predict", files.Clip, "--model", files.Model, "--stride", "1", "--device", "cuda"), reason);
    }

    /// <summary>What lies in cuBLASLt's place, and what is said of it.</summary>
    public static TheoryData<string, string> Libraries => new()
    {
        { "text", "libcublasLt.so.13 cannot be used: " },
        { "another library", "libcublasLt.so.13 cannot be used: it has no cublasLtCreate()" },
    };

    [CudaPluginTheory]
    [MemberData(nameof(Libraries))]
    public void LibraryThatIsNone_IsNamedWithItsPackage(string content, string problem)
    {
        string folder = files.In(content);
        files.Write($"{content}/libcublasLt.so.13", "This is not a library.");
        if (content != "text")
        {
            File.Copy(NativeFile("libata_video.so.*")!, Path.Combine(folder, "libcublasLt.so.13"), overwrite: true);
        }

        (string, string)[] environment = [("LD_LIBRARY_PATH", folder), (EmulatedGpu.Variable, string.Empty)];
        ProgramResult result = AtaProgram.Run(environment, "predict", files.Clip, "--model", files.Model, "--stride", "1", "--device", "cuda");

        AssertFailed(result, problem);
        Assert.Contains("install NVIDIA's cuBLAS 13 (package libcublas-13-0", result.Error);
        Assert.Contains("device 'cpu'", result.Error);
        ProgramResult info = AtaProgram.Run(environment, "info");
        Assert.Equal(0, info.Code);
        Assert.Contains(problem, info.Output);
    }

    private static string? NativeFile(string pattern) => Directory.GetFiles(AppContext.BaseDirectory, pattern).SingleOrDefault();

    /// <summary>A test of the plugin for real GPUs, on a machine with one or without; reported as skipped where it was not
    /// built.</summary>
    [AttributeUsage(AttributeTargets.Method)]
    private sealed class CudaPluginTheoryAttribute : TheoryAttribute
    {
        public CudaPluginTheoryAttribute() => Skip = NativeFile("libata_cuda.so.*") is null
            ? "The CUDA plugin was not built (CMake's output says why)."
            : null;
    }

    private static (JsonElement Cpu, JsonElement Gpu) OnBoth(string[] arguments)
    {
        JsonElement On(string device)
        {
            ProgramResult result = OnGpu([.. arguments, "--device", device]);
            Assert.Equal((0, string.Empty), (result.Code, result.Error));
            return Parsed(result.Output);
        }

        return (On("cpu"), On("cuda"));
    }

    private static JsonElement Parsed(string json)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        return document.RootElement.Clone();
    }

    private static ProgramResult OnGpu(params string[] arguments) => AtaProgram.Run([(EmulatedGpu.Variable, EmulatedGpu.Plugin)], arguments);

    private static void AssertClose(JsonElement expected, JsonElement value, string property) =>
        Assert.Equal(expected.GetProperty(property).GetDouble(), value.GetProperty(property).GetDouble(), 1e-4);

    private static void AssertFailed(ProgramResult result, string reason)
    {
        Assert.Equal(1, result.Code);
        string line = Assert.Single(result.ErrorLines);
        Assert.StartsWith("error: ", line);
        Assert.Contains(reason, line);
        Assert.Equal(string.Empty, result.Output);
    }
}
