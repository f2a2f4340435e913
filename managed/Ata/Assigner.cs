using Ata.Bindings;
using Ata.Interop;

namespace Ata;

/// <summary>
/// Solves dense linear assignment problems as <see cref="Assignment"/> does, in memory that it keeps: a call allocates
/// nothing, neither managed nor native, when an earlier one had at least as many problems, rows and columns.
/// </summary>
/// <remarks>One thread at a time; a call runs several threads over its problems.</remarks>
public sealed unsafe class Assigner : IDisposable
{
    private readonly AssignerHandle _handle;
    private long _held;

    /// <summary>Creates an assigner. Its memory grows with the problems that it is given.</summary>
    /// <param name="options">Options of every call, the device among them; null for the defaults.</param>
    /// <exception cref="AtaDeviceException">The device cannot be used.</exception>
    public Assigner(AssignmentOptions? options = null)
    {
        options ??= new AssignmentOptions();
        ArgumentNullException.ThrowIfNull(options.Device);
        using var device = new Utf8Text(options.Device, stackalloc byte[Utf8Text.BufferSize], nameof(options));
        ata_assign_options native = options.ToNative(device.Pointer);
        ata_assigner* assigner;
        NativeStatus.Check(NativeMethods.ata_assigner_create(&native, &assigner));
        _handle = new AssignerHandle(assigner);
    }

    /// <summary>Solves one problem.</summary>
    /// <param name="values"><c>[rows, columns]</c> in row-major order.</param>
    /// <param name="rows">1 to 4096.</param>
    /// <param name="columns">1 to 4096.</param>
    /// <param name="matching">Receives the column of each row; -1 for rows without one when there are more rows than
    /// columns.</param>
    /// <param name="columnDuals">Prices of the columns, in units of the values, to start from: the ones that a similar
    /// problem left, or zeros. They become those of the solution. They change the speed and not the total. Empty when
    /// not needed; square problems only.</param>
    /// <returns>The sum of the matched values.</returns>
    /// <exception cref="AtaInfeasibleException">No complete matching avoids the forbidden pairs.</exception>
    public double Solve(
        ReadOnlySpan<float> values, int rows, int columns, Span<int> matching, Span<double> columnDuals = default)
    {
        double total = 0;
        SolveBatch(values, 1, rows, columns, matching, new Span<double>(ref total), columnDuals);
        return total;
    }

    /// <summary>Solves a batch of problems of equal size, in parallel. All or nothing: when one problem fails, nothing
    /// is written for any.</summary>
    /// <param name="values"><c>[problems, rows, columns]</c> in row-major order.</param>
    /// <param name="problems">Number of problems.</param>
    /// <param name="rows">1 to 4096.</param>
    /// <param name="columns">1 to 4096.</param>
    /// <param name="matchings">Receives <c>[problems, rows]</c> columns, as for one problem.</param>
    /// <param name="totals">Receives the sum of the matched values of each problem; empty when not needed.</param>
    /// <param name="columnDuals"><c>[problems, columns]</c> prices in and out, as for one problem; empty when not
    /// needed.</param>
    /// <exception cref="AtaInfeasibleException">A problem has no complete matching; the message names it.</exception>
    public void SolveBatch(
        ReadOnlySpan<float> values,
        int problems,
        int rows,
        int columns,
        Span<int> matchings,
        Span<double> totals = default,
        Span<double> columnDuals = default)
    {
        Assignment.RequireCounts(values, problems, rows, columns, matchings, totals);
        if (!columnDuals.IsEmpty && columnDuals.Length != (long)problems * columns)
        {
            throw new ArgumentException(
                $"The span has {columnDuals.Length} values; it must be empty or have the {(long)problems * columns} of {problems} problems of {columns} columns.",
                nameof(columnDuals));
        }

        using Lease<ata_assigner> lease = _handle.LeaseExclusively();
        fixed (float* data = values)
        fixed (int* columnData = matchings)
        fixed (double* totalData = totals)
        fixed (double* dualData = columnDuals)
        {
            NativeStatus.Check(NativeMethods.ata_assigner_solve(
                lease.Pointer,
                data,
                (nuint)values.Length,
                problems,
                rows,
                columns,
                columnData,
                (nuint)matchings.Length,
                totalData,
                (nuint)totals.Length,
                dualData,
                (nuint)columnDuals.Length));
        }

        // It keeps what its largest batch needed.
        _held = Math.Max(_held, HeldBytes.OfAssigner(problems, rows, columns));
        _handle.Report(_held);
    }

    /// <summary>Releases the assigner.</summary>
    public void Dispose() => _handle.Dispose();
}
