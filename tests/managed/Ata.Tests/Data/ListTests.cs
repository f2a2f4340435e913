using Ata.Data;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Ata.Tests.Data;

/// <summary>Lists of videos as people have them: what is understood, what is refused, and what is said of the rest.</summary>
public sealed class ListTests : IDisposable
{
    private readonly TestFolder _folder = new();

    public ListTests() => _folder.Touch("clips/a.mp4", "clips/b.mp4", "clips/c d.mp4");

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("file_name,label\nclips/a.mp4,run\nclips/b.mp4,walk\n", "comma-separated columns file_name, label")]
    [InlineData("\uFEFFfile_name,label\r\nclips/a.mp4,run\r\nclips/b.mp4,walk\r\n", "comma-separated columns file_name, label")]
    [InlineData("Video Path\tClass\nclips/a.mp4\trun\nclips/b.mp4\twalk\n", "tab-separated columns Video Path, Class")]
    [InlineData("label;filename\nrun;clips/a.mp4\nwalk;clips/b.mp4\n", "semicolon-separated columns label, filename")]
    [InlineData("path label\nclips/a.mp4 run\nclips/b.mp4 walk\n", "space-separated columns path, label")]
    [InlineData("# my videos\n#path,label\nclips/a.mp4,run\n  # and more\nclips/b.mp4,walk", "comma-separated, no header")]
    [InlineData("\"clips/a.mp4\",\"run\"\n\"clips/b.mp4\",\"walk\"\n", "comma-separated, no header")]
    [InlineData("\"clips/a.mp4\" run\nclips/b.mp4 walk\n", "space-separated, no header")]
    [InlineData("video,action\nclips/a.mp4,run\nclips/b.mp4,walk\n", "comma-separated columns video, action")]
    public void HeadersAndSeparatorsAreRecognised(string content, string layout)
    {
        // A folder that is called like a column is no video.
        Directory.CreateDirectory(_folder.In("video"));
        VideoDataset dataset = VideoDataset.Load(_folder.Write("list.csv", content));

        Assert.Equal([("a.mp4", "run"), ("b.mp4", "walk")], dataset.Items.Select(i => (Path.GetFileName(i.Path), i.Label)));
        Assert.Equal(layout, dataset.Report!.Layout);
        Assert.Equal(layout.EndsWith("no header", StringComparison.Ordinal) ? DatasetFormat.Kinetics : DatasetFormat.Table, dataset.Report.Format);
    }

    [Theory]
    [InlineData("clip_id,kind\nclips/a.mp4,run\nclips/b.mp4,walk\n", 1, "(clip_id, kind) names no column \"label\"")]
    [InlineData("file_name,kind\nclips/a.mp4,run\n", 1, "(file_name, kind) names no column \"label\"")]
    [InlineData("clip_id,label\nclips/a.mp4,run\n", 1, "rename the column of the file to path")]
    [InlineData("folder kind\nclips 1\nclips 0\n", 1, "names no column \"label\"")]
    [InlineData("path,label,label\nclips/a.mp4,run,run\n", 1, "\"label\" twice")]
    [InlineData("clips/a.mp4,run,7\nclips/b.mp4,walk,8\n", 1, "3 fields and no header")]
    [InlineData("clips/a.mp4,run\nclips/b.mp4,walk\nclips/c d.mp4 jump\n", 3, "1 fields and the first line 2")]
    [InlineData("clips/a.mp4 run\nclips/b.mp4\n", 2, "a path and a label")]
    [InlineData("clips/a.mp4 run\nclips/c d.mp4\n", 2, "\"d.mp4\" is the name of a video")]
    [InlineData("path,label,start_frame,stop_frame\nclips/a.mp4,run,0,9\n", 1, "give the part in seconds")]
    [InlineData("path,label,start_time,end_time\nclips/a.mp4,run,2,1\n", 2, "not after its start")]
    [InlineData("path,label,start_time,end_time\nclips/a.mp4,run,2,2\n", 2, "not after its start")]
    [InlineData("path,label,start_time\nclips/a.mp4,run,-1\n", 2, "\"-1\" is not a time")]
    [InlineData("path,label,start_time\nclips/a.mp4,run,nan\n", 2, "\"nan\" is not a time")]
    [InlineData("path,label,end_time\nclips/a.mp4,run,1:75\n", 2, "\"1:75\" is not a time")]
    [InlineData("path,label,start_time\nclips/a.mp4,run,1\nclips/a.mp4,walk,1\n", 3, "in line 2")]
    public void WhatDoesNotFitIsRefusedWithItsLine(string content, int line, string problem)
    {
        string list = _folder.Write("list.csv", content);

        var error = Assert.Throws<DatasetException>(() => VideoDataset.Load(list));

        Assert.Contains(problem, error.Message);
        Assert.Equal((list, line), (error.File, error.Line));
    }

    [Fact]
    public void PartsOfVideosAreItemsOfTheirOwn()
    {
        string list = _folder.Write("list.csv", "path,label,start_time,end_time\nclips/a.mp4,run,0,2.5\nclips/a.mp4,walk,2.5,1:02:03.5\nclips/b.mp4,run,,\nclips/b.mp4,walk,4,\n");

        VideoDataset dataset = VideoDataset.Load(list);
        dataset.Save(_folder.In("saved.csv"));

        Assert.Equal(
            [(TimeSpan.Zero, TimeSpan.FromSeconds(2.5)), (TimeSpan.FromSeconds(2.5), TimeSpan.FromSeconds(3723.5)), (null, null), (TimeSpan.FromSeconds(4), null)],
            dataset.Items.Select(i => ((TimeSpan?)i.Start, (TimeSpan?)i.End)));
        Assert.Equal(3, dataset.Report!.Parts);
        Assert.Equal(dataset.Items, VideoDataset.Load(_folder.In("saved.csv")).Items);

        // Parts of one video stay on one side.
        (VideoDataset train, VideoDataset validation) = dataset.Divide(0.5, seed: 1);
        Assert.Empty(train.SharedWith(validation));
    }

    [Fact]
    public void TimesOfYouTubeAreNotThoseOfAFile()
    {
        VideoDataset dataset = VideoDataset.Load(_folder.Write("list.csv", "path,label,youtube_id,time_start,time_end\nclips/a.mp4,run,xyz,100,110\n"));

        Assert.Null(dataset[0].Start);
        Assert.Equal(["youtube_id", "time_start", "time_end"], dataset.Report!.IgnoredColumns);
    }

    [Theory]
    [InlineData("riding a bike/xyz_000100_000110.mp4")]
    [InlineData("riding_a_bike/xyz_000100_000110.mp4")]
    [InlineData("xyz_000100_000110.webm")]
    [InlineData("train/riding a bike/xyz_000100_000110.mkv")]
    public void ClipsOfKineticsAreFoundWhereToolsPutThem(string clip)
    {
        _folder.Touch(clip);

        VideoDataset dataset = VideoDataset.Load(_folder.Write("k.csv", "label,youtube_id,time_start,time_end,split,is_cc\n\"riding a bike\",xyz,100,110,train,0\n"));

        Assert.Equal(_folder.In(clip), dataset[0].Path);
        Assert.Equal(["is_cc"], dataset.Report!.IgnoredColumns);
    }

    [Fact]
    public void FoldersOfFramesMayHaveTheirNumberOfFrames()
    {
        _folder.Touch("run/one/img_00001.jpg", "walk/two/img_00001.jpg");

        VideoDataset dataset = VideoDataset.Load(_folder.Write("rawframes.txt", "run/one 163 0\nwalk/two 20 1\n"));

        Assert.Equal([(_folder.In("run/one"), "0"), (_folder.In("walk/two"), "1")], dataset.Items.Select(i => (i.Path, i.Label)));
        Assert.Contains("2 (numbers of frames)", Assert.Single(dataset.Report!.Omissions));
    }

    [Fact]
    public void ListsOfPathsTakeTheFolderForTheClass()
    {
        _folder.Touch("ApplyLipstick/v 1.avi", "Archery/v2.avi");

        VideoDataset dataset = VideoDataset.Load(_folder.Write("testlist.txt", "ApplyLipstick/v 1.avi\nArchery/v2.avi\n"));

        Assert.Equal(["ApplyLipstick", "Archery"], dataset.Items.Select(i => i.Label));
    }

    [Fact]
    public void NumbersInListsOfUcf101AreThoseOfTheirClasses()
    {
        _folder.Touch("Run/v_Run_g01_c01.avi");
        _folder.Write("classInd.txt", "1 Jump\n2 Run\n");
        string list = _folder.Write("trainlist01.txt", "Run/v_Run_g01_c01.avi 1\n");

        var error = Assert.Throws<DatasetException>(() => VideoDataset.Load(list));

        Assert.Equal(1, error.Line);
        Assert.Contains("class 1 is \"Jump\"", error.Message);
    }

    [Fact]
    public void CommentThatIsAVideoIsAskedAbout()
    {
        _folder.Touch("#20_clap.avi");
        string list = _folder.Write("list.csv", "#20_clap.avi,clap\n\"#20_clap.avi\",clap\n");

        Assert.Contains("put the path into quotes", Assert.Throws<DatasetException>(() => VideoDataset.Load(list)).Message);
        Assert.Equal("clap", Assert.Single(VideoDataset.Load(_folder.Write("quoted.csv", "\"#20_clap.avi\",clap\n")).Items).Label);
    }

    [Fact]
    public void LabelsThatLeaveGapsAreRefusedUnlessTheyAreNamed()
    {
        string list = _folder.Write("list.csv", "clips/a.mp4,0\nclips/b.mp4,20000\nclips/c d.mp4,40000\n");

        Assert.Contains("only 3 of these occur (0, 20000, 40000)", Assert.Throws<DatasetException>(() => VideoDataset.Load(list)).Message);

        var named = new DatasetOptions { LabelsFile = _folder.Write("labels.txt", "0\n20000\n40000\n") };
        Assert.Equal(["0", "20000", "40000"], VideoDataset.Load(list, named).Labels);
        Assert.Equal("20000", VideoDataset.Load(list, named)[1].Label);
        Assert.Equal(["0", "20000", "40000"], VideoDataset.Load(list, new DatasetOptions { Labels = ["0", "20000", "40000"] }).Labels);
        var other = Assert.Throws<DatasetException>(() => VideoDataset.Load(list, new DatasetOptions { Labels = ["0", "40000"] }));
        Assert.Equal(2, other.Line);
        Assert.Contains("\"20000\" is not one of the 2 classes (0, 40000)", other.Message);
    }

    [Theory]
    [InlineData("run\n\nwalk\n", 2, "empty")]
    [InlineData("run\nwalk\nrun\n", 3, "in line 1")]
    public void FilesOfClassesLeaveNoGaps(string classes, int line, string problem)
    {
        var options = new DatasetOptions { LabelsFile = _folder.Write("classes.txt", classes) };

        var error = Assert.Throws<DatasetException>(() => VideoDataset.Load(_folder.Write("list.csv", "clips/a.mp4,run\n"), options));

        Assert.Equal(line, error.Line);
        Assert.Contains(problem, error.Message);
    }

    [Fact]
    public void WhatWasReadAndWhatWasNotIsReportedAndLogged()
    {
        string list = _folder.Write(
            "list.csv", "# one\nnote,path,label,split\nx,clips/a.mp4,run,train\ny,clips/a.mp4,run,train\nz,clips/gone.mp4,walk,val\n");
        var log = new Lines();

        VideoDataset dataset = VideoDataset.Load(list, new DatasetOptions { LabelsFile = _folder.Write("names.txt", "run\nwalk\njump\n") }, log);

        DatasetReport report = dataset.Report!;
        Assert.Equal($"{list}: 3 videos of 3 classes (2 train, 1 val); comma-separated columns path, label, split", report.Summary);
        Assert.Equal(
            [
                "ignored column note", "skipped 1 comment", "1 line repeats a video", "1 class without a video: jump",
                $"1 video does not exist: {_folder.In("clips/gone.mp4")}",
            ],
            report.Omissions);
        Assert.Equal([(LogLevel.Information, report.Summary), .. report.Omissions.Select(o => (LogLevel.Warning, $"{list}: {o}"))], log.Said);
        Assert.Same(report, dataset.OfSplit("train").Report);
        Assert.Equal([list, _folder.In("names.txt")], report.Files.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void FoldersTakeEveryKindOfVideoAndNameTheRest()
    {
        _folder.Touch("set/run/1.MTS", "set/run/2.m2ts", "set/run/3.y4m", "set/run/4.gif", "set/run/notes.txt", "set/run/.hidden.mp4", "set/run/empty/readme.md", "set/walk/subtitles.srt", "set/list.csv");

        VideoDataset dataset = VideoDataset.Load(_folder.In("set"));

        Assert.Equal(["1.MTS", "2.m2ts", "3.y4m", "4.gif"], dataset.Items.Select(i => Path.GetFileName(i.Path)));
        Assert.Equal(["empty", "list.csv", "notes.txt", "subtitles.srt"], dataset.Report!.SkippedFiles.Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal));
        Assert.Equal(["walk"], dataset.Report.EmptyClasses);
        Assert.Equal(["run"], dataset.Labels);
    }

    [Fact]
    public void SameVideoIsFoundUnderOtherNames()
    {
        File.CreateSymbolicLink(_folder.In("link.mp4"), _folder.In("clips/a.mp4"));
        var train = new VideoDataset([new VideoItem(_folder.In("clips/a.mp4"), "run"), new VideoItem(_folder.In("clips/b.mp4"), "run")]);
        var validation = new VideoDataset([new VideoItem(_folder.In("link.mp4"), "run"), new VideoItem(_folder.In("clips/c d.mp4"), "run")]);

        Assert.Equal([_folder.In("clips/a.mp4")], train.SharedWith(validation));
        Assert.Empty(validation.SharedWith(new VideoDataset([new VideoItem(_folder.In("clips/b.mp4"), "run")])));
    }

    private sealed class Lines : ILogger
    {
        internal List<(LogLevel Level, string Text)> Said { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Said.Add((logLevel, formatter(state, exception)));
    }
}
