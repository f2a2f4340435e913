// Makes a clip and a tiny model, then classifies the clip and aligns its frames, through the NuGet packages alone.
// Exit code 0 if everything holds.
using Ata;

const int Width = 96;
const int Height = 64;

using (VideoWriter writer = VideoWriter.Create("clip.mp4", Width, Height, 12))
{
    byte[] pixels = new byte[Width * Height * 3];
    for (int t = 0; t < 24; ++t)
    {
        for (int i = 0; i < Width * Height; ++i)
        {
            (int x, int y) = (i % Width, i / Width);
            bool inside = Math.Abs(x - 16 - (2 * t)) < 8 && Math.Abs(y - 32) < 8;
            pixels[i * 3] = (byte)(inside ? 240 : 2 * x);
            pixels[(i * 3) + 1] = (byte)(inside ? 220 : 3 * y);
            pixels[(i * 3) + 2] = 60;
        }

        writer.Add(pixels);
    }

    writer.Finish();
}

ModelConfig config = ModelConfig.Named("vit-tiny") with
{
    ImageSize = 64,
    Dim = 64,
    Depth = 2,
    Heads = 2,
    Frames = 4,
    Classes = 3,
};
using (Model model = Model.Create(config, seed: 7))
{
    model.SetLabels(["left", "right", "still"]);
    model.Save("tiny.safetensors");
}

using VideoClassifier classifier = VideoClassifier.Load("tiny.safetensors");
Predictions predictions = await classifier.PredictAsync("clip.mp4");
Require(predictions.Count == 3, "every class is listed");
Require(Math.Abs(predictions.Sum(p => p.Probability) - 1) < 1e-5, "probabilities add up to 1");
Require(predictions.Select(p => p.Label).Order().SequenceEqual(["left", "right", "still"]), "labels are kept");
foreach (Prediction prediction in predictions)
{
    Console.WriteLine($"{prediction.Label,-6} {prediction.Probability:0.000}");
}

float[] features = new float[2 * 9 * 4];
for (int n = 0; n < 9; ++n)
{
    // Frame 1 holds the patches of frame 0 in reverse order.
    for (int d = 0; d < 4; ++d)
    {
        features[(n * 4) + d] = features[((9 + 8 - n) * 4) + d] = MathF.Sin((n * 7) + (d * d * 3) + 1);
    }
}

using (Trajectories trajectories = FrameAligner.Align(features, clips: 1, frames: 2, patches: 9, channels: 4))
{
    Require(trajectories.OfFrame(0, 1).SequenceEqual([8, 7, 6, 5, 4, 3, 2, 1, 0]), "reversed patches are found");
}

try
{
    using VideoClassifier missing = VideoClassifier.Load("no-such-file.safetensors");
    Require(false, "a missing file is an error");
}
catch (FileNotFoundException error)
{
    Require(error.Message.Contains("no-such-file.safetensors", StringComparison.Ordinal), "the message names the file");
}

RuntimeReport report = AtaRuntime.Diagnose();
Require(report.Problem is null && report.Version is not null, "the runtime is in order");
Console.WriteLine($"libata {report.Version} from .NET");
return 0;

static void Require(bool condition, string what)
{
    if (!condition)
    {
        Console.Error.WriteLine($"the .NET consumer found that this does not hold: {what}");
        Environment.Exit(1);
    }
}
