using System.Text.Json;
using Xunit;

namespace Ata.Cli.Tests;

/// <summary>What verbs print and write.</summary>
public sealed class VerbTests(CliFiles files) : IClassFixture<CliFiles>
{
    [Fact]
    public void ShortVideo_IsRefusedWithTheOptionThatHelps()
    {
        string[] arguments = ["predict", files.Clip, "--model", files.Model, "--stride", "4"];

        ProgramResult refused = AtaProgram.Run(arguments);
        ProgramResult looped = AtaProgram.Run([.. arguments, "--short", "loop"]);

        Assert.Equal(1, refused.Code);
        Assert.Contains("--short", Assert.Single(refused.ErrorLines));
        Assert.Equal(0, looped.Code);
        string list = files.In("short.csv");
        File.WriteAllText(list, $"path,label\n{files.Clip},walk\n");
        arguments = ["eval", "--data", list, "--model", files.Model, "--stride", "4"];
        refused = AtaProgram.Run([.. arguments, "--max-broken", "1"]);
        looped = AtaProgram.Run([.. arguments, "--short", "loop", "--json"]);
        Assert.Contains("--short", refused.Error);
        Assert.Contains("\"videos\": 1", looped.Output);
    }

    [Fact]
    public void Warnings_AreShownOnce()
    {
        string cut = files.In("cut.mkv");
        CutVideo.Write(cut);

        ProgramResult result = AtaProgram.Run("predict", cut, cut, "--model", files.Model, "--stride", "1");

        Assert.Equal(0, result.Code);
        string warning = Assert.Single(result.ErrorLines);
        Assert.StartsWith("warning: ", warning);
        Assert.Contains("its data ends after", warning);
    }

    [Fact]
    public void Align_AlignsAsTheModelDoes()
    {
        string[] arguments = ["align", files.Clip, "--model", files.In("still.safetensors"), "--stride", "1", "--json"];
        WriteModel("still.safetensors", AlignmentMethod.Window, radius: 0);
        JsonElement still = AtaProgram.Json(arguments);
        Assert.Equal("window", still.GetProperty("alignment").GetString());
        Assert.All(still.GetProperty("moved_share").EnumerateArray(), share => Assert.Equal(0, share.GetDouble()));
        Assert.Contains(AtaProgram.Json([.. arguments, "--window", "3"]).GetProperty("moved_share").EnumerateArray(), share => share.GetDouble() > 0);
        Assert.Equal("nearest", AtaProgram.Json([.. arguments, "--alignment", "nearest"]).GetProperty("alignment").GetString());

        WriteModel("soft.safetensors", AlignmentMethod.Soft);
        ProgramResult soft = AtaProgram.Run("align", files.Clip, "--model", files.In("soft.safetensors"), "--stride", "1");
        Assert.Equal(2, soft.Code);
        Assert.Contains("--alignment", Assert.Single(soft.ErrorLines));
    }

    [Fact]
    public void Init_WritesAModelThatLoads()
    {
        string labels = files.In("labels.txt");
        File.WriteAllText(labels, "one\ntwo\nthree\n");
        string path = files.In("init.safetensors");

        JsonElement result = AtaProgram.Json(
            "init", path, "--arch", "vit-tiny", "--image-size", "48", "--patch-size", "12", "--depth", "2", "--dim", "24", "--heads", "3",
            "--frames", "6", "--labels", labels, "--temporal", "divided", "--seed", "7", "--json");

        using Model model = Model.Load(path);
        Assert.Equal(model.Config.ParameterCount, result.GetProperty("parameters").GetInt64());
        Assert.Equal(["one", "two", "three"], model.Labels);
        Assert.Equal(
            (48, 12, 2, 24, 3, 6, TemporalMode.Divided),
            (model.Config.ImageSize, model.Config.PatchSize, model.Config.Depth, model.Config.Dim, model.Config.Heads, model.Config.Frames, model.Config.Temporal));

        ProgramResult twice = AtaProgram.Run("init", path, "--arch", "vit-tiny", "--classes", "4", "--labels", labels);
        Assert.Equal(2, twice.Code);
        Assert.Contains("3 labels for 4 classes", twice.Error);
    }

