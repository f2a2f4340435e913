using System.CommandLine;
using Ata.Data;
using Ata.Training;

namespace Ata.Cli.Train;

/// <summary>The options that only decide how fast videos are read.</summary>
internal sealed class SpeedArguments
{
    private readonly Option<int?> _workers = Options.Whole("--workers", "Threads that decode videos; the result does not depend on them. Default: as many as cores.", most: LoaderOptions.MostWorkers);
    private readonly Option<int?> _prefetch = Options.Whole("--prefetch", "Batches made ready ahead. Default 2.", most: LoaderOptions.MostPrefetch);
    private readonly Option<int?> _cache = Options.Whole("--cache", "Megabytes for decoded frames; pays where the videos fit. Default 0.", least: 0);

    /// <summary>Adds the options to a verb.</summary>
    public SpeedArguments(Command command)
    {
        command.Add(_workers);
        command.Add(_prefetch);
        command.Add(_cache);
    }

    /// <summary>Applies what was given to the options of training.</summary>
    public TrainerOptions Apply(ParseResult parse, TrainerOptions options) => options with
    {
        Workers = parse.GetValue(_workers) ?? options.Workers,
        Prefetch = parse.GetValue(_prefetch) ?? options.Prefetch,
        CacheMegabytes = parse.GetValue(_cache) ?? options.CacheMegabytes,
    };

    /// <summary>Applies what was given to the options of a loader.</summary>
    public LoaderOptions Apply(ParseResult parse, LoaderOptions options) => options with
    {
        Workers = parse.GetValue(_workers) ?? options.Workers,
        Prefetch = parse.GetValue(_prefetch) ?? options.Prefetch,
        CacheMegabytes = parse.GetValue(_cache) ?? options.CacheMegabytes,
    };
}
