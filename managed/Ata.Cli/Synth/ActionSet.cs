namespace Ata.Cli.Synth;

/// <summary>
/// Clips of the task "act": an object does something over time. <c>shapes.csv</c> lists them with the objects' shapes for
/// labels.
/// </summary>
/// <param name="options">What the clips look like.</param>
/// <param name="clips">How many, at least 1.</param>
/// <param name="testShare">Share of each class whose split is "test" instead of "train".</param>
/// <param name="seed">Seed of everything that is random.</param>
/// <param name="classes">How many of the actions, from the first on, 1 to <see cref="MostClasses"/>.</param>
internal sealed class ActionSet(ActionOptions options, int clips, double testShare, ulong seed, int classes)
    : ClipSet(options, clips, testShare, s_actions[..classes].Select(a => Label(a)).ToArray())
{
    private static readonly SynthAction[] s_actions = Enum.GetValues<SynthAction>();
    private readonly SynthShape[] _shapes = new SynthShape[clips];

    /// <summary>How many actions there are.</summary>
    public static int MostClasses => s_actions.Length;

    protected override IScene CreateScene(int index)
    {
        var scene = new ActionScene(options, s_actions[index % Labels.Count], seed, index);
        _shapes[index] = scene.Shape;
        return scene;
    }

    protected override void WriteOthers(string folder, SharedProgress done, CancellationToken cancellationToken) =>
        WriteText(folder, "shapes.csv", List(index => Label(_shapes[index])));

    // TurnClockwise becomes turn_clockwise.
    private static string Label(Enum value) => string.Concat(
        value.ToString().Select((c, i) => (i > 0 && char.IsUpper(c) ? "_" : string.Empty) + char.ToLowerInvariant(c)));
}
