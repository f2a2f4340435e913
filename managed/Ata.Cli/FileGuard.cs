using System.CommandLine;
using System.CommandLine.Parsing;
using Ata.Data;
using Ata.Interop;

namespace Ata.Cli;

/// <summary>What a verb does with a path of the command line.</summary>
internal enum PathRole
{
    /// <summary>It reads the file or folder.</summary>
    Input,

    /// <summary>It writes the file.</summary>
    Output,

    /// <summary>It writes files into the folder, which it tells the guard of itself.</summary>
    OutputFolder,
}

/// <summary>An option or argument that is a path.</summary>
internal interface IPathSymbol
{
    /// <summary>What the verb does with it.</summary>
    PathRole Role { get; }

    /// <summary>What people know it by.</summary>
    string Shown { get; }

    /// <summary>The paths given.</summary>
    IEnumerable<string> Of(ParseResult parse);
}

/// <summary>What holds for all paths of a command line.</summary>
internal static class Paths
{
    /// <summary>Refuses an empty path.</summary>
    public static void RefuseEmpty(SymbolResult result, string name)
    {
        if (result.Tokens.Any(token => token.Value.Length == 0))
        {
            result.AddError($"{name} is empty; it must be the path of a file or folder.");
        }
    }
}

/// <summary>An option that is a path.</summary>
internal sealed class PathOption : Option<string>, IPathSymbol
{
    public PathOption(string name, PathRole role)
        : base(name)
    {
        Role = role;
        Validators.Add(result => Paths.RefuseEmpty(result, name));
    }

    public PathRole Role { get; }

    public string Shown => Name;

    public IEnumerable<string> Of(ParseResult parse) => parse.GetValue(this) is { } path ? [path] : [];
}

/// <summary>An argument that is a path.</summary>
internal sealed class PathArgument : Argument<string>, IPathSymbol
{
    public PathArgument(string name, PathRole role)
        : base(name)
    {
        Role = role;
        Validators.Add(result => Paths.RefuseEmpty(result, name));
    }

    public PathRole Role { get; }

    public string Shown => $"<{Name}>";

    public IEnumerable<string> Of(ParseResult parse) => parse.GetValue(this) is { } path ? [path] : [];
}

/// <summary>An argument that is several paths.</summary>
internal sealed class PathsArgument : Argument<string[]>, IPathSymbol
{
    public PathsArgument(string name, PathRole role)
        : base(name)
    {
        Role = role;
        Validators.Add(result => Paths.RefuseEmpty(result, name));
    }

    public PathRole Role { get; }

    public string Shown => $"<{Name}>";

    public IEnumerable<string> Of(ParseResult parse) => parse.GetValue(this) ?? [];
}

/// <summary>Sees to it that no verb writes over what it reads, nor over its other results: the one place that compares
/// files, by what they are and not by what they are called. Paths of the command line are known to it before a verb
/// begins; a verb adds the files that it finds out about on its way. One thread at a time.</summary>
internal sealed class FileGuard
{
    private static readonly (string Path, string Shown)[] s_streams = [("/dev/stdout", "standard output"), ("/dev/stderr", "standard error")];

    private readonly List<string> _inputs = [];
    private readonly List<(string Path, string Shown, FileIdentity? File)> _outputs = [];
    private readonly Dictionary<FileIdentity, string> _outputFiles = [];
    private readonly Dictionary<string, string> _newOutputs = new(StringComparer.Ordinal);
    private readonly Dictionary<FileIdentity, string> _known = [];
    private int _identified;

    /// <summary>Checks the paths of a command line.</summary>
    /// <exception cref="UsageException">A file would be both read and written, or written twice.</exception>
    public static FileGuard Of(ParseResult parse)
    {
        var guard = new FileGuard();
        Command verb = parse.CommandResult.Command;
        IPathSymbol[] paths = [.. verb.Options.OfType<IPathSymbol>(), .. verb.Arguments.OfType<IPathSymbol>()];
        if (!paths.Any(p => p.Of(parse).Any()))
        {
            // No file, and no need of the native library: 'ata info' says what it lacks.
            return guard;
        }

        foreach (IPathSymbol symbol in paths.Where(p => p.Role == PathRole.Input))
        {
            guard.Reads(symbol.Of(parse));
        }

        guard.RefuseStreams();
        foreach (IPathSymbol symbol in paths.Where(p => p.Role == PathRole.Output))
        {
            foreach (string path in symbol.Of(parse))
            {
                guard.Writes(path, symbol.Shown);
            }
        }

        return guard;
    }

