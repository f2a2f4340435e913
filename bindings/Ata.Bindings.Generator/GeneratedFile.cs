namespace Ata.Bindings.Generator;

/// <summary>A file of the bindings.</summary>
/// <param name="Name">File name without folder.</param>
/// <param name="Text">Whole contents, with LF line ends.</param>
internal sealed record GeneratedFile(string Name, string Text);

/// <summary>Says why a header cannot be bound.</summary>
/// <param name="message">The reason, naming the declaration.</param>
internal sealed class BindingException(string message) : Exception(message);
