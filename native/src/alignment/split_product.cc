#include "alignment/split_product.h"

#include <algorithm>

#include "base/error.h"
#include "tensor/product.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define ATA_HAS_AMX 1
#include <cpuid.h>
#include <immintrin.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
// Compiled for processors that have it, whatever the rest of the library is compiled for.
#define ATA_AMX_ATTR \
  __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16,amx-tile,amx-bf16")))
#else
#define ATA_HAS_AMX 0
#endif

namespace ata {
namespace {

// A tile of the matrix unit: 16 rows of 64 bytes, thus 16 floats, or 16 pairs of bf16.
constexpr int64_t kTile = 16;
constexpr int64_t kTileDepth = 2 * kTile;
constexpr int64_t kBlock = 2 * kTile;  // rows and columns that are computed at a time

int64_t round_up(int64_t count, int64_t multiple) {
  return (count + multiple - 1) / multiple * multiple;
}

#if ATA_HAS_AMX

bool detect() {
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  constexpr unsigned kAmxBf16 = 1U << 22;
  constexpr unsigned kAmxTile = 1U << 24;
  constexpr unsigned kAvx512Bf16 = 1U << 5;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0) return false;
  if ((edx & kAmxBf16) == 0 || (edx & kAmxTile) == 0) return false;
  if (__get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) == 0 || (eax & kAvx512Bf16) == 0) {
    return false;
  }
#if defined(__linux__)
  // Linux saves the tiles of a process only after it has asked for them. oneDNN may have asked
  // before; twice does no harm.
  constexpr long kRequestPermission = 0x1023;
  constexpr long kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

struct alignas(64) TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

struct Factor {
  const uint16_t* high;
  const uint16_t* low;
};

// Where a row is written: in tiles, and as it is.
struct SplitRow {
  uint16_t* high_tile;
  uint16_t* low_tile;
  uint16_t* high;
  uint16_t* low;
};

struct Panel {
  const float* high;
  const float* low;
};

// Tiles 0 to 3 hold the sums, 4 and 5 rows of a, 6 and 7 columns of b.
template <int kRowTiles, int kColumnTiles>
ATA_AMX_ATTR inline void multiply_tiles() {
  _tile_dpbf16ps(0, 4, 6);
  if constexpr (kColumnTiles > 1) _tile_dpbf16ps(1, 4, 7);
  if constexpr (kRowTiles > 1) _tile_dpbf16ps(2, 5, 6);
  if constexpr (kRowTiles > 1 && kColumnTiles > 1) _tile_dpbf16ps(3, 5, 7);
}

template <int kRowTiles>
ATA_AMX_ATTR inline void load_rows(const uint16_t* a, int64_t depth) {
  constexpr int64_t kStride = kTileDepth * static_cast<int64_t>(sizeof(uint16_t));
  _tile_loadd(4, a, kStride);
  if constexpr (kRowTiles > 1) _tile_loadd(5, a + kTile * depth, kStride);
}

template <int kColumnTiles>
ATA_AMX_ATTR inline void load_columns(const float* panel) {
  constexpr int64_t kStride = kBlock * static_cast<int64_t>(sizeof(float));
  _tile_loadd(6, panel, kStride);
  if constexpr (kColumnTiles > 1) _tile_loadd(7, panel + kTile, kStride);
}

// sums `[32, 32]`: one block of the product.
template <int kRowTiles, int kColumnTiles>
ATA_AMX_ATTR void multiply_block(const Factor& a, int64_t depth, const Panel& b, float* sums) {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int64_t k = 0; k < depth; k += kTileDepth) {
    const int64_t at = k / 2 * kBlock;
    load_rows<kRowTiles>(a.low + k * kTile, depth);
    load_columns<kColumnTiles>(b.high + at);
    multiply_tiles<kRowTiles, kColumnTiles>();
    load_rows<kRowTiles>(a.high + k * kTile, depth);
    multiply_tiles<kRowTiles, kColumnTiles>();
    load_columns<kColumnTiles>(b.low + at);
    multiply_tiles<kRowTiles, kColumnTiles>();
  }
  constexpr int64_t kStride = kBlock * static_cast<int64_t>(sizeof(float));
  _tile_stored(0, sums, kStride);
  if constexpr (kColumnTiles > 1) _tile_stored(1, sums + kTile, kStride);
  if constexpr (kRowTiles > 1) _tile_stored(2, sums + kTile * kBlock, kStride);
  if constexpr (kRowTiles > 1 && kColumnTiles > 1) {
    _tile_stored(3, sums + kTile * kBlock + kTile, kStride);
  }
}

ATA_AMX_ATTR void multiply_block(const Factor& a, int64_t rows, int64_t depth, const Panel& b,
                                 int64_t columns, float* sums) {
  if (rows > kTile) {
    if (columns > kTile) return multiply_block<2, 2>(a, depth, b, sums);
    return multiply_block<2, 1>(a, depth, b, sums);
  }
  if (columns > kTile) return multiply_block<1, 2>(a, depth, b, sums);
  return multiply_block<1, 1>(a, depth, b, sums);
}

