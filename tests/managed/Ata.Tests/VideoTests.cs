using Ata.Tests.Data;
using Xunit;

namespace Ata.Tests;

public sealed class VideoTests : IDisposable
{
    private readonly TestFolder _folder = new();
    private readonly string _path;

    public VideoTests()
    {
        _path = _folder.In("clip.mp4");
        TestVideo.Write(_path);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Info_IsThatOfTheFile()
    {
        using VideoReader video = VideoReader.Open(_path);

        Assert.Equal(TestVideo.Width, video.Info.Width);
        Assert.Equal(TestVideo.Height, video.Info.Height);
        Assert.Equal(TestVideo.FramesPerSecond, video.Info.FramesPerSecond, 0.01);
        Assert.Equal(TestVideo.Frames, video.Info.FrameCount);
        Assert.Equal(TestVideo.Frames / TestVideo.FramesPerSecond, video.Info.Duration.TotalSeconds, 0.05);
        Assert.Equal(0, video.Info.Rotation);
        Assert.Equal(8, video.Info.BitDepth);
        Assert.NotEmpty(video.Info.Codec);
    }

    [Fact]
    public void Read_GivesTheFramesThatWereWritten()
    {
        using VideoReader video = VideoReader.Open(_path);

        using VideoFrames frames = video.Read([0, 0.5, 1.0]);

        Assert.Equal(3, frames.Count);
        Assert.Equal([0, 0.5, 1.0], frames.FrameTimes.ToArray().Select(time => Math.Round(time, 3)));
        for (int i = 0; i < frames.Count; ++i)
        {
            Assert.InRange(MeanDifference(TestVideo.Picture(6 * i), frames[i]), 0, 6);
            Assert.InRange(MeanDifference(TestVideo.Picture((6 * i) + 3), frames[i]), 7, 255);
        }

        Assert.Throws<ArgumentOutOfRangeException>(() => frames[3].Length);
    }

    [Fact]
    public void Sample_GivesWhatAModelSees()
    {
        using VideoReader video = VideoReader.Open(_path);

        using VideoClip clip = video.Sample(new ClipOptions { Frames = 4, Stride = 2, Size = 48, Offset = TimeSpan.Zero });

        Assert.Equal([1, 3, 4, 48, 48], clip.Shape.ToArray());
        Assert.Equal([0, 0.167, 0.333, 0.5], clip.FrameTimes.ToArray().Select(time => Math.Round(time, 3)));
        var pixels = new byte[48 * 48 * 3];
        clip.CopyFrame(1, pixels);
        byte[] expected = CentreCrop(TestVideo.Picture(2), TestVideo.Width, 48);
        Assert.InRange(MeanDifference(expected, pixels), 0, 6);
        Assert.Throws<ArgumentOutOfRangeException>(() => clip.CopyFrame(4, pixels));
        Assert.Throws<ArgumentException>(() => clip.CopyFrame(0, pixels.AsSpan(1)));
    }

    [Fact]
    public async Task Sample_HonoursFlipCropAndNormalisation()
    {
        using VideoReader video = VideoReader.Open(_path);
        var options = new ClipOptions { Frames = 1, Size = 48, Mean = default, Std = ChannelValues.Uniform(1) };

        using VideoClip plain = await video.SampleAsync(options);
        using VideoClip flipped = video.Sample(options with { Flip = true });
        using VideoClip left = video.Sample(options with { CropCount = 3, CropIndex = 0 });
        using VideoClip whole = video.Sample(options with { Crop = new CropRectangle(0, 0, 1, 1) });

        Assert.Equal(plain.AsTensorSpan()[0, 0, 0, 10, 0], flipped.AsTensorSpan()[0, 0, 0, 10, 47]);
        Assert.InRange(plain.AsSpan().ToArray().Min(), 0, 1);
        Assert.InRange(plain.AsSpan().ToArray().Max(), 0.5f, 1);
        Assert.NotEqual(plain.AsSpan().ToArray(), left.AsSpan().ToArray());
        Assert.NotEqual(plain.AsSpan().ToArray(), whole.AsSpan().ToArray());
    }

    [Fact]
    public void ShortVideo_IsAnErrorUnlessAsked()
    {
        using VideoReader video = VideoReader.Open(_path);
        var options = new ClipOptions { Frames = 64, Stride = 1, Size = 32 };

        Assert.Contains(_path, Assert.Throws<AtaVideoException>(() => video.Sample(options)).Message);
        using VideoClip repeated = video.Sample(options with { ShortPolicy = ShortVideoPolicy.RepeatLast });
        Assert.Equal(64, repeated.Frames);
    }

    [Fact]
    public void SampleViews_GivesWhatSampleGives()
    {
        ClipOptions[] views =
        [
            .. Enumerable.Range(0, 6).Select(view => new ClipOptions
            {
                Frames = 4, Stride = 2, Size = 32, ClipCount = 2, ClipIndex = view / 3, CropCount = 3, CropIndex = view % 3,
            }),
            new ClipOptions { Frames = 6, Size = 16, Sampling = FrameSampling.Segments, Flip = true },
        ];
        using VideoReader video = VideoReader.Open(_path);
        using VideoReader other = VideoReader.Open(_path);
        int place = 0;
        foreach (VideoClip clip in video.SampleViews(views))
        {
            using (clip)
            {
                using VideoClip expected = other.Sample(views[place++]);
                Assert.Equal(expected.Shape.ToArray(), clip.Shape.ToArray());
                Assert.Equal(expected.AsSpan().ToArray(), clip.AsSpan().ToArray());
                Assert.Equal(expected.FrameTimes.ToArray(), clip.FrameTimes.ToArray());
            }
        }

        Assert.Equal(views.Length, place);
        Assert.Empty(video.SampleViews([]));
        Assert.Throws<AtaVideoException>(() => video.SampleViews([new ClipOptions { Frames = 64 }]));
        Assert.ThrowsAny<ArgumentException>(() => video.SampleViews([new ClipOptions { Frames = 0 }]));
        using IEnumerator<VideoClip> rest = video.SampleViews(views).GetEnumerator();
        Assert.True(rest.MoveNext());
        rest.Current.Dispose();
        video.Dispose();
        Assert.Throws<ObjectDisposedException>(() => rest.MoveNext());
    }

    [Fact]
    public void Open_NamesWhatIsWrong()
    {
        string nothing = _folder.In("nothing.mp4");
        Assert.Contains(nothing, Assert.Throws<FileNotFoundException>(() => VideoReader.Open(nothing)).Message);
        string text = _folder.Write("text.mp4", "This is not a video.");
        Assert.Contains(text, Assert.Throws<AtaVideoException>(() => VideoReader.Open(text)).Message);
        Assert.ThrowsAny<Exception>(() => VideoReader.Open(Directory.CreateDirectory(_folder.In("empty")).FullName));
        Assert.Throws<ArgumentException>(() => VideoReader.Open(""));
        Assert.Throws<ArgumentException>(() => VideoReader.Open("zero\0inside.mp4"));
    }

    [Fact]
    public void Sample_RefusesOptionsThatMakeNoSense()
    {
        using VideoReader video = VideoReader.Open(_path);

        foreach (ClipOptions options in (ClipOptions[])
            [
                new() { Frames = 0 }, new() { Size = 0 }, new() { Stride = 0 }, new() { Resize = 0 },
                new() { FramesPerSecond = 0 }, new() { CropCount = 2 }, new() { ClipIndex = 1 }, new() { Std = default },
                new() { Offset = TimeSpan.FromSeconds(-1) }, new() { Crop = default(CropRectangle) },
            ])
        {
            Assert.ThrowsAny<ArgumentException>(() => video.Sample(options));
        }

        Assert.Throws<ArgumentException>(() => video.Read([]));
        Assert.Throws<ArgumentException>(() => video.Read([1, 0]));
        Assert.Throws<ArgumentException>(() => video.Read([double.NaN]));
    }

    [Fact]
    public void FolderOfPictures_IsAVideo()
    {
        string folder = Directory.CreateDirectory(_folder.In("frames")).FullName;
        for (int frame = 0; frame < 5; ++frame)
        {
            ImageFile.Write(
                Path.Combine(folder, $"img_{frame + 1:00000}.png"), TestVideo.Picture(frame), TestVideo.Width, TestVideo.Height);
        }

        using VideoReader video = VideoReader.Open(folder, new VideoOptions { FolderFramesPerSecond = 5 });
        using VideoFrames frames = video.Read([0.4]);

        Assert.Equal(5, video.Info.FrameCount);
        Assert.Equal(TestVideo.Picture(2), frames[0].ToArray());
    }

    [Fact]
    public void Writer_LeavesNothingUnlessFinished()
    {
        string path = _folder.In("unfinished.mp4");
        using (VideoWriter writer = VideoWriter.Create(path, TestVideo.Width, TestVideo.Height, 10))
        {
            writer.Add(TestVideo.Picture(0));
            Assert.Throws<ArgumentException>(() => writer.Add(new byte[5]));
        }

        Assert.Equal([_path], Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public void Writer_RefusesFramesAfterTheEnd()
    {
        using VideoWriter writer = VideoWriter.Create(_folder.In("done.mp4"), TestVideo.Width, TestVideo.Height, 10);
        writer.Add(TestVideo.Picture(0));
        writer.Finish();

        Assert.ThrowsAny<Exception>(() => writer.Add(TestVideo.Picture(1)));
        Assert.ThrowsAny<Exception>(() => VideoWriter.Create(_folder.In("odd.mp4"), 63, 48, 10));
        Assert.ThrowsAny<Exception>(() => VideoWriter.Create(_folder.In("what.xyz"), 64, 48, 10));
        writer.Dispose();
        Assert.Throws<ObjectDisposedException>(writer.Finish);
    }

    [Fact]
    public void ClipOutlivesItsVideo()
    {
        VideoReader video = VideoReader.Open(_path);
        VideoClip clip = video.Sample(new ClipOptions { Frames = 2, Size = 32 });
        video.Dispose();

        Assert.Contains(nameof(VideoReader), Assert.Throws<ObjectDisposedException>(() => video.Sample()).Message);
        Assert.Contains(clip.AsSpan().ToArray(), value => value != 0);
        clip.Dispose();
        Assert.Throws<ObjectDisposedException>(() => clip.AsSpan().Length);
        Assert.Throws<ObjectDisposedException>(() => clip.FrameTimes.Length);
    }

    [Fact]
    public void Cancellation_StopsDecoding()
    {
        using VideoReader video = VideoReader.Open(_path);
        using var source = new CancellationTokenSource();
        source.Cancel();

        Assert.Throws<OperationCanceledException>(() => video.Sample(new ClipOptions { Size = 32 }, source.Token));
        Assert.Throws<OperationCanceledException>(() => video.Read([0], source.Token));
    }

    private static double MeanDifference(ReadOnlySpan<byte> expected, ReadOnlySpan<byte> actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        double sum = 0;
        for (int i = 0; i < expected.Length; ++i)
        {
            sum += Math.Abs(expected[i] - actual[i]);
        }

        return sum / expected.Length;
    }

    private static byte[] CentreCrop(byte[] pixels, int width, int size)
    {
        int left = (width - size) / 2;
        return [.. Enumerable.Range(0, size).SelectMany(y => pixels.AsSpan(3 * ((y * width) + left), 3 * size).ToArray())];
    }
}
