using Ata.Benchmarks;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;

// In this process, because the projects that BenchmarkDotNet would generate do not find the native library.
IConfig config = DefaultConfig.Instance.AddJob(Job.ShortRun.WithToolchain(InProcessEmitToolchain.Instance));
BenchmarkSwitcher.FromTypes([typeof(ForwardBenchmark), typeof(AlignmentBenchmark)]).Run(args, config);
