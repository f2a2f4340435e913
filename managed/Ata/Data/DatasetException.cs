using Ata.Interop;

namespace Ata.Data;

/// <summary>A dataset's list is malformed or contradicts itself. The message names the file and the line.</summary>
public sealed class DatasetException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">What is wrong and how to remedy it.</param>
    public DatasetException(string message)
        : base(PrintableText.Of(message))
    {
    }

    /// <summary>Creates the exception for a place in a file.</summary>
    /// <param name="file">The file.</param>
    /// <param name="line">The line, from 1; 0 for the file as a whole.</param>
    /// <param name="problem">What is wrong and how to remedy it.</param>
    public DatasetException(string file, int line, string problem)
        : base(PrintableText.Of(line > 0 ? $"{file}:{line}: {problem}" : $"{file}: {problem}"))
    {
        File = file;
        Line = line;
    }

    /// <summary>The file with the error, or null.</summary>
    public string? File { get; }

    /// <summary>The line with the error, from 1, or 0.</summary>
    public int Line { get; }
}
