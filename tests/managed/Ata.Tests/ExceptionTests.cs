using System.Reflection;
using System.Runtime.CompilerServices;
using System.Xml.Linq;
using Ata.Data;
using Ata.Tests.Data;
using Ata.Training;
using Xunit;

namespace Ata.Tests;

/// <summary>What the documentation says a call throws, it throws.</summary>
public sealed class ExceptionTests : IDisposable
{
    private static readonly AtaTensor s_features = AtaTensor.CopyOf<float>(Enumerable.Range(0, 2 * 4 * 8).Select(i => MathF.Sin(i)).ToArray(), 1, 2, 4, 8);

    private readonly TestFolder _folder = new();
    private readonly string _model;

    public ExceptionTests()
    {
        _model = _folder.In("model.safetensors");
        using Model model = TinyModel.Create();
        model.Save(_model);
    }

    public static TheoryData<string> Devices => ["cuda", "cuda:0", "cuda:999", "tpu", ""];

    public void Dispose() => _folder.Dispose();

    /// <summary>Without a GPU, or without so many. A machine that has one runs only what it lacks.</summary>
    [Theory]
    [MemberData(nameof(Devices))]
    public async Task AbsentDevice_IsADeviceException(string device)
    {
        if (device.StartsWith("cuda", StringComparison.Ordinal) && device != "cuda:999"
            && AtaRuntime.Devices.Any(d => d.Name == "cuda:0"))
        {
            return;
        }

        var options = new ModelOptions { Device = device };
        Assert.Throws<AtaDeviceException>(() => Model.Load(_model, options));
        await Assert.ThrowsAsync<AtaDeviceException>(() => Model.LoadAsync(_model, options));
        Assert.Throws<AtaDeviceException>(() => VideoClassifier.Load(_model, options));
        await Assert.ThrowsAsync<AtaDeviceException>(() => VideoClassifier.LoadAsync(_model, options));
        Assert.Throws<AtaDeviceException>(() => new TemporalBlock(8, new TemporalBlockOptions { Device = device, Heads = 2 }));
        Assert.Throws<AtaDeviceException>(() => Model.Import(_model, new ImportOptions { Device = device }));
        Assert.Throws<AtaDeviceException>(() => TinyModel.Create(device: device));
        Assert.Throws<AtaDeviceException>(() => FrameAligner.Align(s_features, new AlignmentOptions { Device = device }));
        Assert.Throws<AtaDeviceException>(() => new OnlineAligner(4, 8, new AlignmentOptions { Device = device }));
        Assert.Throws<AtaDeviceException>(() => new Assigner(new AssignmentOptions { Device = device }));
        Assert.Throws<AtaDeviceException>(() => Assignment.Solve([1], 1, 1, new int[1], new AssignmentOptions { Device = device }));
        Assert.Throws<AtaDeviceException>(() => AtaTensor.Create<float>(device, 2));
        Assert.Throws<AtaDeviceException>(() => s_features.CopyTo(device));
    }

    [Fact]
    public void AbsentDevice_CanBeReplacedByTheCaller()
    {
        using Model model = LoadOn("cuda:999");

        Assert.Equal(TinyModel.Config.Dim, model.Config.Dim);

        Model LoadOn(string device)
        {
            try
            {
                return Model.Load(_model, new ModelOptions { Device = device });
            }
            catch (AtaDeviceException)
            {
                return Model.Load(_model);
            }
        }
    }

