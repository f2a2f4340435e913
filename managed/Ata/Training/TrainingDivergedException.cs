namespace Ata.Training;

/// <summary>A loss, gradient or activation is not finite, so that training cannot go on.</summary>
public sealed class TrainingDivergedException : AtaException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">Where, and how to remedy it.</param>
    /// <param name="innerException">What the native library said.</param>
    public TrainingDivergedException(string message, Exception? innerException = null)
        : base(message, AtaStatus.NotFinite, innerException)
    {
    }
}
