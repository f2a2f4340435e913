using Ata.Bindings;
using Ata.Interop;

namespace Ata;

/// <summary>Estimators of mutual information.</summary>
public enum InformationEstimator
{
    /// <summary>Closed form for jointly Gaussian variables, from their covariances.</summary>
    Gaussian = 0,

    /// <summary>KSG: k nearest neighbours (Kraskov, Stögbauer, Grassberger, 2004), corrected by what they miss on Gaussian
    /// samples of the same covariance. For continuous values alone: when more samples than neighbours, and more than
    /// one in a thousand, are tied (as many others as neighbours are equal to them, as patches of a black border are, or
    /// several are equally far from them, as rounded values are) the call throws <see cref="ArgumentException"/>, naming the ties.</summary>
    Ksg = 1,

    /// <summary>InfoNCE: lower bound by contrast (van den Oord, Li, Vinyals, 2018).</summary>
    InfoNce = 2,
}

/// <summary>How mutual information is estimated.</summary>
public sealed record InformationOptions
{
    /// <summary>Estimator.</summary>
    public InformationEstimator Estimator { get; init; } = InformationEstimator.Gaussian;

    /// <summary>Samples are first projected to this many principal components; 0 for all.</summary>
    public int Components { get; init; } = 8;

    /// <summary><see cref="InformationEstimator.Ksg"/>: number of neighbours, at least 1.</summary>
    public int Neighbours { get; init; } = 3;

    /// <summary><see cref="InformationEstimator.Ksg"/> and
    /// <see cref="InformationEstimator.InfoNce"/>: at most this many pairs are used, evenly spaced ones; at least
    /// 16.</summary>
    public long MaxPairs { get; init; } = 4096;

    /// <summary>Most threads that a call uses; null for <see cref="AtaRuntime.ThreadCount"/>. Results do not depend on
    /// it.</summary>
    public int? Threads { get; init; }

    internal unsafe ata_mi_options ToNative() => new()
    {
        struct_size = (nuint)sizeof(ata_mi_options),
        estimator = (ata_mi_estimator)Estimator,
        components = Components,
        neighbours = Neighbours,
        max_pairs = MaxPairs,
        threads = OptionValue.PositiveOrZero(Threads),
    };
}

/// <summary>Estimates mutual information, in nats. Estimates scatter around the truth and may be slightly negative near 0.</summary>
/// <remarks>Thread-safe.</remarks>
public static unsafe class MutualInformation
{
    /// <summary>Estimates the mutual information of paired samples.</summary>
    /// <param name="x">Float32 <c>[S, D]</c>: S pairs.</param>
    /// <param name="y">Float32 <c>[S, E]</c>.</param>
    /// <param name="options">Options; null for the defaults.</param>
    public static double Estimate(AtaTensor x, AtaTensor y, InformationOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(y);
        x.Require(TensorElementType.Float32, "S, D", nameof(x));
        y.Require(TensorElementType.Float32, "S, E", nameof(y));
        ata_mi_options native = (options ?? new InformationOptions()).ToNative();
        using Lease<ata_tensor> first = x.Handle.Lease();
        using Lease<ata_tensor> second = y.Handle.Lease();
        double nats;
        NativeStatus.Check(NativeMethods.ata_mutual_information_estimate(first.Pointer, second.Pointer, &native, &nats));
        return nats;
    }

    /// <summary>Estimates the mutual information between the patches of neighbouring frames, over all clips, frames and
    /// patches.</summary>
    /// <param name="features">Float32 <c>[B, T, N, D]</c>, T at least 2.</param>
    /// <param name="trajectories">Trajectories of the same clips.</param>
    /// <param name="options">Options; null for the defaults.</param>
    /// <returns>The estimate for patches at the same position, and for patches on the same trajectory.</returns>
    public static (double Before, double After) BetweenFrames(
        AtaTensor features, Trajectories trajectories, InformationOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(features);
        ArgumentNullException.ThrowIfNull(trajectories);
        features.Require(TensorElementType.Float32, "B, T, N, D", nameof(features));
        ata_mi_options native = (options ?? new InformationOptions()).ToNative();
        using Lease<ata_tensor> featuresLease = features.Handle.Lease();
        using Lease<ata_tensor> trajectoriesLease = trajectories.Tensor.Handle.Lease();
        double before;
        double after;
        NativeStatus.Check(NativeMethods.ata_temporal_information_estimate(
            featuresLease.Pointer, trajectoriesLease.Pointer, &native, &before, &after));
        return (before, after);
    }
}
