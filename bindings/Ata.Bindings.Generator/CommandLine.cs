namespace Ata.Bindings.Generator;

/// <summary>The command line: writes the bindings, or checks that the written ones are up to date.</summary>
internal static class CommandLine
{
    private const string Usage =
        """
        Usage: Ata.Bindings.Generator [--check] [--header PATH] [--output FOLDER]

          --check          write nothing; fail if a file would change
          --header PATH    the header to bind (default: native/include/ata/ata.h)
          --output FOLDER  where the files go (default: bindings/Ata.Bindings/Generated)

        The defaults are relative to the repository's root, which is searched upwards from the current folder.
        """;

    /// <summary>Runs the program.</summary>
    /// <param name="args">The arguments.</param>
    /// <returns>The exit code: 0 for success, 1 for failure or a difference, 2 for wrong usage.</returns>
    public static int Run(string[] args)
    {
        bool check = false;
        string? header = null;
        string? output = null;
        for (int i = 0; i < args.Length; i++)
        {
            bool hasValue = i + 1 < args.Length;
            switch (args[i])
            {
                case "--check":
                    check = true;
                    break;
                case "--header" when hasValue:
                    header = args[++i];
                    break;
                case "--output" when hasValue:
                    output = args[++i];
                    break;
                default:
                    Console.Error.WriteLine(Usage);
                    return 2;
            }
        }

        if (header is null || output is null)
        {
            string? root = FindRoot();
            if (root is null)
            {
                Console.Error.WriteLine("error: run inside the repository, or give --header and --output.");
                return 2;
            }

            header ??= Path.Combine(root, "native", "include", "ata", "ata.h");
            output ??= Path.Combine(root, "bindings", "Ata.Bindings", "Generated");
        }

        try
        {
            IReadOnlyList<GeneratedFile> files = HeaderBinder.Bind(Path.GetFullPath(header));
            return check ? Check(files, output) : Write(files, output);
        }
        catch (BindingException failure)
        {
            Console.Error.WriteLine($"error: {failure.Message}");
            return 1;
        }
    }

    private static int Write(IReadOnlyList<GeneratedFile> files, string output)
    {
        Directory.CreateDirectory(output);
        foreach (string stale in Strays(files, output))
        {
            File.Delete(stale);
        }

        foreach (GeneratedFile file in files)
        {
            File.WriteAllText(Path.Combine(output, file.Name), file.Text);
            Console.WriteLine($"wrote {file.Name}");
        }

        return 0;
    }

    private static int Check(IReadOnlyList<GeneratedFile> files, string output)
    {
        int differences = 0;
        foreach (GeneratedFile file in files)
        {
            string path = Path.Combine(output, file.Name);
            if (!File.Exists(path) || File.ReadAllText(path) != file.Text)
            {
                Console.Error.WriteLine($"error: {file.Name} is not what the header gives; regenerate it.");
                differences++;
            }
        }

        foreach (string stray in Strays(files, output))
        {
            Console.Error.WriteLine($"error: {Path.GetFileName(stray)} is not generated from the header; remove it.");
            differences++;
        }

        if (differences == 0)
        {
            Console.WriteLine($"{files.Count} files are up to date");
        }

        return differences == 0 ? 0 : 1;
    }

    private static IEnumerable<string> Strays(IReadOnlyList<GeneratedFile> files, string output) =>
        Directory.Exists(output)
            ? Directory.GetFiles(output).Where(path => files.All(file => file.Name != Path.GetFileName(path)))
            : [];

    private static string? FindRoot()
    {
        DirectoryInfo? folder = new(Directory.GetCurrentDirectory());
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "native", "include", "ata", "ata.h")))
        {
            folder = folder.Parent;
        }

        return folder?.FullName;
    }
}
