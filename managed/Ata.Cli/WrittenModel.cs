using Spectre.Console;

namespace Ata.Cli;

/// <summary>Saves a model and says what it is.</summary>
internal static class WrittenModel
{
    // Of this many tensors that are left out for one reason, only the first is named on the terminal.
    private const int Many = 4;

    public static int Save(Model model, string[]? labels, string path, bool json, CancellationToken cancellationToken)
    {
        ModelConfig config = model.Config;
        if (labels is not null)
        {
            if (labels.Length != config.Classes)
            {
                throw new UsageException($"--labels has {labels.Length} labels for {config.Classes} classes; give as many labels as classes.");
            }

            model.SetLabels(labels);
        }

        cancellationToken.ThrowIfCancellationRequested();
        model.Save(path);
        if (json)
        {
            CliJson.Print(new ModelJson(
                path,
                model.ParameterCount,
                config.ImageSize,
                config.PatchSize,
                config.Dim,
                config.Depth,
                config.Heads,
                config.Frames,
                config.Classes,
                Names.Temporal.Of(config.Temporal),
                Names.Alignment.Of(config.Alignment),
                Names.Activation.Of(config.Activation),
                config.NormEps,
                List(config.Mean),
                List(config.Std),
                NotesOf(model, ImportNoteKind.Found),
                NotesOf(model, ImportNoteKind.Assumed),
                NotesOf(model, ImportNoteKind.Converted),
                NotesOf(model, ImportNoteKind.New),
                NotesOf(model, ImportNoteKind.Ignored)));
        }
        else
        {
            Terminal.WriteLine(
                $"[bold]{path}[/]: {model.ParameterCount / 1e6:0.0} million parameters, {config.Depth} blocks of width {config.Dim}, {config.Frames} frames of {config.ImageSize} pixels, {config.Classes} classes, mode {Names.Temporal.Of(config.Temporal)}");
            WriteNotes(model.ImportNotes);
        }

        return 0;
    }

    private static float[] List(ChannelValues values) => [values.Red, values.Green, values.Blue];

    private static ImportNoteJson[]? NotesOf(Model model, ImportNoteKind kind) =>
        model.ImportNotes.Count == 0
            ? null
            : [.. model.ImportNotes.Where(note => note.Kind == kind).Select(note => new ImportNoteJson(note.Subject, note.Text))];

    private static void WriteNotes(IReadOnlyList<ImportNote> notes)
    {
        foreach (IGrouping<ImportNoteKind, ImportNote> kind in notes.GroupBy(note => note.Kind).OrderBy(group => group.Key))
        {
            foreach (IGrouping<string, ImportNote> reason in kind.GroupBy(note => note.Text))
            {
                string[] subjects = [.. reason.Select(note => note.Subject)];
                string subject = subjects.Length < Many
                    ? string.Join(", ", subjects)
                    : $"{subjects[0]} and {subjects.Length - 1} more";
                Terminal.WriteLine($"  {kind.Key.ToString().ToLowerInvariant(),-9}  {subject}: {reason.Key}");
            }
        }
    }
}
