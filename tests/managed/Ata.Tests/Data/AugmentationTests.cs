using Ata.Data;
using Xunit;

namespace Ata.Tests.Data;

public sealed class AugmentationTests
{
    private static readonly ClipShape s_shape = new(3, 12);

    [Fact]
    public void RandomNumbersDependOnEveryPartOfThePlace()
    {
        ulong first = new SampleRandom(1, 2, 3, 4).NextBits();

        Assert.Equal(first, new SampleRandom(1, 2, 3, 4).NextBits());
        Assert.Equal(5, new[] { first, new SampleRandom(9, 2, 3, 4).NextBits(), new SampleRandom(1, 9, 3, 4).NextBits(), new SampleRandom(1, 2, 9, 4).NextBits(), new SampleRandom(1, 2, 3, 9).NextBits() }.Distinct().Count());
    }

    [Theory]
    [InlineData("left", true)]
    [InlineData("turn_left", true)]
    [InlineData("TurnLeft", true)]
    [InlineData("Pushing something from right to left", true)]
    [InlineData("SWIPE RIGHT", true)]
    [InlineData("top-right (2)", true)]
    [InlineData("circle_counterclockwise", true)]
    [InlineData("rotate counter-clockwise", true)]
    [InlineData("RotateCCW", true)]
    [InlineData("Rollstuhl links", false)]
    [InlineData("leftovers", false)]
    [InlineData("bright", false)]
    [InlineData("brighten", false)]
    [InlineData("copyright", false)]
    [InlineData("cleft", false)]
    [InlineData("", false)]
    public void LabelsThatAMirrorMakesWrongAreRecognised(string label, bool directional) =>
        Assert.Equal(directional, DirectionalLabels.Of([label]).Count == 1);

    [Fact]
    public void DistributionsHaveTheirMoments()
    {
        var random = new SampleRandom(7, 0, 0);
        const int Count = 40_000;
        double[] normal = Enumerable.Range(0, Count).Select(_ => random.Normal()).ToArray();
        double[] beta = Enumerable.Range(0, Count).Select(_ => random.Beta(0.4)).ToArray();
        int[] below = Enumerable.Range(0, Count).Select(_ => random.Below(3)).ToArray();

        Assert.InRange(normal.Average(), -0.02, 0.02);
        Assert.InRange(normal.Average(v => v * v), 0.97, 1.03);
        Assert.InRange(beta.Average(), 0.49, 0.51);
        // The variance of Beta(a, a) is 1 / (4 (2 a + 1)).
        Assert.InRange(beta.Average(v => (v - 0.5) * (v - 0.5)), 0.135, 0.143);
        Assert.All(Enumerable.Range(0, 3), k => Assert.InRange(below.Count(v => v == k) / (double)Count, 0.32, 0.35));
    }

    [Fact]
    public void RandAugmentKeepsTheScaleAndTreatsFramesAlike()
    {
        for (ulong place = 0; place < 200; ++place)
        {
            float[] clip = StillClip(place);
            RandAugment.Apply(clip, s_shape, 3, 9, new SampleRandom(1, 0, place));
            ColorTransforms.Jitter(clip, s_shape, 0.4, 0.1, new SampleRandom(2, 0, place));

            Assert.All(clip, v => Assert.InRange(v, 0f, 1f));
            for (int c = 0; c < ClipShape.Channels; ++c)
            {
                Span<float> first = clip.AsSpan(c * s_shape.Channel, s_shape.Plane);
                Assert.True(first.SequenceEqual(clip.AsSpan((c * s_shape.Channel) + (2 * s_shape.Plane), s_shape.Plane)));
            }
        }
    }

    [Fact]
    public void TranslationMovesPixels()
    {
        float[] clip = StillClip(3);
        float[] before = (float[])clip.Clone();

        GeometricTransforms.Translate(clip, s_shape, 2.0 / s_shape.Size, 0);

        Assert.Equal(before[(5 * s_shape.Size) + 7], clip[(5 * s_shape.Size) + 5], 5);
    }

    [Fact]
    public void FullTurnOfTheHueChangesNothing()
    {
        float[] clip = StillClip(4);
        float[] before = (float[])clip.Clone();

        ColorTransforms.RotateHue(clip, s_shape, 1);

        for (int i = 0; i < clip.Length; ++i)
        {
            Assert.Equal(before[i], clip[i], 5);
        }
    }

