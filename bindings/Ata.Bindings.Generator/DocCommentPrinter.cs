using System.Text;
using System.Text.RegularExpressions;
using CppSharp.AST;

namespace Ata.Bindings.Generator;

/// <summary>Prints Doxygen comments as XML documentation.</summary>
internal sealed partial class DocCommentPrinter
{
    private const int LineWidth = 110;

    // What each name of the C API is called in the bindings, for links.
    private readonly Dictionary<string, string> _links = [];

    /// <summary>Makes a printer that links to the declarations of some headers.</summary>
    /// <param name="units">The headers.</param>
    public DocCommentPrinter(IReadOnlyList<TranslationUnit> units)
    {
        foreach (TranslationUnit unit in units)
        {
            foreach (Enumeration @enum in unit.Enums)
            {
                _links[@enum.Name] = @enum.Name;
                foreach (Enumeration.Item item in @enum.Items)
                {
                    _links[item.Name] = $"{@enum.Name}.{item.Name}";
                }
            }

            foreach (Class @class in unit.Classes)
            {
                _links[@class.Name] = @class.Name;
            }

            foreach (Function function in unit.Functions)
            {
                _links[function.Name] = $"{FunctionSources.ClassName}.{function.Name}";
            }

            foreach (IntegerMacro macro in IntegerMacro.FindAll(unit))
            {
                _links[macro.Name] = $"{FunctionSources.ClassName}.{macro.Name}";
            }
        }
    }

    /// <summary>Prints the documentation of a declaration.</summary>
    /// <param name="declaration">The declaration, which must be documented.</param>
    /// <returns>Lines beginning with <c>///</c>.</returns>
    public IEnumerable<string> Print(Declaration declaration)
    {
        FullComment comment = Find(declaration)?.FullComment
            ?? throw new BindingException($"{declaration.QualifiedName} has no documentation comment.");
        var parsed = ParsedComment.From(comment);
        List<Parameter> parameters = declaration is Function function ? function.Parameters : [];
        HashSet<string> names = [.. parameters.Select(parameter => parameter.Name)];

        List<string> paragraphs = parsed.Paragraphs;
        if (paragraphs.Count == 0 && parsed.Returns is not null)
        {
            paragraphs = [parsed.Returns];
        }

        if (paragraphs.Count == 0)
        {
            throw new BindingException($"The comment of {declaration.QualifiedName} has no description.");
        }

        List<string> lines = [.. Element("summary", Format(paragraphs[0], names))];
        if (paragraphs.Count > 1)
        {
            List<string> rest = [.. paragraphs.Skip(1).Select(text => Format(text, names))];
            string remarks = rest.Count == 1 ? rest[0] : string.Join(' ', rest.Select(text => $"<para>{text}</para>"));
            lines.AddRange(Element("remarks", remarks));
        }

        foreach (Parameter parameter in parameters)
        {
            if (!parsed.Parameters.TryGetValue(parameter.Name, out string? text))
            {
                throw new BindingException(
                    $"{declaration.QualifiedName}: parameter {parameter.Name} is not documented.");
            }

            lines.AddRange(Element($"param name=\"{parameter.Name}\"", Format(text, names)));
        }

        string? unknown = parsed.Parameters.Keys.FirstOrDefault(name => !names.Contains(name));
        if (unknown is not null)
        {
            throw new BindingException(
                $"{declaration.QualifiedName} documents '{unknown}', which is not a parameter.");
        }

        if (parsed.Returns is not null)
        {
            lines.AddRange(Element("returns", Format(parsed.Returns, names)));
        }

        return lines;
    }

    /// <summary>Prints the documentation of a macro.</summary>
    /// <param name="macro">The macro, which must be documented.</param>
    /// <returns>Lines beginning with <c>///</c>.</returns>
    public IEnumerable<string> Print(IntegerMacro macro) =>
        macro.Comment.Length > 0
            ? Element("summary", Format(macro.Comment, []))
            : throw new BindingException($"{macro.Name} has no documentation comment.");

    // In `typedef struct x x;` the comment belongs to the typedef alone.
    private static RawComment? Find(Declaration declaration) =>
        declaration.Comment
        ?? declaration.Namespace.Typedefs.FirstOrDefault(typedef => typedef.Name == declaration.Name)?.Comment;

    private static IEnumerable<string> Element(string tag, string content)
    {
        string end = $"</{tag.Split(' ')[0]}>";
        if (tag.Length + content.Length + end.Length + "/// <>".Length <= LineWidth)
        {
            return [$"/// <{tag}>{content}{end}"];
        }

        List<string> lines = [$"/// <{tag}>"];
        var line = new StringBuilder("///");
        foreach (Match word in Word().Matches(content))
        {
            if (line.Length + 1 + word.Length > LineWidth)
            {
                lines.Add(line.ToString());
                line.Clear().Append("///");
            }

            line.Append(' ').Append(word.Value);
        }

        lines.Add(line.ToString());
        lines.Add($"/// {end}");
        return lines;
    }

    /// <summary>Escapes text, and turns code, links and names of parameters into elements.</summary>
    private string Format(string text, HashSet<string> parameters)
    {
        var result = new StringBuilder();
        int position = 0;
        foreach (Match match in Inline().Matches(text))
        {
            result.Append(Escape(text[position..match.Index]));
            position = match.Index + match.Length;
            string name = match.Groups["name"].Value;
            string code = match.Groups["code"].Success ? match.Groups["code"].Value : name;
            if (parameters.Contains(code))
            {
                result.Append($"<paramref name=\"{code}\"/>");
            }
            else if (_links.TryGetValue(name, out string? link))
            {
                result.Append($"<see cref=\"{link}\"/>");
            }
            else
            {
                result.Append($"<c>{Escape(code)}</c>");
            }
        }

        return result.Append(Escape(text[position..])).ToString();
    }

    private static string Escape(string text) =>
        text.Replace("&", "&amp;", StringComparison.Ordinal)
            .Replace("<", "&lt;", StringComparison.Ordinal)
            .Replace(">", "&gt;", StringComparison.Ordinal);

    // `code`, ::name, or name() of a function.
    [GeneratedRegex(@"`(?<code>[^`]+)`|::(?<name>\w+)(?:\(\))?|\b(?<name>[a-z]\w*_\w+)\(\)")]
    private static partial Regex Inline();

    // Tags are not broken between lines.
    [GeneratedRegex(@"(?:<[^>]*>|[^\s<])+")]
    private static partial Regex Word();
}
