using Ata.Data;
using Ata.Tests.Data;
using Ata.Training;
using Xunit;

namespace Ata.Tests;

/// <summary>What the C# API computes on <c>cuda</c>, beside the CPU. A program of its own: which plugin stands for the GPU
/// is read once, when the native library looks for devices.</summary>
internal static class GpuProgram
{
    private const string Gpu = "cuda";

    /// <summary>The checks by name.</summary>
    public static IReadOnlyDictionary<string, Func<Task>> Checks { get; } = new Dictionary<string, Func<Task>>
    {
        [nameof(Devices)] = Run(Devices),
        [nameof(Sessions)] = Run(Sessions),
        [nameof(Tensors)] = Run(Tensors),
        [nameof(Aligners)] = Run(Aligners),
        [nameof(Assigners)] = Run(Assigners),
        [nameof(Block)] = Run(Block),
        [nameof(Classifier)] = Run(Classifier),
        [nameof(Training)] = Training,
    };

    /// <summary>Runs the checks that are named.</summary>
    /// <returns>0 when they hold.</returns>
    public static async Task<int> Main(string[] names)
    {
        foreach (string name in names)
        {
            try
            {
                await Checks[name]();
            }
            catch (Exception error)
            {
                await Console.Error.WriteLineAsync($"{name}: {error}");
                return 1;
            }
        }

        return 0;
    }

    private static Func<Task> Run(Action check) => () =>
    {
        check();
        return Task.CompletedTask;
    };

    private static void Devices()
    {
        DeviceReport device = Assert.Single(AtaRuntime.Devices, d => d.Name == "cuda:0");
        Assert.True(device.Available);
        Assert.Contains("emulated", device.Description);
        Assert.StartsWith("CUDA ", device.Driver);
        Assert.Contains("cuBLASLt", device.Libraries);
        Assert.InRange(device.Memory!.FreeBytes!.Value, 1, device.Memory.TotalBytes!.Value);
        Assert.Equal(device.Libraries, Assert.Single(AtaRuntime.Diagnose().Devices, d => d.Name == "cuda:0").Libraries);
        Assert.Contains("'cuda:0'", Assert.Throws<AtaDeviceException>(() => TinyModel.Create(device: "cuda:1")).Message);
    }

    private static void Sessions()
    {
        foreach (TemporalMode temporal in Enum.GetValues<TemporalMode>())
        {
            ModelConfig config = TinyModel.Config with { Temporal = temporal };
            using Model cpu = Model.Create(config, 1);
            using Model gpu = Model.Create(config, 1, Gpu);
            Assert.Equal("cuda:0", gpu.Device);
            float[] clips = TinyModel.Clips(2);
            var expected = new float[10];
            var logits = new float[10];
            using Session session = gpu.CreateSession();
            cpu.CreateSession().Forward(clips, expected);
            // The second pass of a shape is recorded, the third repeated.
            for (int pass = 0; pass < 3; ++pass)
            {
                Array.Clear(logits);
                session.Forward(clips, logits);
                AssertClose(expected, logits);
            }

            using AtaTensor there = AtaTensor.CopyOf<float>(clips, 2, 3, 4, 32, 32).CopyTo(Gpu);
            Array.Clear(logits);
            session.Forward(there, logits);
            AssertClose(expected, logits);
        }
    }

    private static void Tensors()
    {
        using AtaTensor values = AtaTensor.CopyOf<float>([1, 2, 3], 3);
        using AtaTensor there = values.CopyTo(Gpu);
        Assert.Equal("cuda:0", there.Device);
        Assert.ThrowsAny<Exception>(() => there.AsSpan<float>());
        using AtaTensor shared = AtaTensor.FromDlpack(there.ToDlpack());
        Assert.Equal("cuda:0", shared.Device);
        using AtaTensor back = shared.CopyTo("cpu");
        Assert.Equal(values.AsSpan<float>(), back.AsSpan<float>());
    }

    private static void Aligners()
    {
        const int Frames = 5;
        const int Patches = 40;
        const int Channels = 16;
        using AtaTensor features = Random(Frames * Patches * Channels, 2, Frames, Patches, Channels);
        using AtaTensor there = features.CopyTo(Gpu);
        foreach (AlignmentMethod method in new[] { AlignmentMethod.Exact, AlignmentMethod.Nearest, AlignmentMethod.Sinkhorn })
        {
            var options = new AlignmentOptions { Method = method };
            using Trajectories expected = FrameAligner.Align(features, options);
            using Trajectories fromHost = FrameAligner.Align(features, options with { Device = Gpu });
            using Trajectories fromGpu = FrameAligner.Align(there, options with { Device = Gpu });
            Assert.Equal(expected.Positions, fromHost.Positions);
            Assert.Equal(expected.Positions, fromGpu.Positions);
            Assert.Contains(expected.OfFrame(0, Frames - 1).ToArray().Select((place, patch) => place != patch), moved => moved);

            using var cpu = new OnlineAligner(Patches, Channels, options);
            using var gpu = new OnlineAligner(Patches, Channels, options with { Device = Gpu });
            var places = new int[Patches];
            var placesThere = new int[Patches];
            for (int frame = 0; frame < Frames; ++frame)
            {
                ReadOnlySpan<float> values = features.AsSpan<float>().Slice(frame * Patches * Channels, Patches * Channels);
                cpu.Add(values, places);
                gpu.Add(values, placesThere);
                Assert.Equal(places, placesThere);
            }
        }
    }

