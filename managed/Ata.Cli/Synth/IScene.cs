namespace Ata.Cli.Synth;

/// <summary>What a video shows.</summary>
internal interface IScene
{
    /// <summary>Renders a frame. Frames must be asked for in order: the noise continues from one to the next.</summary>
    /// <param name="index">0 to the number of frames - 1.</param>
    /// <param name="rgb">Receives height x width x 3 bytes.</param>
    void Render(int index, Span<byte> rgb);
}
