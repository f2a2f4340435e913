using Ata.Data;

namespace Ata.Cli.Synth;

/// <summary>A textured shape that moves, and perhaps acts.</summary>
internal sealed class ActionObject
{
    // An object that does not change in some way stays at a random value of the range in which others change, so
    // that the value in one frame says nothing about the action.
    private static readonly (double Low, double High) s_brightness = (0.4, 1.4);
    private static readonly (double Low, double High) s_scale = (0.6, 1.4);

    private readonly ActionOptions _options;
    private readonly Texture _texture;
    private readonly SynthShape _shape;
    private readonly double _radius;
    private readonly (double Start, double End) _brightness;
    private readonly (double Start, double End) _scale;
    private readonly (double Start, double End) _angle;
    private readonly (double Start, double End) _circle;
    private readonly double _circleRadius;
    private readonly (double X, double Y) _start;
    private readonly (double X, double Y) _velocity;

    /// <summary>Draws an object.</summary>
    /// <param name="random">Source of everything about it.</param>
    /// <param name="options">Size of the frame, number of frames, speed.</param>
    /// <param name="shape">Its outline.</param>
    /// <param name="action">What it does, or null if it only moves.</param>
    public ActionObject(SampleRandom random, ActionOptions options, SynthShape shape, SynthAction? action)
    {
        _options = options;
        _texture = new Texture(random, cells: 8, contrast: 1);
        _shape = shape;
        _radius = random.Uniform(0.11, 0.16) * options.ShorterSide;
        _start = (random.Uniform(0, options.Width), random.Uniform(0, options.Height));

        double direction = random.Uniform(0, 2 * Math.PI);
        double speed = random.Uniform(0.7, 1.3) * options.Speed * options.ShorterSide;
        _velocity = (speed * Math.Cos(direction), speed * Math.Sin(direction));

        _brightness = Property(random, s_brightness, Sign(action, SynthAction.Brighten, SynthAction.Dim));
        _scale = Property(random, s_scale, Sign(action, SynthAction.Grow, SynthAction.Shrink));

        // Rows count downwards, so that a growing angle turns clockwise on the screen.
        double angle = random.Uniform(0, 2 * Math.PI);
        int turn = Sign(action, SynthAction.TurnClockwise, SynthAction.TurnCounterclockwise);
        _angle = (angle, angle + (turn * random.Uniform(0.75, 1.5) * Math.PI));

        int circle = Sign(action, SynthAction.CircleClockwise, SynthAction.CircleCounterclockwise);
        double phase = random.Uniform(0, 2 * Math.PI);
        _circle = (phase, phase + (circle * random.Uniform(1.25, 2) * Math.PI));
        _circleRadius = circle == 0 ? 0 : random.Uniform(0.18, 0.28) * options.ShorterSide;
        if (circle != 0)
        {
            _velocity = (0, 0);
        }
    }

    /// <summary>Draws the object into a frame.</summary>
    /// <param name="frame">Linear RGB, three values a pixel.</param>
    /// <param name="index">Which frame of the clip.</param>
    public void Draw(Span<float> frame, int index)
    {
        double time = (double)index / (_options.Frames - 1);
        double radius = _radius * At(_scale, time);
        float brightness = (float)At(_brightness, time);
        (double sine, double cosine) = Math.SinCos(At(_angle, time));
        (double centerX, double centerY) = Center(index, time);

        // The corner of a square is the farthest point of any shape.
        double reach = (radius * Math.Sqrt(2)) + 1;
        int left = Math.Max(0, (int)(centerX - reach));
        int right = Math.Min(_options.Width - 1, (int)(centerX + reach) + 1);
        int top = Math.Max(0, (int)(centerY - reach));
        int bottom = Math.Min(_options.Height - 1, (int)(centerY + reach) + 1);
        double texelsPerPixel = 32 / radius;
        Span<float> color = stackalloc float[3];
        for (int y = top; y <= bottom; ++y)
        {
            for (int x = left; x <= right; ++x)
            {
                double dx = x - centerX;
                double dy = y - centerY;
                double u = (dx * cosine) + (dy * sine);
                double v = (dy * cosine) - (dx * sine);

                // Half a pixel on either side of the edge is blended.
                float cover = (float)Math.Clamp(0.5 - Distance(u, v, radius), 0, 1);
                if (cover <= 0)
                {
                    continue;
                }

                _texture.Sample(u * texelsPerPixel, v * texelsPerPixel, color);
                Span<float> pixel = frame.Slice(((y * _options.Width) + x) * 3, 3);
                for (int channel = 0; channel < 3; ++channel)
                {
                    pixel[channel] += ((color[channel] * brightness) - pixel[channel]) * cover;
                }
            }
        }
    }

    // Signed distance in pixels from a point in the object's own axes to its outline; negative inside.
    private double Distance(double u, double v, double radius)
    {
        u = Math.Abs(u);
        switch (_shape)
        {
            case SynthShape.Disc:
                return Math.Sqrt((u * u) + (v * v)) - radius;
            case SynthShape.Square:
                return Math.Max(u, Math.Abs(v)) - (0.85 * radius);
            case SynthShape.Triangle:
                return Math.Max((0.866 * u) + (0.5 * v), -v) - (0.6 * radius);
            default:
                v = Math.Abs(v);
                double near = Math.Min(u, v) - (0.35 * radius);
                return Math.Max(near, Math.Max(u, v) - radius);
        }
    }

    // The path reflects at the edges of the frame; a circle is kept inside it.
    private (double X, double Y) Center(int index, double time)
    {
        double margin = _radius + _circleRadius;
        double x = Reflect(_start.X + (_velocity.X * index), margin, _options.Width - margin);
        double y = Reflect(_start.Y + (_velocity.Y * index), margin, _options.Height - margin);
        (double sine, double cosine) = Math.SinCos(At(_circle, time));
        return (x + (_circleRadius * cosine), y + (_circleRadius * sine));
    }

    private static double Reflect(double position, double low, double high)
    {
        double range = high - low;
        double phase = (position - low) / range;
        phase -= 2 * Math.Floor(phase / 2);
        return low + (range * (phase <= 1 ? phase : 2 - phase));
    }

    private static int Sign(SynthAction? action, SynthAction forwards, SynthAction backwards) =>
        action == forwards ? 1 : action == backwards ? -1 : 0;

    // A constant, or a change over at least six tenths of the range.
    private static (double Start, double End) Property(
        SampleRandom random, (double Low, double High) range, int sign)
    {
        double width = range.High - range.Low;
        if (sign == 0)
        {
            double constant = random.Uniform(range.Low, range.High);
            return (constant, constant);
        }

        double low = range.Low + (random.Uniform(0, 0.2) * width);
        double high = range.High - (random.Uniform(0, 0.2) * width);
        return sign > 0 ? (low, high) : (high, low);
    }

    private static double At((double Start, double End) change, double time) =>
        change.Start + ((change.End - change.Start) * time);
}
