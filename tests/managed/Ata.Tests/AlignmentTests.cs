using System.Numerics.Tensors;
using Xunit;

namespace Ata.Tests;

public sealed class AlignmentTests
{
    private const int Frames = 5;
    private const int Patches = 9;
    private const int Channels = 12;

    [Fact]
    public void Align_FindsPatchesThatWereShuffled()
    {
        (float[] features, int[] expected) = Shuffled();
        using AtaTensor tensor = AtaTensor.CopyOf<float>(features, 1, Frames, Patches, Channels);

        using Trajectories fromTensor = FrameAligner.Align(tensor);
        using Trajectories fromSpan = FrameAligner.Align(features, 1, Frames, Patches, Channels);
        using Trajectories fromTensorSpan = FrameAligner.Align(Tensor.Create(features, [1, Frames, Patches, Channels]));

        Assert.Equal(expected, fromTensor.Positions.ToArray());
        Assert.Equal(expected, fromSpan.Positions.ToArray());
        Assert.Equal(expected, fromTensorSpan.Positions.ToArray());
        Assert.Equal((Frames - 1) * Patches, fromTensor.Similarities.Length);
        Assert.All(fromTensor.Similarities.ToArray(), similarity => Assert.Equal(1, similarity, 1e-5f));
        Assert.Equal(expected[(3 * Patches) + 4], fromTensor[0, 3, 4]);
        Assert.Throws<ArgumentOutOfRangeException>(() => fromTensor[0, Frames, 0]);
        Assert.Throws<ArgumentOutOfRangeException>(() => fromTensor[1, 0, 0]);
    }

    [Fact]
    public void Align_HonoursTheMethod()
    {
        (float[] features, int[] expected) = Shuffled();
        int[] still = [.. Enumerable.Range(0, Frames).SelectMany(_ => Enumerable.Range(0, Patches))];

        Assert.Equal(still, Positions(AlignmentMethod.None));
        Assert.Equal(expected, Positions(AlignmentMethod.Nearest));
        Assert.Equal(expected, Positions(AlignmentMethod.Sinkhorn));
        Assert.Equal(still, Positions(AlignmentMethod.Window, radius: 0));
        Assert.Equal(expected, Positions(AlignmentMethod.Window, radius: 2));
        Assert.Throws<NotSupportedException>(() => Positions(AlignmentMethod.Soft));

        int[] Positions(AlignmentMethod method, int radius = 3)
        {
            using Trajectories trajectories = FrameAligner.Align(
                features, 1, Frames, Patches, Channels, new AlignmentOptions { Method = method, WindowRadius = radius });
            return trajectories.Positions.ToArray();
        }
    }

    [Fact]
    public void Align_RefusesWrongShapes()
    {
        using AtaTensor flat = AtaTensor.Create<float>(4, 4);
        using AtaTensor integers = AtaTensor.Create<int>(1, 2, 3, 4);

        Assert.Contains("B, T, N, D", Assert.Throws<ArgumentException>(() => FrameAligner.Align(flat)).Message);
        Assert.Throws<ArgumentException>(() => FrameAligner.Align(integers));
        Assert.Throws<ArgumentException>(() => FrameAligner.Align(new float[23], 1, 2, 3, 4));
        Assert.ThrowsAny<ArgumentException>(() => FrameAligner.Align([], -1, 2, 3, 4));
        Assert.Throws<ArgumentException>(() => FrameAligner.Align(
            new float[24], 1, 2, 3, 4, new AlignmentOptions { Method = AlignmentMethod.Window, GridHeight = 2, GridWidth = 2 }));
    }

    [Fact]
    public void Trajectories_CannotBeReadAfterDispose()
    {
        Trajectories trajectories = FrameAligner.Align(new float[24], 1, 2, 3, 4);
        trajectories.Dispose();

        Assert.Throws<ObjectDisposedException>(() => trajectories[0, 0, 0]);
        Assert.Throws<ObjectDisposedException>(() => trajectories.Similarities.Length);
    }

    [Theory]
    [InlineData(AlignmentMethod.Exact)]
    [InlineData(AlignmentMethod.None)]
    [InlineData(AlignmentMethod.Nearest)]
    [InlineData(AlignmentMethod.Window)]
    [InlineData(AlignmentMethod.Sinkhorn)]
    public void OnlineAligner_AgreesWithAllFramesAtOnce(AlignmentMethod method)
    {
        (float[] features, _) = Shuffled();
        var options = new AlignmentOptions { Method = method, WindowRadius = 1 };
        using Trajectories expected = FrameAligner.Align(features, 1, Frames, Patches, Channels, options);
        using var aligner = new OnlineAligner(Patches, Channels, options);
        var positions = new int[Patches];
        var similarities = new float[Patches];

        for (int pass = 0; pass < 2; ++pass)
        {
            for (int frame = 0; frame < Frames; ++frame)
            {
                aligner.Add(features.AsSpan(frame * Patches * Channels, Patches * Channels), positions, similarities);
                Assert.Equal(expected.Positions.Slice(frame * Patches, Patches).ToArray(), positions);
                for (int n = 0; n < Patches; ++n)
                {
                    float similarity = frame == 0 ? 1 : expected.Similarities[((frame - 1) * Patches) + n];
                    Assert.Equal(similarity, similarities[n], 1e-5f);
                }
            }

            aligner.Reset();
        }
    }

