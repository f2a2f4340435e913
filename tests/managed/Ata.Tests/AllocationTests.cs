using Ata.Tests.Data;
using Xunit;

namespace Ata.Tests;

/// <summary>What calls allocate for the garbage collector does not grow with what they work on.</summary>
public sealed class AllocationTests : IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Forward_AllocatesNothing()
    {
        using Model model = TinyModel.Create();
        using Session session = model.CreateSession();
        float[] clips = TinyModel.Clips(4);
        var logits = new float[20];

        Assert.Equal(0, Allocated(() => session.Forward(clips, logits)));
    }

    [Fact]
    public void Sample_AllocatesAsMuchForLargeClipsAsForSmallOnes()
    {
        string path = _folder.In("clip.mp4");
        TestVideo.Write(path, width: 320, height: 240);
        using VideoReader video = VideoReader.Open(path);

        Assert.Equal(Of(frames: 2, size: 32), Of(frames: 12, size: 224));

        long Of(int frames, int size) =>
            Allocated(() => video.Sample(new ClipOptions { Frames = frames, Stride = 1, Size = size }).Dispose());
    }

    [Fact]
    public void Predict_AllocatesAsMuchForManyViewsAsForFew()
    {
        string path = _folder.In("clip.mp4");
        TestVideo.Write(path);
        using var classifier = new VideoClassifier(TinyModel.Create());
        using VideoReader video = VideoReader.Open(path);

        long few = Of(2);
        long many = Of(12);

        // A few small objects for each view: options and the clip's owner, not its pixels.
        Assert.InRange(many - few, 0, 10 * 1500);
        Assert.True(TinyModel.ClipLength * sizeof(float) > 20 * 1500);

        long Of(int views) => Allocated(() => classifier.Predict(
            video, new PredictOptions { TemporalViews = views, Sampling = new ClipOptions { Stride = 2 } }));
    }

    [Fact]
    public void Align_AllocatesAsMuchForManyPatchesAsForFew()
    {
        Assert.Equal(Of(patches: 4, frames: 2), Of(patches: 196, frames: 8));

        long Of(int patches, int frames)
        {
            var features = new float[frames * patches * 16];
            new Random(1).NextBytes(System.Runtime.InteropServices.MemoryMarshal.AsBytes(features.AsSpan()));
            for (int i = 0; i < features.Length; ++i)
            {
                features[i] = float.IsFinite(features[i]) ? Math.Clamp(features[i], -1, 1) : 0;
            }

            return Allocated(() => FrameAligner.Align(features, 1, frames, patches, 16).Dispose());
        }
    }

    [Fact]
    public void Assignment_AllocatesAsMuchForLargeProblemsAsForSmallOnes()
    {
        Assert.Equal(Of(4), Of(200));

        long Of(int size)
        {
            float[] values = Enumerable.Range(0, size * size).Select(i => (float)(i * 7919 % 1013)).ToArray();
            var matching = new int[size];
            return Allocated(() => Assignment.Solve(values, size, size, matching));
        }
    }

    [Fact]
    public void Assigner_AllocatesNothing()
    {
        using var assigner = new Assigner();
        float[] values = Enumerable.Range(0, 3 * 60 * 60).Select(i => (float)(i * 7919 % 1013)).ToArray();
        var matchings = new int[3 * 60];
        var totals = new double[3];
        var duals = new double[3 * 60];

        Assert.Equal(0, Allocated(() => assigner.SolveBatch(values, 3, 60, 60, matchings, totals, duals)));
        Assert.Equal(0, Allocated(() => assigner.Solve(values.AsSpan(0, 20 * 30), 20, 30, matchings.AsSpan(0, 20))));
    }

    [Fact]
    public void OnlineAligner_AllocatesNothing()
    {
        using var aligner = new OnlineAligner(16, 8);
        float[] frame = Enumerable.Range(0, 16 * 8).Select(i => (float)(i * 7919 % 1013)).ToArray();
        var positions = new int[16];
        var similarities = new float[16];

        Assert.Equal(0, Allocated(() => aligner.Add(frame, positions, similarities)));
    }

    private static long Allocated(Action action)
    {
        // Twice before, so that what is made once (code, caches) is made.
        action();
        action();
        long smallest = long.MaxValue;
        for (int i = 0; i < 5; ++i)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            action();
            smallest = Math.Min(smallest, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        return smallest;
    }
}
