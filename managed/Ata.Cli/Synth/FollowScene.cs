using Ata.Data;

namespace Ata.Cli.Synth;

/// <summary>
/// Striped discs that move over a dim background. In the first frames one of them wears a white ring; the class is the
/// quadrant of the frame in which that one is in the last frame. Where it went only following it tells: the shell game.
/// </summary>
internal sealed class FollowScene : IScene
{
    /// <summary>Names of the quadrants.</summary>
    public static readonly string[] Quadrants = ["top_left", "top_right", "bottom_left", "bottom_right"];

    // The ring covers this much of the marked disc, from its edge inwards.
    private const double RingWidth = 0.38;

    // Tries to place things apart; crowded scenes may not have room.
    private const int Attempts = 100;

    private readonly FollowOptions _options;
    private readonly SampleRandom _noise;
    private readonly Texture _background;
    private readonly (double X, double Y) _drift;
    private readonly double _radius;
    private readonly Stripes _shared;
    private readonly Stripes[] _stripes;
    private readonly FollowPath[] _paths;
    private readonly int[] _order;
    private readonly Texture _wood;
    private readonly (double Left, double Right)[] _posts;
    private readonly float[] _colors;

    /// <summary>Sets the scene.</summary>
    /// <param name="options">What it looks like.</param>
    /// <param name="quadrant">Where the marked disc ends.</param>
    /// <param name="random">Source of everything but the noise.</param>
    /// <param name="noise">Source of the noise.</param>
    public FollowScene(FollowOptions options, int quadrant, SampleRandom random, SampleRandom noise)
    {
        _options = options;
        _noise = noise;
        _radius = options.Radius * options.ShorterSide;
        _colors = new float[options.Width * options.Height * 3];
        _background = new Texture(random, cells: 8, contrast: 0.15, mean: 90);
        double direction = random.Uniform(0, 2 * Math.PI);
        double drift = options.BackgroundSpeed * options.ShorterSide;
        _drift = (drift * Math.Cos(direction), drift * Math.Sin(direction));

        _shared = new Stripes(random);
        _stripes = Enumerable.Range(0, options.Objects).Select(_ => new Stripes(random)).ToArray();
        _paths = new FollowPath[options.Objects];
        Marked = random.Below(options.Objects);
        _paths[Marked] = MarkedPath(random, quadrant);
        for (int i = 0; i < _paths.Length; ++i)
        {
            if (i != Marked)
            {
                _paths[i] = OtherPath(random);
            }
        }

        _order = Enumerable.Range(0, options.Objects).ToArray();
        random.Shuffle<int>(_order);
        _wood = new Texture(random, cells: 16, contrast: 0.5);
        _posts = Enumerable.Range(0, options.Posts).Select(_ => Post(random)).ToArray();
    }

    /// <summary>Index of the disc that wears the ring.</summary>
    public int Marked { get; }

    /// <summary>The ways of the discs.</summary>
    public IReadOnlyList<FollowPath> Paths => _paths;

    /// <summary>The discs from the hindmost to the foremost.</summary>
    public IReadOnlyList<int> Order => _order;

    /// <summary>Left and right edges of the posts in front, in pixels.</summary>
    public IReadOnlyList<(double Left, double Right)> Posts => _posts;

    /// <inheritdoc/>
    public void Render(int index, Span<byte> rgb)
    {
        double texelsPerPixel = 128.0 / _options.ShorterSide;
        _background.Fill(_colors, _options.Width, _options.Height, texelsPerPixel, (_drift.X * index, _drift.Y * index));
        foreach (int disc in _order)
        {
            Draw(disc, _paths[disc].Centers[index], disc == Marked && index < _options.Marked);
        }

        foreach ((double left, double right) in _posts)
        {
            DrawPost(left, right, texelsPerPixel);
        }

        Pixels.Round(_colors, _options.Noise, _noise, rgb);
    }