    [Fact]
    public void Import_ConvertsACheckpoint()
    {
        string foreign = WithoutConfiguration("foreign.safetensors", _ => true);
        string path = files.In("imported.safetensors");
        JsonElement result = AtaProgram.Json(
            "import", foreign, path, "--from", "timesformer", "--heads", "2", "--temporal", "joint", "--json");

        Assert.Equal("joint", result.GetProperty("temporal").GetString());
        using Model model = Model.Load(path);
        Assert.Equal((32, 2, 4, 6), (model.Config.Dim, model.Config.Depth, model.Config.Frames, model.Config.Classes));
        Assert.Equal(0.225f, model.Config.Std.Red);
        Assert.Contains("mean 0.45", Notes(result, "assumed")["normalization"]);
    }

    [Fact]
    public void Import_SaysWhatBecomesOfTheFile()
    {
        string foreign = WithoutConfiguration(
            "image.safetensors", name => !name.Contains("temporal", StringComparison.Ordinal) && name != "time_embed");
        using (TensorFile file = TensorFile.Open(foreign))
        {
            file.Set("mask_token", new ReadOnlySpan<float>(new float[32]), 1, 32);
            file.Set("blocks.0.attn.qkv.lora_A", new ReadOnlySpan<float>(new float[32]), 1, 32);
            file.Save(foreign);
        }

        string path = files.In("from-image.safetensors");
        ProgramResult asked = AtaProgram.Run("import", foreign, path);
        Assert.Equal(1, asked.Code);
        Assert.Contains("lora_A", asked.Error);
        string[] ignoring = ["import", foreign, path, "--ignore", "*.lora_A"];
        asked = AtaProgram.Run(ignoring);
        Assert.Equal(1, asked.Code);
        Assert.Contains("--heads", asked.Error);
        Assert.Contains("--mean", asked.Error);
        Assert.False(File.Exists(path));

        string[] complete = [.. ignoring, "--heads", "2", "--mean", "0.485,0.456,0.406", "--std", "0.25", "--classes", "9"];
        JsonElement result = AtaProgram.Json([.. complete, "--json"]);
        Assert.Equal("ata", result.GetProperty("temporal").GetString());
        Assert.Equal(0.456f, result.GetProperty("mean")[1].GetSingle());
        Assert.Contains("pretraining", Notes(result, "ignored")["mask_token"]);
        Assert.Contains("*.lora_A", Notes(result, "ignored")["blocks.0.attn.qkv.lora_A"]);
        Assert.Contains("9 classes", Notes(result, "new")["head"]);
        Assert.Contains("zero", Notes(result, "new")["time_embed"]);
        Assert.Contains("timm", Notes(result, "found")["source"]);

        ProgramResult text = AtaProgram.Run(complete);
        Assert.Equal(0, text.Code);
        Assert.Contains("mask_token", text.Output);
        Assert.Contains("new        head: 9 classes", text.Output);

        // Parameters are those that the file has.
        long values = AtaProgram.Json([.. complete, "--temporal", "space_only", "--json"]).GetProperty("parameters").GetInt64();
        using TensorFile written = TensorFile.Open(path);
        long expected = 0;
        foreach (string name in written.Names)
        {
            using AtaTensor tensor = written.Get(name);
            expected += tensor.Count;
        }

        Assert.Equal(expected, values);
        Assert.DoesNotContain("time_embed", written.Names);
    }

    [Fact]
    public void Predict_PrintsClassesForPeopleAndPrograms()
    {
        string[] arguments = ["predict", files.Clip, "--model", files.Model, "--stride", "2", "--top", "6"];
        ProgramResult text = AtaProgram.Run(arguments);
        JsonElement clip = Assert.Single(AtaProgram.Json([.. arguments, "--json"]).EnumerateArray());

        Assert.Equal(0, text.Code);
        Assert.Contains("[wave]", text.Output);
        Assert.Contains("größer", text.Output);
        Assert.DoesNotContain("\e[", text.Output);
        Assert.Equal(files.Clip, clip.GetProperty("clip").GetString());
        JsonElement[] predictions = [.. clip.GetProperty("predictions").EnumerateArray()];
        Assert.Equal(6, predictions.Length);
        Assert.Equal(1, predictions.Sum(p => p.GetProperty("probability").GetDouble()), 1e-5);
    }

