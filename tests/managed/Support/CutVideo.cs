namespace Ata.Tests.Support;

/// <summary>A video whose file ends in the middle: what is missing is said when it is opened.</summary>
internal static class CutVideo
{
    /// <summary>Writes the first half of a video of 60 frames.</summary>
    public static void Write(string path)
    {
        using (VideoWriter writer = VideoWriter.Create(path, 64, 48, 10))
        {
            var pixels = new byte[64 * 48 * 3];
            for (int frame = 0; frame < 60; ++frame)
            {
                new Random(frame).NextBytes(pixels);
                writer.Add(pixels);
            }

            writer.Finish();
        }

        byte[] bytes = File.ReadAllBytes(path);
        File.WriteAllBytes(path, bytes[..(bytes.Length / 2)]);
    }
}
