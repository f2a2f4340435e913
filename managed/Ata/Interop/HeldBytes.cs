namespace Ata.Interop;

/// <summary>
/// About how much native memory handles hold, for the garbage collector (<see cref="NativeHandle{T}.Report"/>): tensors
/// exactly, what is made of buffers of many kinds by their shapes. A test compares them with the memory that is there.
/// </summary>
internal static class HeldBytes
{
    /// <summary>The object itself.</summary>
    public const long Least = 1024;

    /// <summary>A session before its first run: a queue of the device.</summary>
    public const long NewSession = 160 * 1024;

    private const long MebiByte = 1024 * 1024;

    /// <summary>What a pass holds beside what grows with the clips: sums, statistics, packed operands.</summary>
    private const long PassOverhead = 576 * 1024;

    /// <summary>A session after a run: the workspace of a pass.</summary>
    public static long OfForward(ModelConfig config, long clips) => NewSession + PassOverhead + (long)(TokenBytes(config, clips) * (11.5 + config.MlpRatio + (IsTemporal(config) ? 4 : 0)));

    /// <summary>A session after a backward pass: every block's activations, and a gradient of each parameter.</summary>
    public static long OfBackward(ModelConfig config, long clips, long parameters) =>
        OfForward(config, clips) + (parameters * sizeof(float))
        + (long)(TokenBytes(config, clips) * config.Depth * (8 + (2 * config.MlpRatio) + (IsTemporal(config) ? 9 : 0)));

    /// <summary>A trainer: moments of each parameter, gradients that are accumulated and made, and the average.</summary>
    public static long OfTrainer(long parameters) => Least + (5 * sizeof(float) * parameters);

    /// <summary>A temporal block before its first run: its weights.</summary>
    public static long OfTemporalBlock(long channels) => Least + (sizeof(float) * ((5 * channels * channels) + (7 * channels)));

    /// <summary>What a temporal block holds beside its weights after a pass over features of so many bytes.</summary>
    public static long OfTemporalPass(long features, bool forBackward) => PassOverhead + (features * (forBackward ? 12 : 10));

    /// <summary>What it holds after it went back.</summary>
    public static long OfTemporalBackward(long gradient) => PassOverhead + (gradient * 20);

    /// <summary>An aligner of live video: two frames, and the similarities of their patches.</summary>
    public static long OfOnlineAligner(long patches, long channels) =>
        Least + (2 * sizeof(float) * ((patches * patches) + (patches * channels)));

    /// <summary>An assigner after a batch: results, and a copy of the values for each problem that is solved at once.</summary>
    public static long OfAssigner(long problems, long rows, long columns) =>
        Least + (problems * (rows + columns) * sizeof(double))
        + (Math.Min(problems, AtaRuntime.ThreadCount) * Math.Max(rows, columns) * Math.Max(rows, columns) * sizeof(float));

    /// <summary>A decoder: the pictures that others refer to and those that are being decoded, and all of them where they
    /// are kept.</summary>
    public static long OfVideo(VideoInfo info, long keepBytes)
    {
        double picture = PictureBytes(info.Width, info.Height) * (info.BitDepth > 8 ? 2 : 1);
        double all = picture * info.FrameCount;
        return MebiByte + (long)(16 * picture) + (all <= keepBytes ? (long)all : 0);
    }

    /// <summary>An encoder: the pictures that it looks ahead to and those that it refers to.</summary>
    public static long OfVideoWriter(int width, int height) => MebiByte + (long)(60 * PictureBytes(width, height));

    /// <summary>In YCbCr 4:2:0.</summary>
    private static double PictureBytes(double width, double height) => width * height * 1.5;

    private static double TokenBytes(ModelConfig config, long clips) =>
        (double)clips * config.Frames * config.Patches * config.Dim * sizeof(float);

    private static bool IsTemporal(ModelConfig config) => config.Temporal is TemporalMode.Ata or TemporalMode.Divided;
}
