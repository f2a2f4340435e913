using System.Numerics.Tensors;
using Ata.Bindings;
using Ata.Interop;

namespace Ata;

/// <summary>Parameters of <see cref="Assignment"/> and <see cref="Assigner"/>.</summary>
public sealed record AssignmentOptions
{
    /// <summary>True: maximise the total (similarities); false: minimise it (costs).</summary>
    public bool Maximize { get; init; } = true;

    /// <summary>Makes the matching optimal for the exact float32 values, whatever these are, and not only to the accuracy
    /// that <see cref="Assignment"/> states.</summary>
    public bool Polish { get; init; }

    /// <summary>Proves each result by its dual gap, in arithmetic that bounds its own rounding errors, and solves again
    /// more precisely where the proof fails. The total is then within 1e-6 of the optimum relative to itself, too.</summary>
    public bool Certify { get; init; }

    /// <summary>Where problems are solved: <c>cpu</c>, <c>cuda</c> or <c>cuda:1</c>. A device that was asked for is never
    /// replaced by another.</summary>
    public string Device { get; init; } = "cpu";

    /// <summary>Most threads that a call uses; null for <see cref="AtaRuntime.ThreadCount"/>. Results do not depend on
    /// it.</summary>
    public int? Threads { get; init; }

    /// <param name="device">The device's name, alive as long as the result.</param>
    internal unsafe ata_assign_options ToNative(byte* device) => new()
    {
        struct_size = (nuint)sizeof(ata_assign_options),
        maximize = Maximize ? 1 : 0,
        polish = Polish ? 1 : 0,
        certify = Certify ? 1 : 0,
        device = device,
        threads = OptionValue.PositiveOrZero(Threads),
    };
}

/// <summary>
/// Solves dense linear assignment problems. Negative infinity (positive when minimising) forbids a pair.
/// </summary>
/// <remarks>
/// <para>The total of a matching is within 1e-6 of the optimum, relative to the sum of the absolute values that it
/// matches, for all finite values. Huge ones that stand for "not this pair" (1e9, <see cref="float.MaxValue"/>) cost the
/// others no accuracy, not even where they have to be matched: when the absolute values matched, in order of size, leap by
/// a factor of 1000 or more from one to the next, those above the first leap do not count. (From 0 to anything else is a
/// leap.) <see cref="AssignmentOptions.Polish"/> gives the optimum itself.</para>
/// <para>Thread-safe. For many calls there is <see cref="Assigner"/>, which keeps its memory.</para>
/// </remarks>
public static unsafe class Assignment
{
    /// <summary>Solves one problem.</summary>
    /// <param name="values"><c>[rows, columns]</c> in row-major order.</param>
    /// <param name="rows">1 to 4096.</param>
    /// <param name="columns">1 to 4096.</param>
    /// <param name="matching">Receives the column of each row; -1 for rows without one when there are more rows than
    /// columns.</param>
    /// <param name="options">Options; null for the defaults.</param>
    /// <returns>The sum of the matched values.</returns>
    /// <exception cref="AtaInfeasibleException">No complete matching avoids the forbidden pairs.</exception>
    /// <exception cref="AtaDeviceException">The device cannot be used.</exception>
    public static double Solve(
        ReadOnlySpan<float> values, int rows, int columns, Span<int> matching, AssignmentOptions? options = null)
    {
        double total = 0;
        SolveBatch(values, 1, rows, columns, matching, new Span<double>(ref total), options);
        return total;
    }

    /// <summary>Solves a batch of problems of equal size, in parallel.</summary>
    /// <param name="values"><c>[problems, rows, columns]</c> in row-major order.</param>
    /// <param name="problems">Number of problems.</param>
    /// <param name="rows">1 to 4096.</param>
    /// <param name="columns">1 to 4096.</param>
    /// <param name="matchings">Receives <c>[problems, rows]</c> columns, as for one problem.</param>
    /// <param name="totals">Receives the sum of the matched values of each problem; empty when not needed.</param>
    /// <param name="options">Options; null for the defaults.</param>
    /// <exception cref="AtaInfeasibleException">A problem has no complete matching; the message names it.</exception>
    /// <exception cref="AtaDeviceException">The device cannot be used.</exception>
    public static void SolveBatch(
        ReadOnlySpan<float> values,
        int problems,
        int rows,
        int columns,
        Span<int> matchings,
        Span<double> totals = default,
        AssignmentOptions? options = null)
    {
        RequireCounts(values, problems, rows, columns, matchings, totals);
        fixed (float* data = values)
        {
            using var tensor = BorrowedTensor.OfFloats(data, values.Length, [problems, rows, columns]);
            Solve(tensor.Pointer, matchings, totals, options);
        }
    }

    /// <summary>Solves one problem or a batch.</summary>
    /// <param name="values"><c>[rows, columns]</c> or <c>[problems, rows, columns]</c>, dense.</param>
    /// <param name="options">Options; null for the defaults.</param>
    /// <returns>Int32 <c>[rows]</c> or <c>[problems, rows]</c>, which the caller disposes.</returns>
    /// <exception cref="AtaInfeasibleException">A problem has no complete matching; the message names it.</exception>
    /// <exception cref="AtaDeviceException">The device cannot be used.</exception>
    public static AtaTensor Solve(in ReadOnlyTensorSpan<float> values, AssignmentOptions? options = null)
    {
        fixed (float* data = values)
        {
            using var tensor = BorrowedTensor.Of(data, values, nameof(values));
            return Solve(tensor.Pointer, null, 0, options);
        }
    }

    internal static void RequireCounts(
        ReadOnlySpan<float> values,
        int problems,
        int rows,
        int columns,
        ReadOnlySpan<int> matchings,
        ReadOnlySpan<double> totals)
    {
        FrameAligner.RequireCount(values, nameof(values), problems, rows, columns);
        if (matchings.Length != (long)problems * rows)
        {
            throw new ArgumentException(
                $"The span has {matchings.Length} values; {problems} problems of {rows} rows need {(long)problems * rows}.",
                nameof(matchings));
        }

        if (!totals.IsEmpty && totals.Length != problems)
        {
            throw new ArgumentException(
                $"The span has {totals.Length} values; it must be empty or have one for each of {problems} problems.",
                nameof(totals));
        }
    }

    private static void Solve(
        ata_tensor* values, Span<int> matchings, Span<double> totals, AssignmentOptions? options)
    {
        fixed (double* sums = totals)
        {
            using AtaTensor matching = Solve(values, sums, totals.Length, options);
            matching.AsSpan<int>().CopyTo(matchings);
        }
    }

    private static AtaTensor Solve(ata_tensor* values, double* totals, int capacity, AssignmentOptions? options)
    {
        options ??= new AssignmentOptions();
        ArgumentNullException.ThrowIfNull(options.Device);
        using var device = new Utf8Text(options.Device, stackalloc byte[Utf8Text.BufferSize], nameof(options));
        ata_assign_options native = options.ToNative(device.Pointer);
        ata_tensor* matching;
        NativeStatus.Check(NativeMethods.ata_assign(values, &native, &matching, totals, (nuint)capacity));
        return new AtaTensor(matching);
    }
}
