using Ata.Bindings;
using Ata.Interop;

namespace Ata;

/// <summary>Options of a <see cref="Session"/>.</summary>
public sealed record SessionOptions
{
    /// <summary>Most threads that a call uses, the calling one included; null for <see cref="AtaRuntime.ThreadCount"/>.
    /// Sessions of one thread each run beside one another without waiting for each other, which serves many requests best.
    /// Results do not depend on it.</summary>
    public int? Threads { get; init; }

    /// <summary>A queue of the model's device on which the session does its work, in order with what else is queued there:
    /// a <c>cudaStream_t</c>, which the caller keeps until the session is disposed. 0: the session has one of its own. The
    /// CPU has no queues.</summary>
    public nint Stream { get; init; }

    internal unsafe ata_session_options ToNative() => new()
    {
        struct_size = (nuint)sizeof(ata_session_options),
        stream = (void*)Stream,
        threads = OptionValue.PositiveOrZero(Threads),
    };
}
