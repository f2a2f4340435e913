using Ata.Training;
using Xunit;

namespace Ata.Tests.Training;

public sealed class ScheduleTests
{
    [Fact]
    public void WarmUpThenCosine()
    {
        var schedule = new LearningRateSchedule { Peak = 2, WarmUpSteps = 4, FinalFraction = 0.1 };

        Assert.Equal([0.5, 1.0, 1.5, 2.0], Enumerable.Range(0, 4).Select(s => schedule.RateAt(s, 104)));
        Assert.Equal(2, schedule.RateAt(4, 104), 12);
        Assert.Equal(1.1, schedule.RateAt(54, 104), 12);
        Assert.Equal(0.2, schedule.RateAt(104, 104), 12);
    }

    [Fact]
    public void StepsFallAtTheirMilestones()
    {
        var schedule = new LearningRateSchedule { Kind = ScheduleKind.Step, Peak = 1, Milestones = [0.5, 0.75], StepFactor = 0.1 };

        Assert.Equal([1, 1, 0.1, 0.01], new[] { 0, 49, 50, 75 }.Select(s => Math.Round(schedule.RateAt(s, 100), 12)));
    }

    [Fact]
    public void ConstantStaysConstant()
    {
        var schedule = new LearningRateSchedule { Kind = ScheduleKind.Constant, Peak = 0.3 };

        Assert.All(new[] { 0, 5, 99 }, s => Assert.Equal(0.3, schedule.RateAt(s, 100)));
    }
}
