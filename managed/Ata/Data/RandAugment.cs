namespace Ata.Data;

/// <summary>RandAugment (Cubuk et al., 2020): operations drawn at random, all with one strength. Every operation
/// treats all frames alike, so that motion stays what it was.</summary>
internal static class RandAugment
{
    private const double Strongest = 10;

    private delegate void Operation(Span<float> clip, ClipShape shape, double strength, bool negative);

    private static readonly Operation[] Operations =
    [
        (_, _, _, _) => { },
        (clip, shape, _, _) => ColorTransforms.AutoContrast(clip, shape),
        (clip, shape, _, _) => ColorTransforms.Equalize(clip, shape),
        (clip, shape, s, n) => GeometricTransforms.Rotate(clip, shape, Signed(s * Math.PI / 6, n)),
        (clip, _, s, _) => ColorTransforms.Posterize(clip, 8 - (int)Math.Round(4 * s)),
        (clip, _, s, _) => ColorTransforms.Solarize(clip, (float)(1 - s)),
        (clip, shape, s, n) => ColorTransforms.Saturation(clip, shape, (float)(1 + Signed(0.9 * s, n))),
        (clip, shape, s, n) => ColorTransforms.Contrast(clip, shape, (float)(1 + Signed(0.9 * s, n))),
        (clip, _, s, n) => ColorTransforms.Brightness(clip, (float)(1 + Signed(0.9 * s, n))),
        (clip, shape, s, n) => ColorTransforms.Sharpness(clip, shape, (float)(1 + Signed(0.9 * s, n))),
        (clip, shape, s, n) => GeometricTransforms.Shear(clip, shape, Signed(0.3 * s, n), 0),
        (clip, shape, s, n) => GeometricTransforms.Shear(clip, shape, 0, Signed(0.3 * s, n)),
        (clip, shape, s, n) => GeometricTransforms.Translate(clip, shape, Signed(0.45 * s, n), 0),
        (clip, shape, s, n) => GeometricTransforms.Translate(clip, shape, 0, Signed(0.45 * s, n)),
    ];

    /// <summary>Applies operations to a clip on the 0..1 scale.</summary>
    internal static void Apply(Span<float> clip, ClipShape shape, int count, double magnitude, SampleRandom random)
    {
        for (int i = 0; i < count; ++i)
        {
            Operation operation = Operations[random.Below(Operations.Length)];
            operation(clip, shape, magnitude / Strongest, random.NextDouble() < 0.5);
        }
    }

    private static double Signed(double value, bool negative) => negative ? -value : value;
}
