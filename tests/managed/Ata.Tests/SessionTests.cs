using System.Numerics.Tensors;
using Ata.Training;
using Xunit;

namespace Ata.Tests;

public sealed class SessionTests
{
    [Fact]
    public void Forward_IsTheSameForEveryKindOfInput()
    {
        using Model model = TinyModel.Create();
        using Session session = model.CreateSession();
        float[] values = TinyModel.Clips(2);
        ReadOnlySpan<nint> shape = [2, 3, 4, 32, 32];
        using AtaTensor owned = AtaTensor.CopyOf<float>(values, shape);
        var fromSpan = new float[10];
        var fromOwned = new float[10];
        var fromTensor = new float[10];

        session.Forward(values, fromSpan);
        session.Forward(owned, fromOwned);
        session.Forward(Tensor.Create(values, shape), fromTensor);

        Assert.Contains(fromSpan, logit => logit != 0);
        Assert.Equal(fromSpan, fromOwned);
        Assert.Equal(fromSpan, fromTensor);
    }

    [Fact]
    public void Forward_RefusesWrongSpansAndShapes()
    {
        using Model model = TinyModel.Create();
        using Session session = model.CreateSession();
        float[] clip = TinyModel.Clips(1);
        var logits = new float[5];

        Assert.Throws<ArgumentException>(() => session.Forward([], logits));
        Assert.Throws<ArgumentException>(() => session.Forward(clip.AsSpan(1), logits));
        Assert.Throws<ArgumentException>(() => session.Forward(clip, logits.AsSpan(1)));
        Assert.Throws<ArgumentException>(() => session.Forward(clip, new float[6]));
        Assert.Throws<ArgumentException>(() => session.Forward(clip, Span<float>.Empty));
        using AtaTensor flat = AtaTensor.CopyOf<float>(clip, clip.Length);
        Assert.Throws<ArgumentException>(() => session.Forward(flat, logits));
        using AtaTensor integers = AtaTensor.Create<int>(1, 3, 4, 32, 32);
        Assert.Throws<ArgumentException>(() => session.Forward(integers, logits));
        Tensor<float> wide = Tensor.CreateFromShape<float>([1, 3, 4, 32, 64]);
        Assert.Contains("dense", Assert.Throws<ArgumentException>(
            () => session.Forward(wide.AsReadOnlyTensorSpan().Slice(0..1, 0..3, 0..4, 0..32, 0..32), logits)).Message);

        session.Forward(clip, logits);
        Assert.Contains(logits, logit => logit != 0);
    }

    [Fact]
    public void Sessions_GiveTheSameBitsInManyThreads()
    {
        using Model model = TinyModel.Create();
        float[] expected = Run();
        var results = new float[8][];

        Thread[] threads = Enumerable.Range(0, results.Length).Select(i => new Thread(() => results[i] = Run())).ToArray();
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());

        Assert.All(results, result => Assert.Equal(expected, result));

