using System.Numerics;

namespace Ata.Data;

/// <summary>
/// Random numbers for one sample: a generator (xoshiro256**) whose state is derived from a seed and a place in the
/// data, so that a sample's randomness does not depend on the thread that prepares it or on what came before.
/// </summary>
public sealed class SampleRandom
{
    private ulong _s0;
    private ulong _s1;
    private ulong _s2;
    private ulong _s3;

    /// <summary>Derives a generator.</summary>
    /// <param name="seed">Seed of the run.</param>
    /// <param name="epoch">Pass over the data.</param>
    /// <param name="index">Place in the pass.</param>
    /// <param name="stream">Distinguishes several uses at one place.</param>
    public SampleRandom(ulong seed, ulong epoch, ulong index, ulong stream = 0)
    {
        // SplitMix64 over the words: each changes all bits of the state.
        ulong mix = Mix(Mix(Mix(Mix(seed) ^ epoch) ^ index) ^ stream);
        _s0 = mix = Mix(mix);
        _s1 = mix = Mix(mix);
        _s2 = mix = Mix(mix);
        _s3 = Mix(mix);
    }

    /// <summary>The next 64 random bits.</summary>
    public ulong NextBits()
    {
        ulong result = BitOperations.RotateLeft(_s1 * 5, 7) * 9;
        ulong shifted = _s1 << 17;
        _s2 ^= _s0;
        _s3 ^= _s1;
        _s1 ^= _s2;
        _s0 ^= _s3;
        _s2 ^= shifted;
        _s3 = BitOperations.RotateLeft(_s3, 45);
        return result;
    }

    /// <summary>A number in [0, 1).</summary>
    public double NextDouble() => (NextBits() >> 11) * (1.0 / (1UL << 53));

    /// <summary>A number in [<paramref name="low"/>, <paramref name="high"/>).</summary>
    /// <param name="low">Lower end.</param>
    /// <param name="high">Upper end.</param>
    public double Uniform(double low, double high) => low + ((high - low) * NextDouble());

    /// <summary>An integer from 0 to <paramref name="count"/> - 1.</summary>
    /// <param name="count">At least 1.</param>
    public int Below(int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        return (int)(((UInt128)NextBits() * (ulong)count) >> 64);
    }

    /// <summary>A number of the standard normal distribution (Box and Muller, 1958).</summary>
    public double Normal() =>
        Math.Sqrt(-2 * Math.Log(1 - NextDouble())) * Math.Cos(2 * Math.PI * NextDouble());

    /// <summary>A number of the Gamma distribution of unit scale (Marsaglia and Tsang, 2000).</summary>
    /// <param name="shape">Shape, above 0.</param>
    public double Gamma(double shape)
    {
        if (shape < 1)
        {
            return Gamma(shape + 1) * Math.Pow(1 - NextDouble(), 1 / shape);
        }

        double d = shape - (1.0 / 3);
        double c = 1 / Math.Sqrt(9 * d);
        while (true)
        {
            double x = Normal();
            double v = 1 + (c * x);
            if (v > 0)
            {
                v = v * v * v;
                if (Math.Log(1 - NextDouble()) < (0.5 * x * x) + (d * (1 - v + Math.Log(v))))
                {
                    return d * v;
                }
            }
        }
    }

    /// <summary>A number of the Beta distribution with two equal parameters.</summary>
    /// <param name="alpha">The parameter, above 0.</param>
    public double Beta(double alpha)
    {
        double a = Gamma(alpha);
        double b = Gamma(alpha);
        return a + b > 0 ? a / (a + b) : 0.5;
    }

    /// <summary>Puts elements in random order (Fisher and Yates).</summary>
    /// <param name="elements">The elements.</param>
    /// <typeparam name="T">Their type.</typeparam>
    public void Shuffle<T>(Span<T> elements)
    {
        for (int i = elements.Length - 1; i > 0; --i)
        {
            int j = Below(i + 1);
            (elements[i], elements[j]) = (elements[j], elements[i]);
        }
    }

    private static ulong Mix(ulong value)
    {
        value += 0x9E3779B97F4A7C15;
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }
}
