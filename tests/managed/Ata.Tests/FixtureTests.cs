using System.Runtime.CompilerServices;
using Ata.Tests.Data;
using Xunit;

namespace Ata.Tests;

/// <summary>The whole way from a checkpoint to logits and gradients, against numbers of an independent
/// implementation.</summary>
public sealed class FixtureTests : IDisposable
{
    private readonly TestFolder _folder = new();

    public static TheoryData<string> Names =>
        ["tiny-ata", "tiny-divided", "tiny-joint", "tiny-space_only", "small-ata"];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Names))]
    public void Fixture_IsReproduced(string name)
    {
        using TensorFile fixture = TensorFile.Open(PathOf(name));
        using Model model = Model.Load(Checkpoint(fixture), new ModelOptions { Trainable = true });
        using Session session = model.CreateSession();
        using AtaTensor clip = fixture.Get("clip");
        using AtaTensor labels = fixture.Get("labels");
        using AtaTensor expected = fixture.Get("logits");
        using AtaTensor expectedLoss = fixture.Get("loss");
        var logits = new float[expected.Count];

        session.Forward(clip, logits);
        AssertClose(expected.AsSpan<float>(), logits, 1e-4);
        AssertTrajectories(fixture, session);

        float loss = session.ComputeGradients(clip, labels.AsSpan<long>(), logits);
        Assert.Equal(expectedLoss.AsSpan<float>()[0], loss, 1e-5);
        foreach (string parameter in model.ParameterNames)
        {
            using AtaTensor gradient = session.GetGradient(parameter);
            using AtaTensor expectedGradient = fixture.Get($"grad/{parameter}");
            Assert.True(
                RelativeError(expectedGradient.AsSpan<float>(), gradient.AsSpan<float>()) < 1e-4, $"gradient of {parameter}");
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Fixture_IsReproducedInBFloat16(string name)
    {
        using TensorFile fixture = TensorFile.Open(PathOf(name));
        using Model model = Model.Load(Checkpoint(fixture), new ModelOptions { Precision = Precision.BFloat16 });
        using Session session = model.CreateSession();
        using AtaTensor clip = fixture.Get("clip");
        using AtaTensor expected = fixture.Get("logits");
        var logits = new float[expected.Count];

        session.Forward(clip, logits);

        Assert.InRange(RelativeError(expected.AsSpan<float>(), logits), 1e-7, 2e-2);
    }

    private static void AssertTrajectories(TensorFile fixture, Session session)
    {
        for (int block = 0; fixture.Contains($"trajectories/{block}"); ++block)
        {
            using AtaTensor expected = fixture.Get($"trajectories/{block}");
            using Trajectories actual = session.GetTrajectories(block);
            Assert.Equal(
                expected.AsSpan<long>().ToArray(), Array.ConvertAll(actual.Positions.ToArray(), position => (long)position));
        }
    }

    private static void AssertClose(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual, double tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; ++i)
        {
            Assert.Equal(expected[i], actual[i], tolerance);
        }
    }

    private static double RelativeError(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        double difference = 0;
        double norm = 0;
        for (int i = 0; i < expected.Length; ++i)
        {
            difference += Math.Pow(expected[i] - (double)actual[i], 2);
            norm += Math.Pow(expected[i], 2);
        }

        // A gradient that is zero must be zero but for rounding.
        return Math.Sqrt(difference) / Math.Max(Math.Sqrt(norm), 1e-6);
    }

    private static string PathOf(string name, [CallerFilePath] string source = "") =>
        Path.Combine(Path.GetDirectoryName(source)!, "..", "..", "data", $"{name}.safetensors");

    private string Checkpoint(TensorFile fixture)
    {
        const string Prefix = "param/";
        string path = _folder.In("checkpoint.safetensors");
        using var file = new TensorFile();
        foreach (string name in fixture.Names.Where(n => n.StartsWith(Prefix, StringComparison.Ordinal)))
        {
            using AtaTensor tensor = fixture.Get(name);
            file.Set(name[Prefix.Length..], tensor);
        }

        file.SetMetadata("config", fixture.GetMetadata("config")!);
        file.Save(path);
        return path;
    }
}
