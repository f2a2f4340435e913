#include "product.h"

#include <algorithm>
#include <cstring>

#include "base/threads.h"

// Compiled for several processors; the best that is there is taken.
#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(__clang__)
#define EMU_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define EMU_CLONES
#endif

namespace emu {
namespace {

// A tile of the result: kRows of a's rows times kColumns of b's columns, in registers.
constexpr int64_t kRows = 32;
constexpr int64_t kColumns = 6;
// Terms summed before they are added to the rest: keeps rounding errors small.
constexpr int64_t kTerms = 256;

int64_t tiles(int64_t count, int64_t size) {
  return (count + size - 1) / size;
}

float element(const Operand& x, int64_t row, int64_t column) {
  const int64_t at = x.transposed ? column + row * x.leading : row + column * x.leading;
  if (!x.bf16) return static_cast<const float*>(x.data)[at];
  return widen_bf16(static_cast<const uint16_t*>(x.data)[at]);
}

// Tiles of `size` lines each, for every term the lines' elements side by side; zeros behind the
// end.
template <int64_t kSize, class Element>
std::vector<float> pack(int64_t lines, int64_t terms, Element at) {
  std::vector<float> packed(static_cast<size_t>(tiles(lines, kSize) * kSize * terms));
  for (int64_t line = 0; line < lines; ++line) {
    float* to = packed.data() + line / kSize * kSize * terms + line % kSize;
    for (int64_t term = 0; term < terms; ++term, to += kSize) *to = at(line, term);
  }
  return packed;
}

// sums[column][row] of one tile.
EMU_CLONES void multiply_tile(const float* a, const float* b, int64_t terms,
                              float (*__restrict sums)[kRows]) {
  float total[kColumns][kRows] = {};
  for (int64_t begin = 0; begin < terms; begin += kTerms) {
    const int64_t end = std::min(begin + kTerms, terms);
    float part[kColumns][kRows] = {};
    for (int64_t term = begin; term < end; ++term) {
      const float* const left = a + term * kRows;
      const float* const right = b + term * kColumns;
      for (int64_t column = 0; column < kColumns; ++column) {
        for (int64_t row = 0; row < kRows; ++row) part[column][row] += left[row] * right[column];
      }
    }
    for (int64_t column = 0; column < kColumns; ++column) {
      for (int64_t row = 0; row < kRows; ++row) total[column][row] += part[column][row];
    }
  }
  std::memcpy(sums, total, sizeof total);
}

}  // namespace

std::vector<float> multiply(const Operand& a, const Operand& b, int64_t m, int64_t n, int64_t k) {
  const std::vector<float> left =
      pack<kRows>(m, k, [&](int64_t line, int64_t term) { return element(a, line, term); });
  const std::vector<float> right =
      pack<kColumns>(n, k, [&](int64_t line, int64_t term) { return element(b, term, line); });
  std::vector<float> product(static_cast<size_t>(m * n));
  const int64_t column_tiles = tiles(n, kColumns);
  const int64_t grain = 1 + (int64_t{1} << 22) / (kRows * n * k + 1);
  ata::parallel_for(tiles(m, kRows), grain, [&](int64_t begin, int64_t end) {
    for (int64_t tile = begin; tile < end; ++tile) {
      for (int64_t other = 0; other < column_tiles; ++other) {
        float sums[kColumns][kRows];
        multiply_tile(left.data() + tile * kRows * k, right.data() + other * kColumns * k, k, sums);
        const int64_t rows = std::min(kRows, m - tile * kRows);
        const int64_t columns = std::min(kColumns, n - other * kColumns);
        for (int64_t column = 0; column < columns; ++column) {
          std::memcpy(product.data() + (other * kColumns + column) * m + tile * kRows, sums[column],
                      static_cast<size_t>(rows) * sizeof(float));
        }
      }
    }
  });
  return product;
}

float widen_bf16(uint16_t bits) {
  const uint32_t wide = uint32_t{bits} << 16;
  float value;
  std::memcpy(&value, &wide, sizeof value);
  return value;
}

uint16_t narrow_bf16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  if (value != value) return static_cast<uint16_t>((bits >> 16) | 0x40U);
  return static_cast<uint16_t>((bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16);
}

}  // namespace emu
