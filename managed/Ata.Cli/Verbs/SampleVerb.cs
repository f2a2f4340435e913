using System.CommandLine;
using System.Globalization;
using Ata.Bindings;
using Spectre.Console;

namespace Ata.Cli.Verbs;

/// <summary><c>ata sample</c>: writes exactly what a model would see.</summary>
internal static class SampleVerb
{
    public static Command Create()
    {
        var command = new Verb(
            "sample",
            "Writes exactly what a model would see of a video: the tensor 'clip' [1, 3, T, H, W].",
            "ata sample clip.mp4 --frames 8 --stride 4 --output clip.safetensors",
            "ata sample clip.mp4 --frames 16 --segments --size 112 --output clip.safetensors --png frames/");
        var clip = new PathArgument("clip", PathRole.Input) { Description = "Video file, or folder of numbered JPEG or PNG frames." };
        Option<int?> frames = Options.Whole("--frames", "Frames of the clip. Default 8.", most: NativeMethods.ATA_MAX_FRAMES);
        Option<int?> size = Options.Whole("--size", "Height and width of the crop in pixels. Default 224.", most: NativeMethods.ATA_MAX_IMAGE_SIZE);
        Option<int?> resize = Options.Whole("--resize", "The shorter side is resized to this many pixels; the crop's size if not given.", most: NativeMethods.ATA_MAX_IMAGE_SIZE);
        var bicubic = new Option<bool>("--bicubic") { Description = "Resize bicubically instead of bilinearly." };
        var flip = new Option<bool>("--flip") { Description = "Mirror horizontally." };
        Option<string> output = Options.Output("--output", "File to write (safetensors).", required: true);
        Option<string> png = Options.OutputFolder("--png", "Folder that receives the frames as pictures too.");
        Option<bool> json = Options.Json();
        command.Add(clip);
        command.Add(frames);
        var sampling = new SamplingArguments(command);
        foreach (Option option in (Option[])[size, resize, bicubic, flip, output, png, json])
        {
            command.Add(option);
        }

        command.SetWork((parse, files, cancellationToken) =>
        {
            ClipOptions options = sampling.Of(parse) with
            {
                Frames = parse.GetValue(frames) ?? 8,
                Size = parse.GetValue(size) ?? 224,
                Resize = parse.GetValue(resize),
                Interpolation = parse.GetValue(bicubic) ? Interpolation.Bicubic : Interpolation.Bilinear,
                Flip = parse.GetValue(flip),
            };
            string path = parse.GetRequiredValue(clip);
            string file = parse.GetRequiredValue(output);
            string[] pictures = parse.GetValue(png) is { } folder ? PicturesIn(folder, options.Frames, files) : [];
            using VideoReader video = VideoReader.Open(path);
            using VideoClip sampled = video.Sample(options, cancellationToken);
            cancellationToken.ThrowIfCancellationRequested();
            Save(sampled, path, file);
            SavePictures(sampled, pictures);
            if (parse.GetValue(json))
            {
                CliJson.Print(new SampleJson(
                    path, file, [1, 3, sampled.Frames, sampled.Height, sampled.Width], sampled.FrameTimes.ToArray(), pictures));
            }
            else
            {
                string times = string.Join(", ", sampled.FrameTimes.ToArray().Select(Seconds));
                Terminal.WriteLine(
                    $"[bold]{file}[/]: clip [[1, 3, {sampled.Frames}, {sampled.Height}, {sampled.Width}]] of {path}, frames at {times} s");
            }

            return 0;
        });
        return command;
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
