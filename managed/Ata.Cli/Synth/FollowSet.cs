using System.Globalization;
using Ata.Data;

namespace Ata.Cli.Synth;

/// <summary>
/// Clips of the task "follow": where does the marked disc end? With them <c>truth.json</c>, and <c>pictures.csv</c>: single
/// frames with the marked disc in a quadrant, for an image model to learn where the ring is.
/// </summary>
/// <param name="options">What the clips look like.</param>
/// <param name="clips">How many, at least 1.</param>
/// <param name="pictures">How many pictures; 0 for none.</param>
/// <param name="testShare">Share of each class whose split is "test" instead of "train", of clips and pictures.</param>
/// <param name="seed">Seed of everything that is random.</param>
internal sealed class FollowSet(FollowOptions options, int clips, int pictures, double testShare, ulong seed)
    : ClipSet(options, clips, testShare, FollowScene.Quadrants)
{
    private const string PictureFolder = "pictures";
    private readonly FollowTruth.Clip[] _truth = new FollowTruth.Clip[clips];

    public override int Count => base.Count + pictures;

    protected override IScene CreateScene(int index)
    {
        FollowScene scene = Scene(options, use: 0, index);
        _truth[index] = FollowTruth.Of(FileName(index), scene);
        return scene;
    }

    protected override void WriteOthers(string folder, SharedProgress done, CancellationToken cancellationToken)
    {
        if (pictures > 0)
        {
            Directory.CreateDirectory(Path.Combine(folder, PictureFolder));
            FollowOptions still = options with { Frames = 1 };
            ForEach(
                pictures,
                done,
                index =>
                {
                    var frame = new byte[options.Width * options.Height * 3];
                    Scene(still, use: 1, index).Render(0, frame);
                    ImageFile.Write(Path.Combine(folder, PictureName(index)), frame, options.Width, options.Height);
                },
                cancellationToken);
            WriteText(folder, "pictures.csv", List(Division(pictures), PictureName, ClassOf));
        }

        WriteText(
            folder,
            FollowTruth.FileName,
            CliJson.Text(new FollowTruth(
                FollowTruth.TaskName, options, pictures, TestShare, seed, _truth)) + '\n');
    }

    private static string PictureName(int index) => $"{PictureFolder}/{index.ToString("00000", CultureInfo.InvariantCulture)}.png";

    private FollowScene Scene(FollowOptions of, ulong use, int index) => new(
        of,
        index % Labels.Count,
        new SampleRandom(seed, use, (ulong)index),
        new SampleRandom(seed, use, (ulong)index, stream: 1));
}
