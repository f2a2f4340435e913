using System.Buffers;
using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using Ata.Tests.Data;
using Xunit;

namespace Ata.Tests;

public sealed class TensorTests : IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void CopyTo_GivesANewTensorOrOverwritesOne()
    {
        using AtaTensor source = AtaTensor.CopyOf<float>([1, 2, 3, 4], 2, 2);
        using AtaTensor copy = source.CopyTo("cpu");
        source.AsSpan<float>()[0] = 7;
        Assert.Equal([1f, 2, 3, 4], copy.AsReadOnlySpan<float>().ToArray());
        Assert.Equal("cpu", copy.Device);
        source.CopyTo(copy);
        Assert.Equal(7, copy.AsReadOnlySpan<float>()[0]);

        using AtaTensor there = AtaTensor.Create<float>("cpu", 2, 2);
        Assert.Equal("cpu", there.Device);
        Assert.Equal(4, there.Count);
        using AtaTensor other = AtaTensor.Create<int>(2, 2);
        Assert.Contains("one type and shape", Assert.Throws<ArgumentException>(() => source.CopyTo(other)).Message);
        using AtaTensor constant = AtaTensor.Wrap<float>((ReadOnlyMemory<float>)new float[4], 2, 2);
        Assert.Contains("read-only", Assert.Throws<ArgumentException>(() => source.CopyTo(constant)).Message);
    }

    [Fact]
    public void Create_GivesZerosOfTheShape()
    {
        using AtaTensor tensor = AtaTensor.Create<float>(2, 3);

        Assert.Equal(TensorElementType.Float32, tensor.ElementType);
        Assert.Equal([2, 3], tensor.Shape.ToArray());
        Assert.Equal(6, tensor.Count);
        Assert.Equal(24, tensor.ByteCount);
        Assert.Equal(new float[6], tensor.AsSpan<float>().ToArray());
    }

    [Fact]
    public void Create_AcceptsScalarsAndEmptyTensors()
    {
        using AtaTensor scalar = AtaTensor.CopyOf<long>([7]);
        using AtaTensor empty = AtaTensor.Create<byte>(0, 4);

        Assert.Equal(0, scalar.Rank);
        Assert.Equal([7], scalar.AsSpan<long>().ToArray());
        Assert.True(empty.AsSpan<byte>().IsEmpty);
    }

    [Fact]
    public void Wrap_LiesOverTheMemoryUntilNothingRefersToIt()
    {
        using var memory = new CountingMemory();
        string path = _folder.In("wrapped.safetensors");
        using (var file = new TensorFile())
        {
            using (AtaTensor tensor = AtaTensor.Wrap(memory.Memory, 2, 3))
            {
                memory.Memory.Span[5] = 7;
                Assert.Equal(7, tensor.AsSpan<float>()[5]);
                Assert.False(tensor.IsReadOnly);
                Assert.Equal("cpu", tensor.Device);
                file.Set("a", tensor);
            }

            Assert.Equal(1, memory.Pinned);
            file.Save(path);
        }

        Assert.Equal(0, memory.Pinned);
        Assert.ThrowsAny<ArgumentException>(() => AtaTensor.Wrap(memory.Memory, 2, 2));
        Assert.ThrowsAny<ArgumentException>(() => AtaTensor.Wrap(memory.Memory, 1, 1, 1, 1, 1, 1, 1, 2, 3));
        Assert.Equal(0, memory.Pinned);
        using AtaTensor empty = AtaTensor.Wrap(Memory<float>.Empty, 0, 3);
        Assert.Equal(0, empty.Count);
    }

    [Fact]
    public void Wrap_OfReadOnlyMemoryCannotBeWrittenTo()
    {
        ReadOnlyMemory<int> memory = new[] { 1, 2, 3 };
        using AtaTensor tensor = AtaTensor.Wrap(memory, 3);

        Assert.True(tensor.IsReadOnly);
        Assert.Equal([1, 2, 3], tensor.AsReadOnlySpan<int>().ToArray());
        Assert.Equal(3, tensor.AsReadOnlyTensorSpan<int>()[2]);
        Assert.Contains("read-only", Assert.Throws<InvalidOperationException>(() => { tensor.AsSpan<int>(); }).Message);
        Assert.Throws<InvalidOperationException>(() => { tensor.AsTensorSpan<int>(); });
    }

    [Fact]
    public void Dlpack_SharesTheMemoryBothWays()
    {
        using var memory = new CountingMemory();
        AtaTensor back;
        using (AtaTensor tensor = AtaTensor.Wrap<float>((ReadOnlyMemory<float>)memory.Memory, 3, 2))
        {
            back = AtaTensor.FromDlpack(tensor.ToDlpack());
        }

        using (back)
        {
            memory.Memory.Span[1] = 5;
            Assert.Equal([3, 2], back.Shape.ToArray());
            Assert.Equal(5, back.AsReadOnlySpan<float>()[1]);
            Assert.True(back.IsReadOnly);
            Assert.Equal(1, memory.Pinned);
        }

        Assert.Equal(0, memory.Pinned);
        Assert.Throws<ArgumentException>(() => AtaTensor.FromDlpack(0));
    }

    /// <summary>Six floats that count who has pinned them.</summary>
    private sealed unsafe class CountingMemory : MemoryManager<float>
    {
        private readonly float[] _values = GC.AllocateArray<float>(6, pinned: true);

        public int Pinned { get; private set; }

        public override Span<float> GetSpan() => _values;

        public override MemoryHandle Pin(int elementIndex = 0)
        {
            ++Pinned;
            return new MemoryHandle(Unsafe.AsPointer(ref _values[elementIndex]), pinnable: this);
        }

        public override void Unpin() => --Pinned;

        protected override void Dispose(bool disposing)
        {
        }
    }

    [Fact]
    public void TensorSpan_SeesTheSameMemory()
    {
        using AtaTensor tensor = AtaTensor.CopyOf<int>([1, 2, 3, 4, 5, 6], 2, 3);

        TensorSpan<int> span = tensor.AsTensorSpan<int>();
        span[1, 2] = 60;

        Assert.Equal(4, span[1, 0]);
        Assert.Equal(60, tensor.AsSpan<int>()[5]);
    }

    [Fact]
    public void CopyOf_TakesTensorsOfOthersEvenWithGaps()
    {
        Tensor<float> source = Tensor.Create<float>([1, 2, 3, 4, 5, 6], [2, 3]);

        using AtaTensor tensor = AtaTensor.CopyOf(source.AsReadOnlyTensorSpan().Slice(0..2, 1..2));

        Assert.Equal([2, 1], tensor.Shape.ToArray());
        Assert.Equal([2, 5], tensor.AsSpan<float>().ToArray());
    }

    [Fact]
    public void AsSpan_OfAnotherTypeIsAnError()
    {
        using AtaTensor tensor = AtaTensor.Create<float>(2);

        Assert.Contains("Float32", Assert.Throws<ArgumentException>(() => tensor.AsSpan<int>().Length).Message);
        Assert.Throws<NotSupportedException>(() => tensor.AsSpan<double>().Length);
    }

    [Fact]
    public void Create_RefusesWhatDoesNotFit()
    {
        Assert.Throws<ArgumentException>(() => AtaTensor.CopyOf<float>([1, 2, 3], 2, 2));
        Assert.Throws<ArgumentException>(() => AtaTensor.Create<float>(-1));
        Assert.Throws<ArgumentException>(() => AtaTensor.Create<float>(1, 1, 1, 1, 1, 1, 1, 1, 1));
        Assert.ThrowsAny<Exception>(() => AtaTensor.Create<float>(nint.MaxValue, 16));
    }

    [Fact]
    public void UseAfterDispose_IsAnError()
    {
        AtaTensor tensor = AtaTensor.Create<float>(2);
        tensor.Dispose();
        tensor.Dispose();

        Assert.Throws<ObjectDisposedException>(() => tensor.AsSpan<float>().Length);
        using var file = new TensorFile();
        Assert.Contains(nameof(AtaTensor), Assert.Throws<ObjectDisposedException>(() => file.Set("x", tensor)).Message);
    }

    [Fact]
    public void TensorFile_KeepsTensorsAndMetadata()
    {
        string path = _folder.In("set.safetensors");
        using (var file = new TensorFile())
        {
            using (AtaTensor weights = AtaTensor.CopyOf<float>([1.5f, -2, 3, 4], 2, 2))
            {
                file.Set("weights", weights);
            }

            // The file shares the memory of the tensor, which is disposed by now.
            file.Set<long>("labels", [3, 1], 2);
            file.SetMetadata("note", "größer");
            file.Save(path);
        }

        using TensorFile read = TensorFile.Open(path);
        Assert.Equal(["labels", "weights"], read.Names.Order());
        using AtaTensor tensor = read.Get("weights");
        Assert.Equal([2, 2], tensor.Shape.ToArray());
        Assert.Equal([1.5f, -2, 3, 4], tensor.AsSpan<float>().ToArray());
        using AtaTensor labels = read.Get("labels");
        Assert.Equal([3, 1], labels.AsSpan<long>().ToArray());
        Assert.Equal("größer", read.GetMetadata("note"));
        Assert.Null(read.GetMetadata("nothing"));
    }

    [Fact]
    public void TensorFile_TensorsOutliveTheFile()
    {
        string path = _folder.In("set.safetensors");
        using (var file = new TensorFile())
        {
            file.Set<int>("x", [1, 2, 3], 3);
            file.Save(path);
        }

        TensorFile read = TensorFile.Open(path);
        using AtaTensor tensor = read.Get("x");
        read.Dispose();

        Assert.Equal([1, 2, 3], tensor.AsSpan<int>().ToArray());
        Assert.Throws<ObjectDisposedException>(() => read.GetMetadata("x"));
    }

    [Fact]
    public void TensorFile_NamesWhatIsMissingOrMalformed()
    {
        string nothing = _folder.In("nothing.safetensors");
        FileNotFoundException missing = Assert.Throws<FileNotFoundException>(() => TensorFile.Open(nothing));
        Assert.Contains(nothing, missing.Message);
        Assert.Equal(nothing, missing.FileName);

        string text = _folder.Write("text.safetensors", "This is no safetensors file at all.");
        AtaModelException malformed = Assert.Throws<AtaModelException>(() => TensorFile.Open(text));
        Assert.Equal(AtaStatus.BadModel, malformed.Status);
        Assert.Contains(text, malformed.Message);

        using var file = new TensorFile();
        file.Set<int>("there", [1], 1);
        Assert.Contains("'there'", Assert.Throws<KeyNotFoundException>(() => file.Get("absent")).Message);
        Assert.Throws<ArgumentException>(() => file.Set<int>("zero\0inside", [1], 1));
        Assert.ThrowsAny<IOException>(() => file.Save(Path.Combine(_folder.Path, "no", "such", "folder", "x.safetensors")));
    }
}
