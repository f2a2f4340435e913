// host FOLDER [LIBRARY]: loads Ata.dll from FOLDER as a plug-in and prints the version of its native library, or what
// the failure says (exit code 1). With LIBRARY the host is one that knows where the native library is, and says so when asked.
using System.Reflection;
using System.Runtime.InteropServices;
using System.Runtime.Loader;

var context = new Plugin(Path.GetFullPath(args[0]));
if (args.Length > 1)
{
    context.ResolvingUnmanagedDll += (_, name) => name == "ata" ? NativeLibrary.Load(args[1]) : 0;
}

PropertyInfo version = context.LoadFromAssemblyName(new AssemblyName("Ata")).GetType("Ata.AtaRuntime")!.GetProperty("Version")!;
try
{
    Console.WriteLine($"libata {version.GetValue(null)}");
    return 0;
}
catch (TargetInvocationException error)
{
    Console.WriteLine($"{error.InnerException!.GetType().Name}: {error.InnerException.Message}");
    return 1;
}

internal sealed class Plugin(string folder) : AssemblyLoadContext("plugin")
{
    protected override Assembly? Load(AssemblyName name)
    {
        string file = Path.Combine(folder, name.Name + ".dll");
        return File.Exists(file) ? LoadFromAssemblyPath(file) : null;
    }
}
