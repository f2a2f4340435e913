namespace Ata.Cli;

/// <summary>The names that values have on the command line and in checkpoints.</summary>
internal static class Names
{
    /// <summary>The architectures that have names, in words.</summary>
    public const string Architectures = "vit-tiny, vit-small, vit-base or vit-large";

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
        ["ksg"] = InformationEstimator.Ksg,
        ["infonce"] = InformationEstimator.InfoNce,
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
        ["dinov2"] = CheckpointSource.DinoV2,
        ["hf_vit"] = CheckpointSource.HfVit,
    };

    public static readonly IReadOnlyDictionary<string, Activation> Activation = new Dictionary<string, Activation>
    {
        ["gelu"] = Ata.Activation.Gelu,
        ["quick_gelu"] = Ata.Activation.QuickGelu,
        ["gelu_tanh"] = Ata.Activation.GeluTanh,
    };

    public static readonly IReadOnlyDictionary<string, PositionInterpolation> Positions = new Dictionary<string, PositionInterpolation>
    {
        ["bicubic"] = PositionInterpolation.Bicubic,
        ["nearest"] = PositionInterpolation.Nearest,
    };

    /// <summary>Means and deviations that published models are normalised with.</summary>
    public static readonly IReadOnlyDictionary<string, (ChannelValues Mean, ChannelValues Std)> Normalization =
        new Dictionary<string, (ChannelValues Mean, ChannelValues Std)>
        {
            ["half"] = (ChannelValues.Uniform(0.5f), ChannelValues.Uniform(0.5f)),
            ["imagenet"] = (new(0.485f, 0.456f, 0.406f), new(0.229f, 0.224f, 0.225f)),
            ["clip"] = (new(0.48145466f, 0.4578275f, 0.40821073f), new(0.26862954f, 0.26130258f, 0.27577711f)),
            ["timesformer"] = (ChannelValues.Uniform(0.45f), ChannelValues.Uniform(0.225f)),
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
