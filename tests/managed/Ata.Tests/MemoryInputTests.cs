using System.Buffers;
using Ata.Tests.Data;
using Xunit;

namespace Ata.Tests;

/// <summary>Videos and models in memory or in streams: what files of the same bytes are.</summary>
public sealed class MemoryInputTests : IDisposable
{
    private static readonly ClipOptions Clip = new() { Frames = 4, Stride = 2, Size = 32 };

    private readonly TestFolder _folder = new();
    private readonly string _path;
    private readonly byte[] _content;

    public MemoryInputTests()
    {
        _path = _folder.In("clip.mp4");
        TestVideo.Write(_path);
        _content = File.ReadAllBytes(_path);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Open_GivesTheBitsOfTheFile()
    {
        using VideoReader file = VideoReader.Open(_path);
        using VideoClip expected = file.Sample(Clip);

        void IsTheSame(VideoReader video)
        {
            using (video)
            {
                Assert.Equal(file.Info, video.Info);
                using VideoClip clip = video.Sample(Clip);
                Assert.Equal(expected.AsSpan(), clip.AsSpan());
                Assert.Equal(expected.FrameTimes, clip.FrameTimes);
            }
        }

        IsTheSame(VideoReader.Open(_content));
        IsTheSame(VideoReader.Open(_content.AsMemory(), new VideoOptions { KeepBytes = 1 << 30 }));
        IsTheSame(VideoReader.Open(new MemoryStream(_content)));
        IsTheSame(VideoReader.Open(new ForwardStream(_content)));
        IsTheSame(await VideoReader.OpenAsync(new ForwardStream(_content)));
        using FileStream stream = File.OpenRead(_path);
        IsTheSame(VideoReader.Open(stream));
        Assert.True(stream.CanRead);

        // From its position on.
        using var later = new MemoryStream([1, 2, 3, .. _content]);
        later.Position = 3;
        IsTheSame(VideoReader.Open(later));
    }

    [Fact]
    public void Open_NamesTheVideo()
    {
        byte[] garbage = new byte[3000];

        Assert.Contains("'<memory>'", Assert.Throws<AtaVideoException>(() => VideoReader.Open(garbage)).Message);
        Assert.Contains("'<memory>' is empty", Assert.Throws<AtaVideoException>(() => VideoReader.Open(Array.Empty<byte>())).Message);
        Assert.Contains("'upload 7'", Assert.Throws<AtaVideoException>(() => VideoReader.Open(garbage, name: "upload 7")).Message);
        string path = _folder.In("garbage.mp4");
        File.WriteAllBytes(path, garbage);
        using FileStream stream = File.OpenRead(path);
        Assert.Contains($"'{path}'", Assert.Throws<AtaVideoException>(() => VideoReader.Open(stream)).Message);
        using VideoReader video = VideoReader.Open(_content);
        Assert.Equal("<memory>", video.Path);
    }

    [Fact]
    public async Task Streams_HaveALimit()
    {
        var tooSmall = new VideoOptions { MaxStreamBytes = _content.Length - 1 };
        var enough = new VideoOptions { MaxStreamBytes = _content.Length };
        Func<Stream>[] streams = [() => new MemoryStream(_content), () => new ForwardStream(_content)];
        foreach (Func<Stream> stream in streams)
        {
            string message = Assert.Throws<IOException>(() => VideoReader.Open(stream(), tooSmall)).Message;
            Assert.Contains($"more than {_content.Length - 1} bytes", message);
            Assert.Contains(nameof(VideoOptions.MaxStreamBytes), message);
            await Assert.ThrowsAsync<IOException>(() => VideoReader.OpenAsync(stream(), tooSmall));
            VideoReader.Open(stream(), enough).Dispose();
        }

        Assert.Throws<ArgumentOutOfRangeException>(() => VideoReader.Open(streams[0](), new VideoOptions { MaxStreamBytes = 0 }));
        Assert.Throws<ArgumentOutOfRangeException>(
            () => VideoReader.Open(streams[0](), new VideoOptions { MaxStreamBytes = long.MaxValue }));
        Assert.Throws<ArgumentNullException>(() => VideoReader.Open((Stream)null!));
        using FileStream writeOnly = File.OpenWrite(_folder.In("new"));
        Assert.Contains("cannot be read", Assert.Throws<ArgumentException>(() => VideoReader.Open(writeOnly)).Message);
    }

    [Fact]
    public void Memory_IsPinnedUntilItsReaderIsDisposed()
    {
        using var memory = new CountedMemory(_content);
        VideoReader video = VideoReader.Open(memory.Memory);
        Assert.Equal(1, memory.Pins);
        IEnumerator<VideoClip> clips = video.SampleViews([Clip]).GetEnumerator();
        Assert.True(clips.MoveNext());
        video.Dispose();
        Assert.Equal(1, memory.Pins);
        clips.Current.Dispose();
        clips.Dispose();
        Assert.Equal(0, memory.Pins);

        // What fails lets it go.
        Assert.Throws<AtaVideoException>(() => VideoReader.Open(memory.Memory[..20]));
        Assert.ThrowsAny<ArgumentException>(() => VideoReader.Open(memory.Memory, new VideoOptions { KeepBytes = -1 }));
        Assert.Equal(0, memory.Pins);
    }

    [Fact]
    public async Task Predict_IsThatOfTheFile()
    {
        using var classifier = new VideoClassifier(TinyModel.Create());
        var options = new PredictOptions { Sampling = new ClipOptions { Stride = 2 } };
        float[] expected = classifier.Predict(_path, options).Probabilities.ToArray();

        Assert.Equal(expected, classifier.Predict(_content, options).Probabilities.ToArray());
        Assert.Equal(expected, classifier.Predict(new ForwardStream(_content), options).Probabilities.ToArray());
        Assert.Equal(expected, (await classifier.PredictAsync(_content, options)).Probabilities.ToArray());
        Assert.Equal(expected, (await classifier.PredictAsync(new ForwardStream(_content), options)).Probabilities.ToArray());

        PredictOptions limited = options with { Video = new VideoOptions { MaxStreamBytes = 100 } };
        await Assert.ThrowsAsync<IOException>(() => classifier.PredictAsync(new ForwardStream(_content), limited));
        using var cancelled = new CancellationTokenSource();
        using var endless = new ForwardStream(_content) { AtEnd = cancelled.Cancel };
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => classifier.PredictAsync(endless, options, cancelled.Token));
    }

