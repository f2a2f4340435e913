using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Ata.Cli.Drawing;
using Ata.Interop;
using Ata.Training;

namespace Ata.Cli.Explorer;

/// <summary>
/// Writes an alignment as one HTML page that needs nothing else: frames, trajectories of several methods to choose from,
/// their similarities, and the mutual information of neighbouring frames before and after.
/// </summary>
internal sealed class ExplorerPage
{
    // Offered whichever was chosen.
    private static readonly AlignmentMethod[] s_methods = [AlignmentMethod.Exact, AlignmentMethod.Nearest, AlignmentMethod.None];

    private readonly string _name;
    private readonly string _kind;
    private readonly VideoClip _clip;
    private readonly AtaTensor _features;
    private readonly AtaTensor _looks;
    private readonly int _grid;

    /// <summary>Describes the page.</summary>
    /// <param name="name">Name of the clip.</param>
    /// <param name="kind">What the features are.</param>
    /// <param name="clip">The clip, of at least two frames.</param>
    /// <param name="features">What is aligned, <c>[1, T, N, D]</c>.</param>
    /// <param name="looks">The part of it whose mutual information is estimated, <c>[1, T, N, E]</c>.</param>
    /// <param name="grid">Patches of a frame along each axis.</param>
    public ExplorerPage(string name, string kind, VideoClip clip, AtaTensor features, AtaTensor looks, int grid)
    {
        if (clip.Frames < 2)
        {
            throw new UsageException($"--html compares neighbouring frames, and the clip has {clip.Frames}; use --frames 2 or more.");
        }

        _name = name;
        _kind = kind;
        _clip = clip;
        _features = features;
        _looks = looks;
        _grid = grid;
    }

    /// <summary>Computes and writes the page.</summary>
    /// <param name="path">The file.</param>
    /// <param name="chosen">The alignment that is shown first.</param>
    /// <param name="trajectories">Its trajectories.</param>
    /// <param name="cancellationToken">Stops before the next alignment or frame.</param>
    public void Write(string path, AlignmentOptions chosen, Trajectories trajectories, CancellationToken cancellationToken)
    {
        AlignmentMethod[] methods = [.. s_methods.Union([chosen.Method])];
        var shown = new List<ExplorerMethod>();
        var information = new InformationChart();
        foreach (AlignmentMethod method in methods)
        {
            cancellationToken.ThrowIfCancellationRequested();
            using Trajectories? others = method == chosen.Method ? null : FrameAligner.Align(_features, chosen with { Method = method });
            shown.Add(Describe(method, others ?? trajectories));
            information.Add(method, _looks, others ?? trajectories);
        }

        var data = new ExplorerData(
            _grid,
            _grid,
            _clip.FrameTimes.ToArray(),
            Array.IndexOf(methods, chosen.Method),
            shown,
            Convert.ToBase64String(Colors()),
            FrameUris.Of(_clip, cancellationToken));
        NativeFile.Write(path, Encoding.UTF8.GetBytes(Fill(data, information)));
    }

    private static ExplorerMethod Describe(AlignmentMethod method, Trajectories trajectories)
    {
        PairStatistics statistics = PairStatistics.Of(trajectories);
        return new ExplorerMethod(
            Names.Alignment.Of(method),
            Base64(trajectories.Positions, position => checked((ushort)position)),
            Base64(trajectories.Similarities, similarity => (ushort)(short)MathF.Round(Math.Clamp(similarity, -1, 1) * short.MaxValue)),
            statistics.MeanSimilarity,
            statistics.MovedShare);
    }

    private static string Base64<T>(ReadOnlySpan<T> values, Func<T, ushort> bits)
    {
        var bytes = new byte[sizeof(ushort) * values.Length];
        for (int i = 0; i < values.Length; ++i)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(sizeof(ushort) * i), bits(values[i]));
        }

        return Convert.ToBase64String(bytes);
    }

    private byte[] Colors()
    {
        var colors = new byte[3 * _grid * _grid];
        for (int n = 0; n < _grid * _grid; ++n)
        {
            (float red, float green, float blue) = PositionColors.Of(n, _grid, _grid);
            (colors[3 * n], colors[(3 * n) + 1], colors[(3 * n) + 2]) = ((byte)red, (byte)green, (byte)blue);
        }

        return colors;
    }

    private string Fill(ExplorerData data, InformationChart information)
    {
        string style = $"{PageStyle.Text}\n{Asset("css")}";
        string script = Asset("js");
        string about = string.Create(
            CultureInfo.InvariantCulture,
            $"{data.Frames.Count} frames of {data.Rows} × {data.Columns} patches, {data.Times[0]:0.00} s to {data.Times[^1]:0.00} s; alignment of {_kind}");

        // In one pass: what is put in is not searched for places in turn.
        var html = new StringBuilder();
        string[] parts = Asset("html").Split("{{");
        html.Append(parts[0]);
        foreach (string part in parts.Skip(1))
        {
            int end = part.IndexOf("}}", StringComparison.Ordinal);
            html.Append(part[..end] switch
            {
                "title" => WebUtility.HtmlEncode(_name),
                "about" => WebUtility.HtmlEncode(about),
                "style" => style,
                "style-hash" => Hash(style),
                "script" => script,
                "script-hash" => Hash(script),
                "similarity" => SimilarityChart(data),
                "information" => information.Html(),
                "data" => JsonSerializer.Serialize(data, ExplorerJson.Default.ExplorerData),
                string place => throw new InvalidOperationException($"explorer.html has no place '{place}'."),
            });
            html.Append(part.AsSpan(end + 2));
        }

        return html.ToString();
    }

    // Frames are counted from 1, as people do; a pair has the number of its first frame.
    private static string SimilarityChart(ExplorerData data)
    {
        double least = data.Methods.Min(method => method.MeanSimilarity.Min());
        double low = Math.Floor(20 * Math.Min(0.9, 1 - (1.5 * (1 - least)))) / 20;
        return SvgChart.Draw(
            "Mean similarity of each pair of frames",
            data.Methods.Select(method => new SvgChart.Line(
                method.Name, method.MeanSimilarity.Select((value, pair) => (pair + 1.0, value)).ToArray())),
            low,
            1,
            "frame");
    }

    // The browser runs and applies only what has these hashes, and so nothing that a name might smuggle in.
    private static string Hash(string text) => $"sha256-{Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(text)))}";

    private static string Asset(string extension)
    {
        using Stream stream = typeof(ExplorerPage).Assembly.GetManifestResourceStream($"explorer.{extension}")!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
