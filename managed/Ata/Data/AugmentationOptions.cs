using System.IO.Enumeration;
using Ata.Interop;

namespace Ata.Data;

/// <summary>Which part of the frames a training clip shows.</summary>
public enum CropMode
{
    /// <summary>The centre square, as in evaluation.</summary>
    Center,

    /// <summary>The whole frame, squeezed to a square.</summary>
    Full,

    /// <summary>A rectangle of random area and aspect ratio (Szegedy et al., 2015).</summary>
    RandomResized,

    /// <summary>A random square after the shorter side was scaled to a random size (Simonyan and Zisserman, 2014).</summary>
    ScaleJitter,
}

/// <summary>Random changes of training clips. All frames of a clip are changed alike. The defaults change nothing
/// but the crop and the direction.</summary>
public sealed record AugmentationOptions
{
    /// <summary>Largest number of operations of RandAugment, and largest parameter of mixup and CutMix.</summary>
    internal const int MostOperations = 16;
    internal const double MostMixing = 100;

    /// <summary>No change at all: the centre crop, as in evaluation.</summary>
    public static AugmentationOptions None { get; } = new() { Crop = CropMode.Center, FlipProbability = 0 };

    /// <summary>Which part of the frames is shown.</summary>
    public CropMode Crop { get; init; } = CropMode.RandomResized;

    /// <summary><see cref="CropMode.RandomResized"/>: smallest area as a fraction of the frame.</summary>
    public double MinArea { get; init; } = 0.5;

    /// <summary><see cref="CropMode.RandomResized"/>: largest area as a fraction of the frame.</summary>
    public double MaxArea { get; init; } = 1;

    /// <summary><see cref="CropMode.RandomResized"/>: largest aspect ratio; the smallest is its inverse.</summary>
    public double MaxAspect { get; init; } = 4.0 / 3;

    /// <summary><see cref="CropMode.ScaleJitter"/>: largest size of the shorter side over the size of the crop; the
    /// smallest is <see cref="MinScale"/>.</summary>
    public double MaxScale { get; init; } = 320.0 / 224;

    /// <summary><see cref="CropMode.ScaleJitter"/>: smallest size of the shorter side over the size of the crop, at
    /// least 1.</summary>
    public double MinScale { get; init; } = 256.0 / 224;

    /// <summary>Probability of mirroring a clip left to right.</summary>
    public double FlipProbability { get; init; } = 0.5;

    /// <summary>Patterns (<c>*</c>, <c>?</c>; upper and lower case alike) of the labels that mirroring would make
    /// wrong, such as <c>*left*</c>; their clips are never mirrored.</summary>
    public IReadOnlyList<string> DirectionSensitive { get; init; } = [];

    /// <summary>Largest relative change of brightness, contrast and saturation; 0 for none.</summary>
    public double ColorJitter { get; init; }

    /// <summary>Largest rotation of the hue, as a fraction of the circle, at most 0.5; 0 for none.</summary>
    public double HueJitter { get; init; }

    /// <summary>RandAugment (Cubuk et al., 2020): how many operations are applied to each clip; 0 for none.</summary>
    public int RandAugmentOperations { get; init; }

    /// <summary>RandAugment: strength of the operations, 0 to 10.</summary>
    public double RandAugmentMagnitude { get; init; } = 7;

    /// <summary>Probability of filling a random rectangle with noise (Zhong et al., 2020).</summary>
    public double ErasingProbability { get; init; }

    /// <summary>Mixup (Zhang et al., 2018): parameter of the Beta distribution; 0 for none.</summary>
    public double Mixup { get; init; }

    /// <summary>CutMix (Yun et al., 2019): parameter of the Beta distribution; 0 for none. With both, each batch
    /// uses one of them at random.</summary>
    public double CutMix { get; init; }

    /// <summary>Whether targets are probabilities instead of labels.</summary>
    internal bool MixesTargets => Mixup > 0 || CutMix > 0;

    /// <summary>Whether pixels are changed after sampling, which needs them on the 0..1 scale.</summary>
    internal bool ChangesPixels => ColorJitter > 0 || HueJitter > 0 || RandAugmentOperations > 0;

    /// <summary>Whether clips with a label may be mirrored.</summary>
    internal bool MayFlip(string label) => FlipProbability > 0
        && !DirectionSensitive.Any(pattern => FileSystemName.MatchesSimpleExpression(pattern, label, ignoreCase: true));

    /// <summary>Checks the ranges.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value is out of range.</exception>
    internal void Validate()
    {
        OptionRange.Check(Crop);
        OptionRange.CheckPositive(MinArea, 1);
        OptionRange.Check(MaxArea, MinArea, 1);
        OptionRange.Check(MaxAspect, 1, 10);
        OptionRange.Check(MinScale, 1, 10);
        OptionRange.Check(MaxScale, MinScale, 10);
        OptionRange.Check(FlipProbability, 0, 1);
        ArgumentNullException.ThrowIfNull(DirectionSensitive);
        OptionRange.Check(ColorJitter, 0, 1);
        OptionRange.Check(HueJitter, 0, 0.5);
        OptionRange.Check(RandAugmentOperations, 0, MostOperations);
        OptionRange.Check(RandAugmentMagnitude, 0, 10);
        OptionRange.Check(ErasingProbability, 0, 1);
        OptionRange.Check(Mixup, 0, MostMixing);
        OptionRange.Check(CutMix, 0, MostMixing);
    }
}
