using System.Globalization;

namespace Ata.Training;

/// <summary>The files of a run.</summary>
public sealed class RunDirectory
{
    private const string CheckpointPrefix = "checkpoint-";
    private const string Extension = ".safetensors";

    /// <summary>Names the files of a run; nothing is created.</summary>
    /// <param name="path">Its folder.</param>
    public RunDirectory(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        Path = path;
    }

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <summary>The resolved configuration, as the command line writes it.</summary>
    public string Configuration => In("run.json");

    /// <summary>Metrics, one JSON object a line.</summary>
    public string Metrics => In("metrics.jsonl");

    /// <summary>Metrics for TensorBoard.</summary>
    public string Events => In("events.out.tfevents.ata");

    /// <summary>The last validation.</summary>
    public string Validation => In("validation.json");

    /// <summary>The report.</summary>
    public string Report => In("report.html");

    /// <summary>The model of the best validation.</summary>
    public string BestModel => In("best" + Extension);

    /// <summary>The model after the last update.</summary>
    public string FinalModel => In("final" + Extension);

    /// <summary>Says which process writes into the folder, while one does.</summary>
    public string LockFile => In("run.lock");

    /// <summary>Takes the right to write into the folder, which is made if it is missing.</summary>
    /// <returns>The right, to be disposed.</returns>
    /// <exception cref="RunInUseException">Another run has it, in this process or in another one.</exception>
    /// <exception cref="IOException">The folder cannot be written.</exception>
    public RunLock Lock() => RunLock.Take(Path, LockFile);

    /// <summary>The checkpoints, the newest first.</summary>
    public IReadOnlyList<string> Checkpoints() => Directory.Exists(Path)
        ? Directory.GetFiles(Path, CheckpointPrefix + "*" + Extension)
            .Where(f => StepOf(f) is not null).OrderByDescending(f => StepOf(f)).ToArray()
        : [];

    /// <summary>The newest checkpoint.</summary>
    /// <exception cref="FileNotFoundException">There is none.</exception>
    public string LastCheckpoint() => Checkpoints().FirstOrDefault()
        ?? throw new FileNotFoundException($"{Path} holds no checkpoint to resume from ({CheckpointPrefix}STEP{Extension}).", Path);

    internal string CheckpointAt(long step) => In(CheckpointPrefix + step.ToString("D9", CultureInfo.InvariantCulture) + Extension);

    /// <summary>Removes all but the newest checkpoints, and what crashes left of unfinished files.</summary>
    internal void RemoveOldCheckpoints(int keep)
    {
        foreach (string old in keep > 0 ? Checkpoints().Skip(keep) : [])
        {
            File.Delete(old);
        }
    }

    private static long? StepOf(string file)
    {
        string name = System.IO.Path.GetFileNameWithoutExtension(file)[CheckpointPrefix.Length..];
        return long.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out long step) ? step : null;
    }

    private string In(string name) => System.IO.Path.Combine(Path, name);
}
