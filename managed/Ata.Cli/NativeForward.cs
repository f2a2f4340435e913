using Ata.Bindings;
using Ata.Interop;

namespace Ata.Cli;

/// <summary>The forward pass through the C API itself, on a session's own handle, to measure what the C# API adds.</summary>
internal readonly unsafe ref struct NativeForward(Session session, AtaTensor clip)
{
    private readonly Lease<ata_session> _session = session.Handle.Lease();
    private readonly Lease<ata_tensor> _clip = clip.Handle.Lease();

    public void Run(Span<float> logits)
    {
        fixed (float* results = logits)
        {
            NativeStatus.Check(NativeMethods.ata_session_forward(
                _session.Pointer, _clip.Pointer, null, results, (nuint)logits.Length));
        }
    }

    public void Dispose()
    {
        _clip.Dispose();
        _session.Dispose();
    }
}
