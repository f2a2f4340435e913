using Ata.Bindings;
using Ata.Interop;
using BenchmarkDotNet.Attributes;

namespace Ata.Benchmarks;

/// <summary>Alignment and assignment through C#.</summary>
[MemoryDiagnoser]
public unsafe class AlignmentBenchmark
{
    private const int Frames = 8;
    private const int Channels = 192;

    private float[] _features = [];
    private float[] _similarities = [];
    private int[] _matching = [];

    /// <summary>Patches of a frame.</summary>
    [Params(49, 196)]
    public int Patches { get; set; } = 49;

    [GlobalSetup]
    public void Setup()
    {
        var random = new Random(0);
        _features = Enumerable.Range(0, Frames * Patches * Channels).Select(_ => random.NextSingle() - 0.5f).ToArray();
        _similarities = Enumerable.Range(0, Patches * Patches).Select(_ => random.NextSingle()).ToArray();
        _matching = new int[Patches];
    }

    [Benchmark]
    public int Align()
    {
        using Trajectories trajectories = FrameAligner.Align(_features, 1, Frames, Patches, Channels);
        return trajectories[0, Frames - 1, 0];
    }

    [Benchmark]
    public double AssignmentSolve() => Assignment.Solve(_similarities, Patches, Patches, _matching);

    [Benchmark]
    public int AssignmentNativeCall()
    {
        ata_tensor* matching;
        fixed (float* data = _similarities)
        {
            using var values = BorrowedTensor.OfFloats(data, _similarities.Length, [Patches, Patches]);
            NativeStatus.Check(NativeMethods.ata_assign(values.Pointer, null, &matching, null, 0));
        }

        ata_tensor_info info = new() { struct_size = (nuint)sizeof(ata_tensor_info) };
        NativeStatus.Check(NativeMethods.ata_tensor_get_info(matching, &info));
        int first = *(int*)info.data;
        NativeMethods.ata_tensor_release(matching);
        return first;
    }
}
