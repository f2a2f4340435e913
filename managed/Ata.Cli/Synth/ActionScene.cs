using Ata.Data;

namespace Ata.Cli.Synth;

/// <summary>
/// A short film of textured objects that move over a textured background. One of them acts; the others only move.
/// Everything follows from the seed and the index of the clip.
/// </summary>
internal sealed class ActionScene : IScene
{
    private readonly ActionOptions _options;
    private readonly SampleRandom _noise;
    private readonly Texture _background;
    private readonly (double X, double Y) _drift;
    private readonly ActionObject[] _objects;
    private readonly float[] _linear;

    /// <summary>Sets the scene.</summary>
    /// <param name="options">What it looks like.</param>
    /// <param name="action">What the acting object does.</param>
    /// <param name="seed">Seed of the set of clips.</param>
    /// <param name="index">Which clip of the set.</param>
    public ActionScene(ActionOptions options, SynthAction action, ulong seed, int index)
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
        _objects = new ActionObject[options.Distractors + 1];
        int acting = random.Below(_objects.Length);
        for (int i = 0; i < _objects.Length; ++i)
        {
            _objects[i] = new ActionObject(random, options, Shape, i == acting ? action : null);
        }
    }

    /// <summary>What all objects look like.</summary>
    public SynthShape Shape { get; }

    /// <inheritdoc/>
    public void Render(int index, Span<byte> rgb)
    {
        _background.Fill(_linear, _options.Width, _options.Height, 128.0 / _options.ShorterSide, (_drift.X * index, _drift.Y * index));
        foreach (ActionObject item in _objects)
        {
            item.Draw(_linear, index);
        }

        Pixels.Round(_linear, _options.Noise, _noise, rgb);
    }
}
