using Ata.Cli.Drawing;

namespace Ata.Cli.Explorer;

/// <summary>The frames of a clip as pictures inside a page.</summary>
internal static class FrameUris
{
    /// <summary>Encodes every frame as a JPEG.</summary>
    /// <returns>A data URI for each frame.</returns>
    public static string[] Of(VideoClip clip, CancellationToken cancellationToken)
    {
        // The codecs write to files.
        DirectoryInfo folder = Directory.CreateTempSubdirectory("ata-align-");
        try
        {
            string path = Path.Combine(folder.FullName, "frame.jpg");
            var picture = new Picture(clip.Width, clip.Height);
            var uris = new string[clip.Frames];
            for (int frame = 0; frame < clip.Frames; ++frame)
            {
                cancellationToken.ThrowIfCancellationRequested();
                clip.CopyFrame(frame, picture.Pixels);
                ImageFile.Write(path, picture.Pixels, picture.Width, picture.Height);
                uris[frame] = $"data:image/jpeg;base64,{Convert.ToBase64String(File.ReadAllBytes(path))}";
            }

            return uris;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