// Splits up to 16 scaled values, and zeros up to 16.
ATA_AMX_ATTR inline void split(const float* values, int64_t count, __m512 scale, __m256i& high,
                               __m256i& low) {
  const auto mask = static_cast<__mmask16>((1U << std::clamp<int64_t>(count, 0, kTile)) - 1);
  const __m512 x = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, values), scale);
  high = reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(x));
  // (Masks of all lanes: GCC warns of the undefined vector inside the intrinsics without mask.)
  const __m512i wide = _mm512_maskz_cvtepu16_epi32(0xFFFF, high);
  const __m512 back = _mm512_castsi512_ps(_mm512_maskz_slli_epi32(0xFFFF, wide, 16));
  low = reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(_mm512_sub_ps(x, back)));
}

ATA_AMX_ATTR inline void store(__m256i values, uint16_t* out) {
  _mm256_store_si256(reinterpret_cast<__m256i*>(out), values);
}

ATA_AMX_ATTR void split_row(const float* values, int64_t depth, float scale, const SplitRow& out) {
  for (int64_t k = 0; k < round_up(depth, kTileDepth); k += kTile) {
    __m256i high;
    __m256i low;
    split(values + k, depth - k, _mm512_set1_ps(scale), high, low);
    const int64_t at = k / kTileDepth * (kTile * kTileDepth) + k % kTileDepth;
    store(high, out.high_tile + at);
    store(low, out.low_tile + at);
    store(high, out.high + k);
    store(low, out.low + k);
  }
}

class TileScope {
 public:
  ATA_AMX_ATTR TileScope() {
    // Static: GCC takes only the first bytes of it for read here, and might not write the others.
    static constinit const TileConfig kConfig;
    _tile_loadconfig(&kConfig);
  }
  ATA_AMX_ATTR ~TileScope() { _tile_release(); }
  TileScope(const TileScope&) = delete;
  TileScope& operator=(const TileScope&) = delete;
};

#endif  // ATA_HAS_AMX

}  // namespace

bool has_split_product() {
#if ATA_HAS_AMX
  static const bool available = detect();
  return available && panel_elements(1, 1) == kBlock;
#else
  return false;
#endif
}

void SplitMatrix::resize(int64_t rows, int64_t depth) {
  require(has_split_product(), "this processor has no matrix unit for bf16");
  rows_ = rows;
  depth_ = depth;
  padded_depth_ = round_up(depth, kTileDepth);
  for (AlignedBuffer<uint16_t>* tiles : {&high_, &low_}) {
    tiles->reserve(static_cast<size_t>(round_up(rows, kTile) * padded_depth_));
  }
  for (AlignedBuffer<float>* panels : {&high_panels_, &low_panels_}) {
    panels->reserve(static_cast<size_t>(panel_elements(rows, padded_depth_ / 2)));
  }
  // A pair of bf16 moves like one float.
  block_.reserve(static_cast<size_t>(kBlock * padded_depth_));
}

void SplitMatrix::set_row(int64_t i, const float* values, float scale) {
#if ATA_HAS_AMX
  const int64_t in_block = i % kBlock;
  const int64_t pairs = padded_depth_ / 2;
  float* high_block = block_.data();
  float* low_block = high_block + kBlock * pairs;
  const int64_t tile = i / kTile * (kTile * padded_depth_) + i % kTile * kTileDepth;
  split_row(values, depth_, scale,
            {high_.data() + tile, low_.data() + tile,
             reinterpret_cast<uint16_t*>(high_block + in_block * pairs),
             reinterpret_cast<uint16_t*>(low_block + in_block * pairs)});
  if (in_block != kBlock - 1 && i != rows_ - 1) return;
  const int64_t panel = (i - in_block) * pairs;
  pack_transposed(high_block, in_block + 1, pairs, high_panels_.data() + panel);
  pack_transposed(low_block, in_block + 1, pairs, low_panels_.data() + panel);
#else
  (void)i, (void)values, (void)scale;
#endif
}

void multiply_split(const SplitMatrix& a, int64_t begin, int64_t end, const SplitMatrix& b,
                    float* out) {
#if ATA_HAS_AMX
  const TileScope tiles;
  const int64_t depth = a.padded_depth_;
  alignas(64) float sums[kBlock * kBlock];
  for (int64_t j = 0; j < b.rows_; j += kBlock) {
    const Panel panel = {b.high_panels_.data() + j * depth / 2,
                         b.low_panels_.data() + j * depth / 2};
    const int64_t columns = std::min(kBlock, b.rows_ - j);
    for (int64_t i = begin / kTile * kTile; i < end; i += kBlock) {
      const int64_t rows = std::min(kBlock, end - i);
      const Factor factor = {a.high_.data() + i * depth, a.low_.data() + i * depth};
      multiply_block(factor, rows, depth, panel, columns, sums);
      for (int64_t r = std::max<int64_t>(begin - i, 0); r < rows; ++r) {
        std::copy_n(sums + r * kBlock, columns, out + (i - begin + r) * b.rows_ + j);
      }
    }
  }
#else
  (void)a, (void)begin, (void)end, (void)b, (void)out;
#endif
}

}  // namespace ata
