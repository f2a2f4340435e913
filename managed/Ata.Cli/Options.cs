using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Numerics;

namespace Ata.Cli;

/// <summary>Makes options whose errors name them as they are typed, and say what is valid.</summary>
internal static class Options
{
    /// <summary>The largest number that the native library's single precision holds.</summary>
    public const double MostSingle = float.MaxValue;

    private static readonly string s_device = new ModelOptions().Device;

    /// <summary>A whole number within limits.</summary>
    public static ValueOption<int> Whole(string name, string description, int least = 1, int most = int.MaxValue, bool recursive = false) => new(name, v => v.ToString(CultureInfo.InvariantCulture))
    {
        Description = description,
        HelpName = "n",
        Recursive = recursive,
        CustomParser = result => Parse<int>(
            result,
            string.Create(CultureInfo.InvariantCulture, $"a whole number of at least {least} and at most {most}"),
            v => v >= least && v <= most),
    };

    /// <summary>A number from 0, or from <paramref name="least"/>, to a limit that is allowed itself.</summary>
    public static ValueOption<double> Real(string name, string description, double least = 0, double most = double.MaxValue) =>
        Number(name, description, $"at least {Text(least)}{AtMost(most)}", v => v >= least && v <= most);

    /// <summary>A number above 0, to a limit that is allowed itself.</summary>
    public static ValueOption<double> PositiveReal(string name, string description, double most = double.MaxValue) =>
        Number(name, description, $"above 0{AtMost(most)}", v => v > 0 && v <= most);

    /// <summary>A number from 0 to below 1.</summary>
    public static ValueOption<double> BelowOne(string name, string description) =>
        Number(name, description, "at least 0 and below 1", v => v >= 0 && (float)v < 1);

    /// <summary>A number between 0 and 1, which are not allowed themselves.</summary>
    public static ValueOption<double> Fraction(string name, string description) =>
        Number(name, description, "above 0 and below 1", v => v > 0 && v < 1);

    /// <summary>A named architecture.</summary>
    public static Option<string> Architecture(string description, bool required = false) => new("--arch")
    {
        Description = description,
        HelpName = "name",
        Required = required,
    };

    /// <summary>A seed.</summary>
    public static ValueOption<ulong> Seed() => new("--seed", v => v.ToString(CultureInfo.InvariantCulture))
    {
        Description = "Seed of random numbers.",
        HelpName = "n",
        CustomParser = result => Parse<ulong>(result, $"a whole number of at least 0 and at most {ulong.MaxValue}", _ => true),
    };

    /// <summary>A device. One that does not exist is a failed job; a name that no device has is a mistake.</summary>
    public static Option<string> Device()
    {
        var option = new Option<string>("--device") { Description = $"Device: cpu, cuda or cuda:1. Default {s_device}.", HelpName = "name" };
        option.Validators.Add(result =>
        {
            const string Numbered = "cuda:";
            if (result.Tokens is [{ Value: var name }]
                && name is not ("cpu" or "cuda")
                && !(name.StartsWith(Numbered, StringComparison.Ordinal)
                    && int.TryParse(name.AsSpan(Numbered.Length), NumberStyles.None, CultureInfo.InvariantCulture, out _)))
            {
                result.AddError($"--device is '{name}'; it must be cpu, cuda, or cuda:N with the number of the GPU from 0.");
            }
        });
        return option;
    }

    /// <summary>The device that was given, or the library's default.</summary>
    public static string DeviceIn(ParseResult parse, Option<string> device) => parse.GetValue(device) ?? s_device;

    /// <summary>One of several names.</summary>
    public static ValueOption<T> Choice<T>(string name, string description, IReadOnlyDictionary<string, T> choices)
        where T : struct => new(name, choices.Of)
        {
            Description = description,
            HelpName = string.Join('|', choices.Keys),
            CustomParser = result =>
            {
                string text = result.Tokens[0].Value;
                if (choices.TryGetValue(text, out T value))
                {
                    return value;
                }

                result.AddError($"{name} is '{text}'; valid values are {string.Join(", ", choices.Keys)}.");
                return null;
            },
        };

    /// <summary>Several of some names, each once.</summary>
    public static Option<IReadOnlyList<T>?> Choices<T>(string name, string description, IReadOnlyDictionary<string, T> choices)
        where T : struct => new(name)
        {
            Description = description,
            HelpName = "name,...",
            CustomParser = result =>
            {
                string[] names = result.Tokens[0].Value.Split(',', StringSplitOptions.TrimEntries);
                if (names.FirstOrDefault(n => !choices.ContainsKey(n)) is { } unknown)
                {
                    result.AddError($"{name} names '{unknown}'; valid names are {string.Join(", ", choices.Keys)}.");
                    return null;
                }

                if (names.Distinct(StringComparer.Ordinal).Count() < names.Length)
                {
                    result.AddError($"{name} is '{result.Tokens[0].Value}'; name each once.");
                    return null;
                }

                return Array.ConvertAll(names, n => choices[n]);
            },
        };

