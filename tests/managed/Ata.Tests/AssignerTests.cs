using Xunit;

namespace Ata.Tests;

public sealed class AssignerTests
{
    [Theory]
    [InlineData(6, 6, true)]
    [InlineData(6, 6, false)]
    [InlineData(40, 60, true)]
    [InlineData(60, 40, false)]
    [InlineData(1, 1, true)]
    public void SolveBatch_GivesWhatAssignmentGives(int rows, int columns, bool maximize)
    {
        const int Problems = 5;
        float[] values = Random(Problems * rows * columns);
        var options = new AssignmentOptions { Maximize = maximize, Polish = true, Certify = true };
        using var assigner = new Assigner(options);
        var expected = new int[Problems * rows];
        var expectedTotals = new double[Problems];
        var matchings = new int[Problems * rows];
        var totals = new double[Problems];
        var first = new int[rows];
        Assignment.SolveBatch(values, Problems, rows, columns, expected, expectedTotals, options);

        for (int repetition = 0; repetition < 2; ++repetition)
        {
            assigner.SolveBatch(values, Problems, rows, columns, matchings, totals);
            double total = assigner.Solve(values.AsSpan(0, rows * columns), rows, columns, first);

            Assert.Equal(expected, matchings);
            Assert.Equal(expectedTotals, totals);
            Assert.Equal(expected.AsSpan(0, rows).ToArray(), first);
            Assert.Equal(expectedTotals[0], total);
        }
    }

    [Fact]
    public void Solve_StartsFromPricesAndLeavesThoseOfTheSolution()
    {
        const int Size = 50;
        float[] values = Random(Size * Size);
        using var assigner = new Assigner(new AssignmentOptions { Polish = true });
        var matching = new int[Size];
        var prices = new double[Size];
        double cold = assigner.Solve(values, Size, Size, matching);

        Assert.Equal(cold, assigner.Solve(values, Size, Size, matching, prices), 1e-12);
        for (int row = 0; row < Size; ++row)
        {
            double gain = values[(row * Size) + matching[row]] - prices[matching[row]];
            for (int column = 0; column < Size; ++column)
            {
                Assert.True(gain >= values[(row * Size) + column] - prices[column] - 1e-12);
            }
        }

        Assert.Equal(cold, assigner.Solve(values, Size, Size, matching, prices), 1e-12);
    }

    [Fact]
    public void SolveBatch_WritesNothingWhenOneProblemFails()
    {
        using var assigner = new Assigner();
        float[] values = Random(3 * 4);
        int[] matchings = [-7, -7, -7, -7, -7, -7];
        double[] totals = [-7, -7, -7];
        double[] duals = [1, 2, 3, 4, 5, 6];

        values[4] = values[5] = float.NegativeInfinity;
        string infeasible = Assert.Throws<AtaInfeasibleException>(Solve).Message;
        values[9] = float.NaN;
        values[4] = 0;
        string notANumber = Assert.ThrowsAny<ArgumentException>(Solve).Message;
        values[9] = 0;
        duals[3] = double.PositiveInfinity;
        string infinite = Assert.ThrowsAny<ArgumentException>(Solve).Message;

        Assert.Contains("problem 1", infeasible);
        Assert.Contains("problem 2 has NaN in row 0, column 1", notANumber);
        Assert.Contains("problem 1: the dual of column 1", infinite);
        Assert.All(matchings, column => Assert.Equal(-7, column));
        Assert.All(totals, total => Assert.Equal(-7, total));
        Assert.Equal([1, 2, 3, double.PositiveInfinity, 5, 6], duals);

        void Solve() => assigner.SolveBatch(values, 3, 2, 2, matchings, totals, duals);
    }

    [Fact]
    public void Solve_RefusesSpansOfTheWrongLength()
    {
        using var assigner = new Assigner();
        var matching = new int[2];

        Assert.Throws<ArgumentException>("values", () => assigner.Solve([1, 2, 3], 2, 2, matching));
        Assert.Throws<ArgumentException>("matchings", () => assigner.Solve([1, 2, 3, 4], 2, 2, matching.AsSpan(1)));
        Assert.Throws<ArgumentException>(
            "totals", () => assigner.SolveBatch([1, 2, 3, 4], 1, 2, 2, matching, new double[2]));
        Assert.Throws<ArgumentException>(
            "columnDuals", () => assigner.Solve([1, 2, 3, 4], 2, 2, matching, new double[1]));
        Assert.Contains("square", Assert.Throws<ArgumentException>(
            () => assigner.Solve([1, 2, 3, 4, 5, 6], 2, 3, matching, new double[3])).Message);
        Assert.Contains("4096", Assert.Throws<ArgumentException>(
            () => assigner.Solve(new float[4097], 1, 4097, matching.AsSpan(1))).Message);
        Assert.ThrowsAny<ArgumentException>(() => assigner.Solve([], 0, 0, []));
        assigner.SolveBatch([], 0, 2, 2, []);
    }

    [Fact]
    public void Solve_FailsAfterDispose()
    {
        var assigner = new Assigner();
        assigner.Dispose();
        assigner.Dispose();

        Assert.Throws<ObjectDisposedException>(() => assigner.Solve([1], 1, 1, new int[1]));
    }

    private static float[] Random(int count)
    {
        var random = new Random(count);
        return [.. Enumerable.Range(0, count).Select(_ => random.NextSingle())];
    }
}
