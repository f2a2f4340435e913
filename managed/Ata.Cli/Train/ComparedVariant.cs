namespace Ata.Cli.Train;

/// <summary>A temporal mode, and in mode <see cref="TemporalMode.Ata"/> how frames are aligned.</summary>
/// <param name="Mode">The mode.</param>
/// <param name="Alignment">The alignment; null in modes without one.</param>
internal readonly record struct ComparedVariant(TemporalMode Mode, AlignmentMethod? Alignment)
{
    /// <summary>Its name in tables, and of its runs' folders: <c>divided</c>, <c>ata</c>, <c>ata-nearest</c>.</summary>
    public string Name => Alignment is null or AlignmentMethod.Exact
        ? Names.Temporal.Of(Mode)
        : $"{Names.Temporal.Of(Mode)}-{Names.Alignment.Of(Alignment.Value)}";

    /// <summary>Every mode, and mode <see cref="TemporalMode.Ata"/> with each alignment.</summary>
    public static IReadOnlyList<ComparedVariant> Of(IEnumerable<TemporalMode> modes, IReadOnlyList<AlignmentMethod> alignments) => modes
        .SelectMany(mode => mode == TemporalMode.Ata
            ? alignments.Select(alignment => new ComparedVariant(mode, alignment))
            : [new ComparedVariant(mode, null)])
        .ToArray();
}