    [Fact]
    public void ErasingFillsOneRectangleInAllFrames()
    {
        var clip = new float[s_shape.Count];

        GeometricTransforms.Erase(clip, s_shape, new SampleRandom(3, 0, 1));

        int[] erased = Enumerable.Range(0, s_shape.Plane).Where(i => clip[i] != 0).ToArray();
        int[] rows = erased.Select(i => i / s_shape.Size).Distinct().ToArray();
        int[] columns = erased.Select(i => i % s_shape.Size).Distinct().ToArray();
        Assert.NotEmpty(erased);
        Assert.Equal(erased.Length, rows.Length * columns.Length);
        Assert.True(clip.AsSpan(0, s_shape.Plane).SequenceEqual(clip.AsSpan(s_shape.Plane, s_shape.Plane)));
    }

    [Theory]
    [InlineData(0.8, 0)]
    [InlineData(0, 1)]
    [InlineData(0.8, 1)]
    public void MixedTargetsSayWhatTheClipsShow(double mixup, double cutMix)
    {
        const int Batch = 4;
        for (ulong place = 0; place < 20; ++place)
        {
            var clips = new float[Batch * s_shape.Count];
            var targets = new float[Batch * Batch];
            for (int i = 0; i < Batch; ++i)
            {
                clips.AsSpan(i * s_shape.Count, s_shape.Count).Fill(i);
                targets[(i * Batch) + i] = 1;
            }

            ClipMixing.Apply(clips, targets, s_shape, new AugmentationOptions { Mixup = mixup, CutMix = cutMix }, new SampleRandom(1, 0, place));

            for (int i = 0; i < Batch; ++i)
            {
                // Clips are constants, so a clip's mean is the mean of its parts' classes.
                double mean = clips.AsSpan(i * s_shape.Count, s_shape.Count).ToArray().Average(v => (double)v);
                double expected = Enumerable.Range(0, Batch).Sum(c => c * (double)targets[(i * Batch) + c]);
                Assert.Equal(expected, mean, 4);
                Assert.Equal(1, targets.AsSpan(i * Batch, Batch).ToArray().Sum(), 5);
                Assert.True(targets[(i * Batch) + i] + targets[(i * Batch) + Batch - 1 - i] > 0.999f);
            }
        }
    }

    [Fact]
    public void DirectionSensitiveLabelsAreNotMirrored()
    {
        var options = new AugmentationOptions { FlipProbability = 1, DirectionSensitive = ["*LEFT*", "turn ?"] };

        Assert.False(options.MayFlip("push left to right"));
        Assert.False(options.MayFlip("turn x"));
        Assert.True(options.MayFlip("run"));
    }

    [Fact]
    public void CropsLieInTheFrameAndHaveTheirAreas()
    {
        var video = new VideoProperties(320, 180, 25, 4);
        var options = new LoaderOptions { Frames = 8, Size = 64, Augmentation = new AugmentationOptions { MinArea = 0.3, MaxArea = 0.6, MaxAspect = 1.5 } };
        var jitter = options with { Augmentation = new AugmentationOptions { Crop = CropMode.ScaleJitter, MinScale = 1.25, MaxScale = 2 } };
        for (ulong place = 0; place < 300; ++place)
        {
            ClipPlan plan = ClipPlan.Draw(options, video, "x", new SampleRandom(0, 0, place));
            Assert.True(plan is { Left: >= 0, Top: >= 0 } && plan.Left + plan.Width <= 1.0001f && plan.Top + plan.Height <= 1.0001f);
            Assert.InRange(plan.Width * plan.Height, 0.299f, 0.601f);

            ClipPlan square = ClipPlan.Draw(jitter, video, "x", new SampleRandom(0, 0, place));
            Assert.Equal(square.Width * 320, square.Height * 180, 2);
            Assert.InRange(square.Height, 0.499f, 0.801f);
        }
    }

    [Fact]
    public void RandomClipsStartAtEveryFrameThatLeavesRoom()
    {
        // 100 frames; a clip covers 8 frames 4 apart, so it may start at frames 0 to 71.
        var video = new VideoProperties(64, 64, 25, 4);
        var options = new LoaderOptions { Frames = 8, Size = 64 };

        int[] starts = Enumerable.Range(0, 3000).Select(i => (int)Math.Floor(ClipPlan.Draw(options, video, "x", new SampleRandom(0, 0, (ulong)i)).Offset * 25)).Distinct().Order().ToArray();

        Assert.Equal(Enumerable.Range(0, 72), starts);
    }

    private static float[] StillClip(ulong place)
    {
        var random = new SampleRandom(11, 0, place);
        var clip = new float[s_shape.Count];
        for (int c = 0; c < ClipShape.Channels; ++c)
        {
            for (int i = 0; i < s_shape.Plane; ++i)
            {
                float value = (float)random.NextDouble();
                for (int t = 0; t < s_shape.Frames; ++t)
                {
                    clip[(c * s_shape.Channel) + (t * s_shape.Plane) + i] = value;
                }
            }
        }

        return clip;
    }
}
