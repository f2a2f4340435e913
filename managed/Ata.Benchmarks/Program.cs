using Ata.Benchmarks;
using Ata.Benchmarks.ServerLoad;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;

if (args is ["server", .. var load])
{
    await ServerLoadProgram.RunAsync(load);
    return;
}

// In this process, because the projects that BenchmarkDotNet would generate do not find the native library.
IConfig config = DefaultConfig.Instance.AddJob(Job.ShortRun.WithToolchain(InProcessEmitToolchain.Instance));
BenchmarkSwitcher.FromTypes([typeof(ForwardBenchmark), typeof(AlignmentBenchmark)]).Run(args, config);