    /// <summary>Results are read before they are there, or work is done twice.</summary>
    [Fact]
    public void NotYet_IsAnInvalidOperation()
    {
        using Model model = TinyModel.Create();
        using Session session = model.CreateSession();
        Assert.Throws<InvalidOperationException>(() => session.GetGradient("norm.weight"));
        Assert.Throws<InvalidOperationException>(() => session.GetTrajectories(0));

        using var block = new TemporalBlock(8, new TemporalBlockOptions { Heads = 2 });
        Assert.Throws<InvalidOperationException>(() => block.GetTrajectories());
        Assert.Throws<InvalidOperationException>(() => block.GetGradient("temporal_fc.bias"));
        Assert.Throws<InvalidOperationException>(() => block.Backward(s_features));
        block.Forward(s_features, forBackward: true).Dispose();
        Assert.Throws<InvalidOperationException>(() => block.GetGradient("temporal_fc.bias"));
        block.Backward(s_features).Dispose();
        block.GetGradient("temporal_fc.bias").Dispose();
        Assert.Throws<InvalidOperationException>(() => block.Backward(s_features));

        using var trainer = new Trainer(model);
        Assert.Throws<InvalidOperationException>(() => trainer.Update(0.1));

        using VideoWriter writer = VideoWriter.Create(_folder.In("clip.mp4"), 32, 32, 5);
        Assert.Throws<InvalidOperationException>(() => writer.Finish());
        writer.Add(new byte[32 * 32 * 3]);
        writer.Finish();
        Assert.Throws<InvalidOperationException>(() => writer.Finish());
        Assert.Throws<InvalidOperationException>(() => writer.Add(new byte[32 * 32 * 3]));
    }

    [Fact]
    public void UnknownName_IsAMissingKey()
    {
        using Model model = TinyModel.Create();
        using Session session = model.CreateSession();
        using var block = new TemporalBlock(8, new TemporalBlockOptions { Heads = 2 });
        using TensorFile file = TensorFile.Open(_model);

        Assert.Contains("nose.weight", Assert.Throws<KeyNotFoundException>(() => session.GetGradient("nose.weight")).Message);
        Assert.Throws<KeyNotFoundException>(() => block.GetParameter("nose.weight"));
        Assert.Throws<KeyNotFoundException>(() => block.GetGradient("nose.weight"));
        Assert.Throws<KeyNotFoundException>(() => file.Get("nose.weight"));
        Assert.Throws<KeyNotFoundException>(() => block.ReadFrom(file, "nose."));
    }

    [Fact]
    public void NamesInMessages_ArePrintable()
    {
        using TensorFile file = TensorFile.Open(_model);

        string message = Assert.Throws<KeyNotFoundException>(() => file.Get("\u001b[31m\n\u202ename\ud800")).Message;

        Assert.Contains(@"'\x1b[31m\n\u202ename\ud800'", message);
        Assert.Contains(@"\x1b", new DatasetException("list\u001b.csv", 3, "wrong").Message);
        Assert.Contains(@"a\nb", new AtaVideoException("a\nb").Message);
        Assert.True(Assert.Throws<KeyNotFoundException>(() => file.Get(new string('x', 1_000_000))).Message.Length < 2000);
    }

    [Fact]
    public void NullInOptions_IsNamed()
    {
        using Model model = TinyModel.Create();
        IVideoDataset dataset = new VideoDataset([new VideoItem("a.mp4", "a")], ["a", "b", "c", "d", "e"]);
        Assert.Throws<ArgumentNullException>(() => Model.Load(_model, new ModelOptions { Device = null! }));
        Assert.Throws<ArgumentNullException>(() => Model.Import(_model, new ImportOptions { Device = null! }));
        Assert.Throws<ArgumentNullException>(() => TinyModel.Create(device: null!));
        Assert.Throws<ArgumentNullException>(() => new Assigner(new AssignmentOptions { Device = null! }));
        Assert.Throws<ArgumentNullException>(() => s_features.CopyTo((string)null!));
        Assert.Throws<ArgumentNullException>(() => new TemporalBlock(8, new TemporalBlockOptions { Device = null! }));
        Assert.Throws<ArgumentNullException>(() => new TemporalBlock(8, new TemporalBlockOptions { Alignment = null! }));
        Assert.Throws<ArgumentNullException>(() => new TrainingRun(model, dataset, null, new TrainingRunOptions { Optimizer = null! }));
        Assert.Throws<ArgumentNullException>(() => new TrainingRun(model, dataset, null, new TrainingRunOptions { LearningRate = null! }));
        Assert.Throws<ArgumentNullException>(() => new TrainingRun(model, dataset, null, new TrainingRunOptions { Augmentation = null! }));
        LoaderOptions loader = Evaluator.OptionsFor(model.Config);
        Assert.Throws<ArgumentNullException>(() => VideoLoader.ForEvaluation(dataset, loader with { Augmentation = null! }));
        Assert.Throws<ArgumentNullException>(() => VideoLoader.ForEvaluation(dataset, loader with { Mean = null! }));
        Assert.Throws<ArgumentException>(() => model.SetLabels(["a", null!, "c", "d", "e"]));
    }

