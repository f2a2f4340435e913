using Ata.Interop;

namespace Ata.Training;

/// <summary>How the learning rate falls after the warm-up.</summary>
public enum ScheduleKind
{
    /// <summary>Half a cosine from the peak to the final rate.</summary>
    Cosine,

    /// <summary>Multiplied by a factor at given fractions of the run.</summary>
    Step,

    /// <summary>Stays at the peak.</summary>
    Constant,
}

/// <summary>The learning rate of each update: a linear warm-up to the peak, then a fall.</summary>
public sealed record LearningRateSchedule
{
    /// <summary>How the rate falls.</summary>
    public ScheduleKind Kind { get; init; } = ScheduleKind.Cosine;

    /// <summary>Largest rate, above 0.</summary>
    public double Peak { get; init; } = 1e-3;

    /// <summary><see cref="ScheduleKind.Cosine"/>: rate after the last update, as a fraction of the peak.</summary>
    public double FinalFraction { get; init; } = 0.01;

    /// <summary>Updates over which the rate rises from 0 to the peak.</summary>
    public int WarmUpSteps { get; init; }

    /// <summary><see cref="ScheduleKind.Step"/>: fractions of the run at which the rate falls, ascending.</summary>
    public IReadOnlyList<double> Milestones { get; init; } = [0.5, 0.75];

    /// <summary><see cref="ScheduleKind.Step"/>: factor at each milestone.</summary>
    public double StepFactor { get; init; } = 0.1;

    /// <summary>The rate of an update.</summary>
    /// <param name="step">Updates made before, from 0.</param>
    /// <param name="totalSteps">Updates of the whole run.</param>
    public double RateAt(long step, long totalSteps)
    {
        if (step < WarmUpSteps)
        {
            return Peak * (step + 1) / WarmUpSteps;
        }

        double progress = Math.Clamp((double)(step - WarmUpSteps) / Math.Max(1, totalSteps - WarmUpSteps), 0, 1);
        return Kind switch
        {
            ScheduleKind.Cosine => Peak * (FinalFraction + ((1 - FinalFraction) * (1 + Math.Cos(Math.PI * progress)) / 2)),
            ScheduleKind.Step => Peak * Math.Pow(StepFactor, Milestones.Count(m => (double)step / Math.Max(1, totalSteps) >= m)),
            ScheduleKind.Constant => Peak,
            _ => throw new ArgumentOutOfRangeException(nameof(Kind), Kind, "Unknown schedule."),
        };
    }

    internal void Validate()
    {
        OptionRange.Check(Kind);
        OptionRange.CheckPositive(Peak);
        OptionRange.Check(FinalFraction, 0, 1);
        OptionRange.Check(WarmUpSteps, 0, int.MaxValue);
        OptionRange.CheckPositive(StepFactor, 1);
        ArgumentNullException.ThrowIfNull(Milestones);
        foreach (double milestone in Milestones)
        {
            if (!(milestone > 0 && milestone < 1))
            {
                throw new ArgumentOutOfRangeException(
                    nameof(Milestones), milestone, FormattableString.Invariant($"Milestones has {milestone}; each must lie between 0 and 1."));
            }
        }
    }
}
