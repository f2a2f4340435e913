using System.Globalization;
using System.Text;
using Ata.Data;
using Ata.Interop;

namespace Ata.Cli.Synth;

/// <summary>
/// A folder of synthetic clips: <c>00000.mp4</c> and so on, <c>list.csv</c> (<c>path,label,group,split</c>),
/// <c>labels.txt</c>, and <c>shapes.csv</c>, whose labels are the objects' shapes. Classes follow one another, so that each has as many clips as any other, or one more.
/// </summary>
internal sealed class ClipSet
{
    private readonly SynthOptions _options;
    private readonly SynthAction[] _actions;
    private readonly ulong _seed;
    private readonly bool[] _isTest;
    private readonly SynthShape[] _shapes;

    /// <summary>Plans a set.</summary>
    /// <param name="options">What the clips look like.</param>
    /// <param name="clips">How many, at least 1.</param>
    /// <param name="testFraction">Share of each class whose split is "test" instead of "train".</param>
    /// <param name="seed">Seed of everything that is random.</param>
    /// <param name="classes">How many of the actions, from the first on, 1 to <see cref="MostClasses"/>.</param>
    public ClipSet(SynthOptions options, int clips, double testFraction, ulong seed, int classes)
    {
        _options = options;
        _actions = Enum.GetValues<SynthAction>()[..classes];
        Labels = _actions.Select(a => Label(a)).ToArray();
        _seed = seed;
        _isTest = new bool[clips];
        _shapes = new SynthShape[clips];
        for (int first = 0; first < Math.Min(clips, _actions.Length); ++first)
        {
            // The clips of one class: first, first + classes, ...; the last of them are for testing.
            int count = ((clips - 1 - first) / _actions.Length) + 1;
            int test = (int)Math.Round(count * testFraction, MidpointRounding.AwayFromZero);
            for (int i = count - test; i < count; ++i)
            {
                _isTest[first + (i * _actions.Length)] = true;
            }
        }
    }

    /// <summary>Names of the classes in the order of their indices.</summary>
    public IReadOnlyList<string> Labels { get; }

    /// <summary>How many actions there are.</summary>
    public static int MostClasses { get; } = Enum.GetValues<SynthAction>().Length;

    /// <summary>Writes the set. The list comes last, so that where it is the clips are too.</summary>
    /// <param name="folder">Folder to write to; created if missing.</param>
    /// <param name="progress">Told how many clips are done.</param>
    /// <param name="cancellationToken">Stops between two frames.</param>
    public void Write(string folder, IProgress<int> progress, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(folder);
        int done = 0;
        object gate = new();
        var parallel = new ParallelOptions
        {
            CancellationToken = cancellationToken,
            MaxDegreeOfParallelism = Environment.ProcessorCount,
        };
        Parallel.For(0, _isTest.Length, parallel, index =>
        {
            WriteClip(folder, index, cancellationToken);
            lock (gate)
            {
                progress.Report(++done);
            }
        });

        NativeFile.Write(Path.Combine(folder, "labels.txt"), Encoding.UTF8.GetBytes(string.Join('\n', Labels) + '\n'));
        NativeFile.Write(Path.Combine(folder, "shapes.csv"), Encoding.UTF8.GetBytes(List(index => Label(_shapes[index]))));
        NativeFile.Write(Path.Combine(folder, "list.csv"), Encoding.UTF8.GetBytes(List(index => Label(Action(index)))));
    }

    private string List(Func<int, string> label)
    {
        var list = new StringBuilder("path,label,group,split\n");
        for (int index = 0; index < _isTest.Length; ++index)
        {
            string split = _isTest[index] ? "test" : "train";
            list.Append(CultureInfo.InvariantCulture, $"{FileName(index)},{label(index)},{index},{split}\n");
        }

        return list.ToString();
    }

    private SynthAction Action(int index) => _actions[index % _actions.Length];

    private static string FileName(int index) => index.ToString("00000", CultureInfo.InvariantCulture) + ".mp4";

    // TurnClockwise becomes turn_clockwise.
    private static string Label(Enum value) => string.Concat(
        value.ToString().Select((c, i) => (i > 0 && char.IsUpper(c) ? "_" : string.Empty) + char.ToLowerInvariant(c)));

    private void WriteClip(string folder, int index, CancellationToken cancellationToken)
    {
        var scene = new Scene(_options, Action(index), _seed, index);
        _shapes[index] = scene.Shape;
        byte[] frame = new byte[_options.Width * _options.Height * 3];
        using VideoWriter writer = VideoWriter.Create(
            Path.Combine(folder, FileName(index)), _options.Width, _options.Height, _options.Fps);
        for (int i = 0; i < _options.Frames; ++i)
        {
            cancellationToken.ThrowIfCancellationRequested();
            scene.Render(i, frame);
            writer.Add(frame);
        }

        writer.Finish();
    }
}