    [Fact]
    public void Predict_AveragesViews()
    {
        JsonElement clip = AtaProgram.Json("predict", files.Clip, "--model", files.Model, "--stride", "1", "--views", "2x3", "--json")[0];

        using VideoClassifier classifier = VideoClassifier.Load(files.Model);
        Predictions expected = classifier.Predict(
            files.Clip, new PredictOptions { TemporalViews = 2, SpatialViews = 3, Sampling = new ClipOptions { Stride = 1 } });
        Assert.Equal(6, clip.GetProperty("views").GetInt32());
        JsonElement best = clip.GetProperty("predictions")[0];
        Assert.Equal(expected.Best.Index, best.GetProperty("index").GetInt32());
        Assert.Equal(expected.Best.Probability, best.GetProperty("probability").GetSingle(), 1e-5f);
    }

    [Fact]
    public void Predict_ReportsABrokenClipAndGoesOn()
    {
        string broken = files.In("broken.mp4");
        File.WriteAllText(broken, "This is not a video.");

        ProgramResult result = AtaProgram.Run("predict", broken, files.Clip, "--model", files.Model, "--stride", "2", "--json");

        Assert.Equal(1, result.Code);
        Assert.Contains(broken, Assert.Single(result.ErrorLines));
        using JsonDocument json = JsonDocument.Parse(result.Output);
        Assert.NotEmpty(json.RootElement[0].GetProperty("error").GetString()!);
        Assert.Equal(5, json.RootElement[1].GetProperty("predictions").GetArrayLength());
    }

    [Fact]
    public void SampleAndForward_AgreeWithTheApi()
    {
        string clipPath = files.In("sampled.safetensors");
        JsonElement sample = AtaProgram.Json(
            "sample", files.Clip, "--frames", "4", "--stride", "2", "--size", "32", "--output", clipPath, "--png", files.In("png"), "--json");
        string outputPath = files.In("logits.safetensors");
        JsonElement forward = AtaProgram.Json("forward", "--model", files.Model, "--input", clipPath, "--output", outputPath, "--json");

        Assert.Equal([1, 3, 4, 32, 32], sample.GetProperty("shape").EnumerateArray().Select(n => n.GetInt32()));
        Assert.All(sample.GetProperty("pictures").EnumerateArray(), picture => Assert.True(File.Exists(picture.GetString())));
        Assert.Equal(4, sample.GetProperty("frame_times").GetArrayLength());
        Assert.Equal(2, forward.GetProperty("trajectories").GetInt32());

        using VideoReader video = VideoReader.Open(files.Clip);
        using VideoClip clip = video.Sample(new ClipOptions { Frames = 4, Stride = 2, Size = 32 });
        using Model model = Model.Load(files.Model);
        using Session session = model.CreateSession();
        var logits = new float[6];
        session.Forward(clip, logits);
        using TensorFile output = TensorFile.Open(outputPath);
        using AtaTensor written = output.Get("logits");
        Assert.Equal(logits, written.AsSpan<float>().ToArray());
        using AtaTensor trajectories = output.Get("trajectories/1");
        Assert.Equal([1, 4, 16], trajectories.Shape.ToArray());
        Assert.DoesNotContain("loss", output.Names);
    }

    [Fact]
    public void Forward_WritesLossAndGradients()
    {
        string input = files.In("batch.safetensors");
        using (var file = new TensorFile())
        {
            var random = new Random(5);
            float[] clips = Enumerable.Range(0, 2 * 3 * 4 * 32 * 32).Select(_ => random.NextSingle() - 0.5f).ToArray();
            file.Set<float>("clip", clips, 2, 3, 4, 32, 32);
            file.Set<long>("labels", [1, 4], 2);
            file.Save(input);
        }

        string plain = files.In("plain.safetensors");
        string full = files.In("full.safetensors");
        JsonElement withoutGradients = AtaProgram.Json("forward", "--model", files.Model, "--input", input, "--output", plain, "--json");
        JsonElement withGradients = AtaProgram.Json("forward", "--model", files.Model, "--input", input, "--output", full, "--gradients", "--json");

        Assert.Equal(withoutGradients.GetProperty("loss").GetDouble(), withGradients.GetProperty("loss").GetDouble(), 1e-5);
        using Model model = Model.Load(files.Model);
        using TensorFile output = TensorFile.Open(full);
        Assert.Equal(model.ParameterNames.Count, withGradients.GetProperty("gradients").GetInt32());
        Assert.All(model.ParameterNames, name => Assert.Contains($"grad/{name}", output.Names));
        using AtaTensor gradient = output.Get("grad/head.weight");
        Assert.Contains(gradient.AsSpan<float>().ToArray(), value => value != 0);

        string clipOnly = files.In("cliponly.safetensors");
        AtaProgram.Run("sample", files.Clip, "--frames", "4", "--stride", "1", "--size", "32", "--output", clipOnly);
        ProgramResult refused = AtaProgram.Run("forward", "--model", files.Model, "--input", clipOnly, "--output", full, "--gradients");
        Assert.Equal(2, refused.Code);
        Assert.Contains("labels", refused.Error);
    }

