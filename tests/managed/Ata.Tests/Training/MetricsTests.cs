using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Ata.Tests.Data;
using Ata.Training;
using Xunit;

namespace Ata.Tests.Training;

public sealed class MetricsTests : IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void AccuraciesAreCounted()
    {
        var metrics = new ClassificationMetrics(7);
        metrics.Add([9, 8, 7, 6, 5, 4, 3], 0, 1);
        metrics.Add([9, 8, 7, 6, 5, 4, 3], 4, 2);
        metrics.Add([9, 8, 7, 6, 5, 4, 3], 6, 3);
        metrics.Add([0, 8, 7, 6, 5, 4, 3], 0, 4);

        Assert.Equal(0.25, metrics.Top1);
        Assert.Equal(0.5, metrics.Top5);
        Assert.Equal(2.5, metrics.Loss);
        Assert.Equal(0.5 / 3, metrics.MeanClassAccuracy, 12);
        Assert.Equal(1, metrics.Confusion(6, 0));
    }

    [Theory]
    [InlineData("123456789", 0xE3069283u)]
    [InlineData("", 0u)]
    public void ChecksumIsCastagnolis(string text, uint expected) =>
        Assert.Equal(expected, Crc32C.Compute(Encoding.ASCII.GetBytes(text)));

    [Fact]
    public void TensorBoardFileReadsBack()
    {
        string path = _folder.In("events");
        long afterFirst;
        using (var writer = new TensorBoardWriter(path))
        {
            writer.Add(300, [new("train/loss", 0.5), new("train/top1", 0.25)]);
            afterFirst = writer.Length;
            writer.Add(301, [new("lost", 1)]);
        }

        // A run that continues cuts off what came after its checkpoint.
        using (var writer = new TensorBoardWriter(path, afterFirst))
        {
            writer.Add(302, [new("train/loss", 0.125)]);
        }

        Assert.Equal([(300, "train/loss", 0.5f), (300, "train/top1", 0.25f), (302, "train/loss", 0.125f)], ReadScalars(File.ReadAllBytes(path)));
    }

    [Fact]
    public void LogThatLostItsEndIsRefused()
    {
        string path = _folder.Write("events", "short");

        Assert.Contains("1000", Assert.Throws<IOException>(() => new TensorBoardWriter(path, 1000)).Message);
    }

    [Fact]
    public void RecordsReadBackFromTheLog()
    {
        var train = new MetricsRecord { Kind = MetricsKind.Train, Step = 7, Epoch = 0.5, Loss = 1.0 / 3, Top1 = 0.1, Top5 = 0.9, LearningRate = 1e-4, GradientNorm = 2, ClipsPerSecond = 3, DataWait = 0.01 };
        var validation = new MetricsRecord { Kind = MetricsKind.Validation, Step = 8, Epoch = 1, Loss = 2, Top1 = 0.2, Top5 = 0.8, MeanClassAccuracy = 0.3 };
        using (var log = new MetricsLog(_folder.In("metrics"), 0))
        {
            log.Add(train);
            log.Add(validation);
        }

        File.AppendAllText(_folder.In("metrics"), "{\"kind\": \"tr");

        Assert.Equal([train, validation], MetricsLog.Read(_folder.In("metrics")));
    }

    [Fact]
    public void ReportIsOnePageOfItsOwn()
    {
        EvaluationResult evaluation = Evaluation(["<b>run</b>", "walk"]);
        MetricsRecord[] metrics =
        [
            new() { Kind = MetricsKind.Train, Step = 10, Epoch = 1, Loss = 1.5, Top1 = 0.5, Top5 = 1, LearningRate = 2.5e-4 },
            new() { Kind = MetricsKind.Train, Step = 20, Epoch = 2, Loss = 0.5, Top1 = 0.75, Top5 = 1, LearningRate = 1e-4 },
            new() { Kind = MetricsKind.Validation, Step = 20, Epoch = 2, Loss = 0.7, Top1 = 0.75, Top5 = 1, MeanClassAccuracy = 0.7 },
        ];

        TrainingReport.Write(_folder.In("report.html"), "a run", metrics, evaluation, [new("seed", "7")]);
        string html = File.ReadAllText(_folder.In("report.html"));

        Assert.DoesNotContain("http", html);
        Assert.DoesNotContain("<script", html);
        Assert.DoesNotContain("<b>run</b>", html);
        Assert.Contains("&lt;b&gt;run&lt;/b&gt;", html);
        Assert.Contains("prefers-color-scheme", html);
        Assert.Equal(3, html.Split("<svg").Length - 1);
        Assert.Contains("polyline", html);
        // Every number of the confusion matrix is there; 3 of the walks were taken for runs.
        Assert.Contains(">3</td>", html);
        Assert.DoesNotContain("NaN", html);
        Assert.Contains(">0</text>", html);
        Assert.DoesNotContain(">-0</text>", html);
        // No label is cut off, in the largest type (18 of 640 across the chart) either.
        foreach (Match label in Regex.Matches(html, "<text x=\"([0-9.]+)\" [^>]*text-anchor=\"(end|middle)\">([^<]*)</text>"))
        {
            double at = double.Parse(label.Groups[1].Value, CultureInfo.InvariantCulture);
            double width = 10 * label.Groups[3].Length;
            bool end = label.Groups[2].Value == "end";
            Assert.InRange(at, end ? width : width / 2, end ? 640 : 640 - (width / 2));
        }
    }

    [Fact]
    public void EvaluationReadsBackFromJson()
    {
        EvaluationResult evaluation = Evaluation(["run", "walk"]);
        using (FileStream file = File.Create(_folder.In("validation.json")))
        {
            evaluation.WriteJson(file);
        }

        EvaluationResult read = EvaluationResult.ReadJson(_folder.In("validation.json"));

        Assert.Equal(evaluation.Classes, read.Classes);
        Assert.Equal(evaluation.Confusion, read.Confusion);
        Assert.Equal((evaluation.Top1, evaluation.Videos), (read.Top1, read.Videos));
    }

    [Fact]
    public void OptionsReadBackFromJsonAndRefuseUnknownNames()
    {
        var options = new TrainingRunOptions { Steps = 12, LearningRate = new() { Kind = ScheduleKind.Step, Peak = 0.125 }, Augmentation = new() { DirectionSensitive = ["left"] } };

        Assert.Equal(options.ToJson(), TrainingRunOptions.FromJson(options.ToJson()).ToJson());
        Assert.Equal(5, TrainingRunOptions.FromJson("{\"batch_size\": 5}").BatchSize);
        Assert.Contains("batchsize", Assert.Throws<ArgumentException>(() => TrainingRunOptions.FromJson("{\"batchsize\": 5}")).Message);
    }

    private static EvaluationResult Evaluation(IReadOnlyList<string> labels) => new()
    {
        Labels = labels,
        Videos = 8,
        Correct = 5,
        Top1 = 0.625,
        Top5 = 1,
        MeanClassAccuracy = 0.625,
        Loss = 0.5,
        BrokenVideos = 0,
        Seconds = 1,
        Classes = [new(labels[0], 4, 4), new(labels[1], 4, 1)],
        Confusion = [[4, 0], [3, 1]],
    };

    /// <summary>Reads the file as TensorBoard does: frames with checksums, then the protobuf fields.</summary>
    private static List<(int Step, string Tag, float Value)> ReadScalars(byte[] file)
    {
        var scalars = new List<(int, string, float)>();
        bool first = true;
        for (int at = 0; at < file.Length;)
        {
            int length = checked((int)BinaryPrimitives.ReadUInt64LittleEndian(file.AsSpan(at)));
            Assert.Equal(Crc32C.Masked(file.AsSpan(at, 8)), BinaryPrimitives.ReadUInt32LittleEndian(file.AsSpan(at + 8)));
            byte[] data = file.AsSpan(at + 12, length).ToArray();
            Assert.Equal(Crc32C.Masked(data), BinaryPrimitives.ReadUInt32LittleEndian(file.AsSpan(at + 12 + length)));
            at += 16 + length;

            List<(int Field, long Number, byte[] Bytes)> fields = ReadMessage(data);
            int step = (int)fields.Single(f => f.Field == 2).Number;
            if (first)
            {
                Assert.Equal("brain.Event:2", Encoding.UTF8.GetString(fields.Single(f => f.Field == 3).Bytes));
                first = false;
                continue;
            }

            foreach (byte[] value in ReadMessage(fields.Single(f => f.Field == 5).Bytes).Select(f => f.Bytes))
            {
                List<(int Field, long Number, byte[] Bytes)> entry = ReadMessage(value);
                scalars.Add((step, Encoding.UTF8.GetString(entry.Single(f => f.Field == 1).Bytes), BinaryPrimitives.ReadSingleLittleEndian(entry.Single(f => f.Field == 2).Bytes)));
            }
        }

        return scalars;
    }

    private static List<(int Field, long Number, byte[] Bytes)> ReadMessage(byte[] message)
    {
        var fields = new List<(int, long, byte[])>();
        int at = 0;
        long Varint()
        {
            long value = 0;
            for (int shift = 0; ; shift += 7)
            {
                byte part = message[at++];
                value |= (long)(part & 0x7F) << shift;
                if (part < 0x80)
                {
                    return value;
                }
            }
        }

        while (at < message.Length)
        {
            long key = Varint();
            (long number, int length) = (key & 7) switch
            {
                0 => (Varint(), 0),
                1 => (0L, 8),
                2 => (0L, (int)Varint()),
                5 => (0L, 4),
                var other => throw new InvalidDataException($"wire type {other}"),
            };
            fields.Add(((int)(key >> 3), number, message.AsSpan(at, length).ToArray()));
            at += length;
        }

        return fields;
    }
}
