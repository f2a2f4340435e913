namespace Ata.Interop;

/// <summary>Reads streams whole, from where they are to their end.</summary>
internal static class WholeStream
{
    private const int FirstCapacity = 1 << 16;

    /// <summary>What a stream is called in messages: the path of a file, else null.</summary>
    public static string? NameOf(Stream stream) => stream is FileStream file ? file.Name : null;

    /// <summary>Reads a stream.</summary>
    /// <param name="stream">The stream, which stays open.</param>
    /// <param name="largest">Most bytes that are read, of at most <see cref="Array.MaxLength"/>.</param>
    /// <param name="option">The option that says so, for messages.</param>
    /// <exception cref="ArgumentException">The stream cannot be read.</exception>
    /// <exception cref="IOException">It is longer, or reading fails.</exception>
    public static ReadOnlyMemory<byte> Read(Stream stream, long largest, string option)
    {
        var content = new Content(stream, largest, option);
        while (content.Add(stream.Read(content.Rest.Span)))
        {
        }

        return content.All;
    }

    /// <summary>Reads a stream asynchronously, and makes something of its content on another thread.</summary>
    public static async Task<T> ReadAsync<T>(
        Stream stream, long largest, string option, Func<ReadOnlyMemory<byte>, T> use, CancellationToken cancellationToken)
    {
        var content = new Content(stream, largest, option);
        while (content.Add(await stream.ReadAsync(content.Rest, cancellationToken).ConfigureAwait(false)))
        {
        }

        return await Task.Run(() => use(content.All), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>What was read so far.</summary>
    private sealed class Content
    {
        private readonly long _largest;
        private readonly string _option;
        private byte[] _bytes;
        private int _length;

        internal Content(Stream stream, long largest, string option)
        {
            ArgumentNullException.ThrowIfNull(stream);
            if (!stream.CanRead)
            {
                throw new ArgumentException("The stream cannot be read; give one that is open for reading.", nameof(stream));
            }

            OptionRange.Check(largest, 1, Array.MaxLength, option);
            _largest = largest;
            _option = option;
            long capacity = FirstCapacity;
            if (stream.CanSeek)
            {
                long left = Math.Max(stream.Length - stream.Position, 0);
                CheckLength(left);

                // One more, to see its end without another array.
                capacity = left + 1;
            }

            _bytes = new byte[Math.Min(capacity, Array.MaxLength)];
        }

        /// <summary>Where the next bytes go: at least one.</summary>
        internal Memory<byte> Rest => _bytes.AsMemory(_length);

        internal ReadOnlyMemory<byte> All => _bytes.AsMemory(0, _length);

        /// <summary>Counts what was read.</summary>
        /// <returns>Whether there may be more.</returns>
        internal bool Add(int count)
        {
            _length += count;
            CheckLength(_length);
            if (count > 0 && _length == _bytes.Length)
            {
                // Full arrays of the greatest length were checked to be at their limit.
                if (_length == Array.MaxLength)
                {
                    throw TooLong($"at least {_length} bytes");
                }

                Array.Resize(ref _bytes, (int)Math.Min(2L * _length, Array.MaxLength));
            }

            return count > 0;
        }

        private void CheckLength(long length)
        {
            if (length > _largest)
            {
                throw TooLong(FormattableString.Invariant($"more than {_largest} bytes"));
            }
        }

        private IOException TooLong(string length) => new(
            $"The stream has {length}, the most that are read into memory ({_option}); raise that, or save it to a file and give its path.");
    }
}
