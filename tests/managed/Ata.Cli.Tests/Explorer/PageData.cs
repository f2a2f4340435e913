using System.Buffers.Binary;
using System.Text.Json;

namespace Ata.Cli.Tests.Explorer;

/// <summary>The data that a page of <c>ata align --html</c> carries, decoded.</summary>
internal sealed class PageData
{
    private const string Start = "<script type=\"application/json\" id=\"data\">";

    private readonly JsonElement _data;

    public PageData(string html)
    {
        int begin = html.IndexOf(Start, StringComparison.Ordinal) + Start.Length;
        using JsonDocument document = JsonDocument.Parse(html[begin..html.IndexOf("</script>", begin, StringComparison.Ordinal)]);
        _data = document.RootElement.Clone();
    }

    public int Rows => _data.GetProperty("rows").GetInt32();

    public int Columns => _data.GetProperty("columns").GetInt32();

    public string[] Methods => [.. _data.GetProperty("methods").EnumerateArray().Select(m => m.GetProperty("name").GetString()!)];

    public string Selected => Methods[_data.GetProperty("selected").GetInt32()];

    /// <summary>The encoded pictures.</summary>
    public byte[][] Frames => [.. _data.GetProperty("frames").EnumerateArray().Select(f => Base64(f.GetString()!.Split("data:image/jpeg;base64,")[1]))];

    /// <summary>The patch of each trajectory, of each frame.</summary>
    public int[][] Positions(string method) =>
        [.. Numbers(method, "positions").Select(bits => (int)bits).Chunk(Rows * Columns)];

    /// <summary>The similarity of each trajectory, of each pair of frames.</summary>
    public double[][] Similarities(string method) =>
        [.. Numbers(method, "similarities").Select(bits => (short)bits / 32767.0).Chunk(Rows * Columns)];

    private static byte[] Base64(string text) => Convert.FromBase64String(text);

    private IEnumerable<ushort> Numbers(string method, string name) =>
        Base64(_data.GetProperty("methods")[Array.IndexOf(Methods, method)].GetProperty(name).GetString()!)
            .Chunk(sizeof(ushort)).Select(bytes => BinaryPrimitives.ReadUInt16LittleEndian(bytes));
}
