using System.Globalization;
using System.Text;
using Ata.Interop;

namespace Ata.Cli.Synth;

/// <summary>
/// A folder of synthetic clips: <c>00000.mp4</c> and so on, <c>list.csv</c> (<c>path,label,group,split</c>) and
/// <c>labels.txt</c>. Classes follow one another, so that each has as many clips as any other, or one more.
/// </summary>
internal abstract class ClipSet
{
    private readonly SynthOptions _options;
    private readonly bool[] _isTest;

    /// <summary>Plans a set.</summary>
    /// <param name="options">What the clips are.</param>
    /// <param name="clips">How many, at least 1.</param>
    /// <param name="testShare">Share of each class whose split is "test" instead of "train".</param>
    /// <param name="labels">Names of the classes in the order of their indices.</param>
    protected ClipSet(SynthOptions options, int clips, double testShare, IReadOnlyList<string> labels)
    {
        _options = options;
        Labels = labels;
        TestShare = testShare;
        _isTest = Division(clips);
    }

    /// <summary>Names of the classes in the order of their indices.</summary>
    public IReadOnlyList<string> Labels { get; }

    /// <summary>Share of each class whose split is "test".</summary>
    protected double TestShare { get; }

    /// <summary>How many clips and pictures there are to write.</summary>
    public virtual int Count => _isTest.Length;

    /// <summary>Writes the set. The list comes last, so that where it is the clips are too.</summary>
    /// <param name="folder">Folder to write to; created if missing.</param>
    /// <param name="progress">Told how many clips and pictures are done.</param>
    /// <param name="cancellationToken">Stops between two frames.</param>
    public void Write(string folder, IProgress<int> progress, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(folder);
        var done = new SharedProgress(progress);
        ForEach(_isTest.Length, done, index => WriteClip(folder, index, cancellationToken), cancellationToken);
        WriteOthers(folder, done, cancellationToken);
        WriteText(folder, "labels.txt", string.Join('\n', Labels) + '\n');
        WriteText(folder, "list.csv", List(_isTest, FileName, ClassOf));
    }

    /// <summary>What a clip shows. Called by several threads, once for each clip.</summary>
    protected abstract IScene CreateScene(int index);

    /// <summary>Writes what a task has besides clips.</summary>
    protected abstract void WriteOthers(string folder, SharedProgress done, CancellationToken cancellationToken);

    /// <summary>Name of a clip's file.</summary>
    protected static string FileName(int index) => index.ToString("00000", CultureInfo.InvariantCulture) + ".mp4";

    /// <summary>The class of a clip.</summary>
    protected string ClassOf(int index) => Labels[index % Labels.Count];

    /// <summary>A list of the clips with other labels.</summary>
    protected string List(Func<int, string> label) => List(_isTest, FileName, label);

    /// <summary>Which of so many are for testing: the last ones of each class.</summary>
    protected bool[] Division(int count)
    {
        int classes = Labels.Count;
        var isTest = new bool[count];
        for (int first = 0; first < Math.Min(count, classes); ++first)
        {
            // Those of one class: first, first + classes, ...
            int ofClass = ((count - 1 - first) / classes) + 1;
            int test = (int)Math.Round(ofClass * TestShare, MidpointRounding.AwayFromZero);
            for (int i = ofClass - test; i < ofClass; ++i)
            {
                isTest[first + (i * classes)] = true;
            }
        }

        return isTest;
    }

    /// <summary>The text of a list.</summary>
    protected static string List(IReadOnlyList<bool> isTest, Func<int, string> path, Func<int, string> label)
    {
        var list = new StringBuilder("path,label,group,split\n");
        for (int index = 0; index < isTest.Count; ++index)
        {
            string split = isTest[index] ? "test" : "train";
            list.Append(CultureInfo.InvariantCulture, $"{path(index)},{label(index)},{index},{split}\n");
        }

        return list.ToString();
    }

    /// <summary>Does work for each index on all cores.</summary>
    protected static void ForEach(int count, SharedProgress done, Action<int> work, CancellationToken cancellationToken)
    {
        var parallel = new ParallelOptions
        {
            CancellationToken = cancellationToken,
            MaxDegreeOfParallelism = Environment.ProcessorCount,
        };
        Parallel.For(0, count, parallel, index =>
        {
            work(index);
            done.Advance();
        });
    }

    /// <summary>Writes a text file.</summary>
    protected static void WriteText(string folder, string name, string text) =>
        NativeFile.Write(Path.Combine(folder, name), Encoding.UTF8.GetBytes(text));

    private void WriteClip(string folder, int index, CancellationToken cancellationToken)
    {
        IScene scene = CreateScene(index);
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

    /// <summary>Counts what several threads do.</summary>
    protected sealed class SharedProgress(IProgress<int> progress)
    {
        private readonly Lock _lock = new();
        private int _done;

        /// <summary>One more is done.</summary>
        public void Advance()
        {
            lock (_lock)
            {
                progress.Report(++_done);
            }
        }
    }
}