    [Fact]
    public async Task Models_LoadFromMemory()
    {
        string path = _folder.In("model.safetensors");
        using (Model model = TinyModel.Create())
        {
            model.Save(path);
        }

        byte[] content = File.ReadAllBytes(path);
        using var ofFile = new VideoClassifier(Model.Load(path));
        var options = new PredictOptions { Sampling = new ClipOptions { Stride = 2 } };
        float[] expected = ofFile.Predict(_path, options).Probabilities.ToArray();
        Model[] models =
        [
            Model.Load(content),
            Model.Load(new ForwardStream(content)),
            await Model.LoadAsync(new ForwardStream(content)),
        ];
        foreach (Model model in models)
        {
            using var classifier = new VideoClassifier(model);
            Assert.Equal(expected, classifier.Predict(_path, options).Probabilities.ToArray());
        }

        Assert.Contains("'<memory>'", Assert.Throws<AtaModelException>(() => Model.Load(content.AsMemory()[..^1])).Message);
        Assert.Contains("'weights'", Assert.Throws<AtaModelException>(() => Model.Load(new byte[100], name: "weights")).Message);
        Assert.Throws<IOException>(() => Model.Load(new ForwardStream(content), new ModelOptions { MaxStreamBytes = 100 }));
    }

    [Fact]
    public void ReleaseCaches_ChangesNoResult()
    {
        using var classifier = new VideoClassifier(TinyModel.Create());
        var options = new PredictOptions { Sampling = new ClipOptions { Stride = 2 } };
        float[] before = classifier.Predict(_path, options).Probabilities.ToArray();

        AtaRuntime.ReleaseCaches();

        Assert.Equal(before, classifier.Predict(_path, options).Probabilities.ToArray());
    }

    /// <summary>A stream that can only be read on, in small pieces, as one from a network.</summary>
    private sealed class ForwardStream(byte[] content) : Stream
    {
        private int _position;

        /// <summary>What happens at the end, which then never comes.</summary>
        public Action? AtEnd { get; init; }

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override int Read(byte[] buffer, int offset, int count)
        {
            int length = Math.Min(Math.Min(count, 1000), content.Length - _position);
            Array.Copy(content, _position, buffer, offset, length);
            _position += length;
            return length;
        }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            await Task.Yield();
            cancellationToken.ThrowIfCancellationRequested();
            byte[] piece = new byte[Math.Min(buffer.Length, 1000)];
            int length = Read(piece, 0, piece.Length);
            if (length == 0 && AtEnd is not null)
            {
                AtEnd();
                await Task.Delay(Timeout.Infinite, cancellationToken);
            }

            piece.AsMemory(0, length).CopyTo(buffer);
            return length;
        }

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }

    /// <summary>Memory that counts how often it is pinned.</summary>
    private sealed class CountedMemory(byte[] content) : MemoryManager<byte>
    {
        private readonly Memory<byte> _memory = content;

        public int Pins { get; private set; }

        public override Span<byte> GetSpan() => _memory.Span;

        public override unsafe MemoryHandle Pin(int elementIndex = 0)
        {
            ++Pins;
            MemoryHandle handle = _memory[elementIndex..].Pin();
            void* pointer = handle.Pointer;
            return new MemoryHandle(pointer, default, new Unpinner(this, handle));
        }

        public override void Unpin()
        {
        }

        protected override void Dispose(bool disposing)
        {
        }

        private sealed class Unpinner(CountedMemory owner, MemoryHandle handle) : IPinnable
        {
            public MemoryHandle Pin(int elementIndex) => throw new NotSupportedException();

            public void Unpin()
            {
                --owner.Pins;
                handle.Dispose();
            }
        }
    }
}
