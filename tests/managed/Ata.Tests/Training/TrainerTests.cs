using Ata.Training;
using Xunit;

namespace Ata.Tests.Training;

/// <summary>Single steps of training.</summary>
public sealed class TrainerTests
{
    [Fact]
    public void GradientThatIsNotFinite_HasAnExceptionOfItsOwn()
    {
        using Model model = TinyModel.Create();
        using var trainer = new Trainer(model, new OptimizerOptions { ClipNorm = 0 });
        using AtaTensor clips = TinyModel.ClipTensor(2);
        using AtaTensor labels = AtaTensor.CopyOf<long>([0, 1], 2);

        var error = Assert.Throws<AtaNotFiniteException>(() =>
        {
            for (int i = 0; i < 100; ++i)
            {
                trainer.Accumulate(clips, labels, [], float.MaxValue);
            }

            trainer.Update(1e-3);
        });

        Assert.Equal(AtaStatus.NotFinite, error.Status);
        Assert.Throws<ArgumentException>(() => trainer.Accumulate(labels, labels, []));
        Assert.Throws<ArgumentException>(() => trainer.Update(double.NaN));
    }
}