    private static void Assigners()
    {
        const int Rows = 30;
        const int Columns = 45;
        using AtaTensor values = Random(0, 3, Rows, Columns);
        foreach (bool maximize in new[] { true, false })
        {
            var options = new AssignmentOptions { Maximize = maximize, Certify = true };
            using var cpu = new Assigner(options);
            using var gpu = new Assigner(options with { Device = Gpu });
            var expected = new int[3 * Rows];
            var expectedTotals = new double[3];
            var matchings = new int[3 * Rows];
            var totals = new double[3];
            cpu.SolveBatch(values.AsSpan<float>(), 3, Rows, Columns, expected, expectedTotals);
            gpu.SolveBatch(values.AsSpan<float>(), 3, Rows, Columns, matchings, totals);
            Assert.Equal(expected, matchings);
            Assert.All(expectedTotals.Zip(totals), pair => Assert.Equal(pair.First, pair.Second, 1e-6));
        }
    }

    private static void Block()
    {
        var options = new TemporalBlockOptions { Heads = 2, Seed = 1 };
        using var cpu = new TemporalBlock(8, options);
        using var gpu = new TemporalBlock(8, options with { Device = Gpu });
        using AtaTensor weights = Random(0, 1, 64);
        foreach (TemporalBlock block in new[] { cpu, gpu })
        {
            using AtaTensor weight = block.GetParameter("temporal_fc.weight");
            using AtaTensor shaped = AtaTensor.CopyOf<float>(weights.AsSpan<float>(), weight.Shape);
            shaped.CopyTo(weight);
        }

        using AtaTensor features = Random(0, 1, 4, 9, 8);
        using AtaTensor expected = cpu.Forward(features, forBackward: true);
        using AtaTensor there = features.CopyTo(Gpu);
        using AtaTensor output = gpu.Forward(there, forBackward: true);
        Assert.Equal("cuda:0", output.Device);
        AssertSame(expected, output);
        using Trajectories trajectories = cpu.GetTrajectories();
        using Trajectories trajectoriesThere = gpu.GetTrajectories();
        Assert.Equal(trajectories.Positions, trajectoriesThere.Positions);
        using AtaTensor back = cpu.Backward(expected);
        using AtaTensor backThere = gpu.Backward(output);
        AssertSame(back, backThere);
        foreach (string name in cpu.ParameterNames)
        {
            using AtaTensor slope = cpu.GetGradient(name);
            using AtaTensor slopeThere = gpu.GetGradient(name);
            AssertSame(slope, slopeThere);
        }
    }

    private static void Classifier()
    {
        using var folder = new TestFolder();
        string video = folder.In("clip.mp4");
        TestVideo.Write(video);
        string file = folder.In("model.safetensors");
        using (Model model = TinyModel.Create())
        {
            model.Save(file);
        }

        var options = new PredictOptions { Sampling = new ClipOptions { Stride = 2 }, TemporalViews = 2 };
        using VideoClassifier cpu = VideoClassifier.Load(file);
        using VideoClassifier gpu = VideoClassifier.Load(file, new ModelOptions { Device = Gpu });
        AssertClose(cpu.Predict(video, options).Probabilities, gpu.Predict(video, options).Probabilities);
    }

    private static async Task Training()
    {
        using Model cpu = TinyModel.Create();
        using Model gpu = TinyModel.Create(device: Gpu);
        using var trainer = new Trainer(cpu);
        using var trainerThere = new Trainer(gpu);
        using AtaTensor clips = TinyModel.ClipTensor(2);
        using AtaTensor labels = AtaTensor.CopyOf<long>([0, 1], 2);
        for (int step = 0; step < 3; ++step)
        {
            Assert.Equal(trainer.Accumulate(clips, labels, []), trainerThere.Accumulate(clips, labels, []), 1e-4f);
            Assert.Equal(trainer.Update(1e-3), trainerThere.Update(1e-3), 1e-3);
        }

        using var videos = new TinyVideos();
        using var folder = new TestFolder();
        using Model model = Model.Create(TinyModel.Config with { Classes = 2 }, 1, Gpu);
        using var run = new TrainingRun(model, videos.Dataset, null, new TrainingRunOptions
        {
            Steps = 2,
            BatchSize = 2,
            Stride = 1,
            OutputDirectory = folder.In("run"),
        });
        await run.FitAsync();
        using Model trained = Model.Load(new RunDirectory(folder.In("run")).FinalModel, new ModelOptions { Device = Gpu });
        Assert.Equal(2, trained.Config.Classes);
    }

    private static AtaTensor Random(int seed, params ReadOnlySpan<nint> shape)
    {
        AtaTensor tensor = AtaTensor.Create<float>(shape);
        var random = new Random(seed);
        foreach (ref float value in tensor.AsSpan<float>())
        {
            value = (2 * random.NextSingle()) - 1;
        }

        return tensor;
    }

    private static void AssertSame(AtaTensor expected, AtaTensor there)
    {
        using AtaTensor values = there.CopyTo("cpu");
        Assert.Equal(expected.Shape, values.Shape);
        AssertClose(expected.AsReadOnlySpan<float>(), values.AsReadOnlySpan<float>());
    }

    private static void AssertClose(ReadOnlySpan<float> expected, ReadOnlySpan<float> values)
    {
        Assert.Equal(expected.Length, values.Length);
        for (int i = 0; i < expected.Length; ++i)
        {
            Assert.Equal(expected[i], values[i], 1e-4f);
        }
    }
}
