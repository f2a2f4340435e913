using System.Globalization;
using Ata.Tests.Data;
using Xunit;

namespace Ata.Tests;

/// <summary>Frames in memory: the clips that a video of the same pixels gives.</summary>
public sealed class FrameTests : IDisposable
{
    private const int Count = 9;
    private const int Width = TestVideo.Width;
    private const int Height = TestVideo.Height;

    private static readonly ClipOptions Clip = new() { Frames = 4, Stride = 2, Size = 32 };
    private static readonly FrameLayout Rgb = new(PixelFormat.Rgb, Width, Height);

    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void PackedFrames_AreAsAFolderOfImages()
    {
        for (int frame = 0; frame < Count; ++frame)
        {
            string path = _folder.In(string.Create(CultureInfo.InvariantCulture, $"f{frame}.png"));
            ImageFile.Write(path, TestVideo.Picture(frame), Width, Height);
        }

        using VideoReader video = VideoReader.Open(_folder.Path);
        using VideoClip expected = video.Sample(Clip);

        void IsTheSame(VideoClip clip)
        {
            using (clip)
            {
                Assert.Equal(expected.AsSpan(), clip.AsSpan());
                Assert.Equal(expected.FrameTimes, clip.FrameTimes);
            }
        }

        byte[][] pictures = [.. Enumerable.Range(0, Count).Select(frame => TestVideo.Picture(frame))];
        IsTheSame(VideoClip.FromFrames(Buffers(pictures), Rgb, Clip));
        IsTheSame(VideoClip.FromPlanes(Buffers(pictures), Rgb, Clip));
        IsTheSame(VideoClip.FromFrames(pictures.SelectMany(picture => picture).ToArray(), Rgb, Clip));
        byte[][] bgra = Array.ConvertAll(pictures, picture => Reordered(picture, 4, 2, 1, 0));
        IsTheSame(VideoClip.FromFrames(Buffers(bgra), Rgb with { Format = PixelFormat.Bgra }, Clip));
        byte[][] rgba = Array.ConvertAll(pictures, picture => Reordered(picture, 4, 0, 1, 2));
        IsTheSame(VideoClip.FromFrames(Buffers(rgba), Rgb with { Format = PixelFormat.Rgba }, Clip));
        byte[][] bgr = Array.ConvertAll(pictures, picture => Reordered(picture, 3, 2, 1, 0));
        IsTheSame(VideoClip.FromFrames(Buffers(bgr), Rgb with { Format = PixelFormat.Bgr }, Clip));

        // Rows with gaps, of rented buffers that are longer than needed.
        FrameLayout wide = Rgb with { Stride = (3 * Width) + 20 };
        Assert.Equal(Height * ((3 * Width) + 20), wide.FrameBytes);
        byte[][] padded = Array.ConvertAll(pictures, picture => Padded(picture, 3 * Width, 20));
        IsTheSame(VideoClip.FromFrames(Buffers(padded), wide, Clip));
        IsTheSame(VideoClip.FromFrames(Buffers(Array.ConvertAll(padded, frame => frame[..^20])), wide, Clip));
        IsTheSame(VideoClip.FromFrames(Buffers(Array.ConvertAll(padded, frame => (byte[])[.. frame, 1, 2])), wide, Clip));
    }

    [Fact]
    public void LumaAndChroma_GiveTheColoursThatTheyStandFor()
    {
        // Red in BT.709, limited: another matrix, range or order of Cb and Cr would show.
        const byte Luma = 63;
        const byte Cb = 102;
        const byte Cr = 240;
        var i420 = new FrameLayout(PixelFormat.I420, 33, 21) { Matrix = ColorMatrix.Bt709, Range = ColorRange.Limited };
        FrameLayout nv12 = i420 with { Format = PixelFormat.Nv12 };
        const int Chroma = 17 * 11;
        byte[] y = Filled(33 * 21, Luma);
        byte[] cb = Filled(Chroma, Cb);
        byte[] cr = Filled(Chroma, Cr);
        byte[] both = new byte[2 * Chroma];
        for (int i = 0; i < Chroma; ++i)
        {
            both[2 * i] = Cb;
            both[(2 * i) + 1] = Cr;
        }

        ClipOptions one = Clip with { Frames = 1, Stride = 1, Size = 16, Mean = ChannelValues.Uniform(0), Std = ChannelValues.Uniform(1) };
        using VideoClip ofPlanes = VideoClip.FromPlanes([y, cb, cr], i420, one);
        using VideoClip ofFrame = VideoClip.FromFrames([(byte[])[.. y, .. cb, .. cr]], i420, one);
        using VideoClip interleaved = VideoClip.FromPlanes([y, both], nv12, one);
        using VideoClip strided = VideoClip.FromFrames(
            [(byte[])[.. Padded(y, 33, 7), .. Padded(cb, 17, 3), .. Padded(cr, 17, 3)]], i420 with { Stride = 40 }, one);

        Assert.Equal(ofPlanes.AsSpan(), ofFrame.AsSpan());
        Assert.Equal(ofPlanes.AsSpan(), strided.AsSpan());
        Assert.Equal(33 * 21 + (2 * Chroma), i420.FrameBytes);
        foreach (VideoClip clip in new[] { ofPlanes, interleaved })
        {
            Assert.InRange(clip.AsSpan()[0], 0.97f, 1f);
            Assert.InRange(clip.AsSpan()[16 * 16], 0f, 0.03f);
            Assert.InRange(clip.AsSpan()[2 * 16 * 16], 0f, 0.03f);
        }
    }

