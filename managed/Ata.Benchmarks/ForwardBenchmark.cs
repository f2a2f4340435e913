using Ata.Bindings;
using Ata.Interop;
using BenchmarkDotNet.Attributes;

namespace Ata.Benchmarks;

/// <summary>What the C# API adds to a forward pass: the same session through the C API, and through each overload.</summary>
[MemoryDiagnoser]
public unsafe class ForwardBenchmark : IDisposable
{
    private readonly float[] _logits = new float[400];
    private float[] _values = [];
    private Model _model = null!;
    private Session _session = null!;
    private VideoClassifier _classifier = null!;
    private AtaTensor _clip = null!;

    /// <summary>Architecture: the smaller it is, the more a fixed cost of the call shows.</summary>
    [Params("one-block", "vit-tiny")]
    public string Architecture { get; set; } = "one-block";

    [GlobalSetup]
    public void Setup()
    {
        // One thread, so that waiting for others is not measured.
        AtaRuntime.ThreadCount = 1;
        ModelConfig config = Architecture == "one-block"
            ? ModelConfig.Named("vit-tiny") with { Depth = 1, Dim = 64, Heads = 1, ImageSize = 32, Frames = 2 }
            : ModelConfig.Named(Architecture);
        _model = Model.Create(config);
        _session = _model.CreateSession();
        _classifier = new VideoClassifier(Model.Create(config));
        _clip = AtaTensor.Create<float>(1, 3, config.Frames, config.ImageSize, config.ImageSize);
        var random = new Random(0);
        foreach (ref float value in _clip.AsSpan<float>())
        {
            value = (random.NextSingle() * 4) - 2;
        }

        _values = _clip.AsSpan<float>().ToArray();
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _clip.Dispose();
        _session.Dispose();
        _classifier.Dispose();
        _model.Dispose();
        GC.SuppressFinalize(this);
    }

    [Benchmark(Baseline = true)]
    public float NativeCall()
    {
        using Lease<ata_session> session = _session.Handle.Lease();
        using Lease<ata_tensor> clip = _clip.Handle.Lease();
        fixed (float* logits = _logits)
        {
            NativeStatus.Check(
                NativeMethods.ata_session_forward(session.Pointer, clip.Pointer, null, logits, (nuint)_logits.Length));
        }

        return _logits[0];
    }

    [Benchmark]
    public float SessionForwardTensor()
    {
        _session.Forward(_clip, _logits);
        return _logits[0];
    }

    [Benchmark]
    public float SessionForwardSpan()
    {
        _session.Forward(_values, _logits);
        return _logits[0];
    }

    [Benchmark]
    public float ClassifierForwardSpan()
    {
        _classifier.Forward(_values, _logits);
        return _logits[0];
    }
}
