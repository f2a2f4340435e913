using System.CommandLine;
using System.Text.RegularExpressions;

namespace Ata.Cli;

/// <summary>
/// Finds out which option an exception of the library is about. The library names its own fields
/// (<c>image_size is 100; ...</c>, or the property <c>ImageSize</c>), which nobody typed.
/// </summary>
internal static class OptionNames
{
    /// <summary>The fields of options that are called otherwise; the others are the options' names in the library's
    /// spelling.</summary>
    private static readonly IReadOnlyDictionary<string, string[]> s_fields = new Dictionary<string, string[]>
    {
        ["--arch"] = ["architecture"],
        ["--batch"] = ["BatchSize"],
        ["--cache"] = ["CacheMegabytes"],
        ["--checkpoint-steps"] = ["CheckpointEverySteps"],
        ["--crop"] = ["Crop"],
        ["--cutmix"] = ["CutMix"],
        ["--early-stop"] = ["EarlyStopping"],
        ["--ema"] = ["ema_decay", "AverageDecay"],
        ["--erase"] = ["ErasingProbability"],
        ["--final-lr"] = ["FinalFraction"],
        ["--flip"] = ["FlipProbability"],
        ["--fps"] = ["FramesPerSecond"],
        ["--freeze"] = ["frozen"],
        ["--keep"] = ["KeepCheckpoints"],
        ["--log-steps"] = ["LogEverySteps"],
        ["--lr"] = ["Peak", "learning_rate"],
        ["--magnitude"] = ["RandAugmentMagnitude"],
        ["--max-broken"] = ["AllowedBroken"],
        ["--new"] = ["new_parameters"],
        ["--new-lr-scale"] = ["new_parameter_scale"],
        ["--no-flip-labels"] = ["DirectionSensitive"],
        ["--rand-augment"] = ["RandAugmentOperations"],
        ["--val-every"] = ["ValidateEveryEpochs"],
        ["--val-steps"] = ["ValidateEverySteps"],
        ["--val-views"] = ["ValidationClips", "ValidationCrops"],
        ["--views"] = ["TemporalViews", "SpatialViews", "ClipViews", "CropViews"],
        ["--warmup"] = ["WarmUpSteps"],
        ["--window"] = ["window_radius", "WindowRadius"],
    };

    /// <summary>Says what is wrong with an option, by the option's name.</summary>
    /// <param name="command">What was typed.</param>
    /// <param name="message">What the library said of an argument.</param>
    /// <returns>The message with the options' names in the place of the fields', or null if it is about none of them.</returns>
    public static string? Explain(ParseResult command, string message)
    {
        string text = message;
        bool found = false;
        bool typed = false;
        foreach (Option option in command.CommandResult.Command.Options)
        {
            foreach (string field in FieldsOf(option.Name))
            {
                var pattern = new Regex($@"(?<![\w.-]){Regex.Escape(field)}(?:\[\d\])?(?=,? (?:is|has) )|(?<=(?:multiple of|divide) ){Regex.Escape(field)}(?=,)", RegexOptions.CultureInvariant);
                if (pattern.IsMatch(text))
                {
                    text = pattern.Replace(text, option.Name);
                    found = true;
                    typed |= command.GetResult(option) is { Implicit: false };
                }
            }
        }

        return typed ? text
            : found && ConfigurationOf(command) is { } file ? $"{file}: {message}"
            : null;
    }

    private static IEnumerable<string> FieldsOf(string option)
    {
        string[] words = option[2..].Split('-');
        IEnumerable<string> own = [string.Join('_', words), string.Concat(words.Select(w => char.ToUpperInvariant(w[0]) + w[1..]))];
        return s_fields.TryGetValue(option, out string[]? others) ? own.Concat(others) : own;
    }

    /// <summary>The file that says what no option does.</summary>
    private static string? ConfigurationOf(ParseResult command) =>
        command.CommandResult.Command.Options.FirstOrDefault(o => o.Name == "--config") is Option<string> option
            ? command.GetValue(option)
            : null;
}
