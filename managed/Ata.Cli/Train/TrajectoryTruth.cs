using System.Text.Json;
using Ata.Cli.Synth;
using Ata.Data;
using Ata.Interop;
using Ata.Training;

namespace Ata.Cli.Train;

/// <summary>Compares trajectories with where objects really are: <c>truth.json</c> beside a list of synthetic videos.</summary>
internal sealed class TrajectoryTruth
{
    private const int MeasuredVideos = 64;

    private readonly Dictionary<string, FollowTruth.Clip> _clips;

    private TrajectoryTruth(FollowTruth truth, string folder)
    {
        Truth = truth;
        _clips = truth.Clips.ToDictionary(c => Path.GetFullPath(Path.Combine(folder, c.Path)), StringComparer.Ordinal);
    }

    /// <summary>What was read.</summary>
    public FollowTruth Truth { get; }

    /// <summary>Reads the truth that lies beside a list of videos; null if there is none.</summary>
    /// <exception cref="InvalidDataException">The file is something else.</exception>
    public static TrajectoryTruth? Beside(string list)
    {
        string folder = Directory.Exists(list) ? list : Path.GetDirectoryName(Path.GetFullPath(list))!;
        string path = Path.Combine(folder, FollowTruth.FileName);
        if (!File.Exists(path))
        {
            return null;
        }

        try
        {
            FollowTruth truth = JsonSerializer.Deserialize(NativeFile.Read(path), CliJson.Default.FollowTruth) ?? throw new JsonException("it is null");
            truth.Check();
            return new TrajectoryTruth(truth, folder);
        }
        catch (Exception error) when (error is JsonException or ArgumentException)
        {
            throw new InvalidDataException(PrintableText.Of($"{path} is not what ata synth --task follow writes: {error.Message}"), error);
        }
    }

    /// <summary>How far the discs move from one frame of a clip to the next, in patches.</summary>
    public double PatchesPerFrame(ModelConfig model, TrainingRunOptions video)
    {
        double rate = video.FramesPerSecond > 0 ? Truth.Fps / video.FramesPerSecond : 1;
        double frames = video.Spread == FrameSpread.Segments ? (double)Truth.Options.Frames / model.Frames : video.Stride * rate;
        return Truth.Options.Speed * frames * model.ImageSize / model.PatchSize;
    }

    /// <summary>For each block, of the patches whose centre is on a disc in the first frame of a clip, the share whose trajectory
    /// is on the same disc in the last frame. Where a post or another disc is in front counts as off.</summary>
    /// <param name="model">The model; one that attends at fixed places has trajectories that stay.</param>
    /// <param name="test">The videos; so many of them are looked at.</param>
    /// <param name="video">How clips are sampled.</param>
    /// <param name="cancellationToken">Stops the work.</param>
    /// <returns>A share for each block; null for a model without trajectories.</returns>
    public IReadOnlyList<double>? OnObject(Model model, VideoDataset test, TrainingRunOptions video, CancellationToken cancellationToken)
    {
        ModelConfig config = model.Config;
        bool follows = config.Temporal == TemporalMode.Ata;
        if ((!follows && config.Temporal != TemporalMode.Divided) || (follows && config.Alignment == AlignmentMethod.Soft))
        {
            return null;
        }

        int[] blocks = Enumerable.Range(0, config.Depth).ToArray();
        int perBlock = config.Frames * config.Patches;
        var positions = new int[blocks.Length * perBlock];
        var begun = 0L;
        var kept = new long[blocks.Length];
        LoaderOptions options = video.ValidationLoader(config, found: null) with
        {
            ClipViews = 1,
            CropViews = 1,
            Augmentation = AugmentationOptions.None with { Crop = CropMode.Full },
        };
        using var sampler = new ClipSampler(test, options);
        using Session session = model.CreateSession();
        foreach ((int index, FollowTruth.Clip truth) in Known(test).Take(MeasuredVideos))
        {
            sampler.VisitViews(index, (_, clip) => Measure(truth, clip), cancellationToken);
        }

        return begun > 0 ? Array.ConvertAll(kept, k => (double)k / begun) : null;

        void Measure(FollowTruth.Clip truth, VideoClip clip)
        {
            if (follows)
            {
                session.Run(clip.Tensor, new SessionOutputs { TrajectoryBlocks = blocks, Trajectories = positions }, cancellationToken);
            }
            else
            {
                for (int i = 0; i < positions.Length; ++i)
                {
                    positions[i] = i % config.Patches;
                }
            }

            int first = FrameAt(clip.FrameTimes[0]);
            int last = FrameAt(clip.FrameTimes[^1]);
            for (int n = 0; n < config.Patches; ++n)
            {
                if (DiscAt(truth, first, n, config) is not { } disc)
                {
                    continue;
                }

                ++begun;
                foreach (int block in blocks)
                {
                    int end = positions[(block * perBlock) + ((config.Frames - 1) * config.Patches) + n];
                    kept[block] += DiscAt(truth, last, end, config) == disc ? 1 : 0;
                }
            }
        }
    }

    /// <summary>The videos of which the truth is known, by their places in the dataset.</summary>
    private IEnumerable<(int Index, FollowTruth.Clip Truth)> Known(VideoDataset test)
    {
        for (int i = 0; i < test.Count; ++i)
        {
            if (_clips.TryGetValue(Path.GetFullPath(test[i].Path), out FollowTruth.Clip? truth))
            {
                yield return (i, truth);
            }
        }
    }

    private int FrameAt(double time) => Math.Clamp((int)Math.Round(time * Truth.Fps), 0, Truth.Options.Frames - 1);

    // The disc that is seen at a patch's centre.
    private int? DiscAt(FollowTruth.Clip clip, int frame, int patch, ModelConfig model)
    {
        int grid = model.ImageSize / model.PatchSize;
        double x = ((patch % grid) + 0.5) / grid * Truth.Width;
        double y = ((patch / grid) + 0.5) / grid * Truth.Height;
        if (clip.Posts.Any(post => x >= post[0] && x < post[1]))
        {
            return null;
        }

        foreach (int disc in clip.Order.Reverse())
        {
            double dx = x - clip.Centers[disc][frame][0];
            double dy = y - clip.Centers[disc][frame][1];
            if ((dx * dx) + (dy * dy) < Truth.Radius * Truth.Radius)
            {
                return disc;
            }
        }

        return null;
    }
}
