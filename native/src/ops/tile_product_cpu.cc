// Products of small f32 tiles that lie in the caches, for the attentions.

#include "base/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/tile_product_cpu.cc"
#include "hwy/foreach_target.h"
#include "ops/attention_tiles-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ata {
namespace HWY_NAMESPACE {

// Rows and vectors of the block of c that stays in registers, of which there are 32 or 16.
constexpr int kBlockRows = 6;
constexpr int kBlockVectors = HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM ? 4 : 2;

template <int kRows, int kVectors, bool kAccumulate>
void multiply_block(int64_t depth, LeftFactor a, const float* HWY_RESTRICT b, int64_t b_stride,
                    float* HWY_RESTRICT c, int64_t c_stride) {
  const FloatTag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  FloatVec sums[kRows][kVectors];
  HWY_UNROLL(8)
  for (int r = 0; r < kRows; ++r) {
    HWY_UNROLL(8)
    for (int v = 0; v < kVectors; ++v) {
      sums[r][v] = kAccumulate ? hn::LoadU(d, c + r * c_stride + v * lanes) : hn::Zero(d);
    }
  }
  const float* HWY_RESTRICT a_data = a.data;
  for (int64_t k = 0; k < depth; ++k) {
    FloatVec right[kVectors];
    HWY_UNROLL(8)
    for (int v = 0; v < kVectors; ++v) right[v] = hn::LoadU(d, b + v * lanes);
    HWY_UNROLL(8)
    for (int r = 0; r < kRows; ++r) {
      const FloatVec left = hn::Set(d, a_data[r * a.row]);
      HWY_UNROLL(8)
      for (int v = 0; v < kVectors; ++v) sums[r][v] = hn::MulAdd(left, right[v], sums[r][v]);
    }
    a_data += a.column;
    b += b_stride;
  }
  HWY_UNROLL(8)
  for (int r = 0; r < kRows; ++r) {
    HWY_UNROLL(8)
    for (int v = 0; v < kVectors; ++v) hn::StoreU(sums[r][v], d, c + r * c_stride + v * lanes);
  }
}

// As many rows as a block takes at once, 6, 4, 2 or 1; returns how many.
template <int kVectors, bool kAccumulate>
HWY_INLINE int64_t multiply_rows(int64_t rows, int64_t depth, const LeftFactor& a, const float* b,
                                 int64_t b_stride, float* c, int64_t c_stride) {
  if (rows >= kBlockRows) {
    multiply_block<kBlockRows, kVectors, kAccumulate>(depth, a, b, b_stride, c, c_stride);
    return kBlockRows;
  }
  if (rows >= 4) {
    multiply_block<4, kVectors, kAccumulate>(depth, a, b, b_stride, c, c_stride);
    return 4;
  }
  if (rows >= 2) {
    multiply_block<2, kVectors, kAccumulate>(depth, a, b, b_stride, c, c_stride);
    return 2;
  }
  multiply_block<1, kVectors, kAccumulate>(depth, a, b, b_stride, c, c_stride);
  return 1;
}

template <int kVectors, bool kAccumulate>
HWY_INLINE void multiply_panel(int64_t m, int64_t depth, LeftFactor a, const float* b,
                               int64_t b_stride, float* c, int64_t c_stride) {
  for (int64_t i = 0; i < m;) {
    const int64_t rows =
        multiply_rows<kVectors, kAccumulate>(m - i, depth, a, b, b_stride, c, c_stride);
    a.data += rows * a.row;
    c += rows * c_stride;
    i += rows;
  }
}

template <bool kAccumulate>
HWY_INLINE void multiply_all(int64_t m, int64_t n, int64_t depth, const LeftFactor& a,
                             const float* b, int64_t b_stride, float* c, int64_t c_stride) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(FloatTag()));
  int64_t j = 0;
  for (; j + kBlockVectors * lanes <= n; j += kBlockVectors * lanes) {
    multiply_panel<kBlockVectors, kAccumulate>(m, depth, a, b + j, b_stride, c + j, c_stride);
  }
  for (; kBlockVectors > 2 && j + 2 * lanes <= n; j += 2 * lanes) {
    multiply_panel<2, kAccumulate>(m, depth, a, b + j, b_stride, c + j, c_stride);
  }
  for (; j < n; j += lanes) {
    multiply_panel<1, kAccumulate>(m, depth, a, b + j, b_stride, c + j, c_stride);
  }
}

void multiply(int64_t m, int64_t n, int64_t depth, const LeftFactor& a, const float* b,
              int64_t b_stride, float* c, int64_t c_stride) {
  multiply_all<false>(m, n, depth, a, b, b_stride, c, c_stride);
}

void multiply_add(int64_t m, int64_t n, int64_t depth, const LeftFactor& a, const float* b,
                  int64_t b_stride, float* c, int64_t c_stride) {
  multiply_all<true>(m, n, depth, a, b, b_stride, c, c_stride);
}

}  // namespace HWY_NAMESPACE
}  // namespace ata
HWY_AFTER_NAMESPACE();
