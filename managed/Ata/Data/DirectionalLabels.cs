using System.Text.RegularExpressions;

namespace Ata.Data;

/// <summary>Recognises labels that mean another class in a mirror.</summary>
internal static partial class DirectionalLabels
{
    private static readonly HashSet<string> s_directions = new(StringComparer.OrdinalIgnoreCase)
    {
        "left", "right", "leftward", "rightward", "leftwards", "rightwards", "clockwise", "counterclockwise", "anticlockwise", "cw", "ccw",
    };

    /// <summary>The labels in which a word tells left from right, or one sense of turning from the other.</summary>
    public static IReadOnlyList<string> Of(IEnumerable<string> labels) =>
        labels.Where(label => Word().Matches(label).Any(word => s_directions.Contains(word.Value))).ToArray();

    // turn_left, TurnLeft and TURN LEFT are two words each.
    [GeneratedRegex(@"\p{Lu}?[\p{Ll}\p{Lo}\p{M}]+|\p{Lu}+(?!\p{Ll})")]
    private static partial Regex Word();
}
