using System.Text;
using Ata.Data;
using Xunit;

namespace Ata.Tests.Data;

public sealed class DatasetTests : IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void TableTakesColumnsInAnyOrderAndQuotedFields()
    {
        _folder.Touch("clips/a, b.mp4", "clips/c.mp4");
        string list = _folder.Write("videos.csv", "split,label,note,path\r\ntraining,run,x,\"clips/a, b.mp4\"\r\n\r\ntest,\"say \"\"hi\"\"\",y,clips/c.mp4\r\n");

        VideoDataset dataset = VideoDataset.Load(list);

        Assert.Equal(["run", "say \"hi\""], dataset.Labels);
        Assert.Equal(new VideoItem(_folder.In("clips/a, b.mp4"), "run", "", "train"), dataset[0]);
        Assert.Equal(["test", "train"], dataset.Splits);
        Assert.Equal("say \"hi\"", Assert.Single(dataset.OfSplit("test").Items).Label);
        Assert.Equal(dataset.Labels, dataset.OfSplit("test").Labels);
    }

    [Fact]
    public void SavedDatasetReadsBackEqual()
    {
        _folder.Touch("a,1.mp4", "b.mp4");
        var dataset = new VideoDataset([new VideoItem(_folder.In("a,1.mp4"), "x\"y", "g 1", "train"), new VideoItem(_folder.In("b.mp4"), "z", "", "val")]);
        dataset.Save(_folder.In("list.csv"));

        VideoDataset read = VideoDataset.Load(_folder.In("list.csv"));

        Assert.Equal(dataset.Items, read.Items);
        Assert.Contains("\"a,1.mp4\"", File.ReadAllText(_folder.In("list.csv")));
    }

    [Theory]
    [InlineData("a b/1.mp4 2\nc.mp4 0\n")]
    [InlineData("a b/1.mp4,2\nc.mp4,0\n")]
    [InlineData("a b/1.mp4\t2\nc.mp4\t0")]
    public void LinesOfPathAndNumber(string content)
    {
        _folder.Touch("a b/1.mp4", "c.mp4");

        VideoDataset dataset = VideoDataset.Load(_folder.Write("kinetics_train.txt", content));

        Assert.Equal(["0", "1", "2"], dataset.Labels);
        Assert.Equal(new VideoItem(_folder.In("a b/1.mp4"), "2", "", "train"), dataset[0]);
    }

    [Fact]
    public void LinesWithNamesOfClasses()
    {
        _folder.Touch("a.mp4", "b.mp4");
        string names = _folder.Write("names.txt", "running\nwalking\n");

        VideoDataset dataset = VideoDataset.Load(_folder.Write("list.txt", "a.mp4 1\nb.mp4 running\n"), new DatasetOptions { LabelsFile = names });

        Assert.Equal(["running", "walking"], dataset.Labels);
        Assert.Equal(["walking", "running"], dataset.Items.Select(i => i.Label));
    }

    [Fact]
    public void HeaderOfKineticsNamesItsClips()
    {
        _folder.Touch("abseiling/abc_000010_000020.mp4");
        string list = _folder.Write("train.csv", "label,youtube_id,time_start,time_end,split\nabseiling,abc,10,20,train\n");

        Assert.Equal(_folder.In("abseiling/abc_000010_000020.mp4"), VideoDataset.Load(list)[0].Path);
    }

    [Fact]
    public void SomethingSomethingNumbersTemplates()
    {
        _folder.Touch("7.webm", "8.webm");
        _folder.Write("something-labels.json", """{"Moving something up": "0", "Moving something down": "1"}""");
        string list = _folder.Write("something-train.json", """
            [
              {"id": "7", "label": "moving a cup down", "template": "Moving [something] down", "placeholders": ["a cup"]},
              {"id": "8", "label": "moving a cup up", "template": "Moving [something] up", "placeholders": ["a cup"]}
            ]
            """);

        VideoDataset dataset = VideoDataset.Load(list);

        Assert.Equal(["Moving something up", "Moving something down"], dataset.Labels);
        Assert.Equal(new VideoItem(_folder.In("7.webm"), "Moving something down", "", "train"), dataset[0]);
    }

    [Fact]
    public void SplitFilesOfUcf101()
    {
        _folder.Touch("Run/v_Run_g01_c01.avi", "Jump/v_Jump_g02_c03.avi");
        _folder.Write("classInd.txt", "1 Jump\n2 Run\n");
        _folder.Write("trainlist01.txt", "Run/v_Run_g01_c01.avi 2\n");
        _folder.Write("testlist01.txt", "Jump/v_Jump_g02_c03.avi\n");

        VideoDataset dataset = VideoDataset.Load(_folder.Path);

        Assert.Equal(["Jump", "Run"], dataset.Labels);
        Assert.Contains(new VideoItem(_folder.In("Run/v_Run_g01_c01.avi"), "Run", "Run/g01", "train"), dataset.Items);
        Assert.Contains(new VideoItem(_folder.In("Jump/v_Jump_g02_c03.avi"), "Jump", "Jump/g02", "test"), dataset.Items);
    }

    [Fact]
    public void SplitFilesOfHmdb51()
    {
        _folder.Touch("wave/a.avi", "wave/b.avi", "wave/c.avi");
        _folder.Write("wave_test_split1.txt", "a.avi 1\nb.avi 2 \nc.avi 0\n");

        VideoDataset dataset = VideoDataset.Load(_folder.Path);

        Assert.Equal([("a.avi", "train"), ("b.avi", "test")], dataset.Items.Select(i => (Path.GetFileName(i.Path), i.Split)));
    }

    [Theory]
    [InlineData("", "")]
    [InlineData("validation/", "val")]
    public void FoldersNameClassesAndSplits(string below, string split)
    {
        _folder.Touch(below + "run/1.mp4", below + "run/notes.txt", below + "run/2.JPEG", below + "walk/frames/img_00001.jpg");

        VideoDataset dataset = VideoDataset.Load(_folder.Path);

        Assert.Equal(["run", "walk"], dataset.Labels);
        Assert.Equal([_folder.In(below + "run/1.mp4"), _folder.In(below + "run/2.JPEG"), _folder.In(below + "walk/frames")], dataset.Items.Select(i => i.Path));
        Assert.All(dataset.Items, i => Assert.Equal(split, i.Split));
    }

    [Theory]
    [InlineData("list.csv", "path,label\na.mp4,x\nb.mp4\n", 3, "1 fields and the header 2")]
    [InlineData("list.csv", "path,label\n\"a.mp4,x\n", 2, "never closed")]
    [InlineData("list.csv", "path,label\n\"a.mp4\"x,y\n", 2, "closing quote")]
    [InlineData("list.csv", "path,label\na.mp4,\n", 2, "label is empty")]
    [InlineData("list.csv", "path,label\n,x\n", 2, "path is empty")]
    [InlineData("list.csv", "path,label,split\na.mp4,x,train\na.mp4,x,test\n", 3, "in line 2")]
    [InlineData("list.csv", "path,label\na.mp4,x\na.mp4,y\n", 3, "in line 2")]
    [InlineData("list.csv", "label,youtube_id,time_start,time_end\nx,id,ten,20\n", 2, "\"ten\" is not a time")]
    [InlineData("list.txt", "a.mp4 0\nb.mp4\n", 2, "a path and a label")]
    [InlineData("list.txt", "a.mp4 0\nb\0.mp4 1\n", 2, "zero byte")]
    [InlineData("trainlist01.txt", "a.mp4 1\n", 1, "CLASS/VIDEO")]
    public void ErrorsNameFileAndLine(string name, string content, int line, string problem)
    {
        _folder.Touch("a.mp4");
        string list = _folder.Write(name, content);

        var error = Assert.Throws<DatasetException>(() => VideoDataset.Load(list));

        Assert.Equal((list, line), (error.File, error.Line));
        Assert.StartsWith($"{list}:{line}: ", error.Message);
        Assert.Contains(problem, error.Message);
    }

    [Theory]
    [InlineData("""[{"id": "1", "template": "Up"}, {"id": "2"}]""", 1, "no \"template\"")]
    [InlineData("[\n{\"id\": \"1\", \"template\": \"Down\"}]", 2, "\"Down\"")]
    [InlineData("[\n{\"id\": \"../1\", \"template\": \"Up\"}]", 2, "not a video's name")]
    [InlineData("[\n{\"id\": \"1\",\n]", 3, "not JSON")]
    [InlineData("{}", 1, "array")]
    public void ErrorsInSomethingSomethingNameTheLine(string content, int line, string problem)
    {
        _folder.Touch("1.webm");
        _folder.Write("labels.json", """{"Up": "0"}""");

        var error = Assert.Throws<DatasetException>(() => VideoDataset.Load(_folder.Write("train.json", content)));

        Assert.Equal(line, error.Line);
        Assert.Contains(problem, error.Message);
    }

    [Fact]
    public void FilesThatAreNotTextAreRefused()
    {
        string list = _folder.In("list.csv");
        File.WriteAllBytes(list, [.. "path,label\n"u8, 0xFF, 0xFE, (byte)',', (byte)'x']);

        Assert.Contains("not UTF-8", Assert.Throws<DatasetException>(() => VideoDataset.Load(list)).Message);
    }

    [Fact]
    public void MarkOfByteOrderIsSkipped()
    {
        _folder.Touch("a.mp4");
        File.WriteAllText(_folder.In("list.csv"), "path,label\na.mp4,x\n", new UTF8Encoding(true));

        Assert.Equal("x", Assert.Single(VideoDataset.Load(_folder.In("list.csv")).Items).Label);
    }

    [Fact]
    public void WrongRootIsSaidAtOnce()
    {
        string list = _folder.Write("list.csv", "path,label\nnowhere/a.mp4,x\n");

        var error = Assert.Throws<DatasetException>(() => VideoDataset.Load(list));

        Assert.Contains(_folder.In("nowhere/a.mp4"), error.Message);
        Assert.Contains("relative paths start from", error.Message);
    }

    [Fact]
    public void EmptyListsAndMissingFilesAreRefused()
    {
        Assert.Contains("no videos", Assert.Throws<DatasetException>(() => VideoDataset.Load(_folder.Write("list.csv", "path,label\n"))).Message);
        Assert.Contains("no such file", Assert.Throws<DatasetException>(() => VideoDataset.Load(_folder.In("none.csv"))).Message);
    }

    [Fact]
    public void HugeClassNumbersAreRefused()
    {
        Assert.Contains("2000000000", Assert.Throws<DatasetException>(() => new VideoDataset([new VideoItem("a", "2000000000")])).Message);
    }

    [Fact]
    public void DivisionKeepsGroupsTogetherAndFollowsTheSeed()
    {
        VideoItem[] items = Enumerable.Range(0, 40).Select(i => new VideoItem($"/v{i}", i % 2 == 0 ? "a" : "b", $"g{i / 4}")).ToArray();
        var dataset = new VideoDataset(items);

        (VideoDataset train, VideoDataset validation) = dataset.Divide(0.3, seed: 5);

        Assert.Equal(40, train.Count + validation.Count);
        Assert.Equal(12, validation.Count);
        Assert.Empty(train.Items.Select(i => i.Group).Intersect(validation.Items.Select(i => i.Group)));
        Assert.Equal(validation.Items, dataset.Divide(0.3, seed: 5).Validation.Items);
        Assert.NotEqual(validation.Items, dataset.Divide(0.3, seed: 6).Validation.Items);
    }
}