    /// <summary>Tells of files and folders that the verb reads.</summary>
    /// <exception cref="UsageException">One of them is written.</exception>
    public void Reads(IEnumerable<string> paths)
    {
        _inputs.AddRange(paths);
        foreach ((string path, string shown, FileIdentity? file) in _outputs)
        {
            Refuse(path, shown, file);
        }
    }

    /// <summary>Tells of the videos of a dataset, and of the files that it was read from.</summary>
    /// <exception cref="UsageException">One of them is written.</exception>
    public void Reads(VideoDataset dataset) => Reads([.. dataset.Report?.Files ?? [], .. dataset.Items.Select(i => i.Path)]);

    /// <summary>Tells of a file that the verb writes, and makes sure that it can be written.</summary>
    /// <param name="path">The file.</param>
    /// <param name="shown">What people know it by.</param>
    /// <exception cref="UsageException">It is read, or written by another option.</exception>
    /// <exception cref="IOException">It cannot be written.</exception>
    public void Writes(string path, string shown)
    {
        FileIdentity? file = NativeFile.Identify(path);
        string? other = file switch
        {
            { Kind: FileKind.Regular } existing => _outputFiles.GetValueOrDefault(existing),
            null => _newOutputs.GetValueOrDefault(Path.GetFullPath(path)),
            _ => null,
        };
        if (other is not null)
        {
            throw new UsageException($"{shown} and {other} are the same file, '{path}'; name two.");
        }

        Refuse(path, shown, file);
        NativeFile.CheckWritable(path);
        if (file is null)
        {
            _newOutputs.Add(Path.GetFullPath(path), shown);
        }

        AddOutput(path, shown, file);
    }

    /// <summary>Tells of a folder that the verb fills: it must be new or empty.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="except">A file that may be in it.</param>
    /// <exception cref="UsageException">There is something else in it.</exception>
    public static void RequireEmpty(string folder, string? except = null)
    {
        string[] there = Directory.Exists(folder) ? Directory.EnumerateFileSystemEntries(folder).Where(e => Path.GetFileName(e) != except).Take(2).ToArray() : [];
        if (there.Length > 0)
        {
            throw new UsageException($"{folder} is not empty (it holds {Path.GetFileName(there[0])}{(there.Length > 1 ? " and more" : "")}); name a new folder, so that nothing is overwritten.");
        }
    }

    /// <summary>Files that the shell writes to cannot be read or written as well.</summary>
    private void RefuseStreams()
    {
        foreach ((string path, string shown) in s_streams)
        {
            FileIdentity? file = null;
            try
            {
                file = NativeFile.Identify(path);
            }
            catch (IOException)
            {
                // It is closed.
            }

            if (file is { Kind: FileKind.Regular })
            {
                Refuse(path, shown, file);
                AddOutput(path, shown, file);
            }
        }
    }

    private void AddOutput(string path, string shown, FileIdentity? file)
    {
        _outputs.Add((path, shown, file));
        if (file is { } existing)
        {
            _outputFiles.TryAdd(existing, shown);
        }
    }

    private void Refuse(string path, string shown, FileIdentity? file)
    {
        // What does not exist, and what is no file, cannot be overwritten.
        if (file is not { Kind: FileKind.Regular } existing)
        {
            return;
        }

        IdentifyInputs();
        if (_known.TryGetValue(existing, out string? input))
        {
            string name = input == path ? $"'{path}'" : $"'{path}', which is the same file as '{input}'";
            throw new UsageException($"{shown} would overwrite what is read: {name}; name another file.");
        }

        if (VideoFiles.IsVideo(path) && InputFolderAround(path) is { } folder)
        {
            throw new UsageException($"{shown} would overwrite what is read: '{path}' is one of the files in '{folder}'; name another file.");
        }
    }

    private void IdentifyInputs()
    {
        foreach (var input in _inputs.Skip(_identified).AsParallel().AsOrdered().Select(p => (Path: p, File: NativeFile.Identify(p))).ToArray())
        {
            if (input.File is { Kind: not FileKind.Other } file)
            {
                _known.TryAdd(file, input.Path);
            }
        }

        _identified = _inputs.Count;
    }

    /// <summary>The folder that is read and has the file somewhere below it.</summary>
    private string? InputFolderAround(string path)
    {
        string real = File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? Path.GetFullPath(path);
        for (string? folder = Path.GetDirectoryName(real); folder is not null; folder = Path.GetDirectoryName(folder))
        {
            if (NativeFile.Identify(folder) is { } identity && _known.TryGetValue(identity, out string? input))
            {
                return input;
            }
        }

        return null;
    }
}