        float[] Run()
        {
            using Session session = model.CreateSession();
            var logits = new float[15];
            for (int i = 0; i < 5; ++i)
            {
                session.Forward(TinyModel.Clips(3), logits);
            }

            return logits;
        }
    }

    [Fact]
    public void SessionInTwoThreads_IsAnErrorAndNotACrash()
    {
        using Model model = Model.Create(TinyModel.Config with { Depth = 12, Dim = 128, Heads = 4 });
        using Session session = model.CreateSession();
        int refused = 0;

        // Until they meet: threads of their own, since a pool may run its work one after the other.
        Thread[] threads = Enumerable.Range(0, 2).Select(_ => new Thread(Run)).ToArray();
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());

        session.Forward(TinyModel.Clips(4), new float[20]);

        void Run()
        {
            float[] clips = TinyModel.Clips(4);
            var logits = new float[20];
            while (Volatile.Read(ref refused) == 0)
            {
                try
                {
                    session.Forward(clips, logits);
                }
                catch (InvalidOperationException error) when (error.Message.Contains("another thread", StringComparison.Ordinal))
                {
                    Volatile.Write(ref refused, 1);
                }
            }
        }
    }

    [Fact]
    public void Cancellation_StopsARunAndCarriesTheToken()
    {
        using Model model = Model.Create(TinyModel.Config with { Depth = 24, Dim = 256, Heads = 4 });
        using Session session = model.CreateSession();
        float[] clips = TinyModel.Clips(16);
        var logits = new float[80];
        using var before = new CancellationTokenSource();
        before.Cancel();
        Assert.Throws<OperationCanceledException>(() => session.Forward(clips, logits, before.Token));

        using var during = new CancellationTokenSource(TimeSpan.FromMilliseconds(20));
        OperationCanceledException error = Assert.Throws<OperationCanceledException>(() =>
        {
            for (int i = 0; i < 1000; ++i)
            {
                session.Forward(clips, logits, during.Token);
            }
        });

        Assert.Equal(during.Token, error.CancellationToken);
        using var unused = new CancellationTokenSource();
        session.Forward(clips, logits, unused.Token);
    }

    [Fact]
    public void Session_KeepsTheWeightsAlive()
    {
        Model model = TinyModel.Create();
        var expected = new float[5];
        using (Session first = model.CreateSession())
        {
            first.Forward(TinyModel.Clips(1), expected);
        }

        Session second = model.CreateSession();
        model.Dispose();
        GC.Collect();
        GC.WaitForPendingFinalizers();
        var logits = new float[5];
        second.Forward(TinyModel.Clips(1), logits);
        second.Dispose();
        second.Dispose();

        Assert.Equal(expected, logits);
        Assert.Contains(
            nameof(Session),
            Assert.Throws<ObjectDisposedException>(() => second.Forward(TinyModel.Clips(1), logits)).Message);
    }

    [Fact]
    public void ForgottenObjects_AreFinalizedInAnyOrder()
    {
        for (int i = 0; i < 20; ++i)
        {
            Forget();
        }

        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();

        static void Forget()
        {
            Model model = TinyModel.Create();
            Session session = model.CreateSession();
            AtaTensor clip = TinyModel.ClipTensor(1);
            session.Forward(clip, new float[5]);
            Trajectories trajectories = session.GetTrajectories(0);
            Assert.Equal(16, trajectories.Patches);
        }
    }

    [Fact]
    public void DisposingDuringARun_IsSafe()
    {
        using Model model = Model.Create(TinyModel.Config with { Depth = 12, Dim = 128, Heads = 4 });
        for (int i = 0; i < 5; ++i)
        {
            Session session = model.CreateSession();
            AtaTensor clips = TinyModel.ClipTensor(8);
            var logits = new float[40];
            using var started = new ManualResetEventSlim();
            var runner = new Thread(() =>
            {
                started.Set();
                try
                {
                    while (true)
                    {
                        session.Forward(clips, logits);
                    }
                }
                catch (ObjectDisposedException)
                {
                    // What disposing is for.
                }
            });
            runner.Start();
            started.Wait();
            Thread.Sleep(3);
            session.Dispose();
            clips.Dispose();
            runner.Join();
        }
    }

    [Fact]
    public void Gradients_PointDownhill()
    {
        using Model model = TinyModel.Create();
        using Session session = model.CreateSession();
        using AtaTensor clips = TinyModel.ClipTensor(2);
        var logits = new float[10];

        float loss = session.ComputeGradients(clips, [1, 3], logits);

        // The gradient of the head's bias is the mean of softmax minus one-hot.
        using AtaTensor bias = session.GetGradient("head.bias");
        var expected = new float[5];
        double sum = 0;
        for (int clip = 0; clip < 2; ++clip)
        {
            int label = clip == 0 ? 1 : 3;
            double total = Enumerable.Range(0, 5).Sum(c => Math.Exp(logits[(5 * clip) + c]));
            sum += Math.Log(total) - logits[(5 * clip) + label];
            for (int c = 0; c < 5; ++c)
            {
                expected[c] += (float)(((Math.Exp(logits[(5 * clip) + c]) / total) - (c == label ? 1 : 0)) / 2);
            }
        }

        Assert.Equal(sum / 2, loss, 1e-5);
        Assert.All(expected.Zip(bias.AsSpan<float>().ToArray()), pair => Assert.Equal(pair.First, pair.Second, 1e-5f));
        Assert.Throws<ArgumentException>(() => session.ComputeGradients(clips, [1], logits));
        Assert.Throws<ArgumentException>(() => session.ComputeGradients(clips, [1, 5], logits));
        Assert.ThrowsAny<Exception>(() => session.GetGradient("no.such.parameter"));
    }

    [Fact]
    public void Features_AreAlignedAlongTheTrajectoriesThatTheModelFollows()
    {
        using Model model = TinyModel.Create();
        using Session session = model.CreateSession();
        using AtaTensor clips = TinyModel.ClipTensor(2);
        session.Forward(clips, new float[10]);
        using Trajectories followed = session.GetTrajectories(0);

        using AtaTensor features = session.GetFeatures(clips, 0);
        using Trajectories aligned = FrameAligner.Align(features);

        Assert.Equal([2, 4, 16, 32], features.Shape.ToArray());
        Assert.Equal(aligned.Positions.ToArray(), followed.Positions.ToArray());
        Assert.True(followed.Similarities.IsEmpty);
        Assert.Throws<ArgumentException>(() => session.GetFeatures(clips, 3));
        using AtaTensor flat = AtaTensor.Create<float>(1 << 22);
        Assert.Contains("[B, 3, 4, ", Assert.Throws<ArgumentException>(() => session.GetFeatures(flat, 0)).Message);
        Assert.Throws<ArgumentException>(() => session.GetTrajectories(2));
    }

    [Fact]
    public void Run_GivesInOnePassWhatSinglePassesGive()
    {
        using Model model = TinyModel.Create();
        using Session session = model.CreateSession();
        using AtaTensor clips = TinyModel.ClipTensor(2);
        const int Tokens = 2 * 4 * 16;
        var expected = new float[10];
        session.Forward(clips, expected);
        using Trajectories followed = session.GetTrajectories(1);
        var logits = new float[10];
        var classToken = new float[2 * 32];
        var features = new float[2 * Tokens * 32];
        var trajectories = new int[Tokens];

        session.Run(clips, new SessionOutputs
        {
            Logits = logits,
            ClassToken = classToken,
            FeatureBlocks = [2, 0],
            Features = features,
            TrajectoryBlocks = [1],
            Trajectories = trajectories,
        });

        Assert.Equal(expected, logits);
        Assert.Equal(followed.Positions.ToArray(), trajectories);
        using AtaTensor last = session.GetFeatures(clips, 2);
        using AtaTensor first = session.GetFeatures(clips, 0);
        Assert.Equal(last.AsSpan<float>().ToArray(), features[..(Tokens * 32)]);
        Assert.Equal(first.AsSpan<float>().ToArray(), features[(Tokens * 32)..]);
        Assert.Contains(classToken, value => value != 0);
        var alone = new float[2 * 32];
        session.Run(TinyModel.Clips(2), new SessionOutputs { ClassToken = alone });
        Assert.Equal(classToken, alone);
    }

    [Fact]
    public void Run_NamesTheWrongOutput()
    {
        using Model model = TinyModel.Create();
        using Session session = model.CreateSession();
        using AtaTensor clips = TinyModel.ClipTensor(1);
        var untouched = new float[5];

        Assert.Contains("nothing", Assert.Throws<ArgumentException>(() => session.Run(clips, default)).Message);
        Assert.Contains("class_token", Assert.Throws<ArgumentException>(
            () => session.Run(clips, new SessionOutputs { Logits = untouched, ClassToken = new float[31] })).Message);
        Assert.Contains("features", Assert.Throws<ArgumentException>(
            () => session.Run(clips, new SessionOutputs { Logits = untouched, FeatureBlocks = [0] })).Message);
        Assert.Contains("block is 2", Assert.Throws<ArgumentException>(
            () => session.Run(clips, new SessionOutputs { Logits = untouched, TrajectoryBlocks = [2], Trajectories = new int[64] })).Message);
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.Throws<OperationCanceledException>(() => session.Run(clips, new SessionOutputs { Logits = untouched }, cancelled.Token));
        Assert.Equal(new float[5], untouched);
    }

    [Fact]
    public void Trajectories_AreUnsupportedInOtherModes()
    {
        using Model model = Model.Create(TinyModel.Config with { Temporal = TemporalMode.Joint });
        using Session session = model.CreateSession();
        session.Forward(TinyModel.Clips(1), new float[5]);

        Assert.Throws<NotSupportedException>(() => session.GetTrajectories(0));
    }

    [Fact]
    public void CreateSession_OnAQueueNeedsADeviceThatHasQueues()
    {
        using Model model = TinyModel.Create();

        Assert.Contains("no streams", Assert.Throws<NotSupportedException>(() => model.CreateSession(1)).Message);
        Assert.Throws<ArgumentOutOfRangeException>(() => model.CreateSession(0));
        Assert.Throws<NotSupportedException>(() => model.CreateSession(new SessionOptions { Stream = 1 }));
    }

    [Fact]
    public void CreateSession_LimitsThreadsWithoutChangingResults()
    {
        using Model model = TinyModel.Create();
        using Session unlimited = model.CreateSession();
        using Session single = model.CreateSession(new SessionOptions { Threads = 1 });
        float[] values = TinyModel.Clips(2);
        var expected = new float[10];
        var logits = new float[10];

        unlimited.Forward(values, expected);
        single.Forward(values, logits);

        Assert.Equal(expected, logits);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(1025)]
    public void Threads_OutOfRangeAreRefused(int threads)
    {
        using Model model = TinyModel.Create();
        using AtaTensor features = AtaTensor.CopyOf<float>(new float[16], [1, 2, 2, 4]);

        Assert.Contains("hreads", Assert.ThrowsAny<ArgumentException>(() => model.CreateSession(new SessionOptions { Threads = threads })).Message);
        Assert.ThrowsAny<ArgumentException>(() => new Assigner(new AssignmentOptions { Threads = threads }));
        Assert.ThrowsAny<ArgumentException>(() => FrameAligner.Align(features, new AlignmentOptions { Threads = threads }));
        Assert.ThrowsAny<ArgumentException>(() => new TemporalBlock(8, new TemporalBlockOptions { Threads = threads }));
        Assert.ThrowsAny<ArgumentException>(() => new Trainer(model, new OptimizerOptions { Threads = threads }));
    }
}
