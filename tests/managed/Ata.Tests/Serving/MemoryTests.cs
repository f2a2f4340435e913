using Ata.Interop;
using Xunit;

namespace Ata.Tests.Serving;

/// <summary>Tests that watch the memory of the process, and therefore run alone.</summary>
[CollectionDefinition(nameof(WatchesMemory), DisableParallelization = true)]
public sealed class WatchesMemory;

/// <summary>What is not disposed is found by the garbage collector before it fills the memory.</summary>
[Collection(nameof(WatchesMemory))]
public sealed class MemoryTests
{
    private const double Megabyte = 1e6;

    [Fact]
    public void ForgottenTemporalBlocks_AreReleased()
    {
        // 5.3 MB each: 0.3 GB.
        double most = MostLive(60, () => _ = new TemporalBlock(512));

        Assert.InRange(most, 5 * Megabyte, 160 * Megabyte);
    }

    [Fact]
    public void ForgottenSessions_AreReleased()
    {
        // 0.7 MB of tensors each after a run, and 0.2 MB of what is none: 0.9 GB.
        using Model model = TinyModel.Create();
        float[] clips = TinyModel.Clips(1);
        var logits = new float[5];
        double most = MostLive(1000, () => model.CreateSession().Forward(clips, logits));

        Assert.InRange(most, 0.5 * Megabyte, 250 * Megabyte);
    }

    [Fact]
    public void ForgottenSessionsThatNeverRan_AreReleased()
    {
        using Model model = TinyModel.Create();
        Collect();
        long before = Environment.WorkingSet;
        for (int i = 0; i < 5000; ++i)
        {
            model.CreateSession();
        }

        // 0.8 GB without the collector.
        Assert.InRange(Environment.WorkingSet - before, long.MinValue, 300L * 1000 * 1000);
    }

    [Fact]
    public void ForgottenClassifiers_AreReleased()
    {
        WeakReference classifier = Forget();
        Gate.Until(() =>
        {
            Collect();
            return !classifier.IsAlive;
        });

        [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
        static WeakReference Forget()
        {
            var forgotten = new VideoClassifier(TinyModel.Create(), new VideoClassifierOptions { MaxConcurrency = 2 });
            forgotten.Forward(TinyModel.Clips(1), new float[5]);
            return new WeakReference(forgotten);
        }
    }

    [Theory]
    [InlineData("tiny", TemporalMode.Ata, 1)]
    [InlineData("tiny", TemporalMode.Joint, 3)]
    [InlineData("vit-tiny", TemporalMode.Ata, 1)]
    [InlineData("vit-tiny", TemporalMode.Joint, 2)]
    public void WhatIsReportedOfSessions_IsAboutWhatTheyHold(string architecture, TemporalMode mode, int clips)
    {
        ModelConfig config = (architecture == "tiny" ? TinyModel.Config : ModelConfig.Named(architecture) with { Depth = 2, Frames = 2 })
            with
        { Temporal = mode };
        using Model model = Model.Create(config);
        using Session session = model.CreateSession();
        var values = new float[clips * config.ClipLength];
        var logits = new float[clips * config.Classes];
        Collect();
        long before = Live();

        session.Forward(values, logits);
        AssertAbout(Live() - before, HeldBytes.OfForward(config, clips));
        session.ComputeGradients(values, new long[clips], logits);
        AssertAbout(Live() - before, HeldBytes.OfBackward(config, clips, model.ParameterCount));
    }

    [Fact]
    public void WhatIsReportedOfTemporalBlocks_IsAboutWhatTheyHold()
    {
        Collect();
        long before = Live();
        using var block = new TemporalBlock(128);
        Assert.InRange(Live() - before, HeldBytes.OfTemporalBlock(128) - HeldBytes.Least, HeldBytes.OfTemporalBlock(128));
        using AtaTensor features = AtaTensor.Create<float>(1, 8, 196, 128);
        new Random(1).NextBytes(System.Runtime.InteropServices.MemoryMarshal.AsBytes(features.AsSpan<float>()[..1000]));
        foreach (ref float value in features.AsSpan<float>())
        {
            value = float.IsFinite(value) ? Math.Clamp(value, -1, 1) : 0;
        }

        before = Live();
        block.Forward(features).Dispose();
        AssertAbout(Live() - before, HeldBytes.OfTemporalPass(features.ByteCount, forBackward: false));
        using AtaTensor output = block.Forward(features, forBackward: true);
        AssertAbout(Live() - before - output.ByteCount, HeldBytes.OfTemporalPass(features.ByteCount, forBackward: true));
        block.Backward(output).Dispose();
        AssertAbout(Live() - before - output.ByteCount, HeldBytes.OfTemporalBackward(features.ByteCount));
    }

    [Fact]
    public void ThousandsOfRequests_LeaveNothing()
    {
        using var classifier = new VideoClassifier(TinyModel.Create(), new VideoClassifierOptions { MaxConcurrency = 2 });
        float[] clips = TinyModel.Clips(1);
        var logits = new float[5];
        Serve(500);
        Collect();
        long live = Live();
        long least = long.MaxValue;
        for (int round = 0; round < 6; ++round)
        {
            long resident = Environment.WorkingSet;
            Serve(500);
            Collect();
            least = Math.Min(least, Environment.WorkingSet - resident);
        }

        Assert.InRange(Live() - live, long.MinValue, 0);

        // The runtime grows and shrinks as it likes, but what requests leave behind comes in every round: 10 kB each.
        Assert.InRange(least, long.MinValue, 5 * 1000 * 1000);

        void Serve(int requests)
        {
            for (int i = 0; i < requests; ++i)
            {
                classifier.Forward(clips, logits);
            }
        }
    }

    private static void AssertAbout(long held, long reported) => Assert.InRange(reported, held / 2, held * 2);

    private static double MostLive(int count, Action action)
    {
        Collect();
        long before = Live();
        long most = 0;
        for (int i = 0; i < count; ++i)
        {
            action();
            most = Math.Max(most, Live() - before);
        }

        return most;
    }

    private static long Live() => AtaRuntime.Devices[0].Memory!.LiveBytes;

    private static void Collect()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
    }
}
