using System.CommandLine;
using System.Globalization;
using Ata.Bindings;
using Spectre.Console;

namespace Ata.Cli.Verbs;

/// <summary><c>ata sample</c>: writes exactly what a model would see.</summary>
internal sealed class SampleVerb : Verb<SampleVerb.Arguments>
{
    private static readonly ClipOptions s_defaults = new();

    private readonly PathArgument _clip = new("clip", PathRole.Input) { Description = "Video file, or folder of numbered JPEG or PNG frames." };
    private readonly ValueOption<int> _frames = Options.Whole("--frames", "Frames of the clip.", most: NativeMethods.ATA_MAX_FRAMES).WithDefault(s_defaults.Frames);
    private readonly SamplingArguments _sampling = new();
    private readonly ValueOption<int> _size = Options.Whole("--size", "Height and width of the crop in pixels.", most: NativeMethods.ATA_MAX_IMAGE_SIZE).WithDefault(s_defaults.Size);
    private readonly Option<int?> _resize = Options.Whole("--resize", "The shorter side is resized to this many pixels; the crop's size if not given.", most: NativeMethods.ATA_MAX_IMAGE_SIZE);
    private readonly Option<bool> _bicubic = new("--bicubic") { Description = "Resize bicubically instead of bilinearly." };
    private readonly Option<bool> _flip = new("--flip") { Description = "Mirror horizontally." };
    private readonly Option<string> _output = Options.Output("--output", "File to write (safetensors).", required: true);
    private readonly Option<string> _png = Options.OutputFolder("--png", "Folder that receives the frames as pictures too.");
    private readonly Option<bool> _json = Options.Json();

    public SampleVerb()
        : base(
            "sample",
            "Writes exactly what a model would see of a video: the tensor 'clip' [1, 3, T, H, W].",
            "ata sample clip.mp4 --frames 8 --stride 4 --output clip.safetensors",
            "ata sample clip.mp4 --frames 16 --segments --size 112 --output clip.safetensors --png frames/")
    {
        Command.Add(_clip);
        Add([_frames, .. _sampling.All, _size, _resize, _bicubic, _flip, _output, _png, _json]);
        Command.Validators.Add(_sampling.Validate);
    }

    /// <summary>What a command line means.</summary>
    internal sealed record Arguments(string Clip, ClipOptions Options, string Output, string? PictureFolder, bool Json);

    public override Arguments Parse(ParseResult parse)
    {
        ClipOptions options = _sampling.Of(parse) with
        {
            Frames = _frames.In(parse),
            Size = _size.In(parse),
            Resize = parse.GetValue(_resize),
            Interpolation = parse.GetValue(_bicubic) ? Interpolation.Bicubic : s_defaults.Interpolation,
            Flip = parse.GetValue(_flip),
        };
        return new Arguments(parse.GetRequiredValue(_clip), options, parse.GetRequiredValue(_output), parse.GetValue(_png), parse.GetValue(_json));
    }

    protected override int Run(Arguments arguments, FileGuard files, CancellationToken cancellationToken)
    {
        string[] pictures = arguments.PictureFolder is { } folder ? PicturesIn(folder, arguments.Options.Frames, files) : [];
        using VideoReader video = VideoReader.Open(arguments.Clip);
        using VideoClip sampled = video.Sample(arguments.Options, cancellationToken);
        cancellationToken.ThrowIfCancellationRequested();
        Save(sampled, arguments.Clip, arguments.Output);
        SavePictures(sampled, pictures);
        if (arguments.Json)
        {
            CliJson.Print(new SampleJson(
                arguments.Clip, arguments.Output, [1, 3, sampled.Frames, sampled.Height, sampled.Width], sampled.FrameTimes.ToArray(), pictures));
        }
        else
        {
            string times = string.Join(", ", sampled.FrameTimes.ToArray().Select(Seconds));
            Terminal.WriteLine(
                $"[bold]{arguments.Output}[/]: clip [[1, 3, {sampled.Frames}, {sampled.Height}, {sampled.Width}]] of {arguments.Clip}, frames at {times} s");
        }

        return 0;
    }

    private static void Save(VideoClip clip, string source, string path)
    {
        using var file = new TensorFile();
        file.Set("clip", clip.Tensor);
        file.SetMetadata("source", source);
        file.SetMetadata("frame_times", $"[{string.Join(",", clip.FrameTimes.ToArray().Select(Seconds))}]");
        file.SetMetadata("mean", List(clip.Mean));
        file.SetMetadata("std", List(clip.Std));
        file.Save(path);
    }

    // Named as the frames of a folder are, so that the folder can be opened as a video.
    private static string[] PicturesIn(string folder, int frames, FileGuard files)
    {
        Directory.CreateDirectory(folder);
        string[] paths = Enumerable.Range(1, frames).Select(frame => Path.Combine(folder, $"img_{frame:00000}.png")).ToArray();
        foreach (string path in paths)
        {
            files.Writes(path, "--png");
        }

        return paths;
    }

    private static void SavePictures(VideoClip clip, string[] paths)
    {
        var pixels = new byte[clip.Height * clip.Width * 3];
        for (int frame = 0; frame < paths.Length; ++frame)
        {
            clip.CopyFrame(frame, pixels);
            ImageFile.Write(paths[frame], pixels, clip.Width, clip.Height);
        }
    }

    private static string Seconds(double value) => value.ToString("0.######", CultureInfo.InvariantCulture);

    private static string List(ChannelValues values) =>
        string.Create(CultureInfo.InvariantCulture, $"[{values.Red},{values.Green},{values.Blue}]");
}
