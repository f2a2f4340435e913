namespace Ata.Data;

/// <summary>Which files are taken for videos by their names, where a folder or a list does not say: what FFmpeg's libraries
/// open under these endings, and pictures.</summary>
internal static class VideoFiles
{
    private static readonly HashSet<string> s_videos = new(StringComparer.OrdinalIgnoreCase)
    {
        ".264", ".265", ".3g2", ".3gp", ".amv", ".asf", ".avi", ".avs2", ".cavs", ".divx", ".drc", ".dv", ".f4v", ".flv", ".gif", ".gxf",
        ".h261", ".h263", ".h264", ".h265", ".hevc", ".ivf", ".m1v", ".m2t", ".m2ts", ".m2v", ".m4v", ".mj2", ".mjpeg", ".mjpg", ".mk3d",
        ".mkv", ".mod", ".mov", ".mp4", ".mpe", ".mpeg", ".mpg", ".mpv", ".mts", ".mxf", ".nut", ".obu", ".ogg", ".ogm", ".ogv", ".ps",
        ".qt", ".rm", ".rmvb", ".tod", ".trp", ".ts", ".vc1", ".vob", ".webm", ".wmv", ".wtv", ".xvid", ".y4m",
    };

    private static readonly HashSet<string> s_pictures = new(StringComparer.OrdinalIgnoreCase) { ".jpg", ".jpeg", ".png" };

    /// <summary>Whether a name is that of a video or of a picture, which is a video of one frame.</summary>
    internal static bool IsVideo(string file) => s_videos.Contains(Path.GetExtension(file)) || IsPicture(file);

    /// <summary>Whether a name is that of a picture; a folder of numbered ones is a video.</summary>
    internal static bool IsPicture(string file) => s_pictures.Contains(Path.GetExtension(file));
}
