using Ata.Tests.Data;
using Ata.Training;
using Xunit;

namespace Ata.Tests.Training;

public sealed class ModelHeadTests : IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void NewHeadLeavesEverythingElse()
    {
        var config = new ModelConfig { ImageSize = 16, PatchSize = 8, Dim = 16, Depth = 1, Heads = 2, Frames = 2, Classes = 4, Mean = ChannelValues.Uniform(0.5f) };
        using (Model model = Model.Create(config, 3))
        {
            model.SetLabels(["a", "b", "c", "d"]);
            model.Save(_folder.In("old.safetensors"));
        }

        ModelHead.Replace(_folder.In("old.safetensors"), _folder.In("new.safetensors"), ["x", "y"], seed: 1);

        using Model changed = Model.Load(_folder.In("new.safetensors"), new ModelOptions { Trainable = true });
        using TensorFile before = TensorFile.Open(_folder.In("old.safetensors"));
        using TensorFile after = TensorFile.Open(_folder.In("new.safetensors"));
        Assert.Equal(["x", "y"], changed.Labels);
        Assert.Equal(config with { Classes = 2 }, changed.Config);
        Assert.Equal(before.Names.Order(), after.Names.Order());
        foreach (string name in before.Names.Where(n => !n.StartsWith("head.", StringComparison.Ordinal)))
        {
            using AtaTensor was = before.Get(name);
            using AtaTensor now = after.Get(name);
            Assert.True(was.AsSpan<float>().SequenceEqual(now.AsSpan<float>()), name);
        }

        using AtaTensor head = after.Get("head.weight");
        Assert.InRange(head.AsSpan<float>().ToArray().Average(w => w * w), 0.0001, 0.0008);
    }

    [Fact]
    public void FileWithoutAModelIsRefused()
    {
        using (var file = new TensorFile())
        {
            file.Set("x", [1f], 1);
            file.Save(_folder.In("x.safetensors"));
        }

        Assert.Contains("no configuration", Assert.Throws<AtaModelException>(() => ModelHead.Replace(_folder.In("x.safetensors"), _folder.In("y.safetensors"), ["a"])).Message);
    }
}