    /// <summary>Options that are out of range are named by their property.</summary>
    [Fact]
    public void OptionOutOfRange_IsNamed()
    {
        using Model model = TinyModel.Create();
        IVideoDataset dataset = new VideoDataset([new VideoItem("a.mp4", "a")], ["a", "b", "c", "d", "e"]);
        (string Name, TrainingRunOptions Options)[] wrong =
        [
            ("Epochs", new() { Epochs = double.NaN }),
            ("Epochs", new() { Epochs = 1e300 }),
            ("Steps", new() { Steps = 0 }),
            ("BatchSize", new() { BatchSize = int.MaxValue }),
            ("Accumulate", new() { Accumulate = 0 }),
            ("Stride", new() { Stride = double.PositiveInfinity }),
            ("FramesPerSecond", new() { FramesPerSecond = -1 }),
            ("ValidateEveryEpochs", new() { ValidateEveryEpochs = double.NaN }),
            ("ValidationClips", new() { ValidationClips = 10_001 }),
            ("ValidationCrops", new() { ValidationCrops = 2 }),
            ("AllowedBroken", new() { AllowedBroken = 1.5 }),
            ("Workers", new() { Workers = 0 }),
            ("Prefetch", new() { Prefetch = 1025 }),
            ("CacheMegabytes", new() { CacheMegabytes = -1 }),
            ("Peak", new() { LearningRate = new() { Peak = -1 } }),
            ("FlipProbability", new() { Augmentation = new() { FlipProbability = 2 } }),
            ("HueJitter", new() { Augmentation = new() { HueJitter = double.NaN } }),
            ("Crop", new() { Augmentation = new() { Crop = (CropMode)9 } }),
        ];
        foreach ((string name, TrainingRunOptions options) in wrong)
        {
            var error = Assert.Throws<ArgumentOutOfRangeException>(() => new TrainingRun(model, dataset, null, options));
            Assert.Equal(name, error.ParamName);
            Assert.StartsWith(name + " ", error.Message, StringComparison.Ordinal);
        }

        string video = _folder.In("video.mp4");
        TestVideo.Write(video);
        using VideoReader reader = VideoReader.Open(video);
        (string Name, ClipOptions Options)[] clips =
        [
            ("Frames", new() { Frames = 0 }),
            ("Frames", new() { Frames = int.MaxValue }),
            ("Stride", new() { Stride = double.NaN }),
            ("FramesPerSecond", new() { FramesPerSecond = 0 }),
            ("FramesPerSecond", new() { FramesPerSecond = double.PositiveInfinity }),
            ("Offset", new() { Offset = TimeSpan.FromSeconds(-1) }),
            ("Offset", new() { Offset = TimeSpan.MaxValue }),
            ("Size", new() { Size = -3 }),
        ];
        foreach ((string name, ClipOptions options) in clips)
        {
            Assert.Equal(name, Assert.Throws<ArgumentOutOfRangeException>(() => reader.Sample(options)).ParamName);
        }
    }