    [Fact]
    public void OnlineAligner_RefusesWhatItCannotAlign()
    {
        (float[] features, _) = Shuffled();
        using var aligner = new OnlineAligner(Patches, Channels);
        var positions = new int[Patches];

        Assert.Throws<ArgumentException>(() => aligner.Add(new float[3], positions));
        Assert.Throws<ArgumentException>(() => aligner.Add(features.AsSpan(0, Patches * Channels), positions.AsSpan(1)));
        Assert.Throws<ArgumentException>(
            () => aligner.Add(features.AsSpan(0, Patches * Channels), positions, new float[1]));
        Assert.Throws<NotSupportedException>(
            () => new OnlineAligner(4, 4, new AlignmentOptions { Method = AlignmentMethod.Soft }));
        features[5] = float.NaN;
        Assert.Contains(
            "frame 0",
            Assert.ThrowsAny<ArgumentException>(() => aligner.Add(features.AsSpan(0, Patches * Channels), positions)).Message);
        aligner.Dispose();
        Assert.Throws<ObjectDisposedException>(aligner.Reset);
    }

    [Theory]
    [InlineData(5, 5, true)]
    [InlineData(5, 5, false)]
    [InlineData(3, 6, true)]
    [InlineData(6, 4, false)]
    public void Assignment_IsOptimal(int rows, int columns, bool maximize)
    {
        var random = new Random(rows + (10 * columns));
        var options = new AssignmentOptions { Maximize = maximize, Polish = true, Certify = true };
        for (int trial = 0; trial < 20; ++trial)
        {
            float[] values = Enumerable.Range(0, rows * columns).Select(_ => random.NextSingle()).ToArray();
            var matching = new int[rows];

            double total = Assignment.Solve(values, rows, columns, matching, options);

            Assert.Equal(Best(values, rows, columns, maximize), total, 1e-6);
            int[] matched = matching.Where(column => column >= 0).ToArray();
            Assert.Equal(Math.Min(rows, columns), matched.Distinct().Count());
            Assert.Equal(total, matched.Length == 0 ? 0 : matching.Select((c, r) => c < 0 ? 0 : (double)values[(r * columns) + c]).Sum(), 1e-9);
        }
    }

    [Fact]
    public void Assignment_SolvesBatchesAndTensors()
    {
        float[] values = [1, 0, 0, 1, 0, 1, 1, 0];
        var matchings = new int[4];
        var totals = new double[2];

        Assignment.SolveBatch(values, 2, 2, 2, matchings, totals);
        using AtaTensor matching = Assignment.Solve(Tensor.Create(values, [2, 2, 2]));

        Assert.Equal([0, 1, 1, 0], matchings);
        Assert.Equal([2, 2], totals);
        Assert.Equal(matchings, matching.AsSpan<int>().ToArray());
        Assert.Equal([2, 2], matching.Shape.ToArray());
    }

    [Fact]
    public void Assignment_RefusesWhatHasNoAnswer()
    {
        float forbidden = float.NegativeInfinity;
        var matching = new int[2];

        Assert.Throws<AtaInfeasibleException>(() => Assignment.Solve([forbidden, forbidden, 1, 1], 2, 2, matching));
        Assert.ThrowsAny<ArgumentException>(() => Assignment.Solve([float.NaN, 0, 1, 1], 2, 2, matching));
        Assert.Throws<ArgumentException>(() => Assignment.Solve([1, 2, 3], 2, 2, matching));
        Assert.Throws<ArgumentException>(() => Assignment.Solve([1, 2, 3, 4], 2, 2, matching.AsSpan(1)));
        Assert.ThrowsAny<ArgumentException>(() => Assignment.Solve([], 0, 0, []));
        Assert.Throws<ArgumentException>(() => Assignment.SolveBatch([1, 2, 3, 4], 1, 2, 2, matching, new double[2]));
        Assert.Equal(1, Assignment.Solve([forbidden, 0, 1, 1], 2, 2, matching));
        Assert.Equal([1, 0], matching);
    }

    private static double Best(float[] values, int rows, int columns, bool maximize)
    {
        double sign = maximize ? 1 : -1;
        return sign * Search(0, 0, 0);

        double Search(int row, int used, int skipped)
        {
            if (row == rows)
            {
                return 0;
            }

            double best = double.NegativeInfinity;
            if (skipped < rows - columns)
            {
                best = Search(row + 1, used, skipped + 1);
            }

            for (int column = 0; column < columns; ++column)
            {
                if ((used & (1 << column)) == 0)
                {
                    best = Math.Max(
                        best, (sign * values[(row * columns) + column]) + Search(row + 1, used | (1 << column), skipped));
                }
            }

            return best;
        }
    }

    // Frames that hold the same random patches in shuffled places, and where each trajectory goes.
    private static (float[] Features, int[] Positions) Shuffled()
    {
        var random = new Random(4);
        float[][] patches = Enumerable.Range(0, Patches)
            .Select(_ => Enumerable.Range(0, Channels).Select(_ => (random.NextSingle() * 2) - 1).ToArray()).ToArray();
        var features = new float[Frames * Patches * Channels];
        var positions = new int[Frames * Patches];
        int[] places = Enumerable.Range(0, Patches).ToArray();
        for (int frame = 0; frame < Frames; ++frame)
        {
            places.CopyTo(positions, frame * Patches);
            for (int patch = 0; patch < Patches; ++patch)
            {
                patches[patch].CopyTo(features, ((frame * Patches) + places[patch]) * Channels);
            }

            random.Shuffle(places);
        }

        return (features, positions);
    }
}
