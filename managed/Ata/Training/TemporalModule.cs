namespace Ata.Training;

/// <summary>Prepares an image model for videos.</summary>
public static class TemporalModule
{
    private static readonly (string From, string To)[] s_copies = [(".attn.", ".temporal_attn."), (".norm1.", ".temporal_norm1.")];

    /// <summary>Copies a checkpoint and plugs fresh temporal modules in: temporal attention starts as a copy of spatial
    /// attention, and its output projection at zero, so that the model computes what it did before.</summary>
    /// <param name="checkpoint">Checkpoint to read.</param>
    /// <param name="output">Checkpoint to write; never half-written.</param>
    /// <exception cref="AtaModelException">The checkpoint is malformed.</exception>
    public static void PlugIn(string checkpoint, string output)
    {
        ArgumentException.ThrowIfNullOrEmpty(checkpoint);
        ArgumentException.ThrowIfNullOrEmpty(output);
        using TensorFile file = TensorFile.Open(checkpoint);
        foreach (string name in file.Names.ToArray())
        {
            foreach ((string from, string to) in s_copies)
            {
                if (name.Contains(from, StringComparison.Ordinal))
                {
                    using AtaTensor weights = file.Get(name);
                    file.Set(name.Replace(from, to, StringComparison.Ordinal), weights);
                }
            }

            if (name.Contains(".temporal_fc.", StringComparison.Ordinal))
            {
                using AtaTensor weights = file.Get(name);
                using AtaTensor zeros = AtaTensor.Create<float>(weights.Shape);
                file.Set(name, zeros);
            }
        }

        file.Save(output);
    }
}
