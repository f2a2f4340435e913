namespace Ata.Training;

/// <summary>The Castagnoli checksum, with the mask that TFRecord files apply to it.</summary>
internal static class Crc32C
{
    private const uint Polynomial = 0x82F63B78;
    private static readonly uint[] Table = MakeTable();

    internal static uint Compute(ReadOnlySpan<byte> bytes)
    {
        uint crc = ~0u;
        foreach (byte value in bytes)
        {
            crc = (crc >> 8) ^ Table[(byte)(crc ^ value)];
        }

        return ~crc;
    }

    internal static uint Masked(ReadOnlySpan<byte> bytes)
    {
        uint crc = Compute(bytes);
        return ((crc >> 15) | (crc << 17)) + 0xA282EAD8;
    }

    private static uint[] MakeTable()
    {
        var table = new uint[256];
        for (uint i = 0; i < table.Length; ++i)
        {
            uint value = i;
            for (int bit = 0; bit < 8; ++bit)
            {
                value = (value & 1) != 0 ? (value >> 1) ^ Polynomial : value >> 1;
            }

            table[i] = value;
        }

        return table;
    }
}
