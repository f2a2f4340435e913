using System.CommandLine;
using System.Diagnostics;
using Spectre.Console;

namespace Ata.Cli.Verbs;

/// <summary><c>ata bench</c>: measures a model, and what the managed call adds to the native one.</summary>
internal static class BenchVerb
{
    private const int MostRuns = 1_000_000;

    public static Command Create()
    {
        var command = new Verb(
            "bench",
            "Measures the time of a forward pass of one clip in steady state.",
            "ata bench --arch vit-base --runs 10",
            "ata bench --model model.safetensors --precision bf16 --json");
        var model = new ModelArguments(command, modelRequired: false);
        var architecture = new Option<string>("--arch")
        {
            Description = "Random weights of vit-tiny, vit-small, vit-base or vit-large, instead of a model.",
            HelpName = "name",
        };
        Option<int?> runs = Options.Whole("--runs", "Measured runs. Default 10.", most: MostRuns);
        Option<int?> warmup = Options.Whole("--warmup", "Runs before measuring. Default 2.", least: 0, most: MostRuns);
        Option<bool> json = Options.Json();
        foreach (Option option in (Option[])[architecture, runs, warmup, json])
        {
            command.Add(option);
        }

        command.Validators.Add(result =>
        {
            if ((result.GetResult(model.Path) is null) == (result.GetResult(architecture) is null))
            {
                result.AddError("Give either --model or --arch.");
            }
        });
        command.SetWork((parse, cancellationToken) =>
        {
            ModelOptions options = model.Of(parse);
            string name = parse.GetValue(model.Path) ?? parse.GetRequiredValue(architecture)!;
            using Model loaded = parse.GetValue(model.Path) is { } path
                ? Model.Load(path, options)
                : LoadRandom(name, options);
            BenchJson result = Measure(
                name, loaded, options.Precision, parse.GetValue(runs) ?? 10, parse.GetValue(warmup) ?? 2, cancellationToken);
            if (parse.GetValue(json))
            {
                CliJson.Print(result);
            }
            else
            {
                Print(result);
            }

            return 0;
        });
        return command;
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

    private static BenchJson Measure(
        string name, Model model, Precision precision, int runs, int warmup, CancellationToken cancellationToken)
    {
        ModelConfig config = model.Config;
        using AtaTensor clip = AtaTensor.Create<float>(1, 3, config.Frames, config.ImageSize, config.ImageSize);
        var random = new Random(0);
        foreach (ref float value in clip.AsSpan<float>())
        {
            value = (random.NextSingle() * 4) - 2;
        }

        var logits = new float[config.Classes];
        using Session session = model.CreateSession();
        using NativeForward native = new(session, clip);
        for (int i = 0; i < warmup; ++i)
        {
            session.Forward(clip, logits, cancellationToken);
            native.Run(logits);
            cancellationToken.ThrowIfCancellationRequested();
        }

        // Alternating, so that both see the same machine.
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

        double median = Median(managedTimes);
        double nativeMedian = Median(nativeTimes);
        return new BenchJson(
            name,
            Names.Temporal.Of(config.Temporal),
            Names.Precision.Of(precision),
            [1, 3, config.Frames, config.ImageSize, config.ImageSize],
            AtaRuntime.ThreadCount,
            runs,
            median,
            managedTimes.Min(),
            managedTimes.Average(),
            1000 / median,
            nativeMedian,
            nativeTimes.Min(),
            100 * Median([.. managedTimes.Zip(nativeTimes, (managed, native) => managed - native)]) / nativeMedian,
            allocated / runs);
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
            $"[bold]{result.Model}[/], mode {result.Temporal}, {result.Precision}, clip [[{string.Join(", ", result.ClipShape)}]], {result.Threads} threads, {result.Runs} runs");
        Terminal.WriteLine(
            $"managed: median [bold]{result.MedianMilliseconds:0.00} ms[/], minimum {result.MinimumMilliseconds:0.00} ms, mean {result.MeanMilliseconds:0.00} ms, {result.ClipsPerSecond:0.00} clips/s");
        Terminal.WriteLine(
            $"native:  median {result.NativeMedianMilliseconds:0.00} ms, minimum {result.NativeMinimumMilliseconds:0.00} ms; the managed call adds {result.ManagedOverheadPercent:0.00} % (median difference) and allocates {result.ManagedBytesPerCall} bytes");
    }
}
