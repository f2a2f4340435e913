using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Spectre.Console;

namespace Ata.Cli.Verbs;

/// <summary><c>ata forward</c>: runs a model over tensors, for comparison with other implementations.</summary>
internal sealed class ForwardVerb : Verb<ForwardVerb.Arguments>
{
    private readonly ModelArguments _model = new();
    private readonly Option<string> _input = Options.Input("--input", "File with 'clip' [B, 3, T, H, W], normalised, and optionally 'labels' [B].", required: true);
    private readonly Option<string> _output = Options.Output("--output", "File to write (safetensors).", required: true);
    private readonly Option<bool> _gradients = new("--gradients")
    {
        Description = "Write the gradient of the loss for every parameter too, as 'grad/<parameter>'; needs labels.",
    };

    private readonly Option<bool> _json = Options.Json();

    public ForwardVerb()
        : base(
            "forward",
            "Runs a model over the tensor 'clip' of a file, and writes 'logits', 'trajectories/i', 'loss' and gradients.",
            "ata forward --model model.safetensors --input clip.safetensors --output logits.safetensors",
            "ata forward --model model.safetensors --input batch.safetensors --output out.safetensors --gradients") =>
        Add([.. _model.All, _input, _output, _gradients, _json]);

    /// <summary>What a command line means.</summary>
    internal sealed record Arguments(string Model, ModelOptions Loading, string Input, string Output, bool Gradients, bool Json);

    public override Arguments Parse(ParseResult parse)
    {
        bool gradients = parse.GetValue(_gradients);
        return new Arguments(
            parse.GetRequiredValue(_model.Path), _model.Of(parse, trainable: gradients), parse.GetRequiredValue(_input), parse.GetRequiredValue(_output), gradients, parse.GetValue(_json));
    }

    protected override int Run(Arguments arguments, FileGuard files, CancellationToken cancellationToken)
    {
        using TensorFile source = TensorFile.Open(arguments.Input);
        using AtaTensor clips = source.Get("clip");
        long[]? labels = ReadLabels(source, arguments.Input);
        if (arguments.Gradients && labels is null)
        {
            throw new UsageException($"--gradients needs a tensor 'labels' in {arguments.Input}: the gradient is that of the loss.");
        }

        using Model loaded = Model.Load(arguments.Model, arguments.Loading);
        ForwardJson result = Run(loaded, clips, labels, arguments.Gradients, arguments.Output, cancellationToken);
        if (arguments.Json)
        {
            CliJson.Print(result);
        }
        else
        {
            string loss = result.Loss is { } value
                ? string.Create(CultureInfo.InvariantCulture, $", loss {value:0.000000}")
                : string.Empty;
            Terminal.WriteLine(
                $"[bold]{result.Output}[/]: logits [[{string.Join(", ", result.LogitsShape)}]]{loss}, {result.Trajectories} trajectories, {result.Gradients} gradients, {result.Seconds:0.00} s");
        }

        return 0;
    }

    private static ForwardJson Run(
        Model model, AtaTensor clips, long[]? labels, bool wantGradients, string outputPath, CancellationToken cancellationToken)
    {
        int batch = clips.Rank > 0 ? checked((int)clips.Shape[0]) : 0;
        if (labels is not null && labels.Length != batch)
        {
            throw new InvalidDataException($"There are {labels.Length} labels for {batch} clips; each clip has one.");
        }

        ModelConfig config = model.Config;
        int classes = config.Classes;
        var logits = new float[batch * classes];
        int[] blocks = config is { Temporal: TemporalMode.Ata, Alignment: not AlignmentMethod.Soft } ? [.. Enumerable.Range(0, config.Depth)] : [];
        int each = checked(batch * config.Frames * config.Patches);
        var trajectories = new int[checked(blocks.Length * each)];
        using Session session = model.CreateSession();
        using var result = new TensorFile();
        var watch = Stopwatch.StartNew();
        double? loss = null;
        if (wantGradients)
        {
            loss = session.ComputeGradients(clips, labels, logits, cancellationToken);
            foreach (int block in blocks)
            {
                using Trajectories followed = session.GetTrajectories(block);
                followed.Positions.CopyTo(trajectories.AsSpan(block * each));
            }
        }
        else
        {
            session.Run(clips, new SessionOutputs { Logits = logits, TrajectoryBlocks = blocks, Trajectories = trajectories }, cancellationToken);
            loss = labels is null ? null : CrossEntropy(logits, labels, classes);
        }

        double seconds = watch.Elapsed.TotalSeconds;
        result.Set<float>("logits", logits, batch, classes);
        if (loss is { } value)
        {
            result.Set<float>("loss", [(float)value]);
        }

        foreach (int block in blocks)
        {
            result.Set<int>($"trajectories/{block}", trajectories.AsSpan(block * each, each), batch, config.Frames, config.Patches);
        }

        IReadOnlyList<string> parameters = wantGradients ? model.ParameterNames : [];
        foreach (string name in parameters)
        {
            using AtaTensor gradient = session.GetGradient(name);
            result.Set($"grad/{name}", gradient);
        }

        cancellationToken.ThrowIfCancellationRequested();
        result.Save(outputPath);
        return new ForwardJson(outputPath, [batch, classes], loss, parameters.Count, blocks.Length, seconds);
    }

    private static long[]? ReadLabels(TensorFile file, string path)
    {
        if (!file.Contains("labels"))
        {
            return null;
        }

        using AtaTensor labels = file.Get("labels");
        return labels.ElementType switch
        {
            TensorElementType.Int64 => labels.AsSpan<long>().ToArray(),
            TensorElementType.Int32 => Array.ConvertAll(labels.AsSpan<int>().ToArray(), label => (long)label),
            _ => throw new InvalidDataException($"'labels' in {path} is {labels}; it must be Int64 or Int32 [B]."),
        };
    }

    private static double CrossEntropy(float[] logits, long[] labels, int classes)
    {
        double sum = 0;
        for (int i = 0; i < labels.Length; ++i)
        {
            if (labels[i] < 0 || labels[i] >= classes)
            {
                throw new InvalidDataException($"Label {i} is {labels[i]}; the model has the classes 0 to {classes - 1}.");
            }

            ReadOnlySpan<float> row = logits.AsSpan(i * classes, classes);
            double largest = System.Numerics.Tensors.TensorPrimitives.Max(row);
            double total = 0;
            foreach (float logit in row)
            {
                total += Math.Exp(logit - largest);
            }

            sum += Math.Log(total) + largest - row[(int)labels[i]];
        }

        return sum / labels.Length;
    }
}