    /// <summary>One number for all colour channels, or one for each.</summary>
    public static Option<ChannelValues?> Channels(string name, string description, bool positive) => new(name)
    {
        Description = description,
        HelpName = "r,g,b",
        CustomParser = result =>
        {
            string text = result.Tokens[0].Value;
            string[] parts = text.Split(',', StringSplitOptions.TrimEntries);
            var values = new float[3];
            bool valid = parts.Length is 1 or 3;
            for (int i = 0; i < 3 && valid; ++i)
            {
                valid = float.TryParse(parts[i % parts.Length], NumberStyles.Float, CultureInfo.InvariantCulture, out values[i])
                    && float.IsFinite(values[i])
                    && (!positive || values[i] > 0);
            }

            if (valid)
            {
                return new ChannelValues(values[0], values[1], values[2]);
            }

            result.AddError(
                $"{name} is '{text}'; it must be one number{(positive ? " above 0" : string.Empty)}, or three with commas, such as 0.485,0.456,0.406.");
            return null;
        },
    };

    /// <summary>Views of a video: clips in time x crops.</summary>
    public static ValueOption<(int Clips, int Crops)> Views(string name, string description) => new(name, v => string.Create(CultureInfo.InvariantCulture, $"{v.Clips}x{v.Crops}"))
    {
        Description = description,
        HelpName = "CxS",
        CustomParser = result =>
        {
            string text = result.Tokens[0].Value;
            string[] parts = text.Split('x');
            if (parts.Length == 2
                && int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out int clips)
                && int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out int crops)
                && clips is >= 1 and <= PredictOptions.MostTemporalViews
                && crops is 1 or 3)
            {
                return (clips, crops);
            }

            result.AddError($"{name} is '{text}'; it must be clips x crops, such as 10x3, with 1 to {PredictOptions.MostTemporalViews} clips and 1 or 3 crops.");
            return null;
        },
    };

    /// <summary>Width and height of a video.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="description">What it is.</param>
    /// <param name="least">Smallest side.</param>
    /// <param name="most">Largest side.</param>
    public static ValueOption<(int Width, int Height)> FrameSize(string name, string description, int least, int most) => new(name, v => string.Create(CultureInfo.InvariantCulture, $"{v.Width}x{v.Height}"))
    {
        Description = description,
        HelpName = "WxH",
        CustomParser = result =>
        {
            bool IsSide(int pixels) => pixels >= least && pixels <= most && pixels % 2 == 0;

            string text = result.Tokens[0].Value;
            string[] parts = text.Split('x');
            if (parts.Length == 2
                && int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out int width)
                && int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out int height)
                && IsSide(width)
                && IsSide(height))
            {
                return (width, height);
            }

            result.AddError($"{name} is '{text}'; it must be WIDTHxHEIGHT, both even and from {least} to {most}.");
            return null;
        },
    };

    /// <summary>A file or folder that is read.</summary>
    public static PathOption Input(string name, string description, bool required = false) => Path(name, PathRole.Input, description, required);

    /// <summary>A file that is written.</summary>
    public static PathOption Output(string name, string description, bool required = false) => Path(name, PathRole.Output, description, required);

    /// <summary>A folder that files are written into.</summary>
    public static PathOption OutputFolder(string name, string description, bool required = false) => Path(name, PathRole.OutputFolder, description, required);

    /// <summary>Prints what a program would read.</summary>
    public static Option<bool> Json() => new("--json") { Description = "Print the result as JSON." };

    /// <summary>The value of an option for a validator of its verb; the default where the option has an error of its own,
    /// which is said already.</summary>
    public static T? ValueOf<T>(this CommandResult command, Option<T> option)
    {
        try
        {
            return command.GetValue(option);
        }
        catch (InvalidOperationException)
        {
            // What the parser throws for a value that its own parser refused.
            return default;
        }
    }

    /// <summary>A number as people write it.</summary>
    public static string Text(double value) => value.ToString(
        value != 0 && Math.Abs(value) is < 1e-4 or >= 1e10 ? "0.#e0" : "0.######", CultureInfo.InvariantCulture);

    private static PathOption Path(string name, PathRole role, string description, bool required) => new(name, role)
    {
        Description = description,
        HelpName = "path",
        Required = required,
    };

    private static ValueOption<double> Number(string name, string description, string expectation, Func<double, bool> valid) => new(name, Text)
    {
        Description = description,
        HelpName = "x",
        CustomParser = result => Parse<double>(result, $"a number {expectation}", v => double.IsFinite(v) && valid(v)),
    };

    private static string AtMost(double most) => most == double.MaxValue ? string.Empty : $" and at most {Text(most)}";

    private static T? Parse<T>(ArgumentResult result, string expectation, Func<T, bool> valid)
        where T : struct, INumber<T>
    {
        string text = result.Tokens[0].Value;
        if (T.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out T value) && valid(value))
        {
            return value;
        }

        result.AddError($"{((OptionResult)result.Parent!).Option.Name} is '{text}'; it must be {expectation}.");
        return null;
    }
}