    [Theory]
    [InlineData("overlay.mp4")]
    [InlineData("overlay.png")]
    public void Align_FollowsWhatMovesAndDrawsIt(string name)
    {
        string overlay = files.In(name);
        JsonElement result = AtaProgram.Json(
            "align", files.Clip, "--frames", "5", "--stride", "1", "--offset", "0.3", "--size", "64", "--patch-size", "8",
            "--overlay", overlay, "--json");

        // The square is cropped to begin at 24 - 16 = 8 pixels, and moves by one patch a frame in the rows 3 and 4.
        int[][] trajectories = [.. result.GetProperty("trajectories").EnumerateArray()
            .Select(frame => frame.EnumerateArray().Select(n => n.GetInt32()).ToArray())];
        Assert.Equal(5, trajectories.Length);
        foreach (int start in (int[])[(3 * 8) + 1, (3 * 8) + 2, (4 * 8) + 1, (4 * 8) + 2])
        {
            Assert.Equal(Enumerable.Range(0, 5).Select(t => start + t), trajectories.Select(frame => frame[start]));
        }

        using VideoReader drawn = VideoReader.Open(name.EndsWith(".mp4", StringComparison.Ordinal) ? overlay : FolderOf(overlay));
        using VideoFrames frames = drawn.Read([0]);
        Assert.Contains(frames[0].ToArray(), value => value > 0);
    }

    [Fact]
    public void Align_UsesAModelsFeaturesAndEveryMethod()
    {
        foreach (string method in (string[])["exact", "none", "nearest", "window", "sinkhorn"])
        {
            JsonElement result = AtaProgram.Json(
                "align", files.Clip, "--stride", "1", "--model", files.Model, "--block", "1", "--alignment", method, "--json");
            Assert.Equal(method, result.GetProperty("alignment").GetString());
            Assert.Equal(4, result.GetProperty("grid_width").GetInt32());
        }

        ProgramResult soft = AtaProgram.Run("align", files.Clip, "--frames", "2", "--alignment", "soft");
        Assert.Equal(2, soft.Code);
        Assert.Single(soft.ErrorLines);
    }

    [Fact]
    public void Bench_MeasuresManagedAndNative()
    {
        JsonElement result = AtaProgram.Json("bench", "--model", files.Model, "--runs", "5", "--warmup", "1", "--precision", "bf16", "--json");

        Assert.True(result.GetProperty("median_milliseconds").GetDouble() > 0);
        Assert.True(result.GetProperty("native_median_milliseconds").GetDouble() > 0);
        Assert.Equal("bf16", result.GetProperty("precision").GetString());
        Assert.InRange(result.GetProperty("managed_bytes_per_call").GetInt64(), 0, 500);
    }

    // A folder of one picture, so that it can be read back as a video.
    private string FolderOf(string picture)
    {
        string folder = Directory.CreateDirectory(files.In("sheet")).FullName;
        File.Copy(picture, Path.Combine(folder, "img_00001.png"), overwrite: true);
        return folder;
    }

    private static Dictionary<string, string> Notes(JsonElement result, string kind) =>
        result.GetProperty(kind).EnumerateArray().ToDictionary(
            note => note.GetProperty("subject").GetString()!, note => note.GetProperty("text").GetString()!);

    // The shared model's tensors as another project's file would hold them.
    private string WithoutConfiguration(string name, Func<string, bool> kept)
    {
        string path = files.In(name);
        using TensorFile file = TensorFile.Open(files.Model);
        using var copy = new TensorFile();
        foreach (string tensorName in file.Names.Where(kept))
        {
            using AtaTensor tensor = file.Get(tensorName);
            copy.Set(tensorName, tensor);
        }

        copy.Save(path);
        return path;
    }

    private void WriteModel(string name, AlignmentMethod alignment, int radius = 3)
    {
        using Model model = Model.Load(files.Model);
        using Model made = Model.Create(model.Config with { Alignment = alignment, WindowRadius = radius }, 1);
        made.Save(files.In(name));
    }
}
