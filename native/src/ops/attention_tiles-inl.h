// The pieces that both attentions are made of: rows of a token matrix gathered into small f32
// tiles, products of tiles, softmax over tile rows. Included once per instruction set.

#if defined(ATA_OPS_ATTENTION_TILES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ATA_OPS_ATTENTION_TILES_INL_H_
#undef ATA_OPS_ATTENTION_TILES_INL_H_
#else
#define ATA_OPS_ATTENTION_TILES_INL_H_
#endif

#include <cmath>
#include <limits>

#include "hwy/cache_control.h"
#include "ops/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ata {
namespace HWY_NAMESPACE {

// --- Products of tiles ----------------------------------------------------------------------

// A factor whose element (i, k) is data[i * row + k * column].
struct LeftFactor {
  const float* data;
  int64_t row;
  int64_t column;
};

// c `[m, n]` = or += a `[m, depth]` times b `[depth, n]`; n is a multiple of the vector length.
// Defined in tile_product_cpu.cc, for each instruction set once.
void multiply(int64_t m, int64_t n, int64_t depth, const LeftFactor& a, const float* b,
              int64_t b_stride, float* c, int64_t c_stride);
void multiply_add(int64_t m, int64_t n, int64_t depth, const LeftFactor& a, const float* b,
                  int64_t b_stride, float* c, int64_t c_stride);

// --- Gathering rows into tiles ----------------------------------------------------------------

HWY_INLINE int64_t round_up(int64_t count) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(FloatTag()));
  return (count + lanes - 1) / lanes * lanes;
}

// Asks for the cache lines of the `dim` elements at `from`.
template <typename T>
HWY_INLINE void prefetch_row(const T* from, int64_t dim) {
  constexpr int64_t kLine = 64 / sizeof(T);
  for (int64_t at = 0; at < dim; at += kLine) hwy::Prefetch(from + at);
}

// Rows lie far apart, where the hardware does not foresee them, so that gathering asks for the row
// this many ahead.
constexpr int64_t kRowsAhead = 12;

// tile `[end - begin, width]` = scale * rows [begin, end) of a sequence; `base` is the first
// element of the head's part of row 0, width = round_up(dim); columns past dim are zero.
template <typename T, class Rows>
HWY_INLINE void gather_tile(const T* base, int64_t stride, const Rows& rows, int64_t begin,
                            int64_t end, int64_t dim, float scale, float* tile) {
  const FloatTag d;
  const FloatVec factor = hn::Set(d, scale);
  for (int64_t i = begin; i < end; ++i) {
    const T* from = base + rows(i) * stride;
    if (i + kRowsAhead < end) prefetch_row(base + rows(i + kRowsAhead) * stride, dim);
    for_vectors(d, dim, [&](int64_t at, int64_t n) HWY_ATTR {
      hn::StoreU(hn::Mul(factor, load_some(d, from + at, n)), d, tile + at);
    });
    tile += round_up(dim);
  }
}

// tile `[dim, width]` = the transpose of rows [begin, end), width = round_up(end - begin); columns
// past them are zero.
template <typename T, class Rows>
HWY_INLINE void gather_transposed(const T* base, int64_t stride, const Rows& rows, int64_t begin,
                                  int64_t end, int64_t dim, int64_t width, float* tile) {
  const FloatTag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  if (end - begin < width) {
    for (int64_t k = 0; k < dim; ++k) hn::StoreU(hn::Zero(d), d, tile + (k + 1) * width - lanes);
  }
  alignas(64) float lane[hn::MaxLanes(FloatTag())];
  for (int64_t i = begin; i < end; ++i) {
    const T* from = base + rows(i) * stride;
    if (i + kRowsAhead < end) prefetch_row(base + rows(i + kRowsAhead) * stride, dim);
    for_vectors(d, dim, [&](int64_t at, int64_t n) HWY_ATTR {
      hn::Store(load_some(d, from + at, n), d, lane);
      for (int64_t k = 0; k < n; ++k) tile[(at + k) * width + (i - begin)] = lane[k];
    });
  }
}

// --- Softmax ------------------------------------------------------------------------------------

// The largest of the first `count` scores of a row.
HWY_INLINE float row_max(const float* scores, int64_t count) {
  const FloatTag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  FloatVec largest = hn::Set(d, -std::numeric_limits<float>::infinity());
  int64_t at = 0;
  for (; at + lanes <= count; at += lanes) largest = hn::Max(largest, hn::LoadU(d, scores + at));
  if (at < count) {
    const auto valid = hn::FirstN(d, static_cast<size_t>(count - at));
    largest = hn::Max(largest, hn::IfThenElse(valid, hn::LoadU(d, scores + at), largest));
  }
  return hn::GetLane(hn::MaxOfLanes(d, largest));
}

// scores = exp(scores - shift) for the first `count` of a row, zero up to the full vector; returns
// their sum.
HWY_INLINE float row_exp(float* scores, int64_t count, float shift) {
  const FloatTag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const FloatVec offset = hn::Set(d, shift);
  FloatVec sum = hn::Zero(d);
  int64_t at = 0;
  for (; at + lanes <= count; at += lanes) {
    const FloatVec p = hn::Exp(d, hn::Sub(hn::LoadU(d, scores + at), offset));
    sum = hn::Add(sum, p);
    hn::StoreU(p, d, scores + at);
  }
  if (at < count) {
    const auto valid = hn::FirstN(d, static_cast<size_t>(count - at));
    const FloatVec p =
        hn::IfThenElseZero(valid, hn::Exp(d, hn::Sub(hn::LoadU(d, scores + at), offset)));
    sum = hn::Add(sum, p);
    hn::StoreU(p, d, scores + at);
  }
  return sum_of_lanes(d, sum);
}

HWY_INLINE float dot(const float* a, const float* b, int64_t count) {
  const FloatTag d;
  FloatVec sum = hn::Zero(d);
  for_vectors(d, count, [&](int64_t at, int64_t n) HWY_ATTR {
    sum = hn::MulAdd(load_some(d, a + at, n), load_some(d, b + at, n), sum);
  });
  return sum_of_lanes(d, sum);
}

// to = scale * from for `count` elements.
template <typename T>
HWY_INLINE void scale_to(const float* from, float scale, T* to, int64_t count) {
  const FloatTag d;
  const FloatVec factor = hn::Set(d, scale);
  for_vectors(d, count, [&](int64_t at, int64_t n) HWY_ATTR {
    store_some(d, hn::Mul(factor, load_some(d, from + at, n)), to + at, n);
  });
}

// to += scale * from for `count` elements.
HWY_INLINE void add_scaled_to(const float* from, float scale, float* to, int64_t count) {
  const FloatTag d;
  const FloatVec factor = hn::Set(d, scale);
  for_vectors(d, count, [&](int64_t at, int64_t n) HWY_ATTR {
    store_some(d, hn::MulAdd(factor, load_some(d, from + at, n), load_some(d, to + at, n)), to + at,
               n);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace ata
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
