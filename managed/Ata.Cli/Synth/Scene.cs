using Ata.Data;

namespace Ata.Cli.Synth;

/// <summary>
/// A short film of textured objects that move over a textured background. One of them acts; the others only move.
/// Everything follows from the seed and the index of the clip.
/// </summary>
internal sealed class Scene
{
    private readonly SynthOptions _options;
    private readonly SampleRandom _noise;
    private readonly Texture _background;
    private readonly (double X, double Y) _drift;
    private readonly SceneObject[] _objects;
    private readonly float[] _linear;

    /// <summary>Sets the scene.</summary>
    /// <param name="options">What it looks like.</param>
    /// <param name="action">What the acting object does.</param>
    /// <param name="seed">Seed of the set of clips.</param>
    /// <param name="index">Which clip of the set.</param>
    public Scene(SynthOptions options, SynthAction action, ulong seed, int index)
    {
        _options = options;
        _linear = new float[options.Width * options.Height * 3];
        SampleRandom random = new(seed, 0, (ulong)index);
        _noise = new SampleRandom(seed, 0, (ulong)index, stream: 1);
        _background = new Texture(random, cells: 8, contrast: 0.7);

        double direction = random.Uniform(0, 2 * Math.PI);
        double speed = options.BackgroundSpeed * options.ShorterSide;
        _drift = (speed * Math.Cos(direction), speed * Math.Sin(direction));

        Shape = (SynthShape)random.Below(Enum.GetValues<SynthShape>().Length);

        // Drawn in this order: the acting object may be in front of some and behind others.
        _objects = new SceneObject[options.Distractors + 1];
        int acting = random.Below(_objects.Length);
        for (int i = 0; i < _objects.Length; ++i)
        {
            _objects[i] = new SceneObject(random, options, Shape, i == acting ? action : null);
        }
    }

    /// <summary>What all objects look like.</summary>
    public SynthShape Shape { get; }

    /// <summary>Renders a frame. Frames must be asked for in order: the noise continues from one to the
    /// next.</summary>
    /// <param name="index">0 to the number of frames - 1.</param>
    /// <param name="rgb">Receives height x width x 3 bytes.</param>
    public void Render(int index, Span<byte> rgb)
    {
        double texelsPerPixel = 128.0 / _options.ShorterSide;
        Span<float> color = stackalloc float[3];
        for (int y = 0; y < _options.Height; ++y)
        {
            double row = (y + (_drift.Y * index)) * texelsPerPixel;
            for (int x = 0; x < _options.Width; ++x)
            {
                _background.Sample((x + (_drift.X * index)) * texelsPerPixel, row, color);
                color.CopyTo(_linear.AsSpan(((y * _options.Width) + x) * 3, 3));
            }
        }

        foreach (SceneObject item in _objects)
        {
            item.Draw(_linear, index);
        }

        for (int i = 0; i < _linear.Length; ++i)
        {
            double noise = _options.Noise > 0 ? _options.Noise * _noise.Normal() : 0;
            rgb[i] = (byte)Math.Clamp(Math.Round(_linear[i] + noise), 0, 255);
        }
    }
}