    private void Draw(int disc, (double X, double Y) center, bool marked)
    {
        int left = Math.Max(0, (int)(center.X - _radius - 1));
        int right = Math.Min(_options.Width - 1, (int)(center.X + _radius) + 1);
        int top = Math.Max(0, (int)(center.Y - _radius - 1));
        int bottom = Math.Min(_options.Height - 1, (int)(center.Y + _radius) + 1);
        Span<float> own = stackalloc float[3];
        Span<float> shared = stackalloc float[3];
        for (int y = top; y <= bottom; ++y)
        {
            for (int x = left; x <= right; ++x)
            {
                double dx = x + 0.5 - center.X;
                double dy = y + 0.5 - center.Y;
                double distance = Math.Sqrt((dx * dx) + (dy * dy));

                // Half a pixel on either side of an edge is blended.
                float cover = (float)Math.Clamp(0.5 + _radius - distance, 0, 1);
                if (cover <= 0)
                {
                    continue;
                }

                float ring = marked ? (float)Math.Clamp(0.5 + distance - ((1 - RingWidth) * _radius), 0, 1) : 0;
                _stripes[disc].Sample(dx / _radius, dy / _radius, 1 / _radius, own);
                _shared.Sample(dx / _radius, dy / _radius, 1 / _radius, shared);
                Span<float> pixel = _colors.AsSpan(((y * _options.Width) + x) * 3, 3);
                for (int channel = 0; channel < 3; ++channel)
                {
                    float color = own[channel] + ((shared[channel] - own[channel]) * (float)_options.Likeness);
                    color += (255 - color) * ring;
                    pixel[channel] += (color - pixel[channel]) * cover;
                }
            }
        }
    }

    private void DrawPost(double left, double right, double texelsPerPixel)
    {
        Span<float> color = stackalloc float[3];
        for (int x = Math.Max(0, (int)left); x <= Math.Min(_options.Width - 1, (int)right); ++x)
        {
            float cover = (float)Math.Clamp(Math.Min(x + 1, right) - Math.Max(x, left), 0, 1);
            for (int y = 0; y < _options.Height; ++y)
            {
                // Grain along the post.
                _wood.Sample(x * texelsPerPixel * 2, y * texelsPerPixel / 4, color);
                Span<float> pixel = _colors.AsSpan(((y * _options.Width) + x) * 3, 3);
                for (int channel = 0; channel < 3; ++channel)
                {
                    pixel[channel] += (color[channel] - pixel[channel]) * cover;
                }
            }
        }
    }

    // Ends in the quadrant, clearly.
    private FollowPath MarkedPath(SampleRandom random, int quadrant)
    {
        double margin = 0.4 * _radius;
        while (true)
        {
            FollowPath path = PathTo(random, quadrant);
            double x = path.End.X - (_options.Width / 2.0);
            double y = path.End.Y - (_options.Height / 2.0);
            if (Math.Abs(x) >= margin && Math.Abs(y) >= margin)
            {
                return path;
            }
        }
    }

    // Begins beside the marked disc, so that the ring is seen.
    private FollowPath OtherPath(SampleRandom random)
    {
        FollowPath path = PathTo(random, random.Below(Quadrants.Length));
        for (int attempt = 0; attempt < Attempts && Touches(path.Start); ++attempt)
        {
            path = PathTo(random, random.Below(Quadrants.Length));
        }

        return path;
    }

    // Ends in the quadrant, and begins in any, so that where a disc begins says as little of where it ends as its speed allows.
    private FollowPath PathTo(SampleRandom random, int end)
    {
        int start = random.Below(Quadrants.Length);
        FollowPath? found = null;
        for (int attempt = 0; found is null || (attempt < Attempts && Quadrant(found.Start) != start); ++attempt)
        {
            var path = new FollowPath(random, _options);
            found = Quadrant(path.End) == end ? path : found;
        }

        return found;
    }

    private int Quadrant((double X, double Y) point) => (point.Y > _options.Height / 2.0 ? 2 : 0) + (point.X > _options.Width / 2.0 ? 1 : 0);

    private bool Touches((double X, double Y) start)
    {
        (double x, double y) = _paths[Marked].Start;
        return Math.Sqrt(((x - start.X) * (x - start.X)) + ((y - start.Y) * (y - start.Y))) < 2 * _radius;
    }

    private (double Left, double Right) Post(SampleRandom random)
    {
        double width = random.Uniform(0.05, 0.1) * _options.ShorterSide;
        double left = random.Uniform(0, _options.Width - width);
        double center = _paths[Marked].Start.X;
        for (int attempt = 0; attempt < Attempts && left < center + _radius && left + width > center - _radius; ++attempt)
        {
            left = random.Uniform(0, _options.Width - width);
        }

        return (left, left + width);
    }
}
