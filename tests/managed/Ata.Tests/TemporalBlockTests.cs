using Xunit;

namespace Ata.Tests;

/// <summary>The temporal step as a plug-in. What it computes is tested natively.</summary>
public sealed class TemporalBlockTests
{
    private const int Channels = 8;
    private static readonly TemporalBlockOptions s_options = new() { Heads = 2, Seed = 1 };

    [Fact]
    public void NewBlockLeavesFeaturesAsTheyAre()
    {
        using var block = new TemporalBlock(Channels, s_options);
        using AtaTensor features = Features(2, 3, 4, Channels);
        using AtaTensor maps = Features(2, 3, Channels, 2, 2);

        using AtaTensor output = block.Forward(features);
        using AtaTensor outputMaps = block.Forward(maps);

        Assert.Equal(features.AsSpan<float>(), output.AsSpan<float>());
        Assert.Equal(maps.AsSpan<float>(), outputMaps.AsSpan<float>());
        Assert.Equal([2, 3, Channels, 2, 2], outputMaps.Shape);
        using Trajectories trajectories = block.GetTrajectories();
        Assert.Equal((2, 3, 4), (trajectories.Clips, trajectories.Frames, trajectories.Patches));
    }

    [Fact]
    public void ForwardAlong_FollowsTheTrajectoriesThatAreGiven()
    {
        using var block = new TemporalBlock(Channels, s_options);
        using (AtaTensor weight = block.GetParameter("temporal_fc.weight"))
        {
            weight.AsSpan<float>().Fill(0.25f);
        }

        using AtaTensor features = Features(1, 3, 4, Channels);
        using AtaTensor aligned = block.Forward(features);
        using Trajectories trajectories = block.GetTrajectories();
        using AtaTensor along = block.ForwardAlong(features, trajectories.Tensor, forBackward: true);
        using AtaTensor back = block.Backward(along);

        Assert.Equal(aligned.AsSpan<float>(), along.AsSpan<float>());
        Assert.Equal(features.Shape, back.Shape);
        using AtaTensor outside = AtaTensor.CopyOf<int>([0, 1, 2, 3, 0, 1, 2, 4, 0, 1, 2, 3], 1, 3, 4);
        Assert.Contains("patch 4", Assert.ThrowsAny<ArgumentException>(() => block.ForwardAlong(features, outside)).Message);
        using AtaTensor other = AtaTensor.Create<int>(1, 3, 5);
        Assert.ThrowsAny<ArgumentException>(() => block.ForwardAlong(features, other));
    }

    [Fact]
    public void DescendsAlongItsGradients()
    {
        using var block = new TemporalBlock(Channels, s_options);
        using AtaTensor features = Features(1, 4, 6, Channels);
        float[] target = Enumerable.Range(0, (int)features.Count).Select(i => MathF.Cos(0.3f * i)).ToArray();
        double first = 0;
        double last = 0;
        for (int step = 0; step < 200; ++step)
        {
            using AtaTensor output = block.Forward(features, forBackward: true);
            using AtaTensor gradient = AtaTensor.CopyOf<float>(output.AsSpan<float>(), output.Shape);
            double loss = 0;
            for (int i = 0; i < target.Length; ++i)
            {
                float difference = gradient.AsSpan<float>()[i] - target[i];
                gradient.AsSpan<float>()[i] = 2 * difference / target.Length;
                loss += difference * difference / target.Length;
            }

            first = step == 0 ? loss : first;
            last = loss;
            block.Backward(gradient).Dispose();
            foreach (string name in block.ParameterNames)
            {
                using AtaTensor parameter = block.GetParameter(name);
                using AtaTensor slope = block.GetGradient(name);
                for (int i = 0; i < slope.Count; ++i)
                {
                    parameter.AsSpan<float>()[i] -= 0.3f * slope.AsSpan<float>()[i];
                }
            }
        }

        Assert.InRange(last, 0, 0.8 * first);
    }

    [Fact]
    public void WeightsGoIntoAFileAndComeBack()
    {
        using var block = new TemporalBlock(Channels, s_options);
        using var other = new TemporalBlock(Channels, s_options with { Seed = 2 });
        using var file = new TensorFile();
        block.WriteTo(file, "blocks.3.");

        other.ReadFrom(file, "blocks.3.");

        Assert.Equal(8, block.ParameterNames.Count);
        foreach (string name in block.ParameterNames)
        {
            using AtaTensor from = block.GetParameter(name);
            using AtaTensor to = other.GetParameter(name);
            Assert.Equal(from.AsSpan<float>(), to.AsSpan<float>());
        }

        using var wider = new TemporalBlock(2 * Channels, s_options);
        using AtaTensor before = wider.GetParameter("temporal_attn.qkv.weight");
        float[] kept = before.AsSpan<float>().ToArray();
        Assert.Contains("blocks.3.temporal_norm1.weight", Assert.Throws<ArgumentException>(() => wider.ReadFrom(file, "blocks.3.")).Message);
        Assert.Throws<KeyNotFoundException>(() => other.ReadFrom(file));
        Assert.Equal(kept, before.AsSpan<float>());
    }

    [Fact]
    public void ModelBlocksLendTheirWeights()
    {
        using var model = TinyModel.Create();
        string path = Path.GetTempFileName();
        try
        {
            model.Save(path);
            using TensorFile checkpoint = TensorFile.Open(path);
            using var block = new TemporalBlock(model.Config.Dim, new TemporalBlockOptions { Heads = model.Config.Heads });

            block.ReadFrom(checkpoint, "blocks.0.");

            using AtaTensor taken = block.GetParameter("temporal_attn.qkv.weight");
            using AtaTensor stored = checkpoint.Get("blocks.0.temporal_attn.qkv.weight");
            Assert.Equal(stored.AsSpan<float>(), taken.AsSpan<float>());
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void SaysWhatIsWrong()
    {
        Assert.Contains("say how many heads", Assert.ThrowsAny<ArgumentException>(() => new TemporalBlock(Channels)).Message);
        Assert.Contains("channels is 0", Assert.ThrowsAny<ArgumentException>(() => new TemporalBlock(0, s_options)).Message);
        var block = new TemporalBlock(Channels, s_options);
        using AtaTensor narrow = Features(1, 2, 3, 4);
        Assert.Contains("4 channels", Assert.ThrowsAny<ArgumentException>(() => block.Forward(narrow)).Message);
        Assert.Contains("no forward to go back through", Assert.Throws<InvalidOperationException>(() => block.Backward(narrow)).Message);
        Assert.Contains("no parameter 'x'", Assert.Throws<KeyNotFoundException>(() => block.GetParameter("x")).Message);
        using AtaTensor parameter = block.GetParameter("temporal_fc.bias");
        block.Dispose();
        Assert.Equal(new float[Channels], parameter.AsSpan<float>());
        Assert.Throws<ObjectDisposedException>(() => block.Forward(narrow));

        using var soft = new TemporalBlock(Channels, s_options with { Alignment = new AlignmentOptions { Method = AlignmentMethod.Soft } });
        using AtaTensor features = Features(1, 2, 3, Channels);
        soft.Forward(features).Dispose();
        Assert.Throws<NotSupportedException>(() => soft.GetTrajectories());
    }

    private static AtaTensor Features(params ReadOnlySpan<nint> shape)
    {
        AtaTensor features = AtaTensor.Create<float>(shape);
        Span<float> values = features.AsSpan<float>();
        for (int i = 0; i < values.Length; ++i)
        {
            values[i] = MathF.Sin((0.7f * i) + (0.01f * i * i));
        }

        return features;
    }
}
