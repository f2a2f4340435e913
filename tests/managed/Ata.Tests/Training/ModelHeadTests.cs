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

        using Model old = Model.Load(_folder.In("old.safetensors"), new ModelOptions { Trainable = true });
        using Model changed = old.ReplaceHead(2, seed: 1);
        Assert.Empty(changed.Labels);
        changed.SetLabels(["x", "y"]);
        changed.Save(_folder.In("new.safetensors"));
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
    public void WhatHasNoPlainWeightsIsRefused()
    {
        using (Model model = Model.Create(TinyModel.Config, 3))
        {
            Assert.Throws<ArgumentException>(() => model.ReplaceHead(0));
            model.Save(_folder.In("model.safetensors"));
        }

        using Model packed = Model.Load(_folder.In("model.safetensors"));
        Assert.Contains("trainable", Assert.Throws<NotSupportedException>(() => packed.ReplaceHead(2)).Message);
    }
}
