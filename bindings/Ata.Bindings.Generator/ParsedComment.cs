using System.Text;
using System.Text.RegularExpressions;
using CppSharp.AST;

namespace Ata.Bindings.Generator;

/// <summary>A Doxygen comment taken apart.</summary>
internal sealed partial class ParsedComment
{
    private ParsedComment()
    {
    }

    /// <summary>The description.</summary>
    public List<string> Paragraphs { get; } = [];

    /// <summary>The parameters' descriptions by their names.</summary>
    public Dictionary<string, string> Parameters { get; } = [];

    /// <summary>What is returned, or null.</summary>
    public string? Returns { get; private set; }

    /// <summary>Takes a comment apart.</summary>
    /// <param name="comment">The comment as CppSharp parsed it.</param>
    /// <returns>Its parts.</returns>
    public static ParsedComment From(FullComment comment)
    {
        var parsed = new ParsedComment();
        foreach (BlockContentComment block in comment.Blocks)
        {
            parsed.Add(block);
        }

        return parsed;
    }

    private void Add(BlockContentComment block)
    {
        switch (block)
        {
            case ParamCommandComment parameter:
                Parameters[parameter.Arguments[0].Text] = TextOf(parameter.ParagraphComment);
                break;
            case VerbatimBlockComment or VerbatimLineComment:
                throw new BindingException("Verbatim blocks in documentation comments are not supported.");
            case BlockCommandComment { CommandKind: CommentCommandKind.Return or CommentCommandKind.Returns } returns:
                Returns = TextOf(returns.ParagraphComment);
                break;
            case BlockCommandComment command:
                AddParagraph(TextOf(command.ParagraphComment));
                break;
            case ParagraphComment paragraph:
                AddParagraph(TextOf(paragraph));
                break;
        }
    }

    private void AddParagraph(string text)
    {
        if (text.Length > 0)
        {
            Paragraphs.Add(text);
        }
    }

    private static string TextOf(ParagraphComment? paragraph)
    {
        var text = new StringBuilder();
        foreach (InlineContentComment content in paragraph?.Content ?? [])
        {
            text.Append(content switch
            {
                TextComment plain => plain.Text,
                InlineCommandComment command =>
                    string.Join(' ', command.Arguments.Select(argument => $"`{argument.Text}`")),
                _ => content.ToString(),
            });
            if (content.HasTrailingNewline)
            {
                text.Append(' ');
            }
        }

        return Space().Replace(text.ToString(), " ").Trim();
    }

    [GeneratedRegex(@"\s+")]
    private static partial Regex Space();
}
