using System.CommandLine;
using Ata.Data;
using Ata.Training;

namespace Ata.Cli.Train;

/// <summary>The options that only decide how fast videos are read.</summary>
internal sealed class SpeedArguments
{
    private static readonly TrainingRunOptions s_defaults = new();

    private readonly ValueOption<int> _workers = Options.Whole("--workers", "Threads that decode videos; the result does not depend on them. Default: as many as cores.", most: LoaderOptions.MostWorkers);
    private readonly ValueOption<int> _prefetch = Options.Whole("--prefetch", "Batches made ready ahead.", most: LoaderOptions.MostPrefetch).WithDefault(s_defaults.Prefetch);
    private readonly ValueOption<int> _cache = Options.Whole("--cache", "Megabytes for decoded frames; pays where the videos fit.", least: 0).WithDefault(s_defaults.CacheMegabytes);

    /// <summary>All of them, in the order of help.</summary>
    public IEnumerable<Option> All => [_workers, _prefetch, _cache];

    /// <summary>What they say.</summary>
    public Speed Of(ParseResult parse) => new(parse.GetValue(_workers) ?? s_defaults.Workers, _prefetch.In(parse), _cache.In(parse));
}

/// <summary>How fast videos are read, which no result depends on.</summary>
/// <param name="Workers">Threads that decode.</param>
/// <param name="Prefetch">Batches made ready ahead.</param>
/// <param name="CacheMegabytes">Memory for decoded frames.</param>
internal sealed record Speed(int Workers, int Prefetch, int CacheMegabytes)
{
    /// <summary>Options of training that read so.</summary>
    public TrainingRunOptions Applied(TrainingRunOptions options) => options with { Workers = Workers, Prefetch = Prefetch, CacheMegabytes = CacheMegabytes };

    /// <summary>Options of a loader that reads so.</summary>
    public LoaderOptions Applied(LoaderOptions options) => options with { Workers = Workers, Prefetch = Prefetch, CacheMegabytes = CacheMegabytes };
}
