using Ata.Data;
using Xunit;

namespace Ata.Tests.Data;

public sealed class PassOrderTests
{
    /// <summary>Of 10 videos 7 show one class, 2 another and 1 a third.</summary>
    private static readonly VideoDataset s_uneven = new(
        "walk walk run walk jump walk walk run walk walk".Split(' ').Select((label, i) => new VideoItem($"{i}.mp4", label)));

    [Fact]
    public void WithoutBalanceAPassDrawsEachVideoOnce()
    {
        Assert.Equal(Enumerable.Range(0, 10), new PassOrder(s_uneven, balanceClasses: false).Draw(new SampleRandom(1, 0, 0)).Order());
    }

    [Fact]
    public void ClassesAndTheVideosOfEachAreDrawnEquallyOften()
    {
        const int Passes = 3000;
        var order = new PassOrder(s_uneven, balanceClasses: true);
        var drawn = new int[s_uneven.Count];
        for (int pass = 0; pass < Passes; ++pass)
        {
            int[] items = order.Draw(new SampleRandom(7, (ulong)pass, 0));
            Assert.Equal(s_uneven.Count, items.Length);
            foreach (int item in items)
            {
                ++drawn[item];
            }
        }

        Assert.All(s_uneven.Items, (item, i) => Assert.Equal(10.0 / 3 / s_uneven.Items.Count(other => other.Label == item.Label), (double)drawn[i] / Passes, 0.05));
    }

    [Fact]
    public void AVideoIsDrawnItsMeanNumberOfTimesRoundedDownOrUp()
    {
        var order = new PassOrder(s_uneven, balanceClasses: true);
        for (ulong pass = 0; pass < 200; ++pass)
        {
            int[] items = order.Draw(new SampleRandom(7, pass, 0));
            Assert.InRange(items.Count(item => s_uneven[item].Label == "jump"), 3, 4);
            Assert.All(items.CountBy(item => item), draws => Assert.InRange(draws.Value, 1, s_uneven[draws.Key].Label == "walk" ? 1 : 4));
        }
    }

    [Fact]
    public void EvenClassesAreDrawnAsWithoutBalance()
    {
        var even = new VideoDataset(Enumerable.Range(0, 12).Select(i => new VideoItem($"{i}.mp4", $"class{i % 3}")));

        Assert.Equal(Enumerable.Range(0, 12), new PassOrder(even, balanceClasses: true).Draw(new SampleRandom(3, 0, 0)).Order());
    }
}
