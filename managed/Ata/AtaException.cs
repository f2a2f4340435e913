using Ata.Interop;

namespace Ata;

/// <summary>What kind of failure the native library reported. The values are those of the C API.</summary>
public enum AtaStatus
{
    /// <summary>An argument is out of range or contradicts another; thrown as <see cref="ArgumentException"/>.</summary>
    InvalidArgument = 1,

    /// <summary>Memory could not be allocated; thrown as <see cref="InsufficientMemoryException"/>.</summary>
    OutOfMemory = 2,

    /// <summary>A file or directory does not exist; thrown as <see cref="FileNotFoundException"/>.</summary>
    NotFound = 3,

    /// <summary>Reading or writing failed; thrown as <see cref="IOException"/>.</summary>
    IOError = 4,

    /// <summary>A model or tensor file is malformed; thrown as <see cref="AtaModelException"/>.</summary>
    BadModel = 5,

    /// <summary>A video or image is malformed or too short; thrown as <see cref="AtaVideoException"/>.</summary>
    BadVideo = 6,

    /// <summary>What was asked for is not supported; thrown as <see cref="NotSupportedException"/>.</summary>
    Unsupported = 7,

    /// <summary>A shared library cannot be loaded; thrown as <see cref="AtaLibraryException"/>.</summary>
    LibraryUnavailable = 8,

    /// <summary>A device cannot be used; thrown as <see cref="AtaDeviceException"/>.</summary>
    DeviceUnavailable = 9,

    /// <summary>The call was cancelled; thrown as <see cref="OperationCanceledException"/>.</summary>
    Cancelled = 10,

    /// <summary>An assignment problem has no complete matching; thrown as <see cref="AtaInfeasibleException"/>.</summary>
    Infeasible = 11,

    /// <summary>A fault in the library itself; thrown as <see cref="AtaException"/>.</summary>
    Internal = 12,

    /// <summary>What was computed is not finite, although the input is; thrown as <see cref="AtaNotFiniteException"/>.</summary>
    NotFinite = 13,

    /// <summary>The object is not in the state that the call needs: a gradient is read before it is computed; thrown as
    /// <see cref="InvalidOperationException"/>.</summary>
    InvalidState = 14,

    /// <summary>There is no tensor or parameter of that name; thrown as <see cref="KeyNotFoundException"/>.</summary>
    UnknownName = 15,
}

/// <summary>
/// A failure that is Ata's own. Failures for which .NET has an exception are thrown as that one; see
/// <see cref="AtaStatus"/>. Messages name what is wrong and how to remedy it, in one line: what is not printable in the
/// names of files and classes is shown as <c>\n</c>, <c>\x1b</c> or <c>\u202e</c>.
/// </summary>
public class AtaException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">What is wrong and how to remedy it.</param>
    /// <param name="status">The kind of failure.</param>
    /// <param name="innerException">What caused it, or null.</param>
    public AtaException(string message, AtaStatus status = AtaStatus.Internal, Exception? innerException = null)
        : base(PrintableText.Of(message), innerException) => Status = status;

    /// <summary>The kind of failure.</summary>
    public AtaStatus Status { get; }
}

/// <summary>A model or tensor file is malformed, or contradicts its own configuration.</summary>
/// <param name="message">What is wrong and how to remedy it.</param>
public sealed class AtaModelException(string message) : AtaException(message, AtaStatus.BadModel);

/// <summary>A video or image is malformed, has no frames, or is shorter than asked.</summary>
/// <param name="message">What is wrong and how to remedy it.</param>
public sealed class AtaVideoException(string message) : AtaException(message, AtaStatus.BadVideo);

/// <summary>A device does not exist or cannot be used, also because its plugin cannot be loaded.</summary>
/// <param name="message">What is wrong and how to remedy it.</param>
public sealed class AtaDeviceException(string message) : AtaException(message, AtaStatus.DeviceUnavailable);

/// <summary>What was computed is not finite, although the input is: the loss or the gradient of training that diverges,
/// or the results of a model with damaged weights.</summary>
/// <param name="message">What it is and how to remedy it.</param>
public sealed class AtaNotFiniteException(string message) : AtaException(message, AtaStatus.NotFinite);

/// <summary>An assignment problem has no complete matching: too many pairs are forbidden.</summary>
/// <param name="message">Which problem it is.</param>
public sealed class AtaInfeasibleException(string message) : AtaException(message, AtaStatus.Infeasible);

/// <summary>A shared library that the call needs cannot be loaded, or does not belong to this version.</summary>
/// <param name="message">Which file, why, and how to remedy it.</param>
public sealed class AtaLibraryException(string message) : AtaException(message, AtaStatus.LibraryUnavailable);

/// <summary>A <see cref="VideoClassifier"/> was asked for more than it may keep waiting: as many calls run as may run at
/// the same time, and as many wait as may wait. Nothing was begun; the call can be made again later.</summary>
public sealed class AtaBusyException : AtaException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="running">How many calls run at the same time.</param>
    /// <param name="queueLimit">How many calls may wait.</param>
    public AtaBusyException(int running, int queueLimit)
        : base(
            $"The classifier is busy: {running} calls run and {queueLimit} wait, the most that may. Try again later, or raise QueueLimit or MaxConcurrency.",
            AtaStatus.InvalidState)
    {
        QueueLimit = queueLimit;
    }

    /// <summary>How many calls may wait (<see cref="VideoClassifierOptions.QueueLimit"/>).</summary>
    public int QueueLimit { get; }
}