    [Fact]
    public void Errors_SayWhatIsWrong()
    {
        byte[] picture = TestVideo.Picture(0);
        ReadOnlyMemory<byte>[] frames = [.. Enumerable.Repeat((ReadOnlyMemory<byte>)picture, Count)];

        Assert.Contains(
            "frames[1] has 5 bytes; the layout needs 9216",
            Assert.Throws<ArgumentException>(() => VideoClip.FromFrames([picture, new byte[5]], Rgb, Clip)).Message);
        Assert.Contains(
            "no frames", Assert.Throws<ArgumentException>(() => VideoClip.FromFrames(Array.Empty<ReadOnlyMemory<byte>>(), Rgb)).Message);
        Assert.Contains("no frames", Assert.Throws<ArgumentException>(() => VideoClip.FromFrames(default(ReadOnlySpan<byte>), Rgb)).Message);
        Assert.Contains(
            "no whole number of frames", Assert.Throws<ArgumentException>(() => VideoClip.FromFrames(new byte[9217], Rgb)).Message);
        FrameLayout nv12 = Rgb with { Format = PixelFormat.Nv12 };
        Assert.Contains(
            "no whole number of frames",
            Assert.Throws<ArgumentException>(() => VideoClip.FromPlanes([picture, picture, picture], nv12)).Message);
        Assert.Throws<AtaVideoException>(() => VideoClip.FromFrames(frames, Rgb, Clip with { Frames = 40 }));
        FrameLayout[] wrong =
        [
            Rgb with { Width = 0 },
            Rgb with { Height = int.MaxValue },
            Rgb with { Format = (PixelFormat)9 },
            Rgb with { Stride = (3 * Width) - 1 },
            Rgb with { ChromaStride = 100 },
            nv12 with { ChromaStride = 1 },
        ];
        foreach (FrameLayout layout in wrong)
        {
            Assert.Throws<ArgumentOutOfRangeException>(() => VideoClip.FromFrames(frames, layout, Clip));
            Assert.Throws<ArgumentOutOfRangeException>(() => layout.FrameBytes);
        }

        Assert.Contains(
            "fps", Assert.Throws<ArgumentException>(() => VideoClip.FromFrames(frames, Rgb with { FramesPerSecond = double.NaN }, Clip)).Message);
        Assert.Contains(
            "RGB already",
            Assert.Throws<ArgumentException>(() => VideoClip.FromFrames(frames, Rgb with { Matrix = ColorMatrix.Bt709 }, Clip)).Message);
        Assert.Throws<ArgumentException>(() => VideoClip.FromFrames(frames, nv12 with { Range = (ColorRange)7 }, Clip));
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.Throws<OperationCanceledException>(() => VideoClip.FromFrames(frames, Rgb, Clip, cancelled.Token));
    }

    [Fact]
    public void AModel_SeesAsManyFramesInTheirOrder()
    {
        using var classifier = new VideoClassifier(TinyModel.Create());
        ClipOptions options = ClipOptions.For(classifier.Model.Config) with { Stride = 1 };
        byte[][] pictures = [.. Enumerable.Range(0, options.Frames).Select(frame => TestVideo.Picture(frame))];

        using VideoClip clip = VideoClip.FromFrames(Buffers(pictures), Rgb, options);

        Assert.Equal(options.Frames, clip.Frames);
        Assert.Equal(0, clip.FrameTimes[0]);
        Assert.Equal((options.Frames - 1) / 25.0, clip.FrameTimes[^1], 1e-9);
        Assert.NotEmpty(classifier.Predict(clip));
    }

    private static ReadOnlyMemory<byte>[] Buffers(byte[][] frames) =>
        Array.ConvertAll(frames, frame => (ReadOnlyMemory<byte>)frame);

    private static byte[] Filled(int length, byte value)
    {
        var bytes = new byte[length];
        Array.Fill(bytes, value);
        return bytes;
    }

    private static byte[] Padded(byte[] rows, int rowBytes, int gap) =>
        [.. rows.Chunk(rowBytes).SelectMany(row => row.Concat(Filled(gap, 99)))];

    private static byte[] Reordered(byte[] rgb, int bytes, int red, int green, int blue)
    {
        var result = new byte[rgb.Length / 3 * bytes];
        for (int pixel = 0; pixel < rgb.Length / 3; ++pixel)
        {
            result[(bytes * pixel) + red] = rgb[3 * pixel];
            result[(bytes * pixel) + green] = rgb[(3 * pixel) + 1];
            result[(bytes * pixel) + blue] = rgb[(3 * pixel) + 2];
        }

        return result;
    }
}
