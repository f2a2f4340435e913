using System.CommandLine;
using System.Diagnostics;
using Spectre.Console;

namespace Ata.Cli.Verbs;

/// <summary><c>ata bench</c>: measures a model, and what the managed call adds to the native one.</summary>
internal sealed class BenchVerb : Verb<BenchVerb.Arguments>
{
    private const int MostRuns = 1_000_000;

    private readonly ModelArguments _model = new(modelRequired: false);
    private readonly Option<string> _architecture = Options.Architecture($"Random weights of {Names.Architectures}, instead of a model.");
    private readonly ValueOption<int> _runs = Options.Whole("--runs", "Measured runs.", most: MostRuns).WithDefault(10);
    private readonly ValueOption<int> _warmup = Options.Whole("--warmup", "Runs before measuring.", least: 0, most: MostRuns).WithDefault(2);
    private readonly Option<bool> _json = Options.Json();

    public BenchVerb()
        : base(
            "bench",
            "Measures the time of a forward pass of one clip in steady state.",
            "ata bench --arch vit-base --runs 10",
            "ata bench --model model.safetensors --precision bf16 --json")
    {
        Add([.. _model.All, _architecture, _runs, _warmup, _json]);
        Command.Validators.Add(result =>
        {
            if ((result.GetResult(_model.Path) is null) == (result.GetResult(_architecture) is null))
            {
                result.AddError("Give either --model or --arch.");
            }
        });
    }

    /// <summary>What a command line means: a model, or an architecture.</summary>
    internal sealed record Arguments(string? Model, string? Architecture, ModelOptions Loading, int Runs, int Warmup, bool Json);

    public override Arguments Parse(ParseResult parse) => new(
        parse.GetValue(_model.Path), parse.GetValue(_architecture), _model.Of(parse), _runs.In(parse), _warmup.In(parse), parse.GetValue(_json));

    protected override int Run(Arguments arguments, FileGuard files, CancellationToken cancellationToken)
    {
        using Model model = arguments.Model is { } path ? Model.Load(path, arguments.Loading) : LoadRandom(arguments.Architecture!, arguments.Loading);
        BenchJson result = Measure(model, arguments, cancellationToken);
        if (arguments.Json)
        {
            CliJson.Print(result);
        }
        else
        {
            Print(result);
        }

        return 0;
    }

    // Through a file, because a model that is made is trainable and Float32, and what is measured is what is loaded.
    private static Model LoadRandom(string architecture, ModelOptions options)
    {
        string path = Path.Combine(Path.GetTempPath(), $"ata-bench-{Guid.NewGuid():N}.safetensors");
        try
        {
            using (Model random = Model.Create(ModelConfig.Named(architecture)))
            {
                random.Save(path);
            }

            return Model.Load(path, options);
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static BenchJson Measure(Model model, Arguments arguments, CancellationToken cancellationToken)
    {
        ModelConfig config = model.Config;
        using AtaTensor clip = RandomClip(config);
        using Session session = model.CreateSession();
        (double[] managed, double[] native, long bytes) = Time(session, clip, config.Classes, arguments.Warmup, arguments.Runs, cancellationToken);
        double median = Median(managed);
        double nativeMedian = Median(native);
        return new BenchJson(
            arguments.Model ?? arguments.Architecture!,
            Names.Temporal.Of(config.Temporal),
            Names.Precision.Of(arguments.Loading.Precision),
            model.Device,
            [1, 3, config.Frames, config.ImageSize, config.ImageSize],
            AtaRuntime.ThreadCount,
            arguments.Runs,
            median,
            managed.Min(),
            managed.Average(),
            1000 / median,
            nativeMedian,
            native.Min(),
            100 * Median([.. managed.Zip(native, (both, alone) => both - alone)]) / nativeMedian,
            bytes / arguments.Runs);
    }

    private static AtaTensor RandomClip(ModelConfig config)
    {
        AtaTensor clip = AtaTensor.Create<float>(1, 3, config.Frames, config.ImageSize, config.ImageSize);
        var random = new Random(0);
        foreach (ref float value in clip.AsSpan<float>())
        {
            value = (random.NextSingle() * 4) - 2;
        }

        return clip;
    }

    /// <summary>Times both calls, alternating, so that both see the same machine.</summary>
    /// <returns>Milliseconds of each managed and of each native call, and what all managed ones allocated.</returns>
    private static (double[] Managed, double[] Native, long Bytes) Time(
        Session session, AtaTensor clip, int classes, int warmup, int runs, CancellationToken cancellationToken)
    {
        var logits = new float[classes];
        using NativeForward native = new(session, clip);
        for (int i = 0; i < warmup; ++i)
        {
            session.Forward(clip, logits, cancellationToken);
            native.Run(logits);
            cancellationToken.ThrowIfCancellationRequested();
        }

        var managedTimes = new double[runs];
        var nativeTimes = new double[runs];
        long allocated = 0;
        for (int i = 0; i < runs; ++i)
        {
            cancellationToken.ThrowIfCancellationRequested();
            long bytes = GC.GetAllocatedBytesForCurrentThread();
            long start = Stopwatch.GetTimestamp();
            session.Forward(clip, logits, cancellationToken);
            managedTimes[i] = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
            allocated += GC.GetAllocatedBytesForCurrentThread() - bytes;
            start = Stopwatch.GetTimestamp();
            native.Run(logits);
            nativeTimes[i] = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        }

        return (managedTimes, nativeTimes, allocated);
    }

    private static double Median(double[] values)
    {
        double[] sorted = [.. values.Order()];
        int middle = sorted.Length / 2;
        return sorted.Length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }

    private static void Print(BenchJson result)
    {
        Terminal.WriteLine(
            $"[bold]{result.Model}[/], mode {result.Temporal}, {result.Precision} on {result.Device}, clip [[{string.Join(", ", result.ClipShape)}]], {result.Threads} threads, {result.Runs} runs");
        Terminal.WriteLine(
            $"managed: median [bold]{result.MedianMilliseconds:0.00} ms[/], minimum {result.MinimumMilliseconds:0.00} ms, mean {result.MeanMilliseconds:0.00} ms, {result.ClipsPerSecond:0.00} clips/s");
        Terminal.WriteLine(
            $"native:  median {result.NativeMedianMilliseconds:0.00} ms, minimum {result.NativeMinimumMilliseconds:0.00} ms; the managed call adds {result.ManagedOverheadPercent:0.00} % (median difference) and allocates {result.ManagedBytesPerCall} bytes");
    }
}
