namespace Ata.Cli;

/// <summary>The names that values have on the command line and in checkpoints.</summary>
internal static class Names
{
    public static readonly IReadOnlyDictionary<string, TemporalMode> Temporal = new Dictionary<string, TemporalMode>
    {
        ["ata"] = TemporalMode.Ata,
        ["divided"] = TemporalMode.Divided,
        ["joint"] = TemporalMode.Joint,
        ["space_only"] = TemporalMode.SpaceOnly,
    };

    public static readonly IReadOnlyDictionary<string, AlignmentMethod> Alignment = new Dictionary<string, AlignmentMethod>
    {
        ["exact"] = AlignmentMethod.Exact,
        ["none"] = AlignmentMethod.None,
        ["nearest"] = AlignmentMethod.Nearest,
        ["window"] = AlignmentMethod.Window,
        ["sinkhorn"] = AlignmentMethod.Sinkhorn,
        ["soft"] = AlignmentMethod.Soft,
    };

    public static readonly IReadOnlyDictionary<string, InformationEstimator> Estimator = new Dictionary<string, InformationEstimator>
    {
        ["gaussian"] = InformationEstimator.Gaussian,
        ["ksg"] = InformationEstimator.NearestNeighbours,
        ["infonce"] = InformationEstimator.Contrastive,
    };

    public static readonly IReadOnlyDictionary<string, Precision> Precision = new Dictionary<string, Precision>
    {
        ["f32"] = Ata.Precision.Float32,
        ["bf16"] = Ata.Precision.BFloat16,
    };

    public static readonly IReadOnlyDictionary<string, CheckpointSource> Source = new Dictionary<string, CheckpointSource>
    {
        ["auto"] = CheckpointSource.Auto,
        ["timm"] = CheckpointSource.Timm,
        ["clip"] = CheckpointSource.Clip,
        ["timesformer"] = CheckpointSource.TimeSformer,
    };

    public static readonly IReadOnlyDictionary<string, ShortVideoPolicy> ShortVideo = new Dictionary<string, ShortVideoPolicy>
    {
        ["error"] = ShortVideoPolicy.Error,
        ["repeat"] = ShortVideoPolicy.RepeatLast,
        ["loop"] = ShortVideoPolicy.Loop,
    };

    /// <summary>The name of a value.</summary>
    public static string Of<T>(this IReadOnlyDictionary<string, T> names, T value)
        where T : struct => names.First(pair => EqualityComparer<T>.Default.Equals(pair.Value, value)).Key;
}