    [Fact]
    public void WhatIsDisposed_SaysSo()
    {
        Model model = TinyModel.Create();
        Session session = model.CreateSession();
        var trainer = new Trainer(model);
        var block = new TemporalBlock(8, new TemporalBlockOptions { Heads = 2 });
        var aligner = new OnlineAligner(4, 8);
        var assigner = new Assigner();
        TensorFile file = TensorFile.Open(_model);
        AtaTensor tensor = AtaTensor.Create<float>(2);
        Trajectories trajectories = FrameAligner.Align(s_features);
        foreach (IDisposable disposable in (IDisposable[])[session, trainer, block, aligner, assigner, file, tensor, trajectories, model])
        {
            disposable.Dispose();
            disposable.Dispose();
        }

        Assert.Throws<ObjectDisposedException>(() => model.CreateSession());
        Assert.Throws<ObjectDisposedException>(() => model.Labels);
        Assert.Throws<ObjectDisposedException>(() => model.Save(_folder.In("no")));
        Assert.Throws<ObjectDisposedException>(() => session.Forward(TinyModel.Clips(1), new float[5]));
        Assert.Throws<ObjectDisposedException>(() => session.GetGradient("norm.weight"));
        Assert.Throws<ObjectDisposedException>(() => trainer.Update(0.1));
        Assert.Throws<ObjectDisposedException>(() => trainer.UpdateCount);
        Assert.Throws<ObjectDisposedException>(() => block.Forward(s_features));
        Assert.Throws<ObjectDisposedException>(() => aligner.Reset());
        Assert.Throws<ObjectDisposedException>(() => assigner.Solve([1, 2, 3, 4], 2, 2, new int[2]));
        Assert.Throws<ObjectDisposedException>(() => file.Names);
        Assert.Throws<ObjectDisposedException>(() => tensor.AsSpan<float>());
        Assert.Throws<ObjectDisposedException>(() => trajectories.Positions.Length);
    }

    /// <summary>Every public method with a parameter that may not be null.</summary>
    [Fact]
    public async Task Null_IsRefusedByName()
    {
        var nullability = new NullabilityInfoContext();
        int tried = 0;
        var wrong = new List<string>();
        foreach (MethodInfo method in typeof(Model).Assembly.GetExportedTypes()
            .Where(t => !t.IsInterface && !t.IsGenericType)
            .SelectMany(t => t.GetMethods(BindingFlags.Public | BindingFlags.Static | BindingFlags.DeclaredOnly))
            .Where(m => !m.IsGenericMethod && !m.IsSpecialName && m.GetCustomAttribute<CompilerGeneratedAttribute>() is null))
        {
            ParameterInfo[] parameters = method.GetParameters();
            ParameterInfo? first = parameters.FirstOrDefault();
            if (first is null || first.ParameterType.IsValueType || first.ParameterType.IsByRef
                || nullability.Create(first).WriteState != NullabilityState.NotNull
                || parameters.Any(p => p.ParameterType.IsByRefLike || p.ParameterType.IsByRef))
            {
                continue;
            }

            object?[] arguments = [null, .. parameters.Skip(1).Select(p => p.HasDefaultValue ? p.DefaultValue is DBNull ? null : p.DefaultValue : null)];
            Exception? thrown = null;
            try
            {
                if (method.Invoke(null, arguments) is Task task)
                {
                    await task;
                }
            }
            catch (TargetInvocationException error)
            {
                thrown = error.InnerException;
            }
            catch (Exception error)
            {
                thrown = error;
            }

            ++tried;
            string what = $"{method.DeclaringType!.Name}.{method.Name}({first.Name}: null) throws {thrown?.GetType().Name ?? "nothing"}";
            if (thrown is not ArgumentNullException refusal || refusal.ParamName != first.Name)
            {
                wrong.Add(what);
            }
        }

        Assert.Empty(wrong);

        Assert.True(tried > 15);
    }

    /// <summary>Exceptions that the documentation names are public, and derive from what it is for.</summary>
    [Fact]
    public void DocumentedExceptions_CanBeCaught()
    {
        XDocument documentation = XDocument.Load(Path.ChangeExtension(typeof(Model).Assembly.Location, ".xml"));
        string[] names = documentation.Descendants("exception").Select(e => e.Attribute("cref")!.Value).Distinct().ToArray();

        Assert.True(names.Length > 10);
        foreach (string name in names)
        {
            Type? type = typeof(Model).Assembly.GetType(name[2..]) ?? Type.GetType(name[2..]) ?? typeof(KeyNotFoundException).Assembly.GetType(name[2..]);
            Assert.True(type is { IsPublic: true } && type.IsAssignableTo(typeof(Exception)), name);
        }
    }
}
