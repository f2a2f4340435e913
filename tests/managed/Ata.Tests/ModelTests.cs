using Ata.Tests.Data;
using Xunit;

namespace Ata.Tests;

public sealed class ModelTests : IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void SavedModel_LoadsWithConfigurationAndLabels()
    {
        string path = _folder.In("model.safetensors");
        string[] labels = ["walk", "run", "jump", "größer", "wave"];
        using (Model model = TinyModel.Create())
        {
            Assert.Empty(model.Labels);
            model.SetLabels(labels);
            model.Save(path);
        }

        using Model loaded = Model.Load(path);
        Assert.Equal(TinyModel.Config, loaded.Config);
        Assert.Equal(labels, loaded.Labels);
        Assert.Contains("blocks.1.temporal_attn.qkv.weight", loaded.ParameterNames);
    }

    [Fact]
    public void ParameterCount_IsThatOfTheParameters()
    {
        using Model model = TinyModel.Create();
        using Session session = model.CreateSession();
        using AtaTensor clip = TinyModel.ClipTensor(1);
        session.ComputeGradients(clip, [0], new float[5]);

        long count = 0;
        foreach (string name in model.ParameterNames)
        {
            using AtaTensor gradient = session.GetGradient(name);
            count += gradient.Count;
        }

        Assert.Equal(count, model.Config.ParameterCount);
        Assert.Equal(count, model.ParameterCount);
        foreach (TemporalMode mode in Enum.GetValues<TemporalMode>())
        {
            using Model other = Model.Create(TinyModel.Config with { Temporal = mode });
            Assert.Equal(other.ParameterCount, other.Config.ParameterCount);
        }
    }

    [Fact]
    public void Load_AppliesOptions()
    {
        string path = _folder.In("model.safetensors");
        using (Model model = TinyModel.Create())
        {
            model.Save(path);
        }

        using Model loaded = Model.Load(path, new ModelOptions
        {
            Temporal = TemporalMode.Divided,
            Alignment = AlignmentMethod.Nearest,
            Frames = 6,
            ImageSize = 48,
        });

        Assert.Equal(TemporalMode.Divided, loaded.Config.Temporal);
        Assert.Equal(AlignmentMethod.Nearest, loaded.Config.Alignment);
        Assert.Equal(6, loaded.Config.Frames);
        Assert.Equal(36, loaded.Config.Patches);
    }

    [Fact]
    public async Task Load_NamesWhatIsWrong()
    {
        string nothing = _folder.In("nothing.safetensors");
        Assert.Contains(nothing, Assert.Throws<FileNotFoundException>(() => Model.Load(nothing)).Message);
        await Assert.ThrowsAsync<FileNotFoundException>(() => Model.LoadAsync(nothing));

        string path = _folder.In("model.safetensors");
        using (Model model = TinyModel.Create())
        {
            model.Save(path);
        }

        Assert.Contains("tpu", Assert.ThrowsAny<Exception>(() => Model.Load(path, new ModelOptions { Device = "tpu" })).Message);
        byte[] bytes = File.ReadAllBytes(path);
        string truncated = _folder.In("truncated.safetensors");
        File.WriteAllBytes(truncated, bytes[..^100]);
        Assert.Throws<AtaModelException>(() => Model.Load(truncated));
    }

    [Fact]
    public void UnavailableDevice_IsAnErrorAndNotAFallback()
    {
        string path = _folder.In("model.safetensors");
        using (Model model = TinyModel.Create())
        {
            model.Save(path);
        }

        if (AtaRuntime.Devices.FirstOrDefault(d => d.Name == "cuda") is { } cuda)
        {
            Assert.False(cuda.Available);
            AtaException error = Assert.ThrowsAny<AtaException>(() => Model.Load(path, new ModelOptions { Device = "cuda" }));
            Assert.IsType<AtaDeviceException>(error);
            Assert.Equal(cuda.Reason, error.Message);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    public void ZeroIsNotTheSameAsNotGiven(int value)
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Model.Load("unread", new ModelOptions { Frames = value }));
        Assert.Throws<ArgumentOutOfRangeException>(() => Model.Load("unread", new ModelOptions { ImageSize = value }));
        Assert.Throws<ArgumentOutOfRangeException>(() => Model.Import("unread", new ImportOptions { Classes = value }));
    }

    [Fact]
    public void Import_LeavesNotesAndKeepsTheConfiguration()
    {
        string path = _folder.In("imported.safetensors");
        ModelConfig config = TinyModel.Config with { Activation = Activation.QuickGelu, NormEps = 1e-5f };
        using (Model created = Model.Create(config))
        {
            Assert.Empty(created.ImportNotes);
            created.Save(path);
        }

        using Model imported = Model.Import(path, new ImportOptions { Classes = 3, ImageSize = 40, Positions = PositionInterpolation.Bicubic });
        Assert.Equal(config with { Classes = 3, ImageSize = 40 }, imported.Config);
        Assert.Contains(imported.ImportNotes, n => n.Kind == ImportNoteKind.New && n.Subject == "head");
        Assert.Contains(imported.ImportNotes, n => n.Kind == ImportNoteKind.Converted && n.Text.Contains("bicubically", StringComparison.Ordinal));

        using Model ignoring = Model.Import(path, new ImportOptions { Ignore = ["head.*"] });
        Assert.Equal(2, ignoring.ImportNotes.Count(n => n.Kind == ImportNoteKind.Ignored));
        Assert.Throws<ArgumentException>(() => Model.Import(path, new ImportOptions { Ignore = ["no-such-*"] }));
        Assert.Throws<ArgumentException>(() => Model.Import(path, new ImportOptions { Mean = ChannelValues.Uniform(0.5f) }));
        Assert.Throws<AtaModelException>(() => Model.Import(path, new ImportOptions { Source = CheckpointSource.Clip }));
    }

    [Fact]
    public void Create_RefusesContradictions()
    {
        Assert.Throws<ArgumentException>(() => Model.Create(TinyModel.Config with { Heads = 5 }));
        Assert.Throws<ArgumentException>(() => Model.Create(TinyModel.Config with { PatchSize = 7 }));
        Assert.Contains("vit-enormous", Assert.Throws<ArgumentException>(() => ModelConfig.Named("vit-enormous")).Message);
        using Model model = TinyModel.Create();
        Assert.Throws<ArgumentException>(() => model.SetLabels(["too", "few"]));
    }

    [Fact]
    public void Create_GivesTheSameWeightsForTheSameSeed()
    {
        Assert.Equal(Bytes(1), Bytes(1));
        Assert.NotEqual(Bytes(1), Bytes(2));

        byte[] Bytes(ulong seed)
        {
            string path = _folder.In("seed.safetensors");
            using Model model = TinyModel.Create(seed);
            model.Save(path);
            return File.ReadAllBytes(path);
        }
    }

    [Fact]
    public void UseAfterDispose_IsAnError()
    {
        Model model = TinyModel.Create();
        model.Dispose();
        model.Dispose();

        Assert.Contains(nameof(Model), Assert.Throws<ObjectDisposedException>(model.CreateSession).Message);
        Assert.Throws<ObjectDisposedException>(() => model.Save(_folder.In("x.safetensors")));
    }
}
