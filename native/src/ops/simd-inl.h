// Vectorised loads, stores and functions shared by the CPU kernels. Included once per instruction
// set by Highway's foreach_target; see any *_cpu.cc.

#if defined(ATA_OPS_SIMD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ATA_OPS_SIMD_INL_H_
#undef ATA_OPS_SIMD_INL_H_
#else
#define ATA_OPS_SIMD_INL_H_
#endif

#include <cstring>

#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"
#include "tensor/tensor.h"

HWY_BEFORE_NAMESPACE();
namespace ata {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using FloatTag = hn::ScalableTag<float>;
using FloatVec = hn::Vec<FloatTag>;

// f32 values of a full vector from f32 or bf16 memory.
HWY_INLINE FloatVec load([[maybe_unused]] FloatTag d, const float* from) {
  return hn::LoadU(d, from);
}

HWY_INLINE FloatVec load([[maybe_unused]] FloatTag d, const BFloat16* from) {
  const hn::Rebind<uint16_t, FloatTag> d16;
  const hn::RebindToUnsigned<FloatTag> d32;
  const auto bits = hn::LoadU(d16, reinterpret_cast<const uint16_t*>(from));
  return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(d32, bits)));
}

HWY_INLINE void store(FloatTag d, FloatVec value, float* to) {
  hn::StoreU(value, d, to);
}

// Rounds to nearest even; NaN stays NaN.
HWY_INLINE void store([[maybe_unused]] FloatTag d, FloatVec value, BFloat16* to) {
  const hn::Rebind<uint16_t, FloatTag> d16;
  const hn::RebindToUnsigned<FloatTag> d32;
  const auto bits = hn::BitCast(d32, value);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(d32, 1));
  const auto rounded = hn::Add(bits, hn::Add(odd, hn::Set(d32, 0x7fff)));
  const auto quiet = hn::Or(bits, hn::Set(d32, 0x400000));
  const auto nan = hn::RebindMask(d32, hn::IsNaN(value));
  const auto upper = hn::ShiftRight<16>(hn::IfThenElse(nan, quiet, rounded));
  hn::StoreU(hn::TruncateTo(d16, upper), d16, reinterpret_cast<uint16_t*>(to));
}

// The same for the first `count` < Lanes elements; the other lanes read as zero. Never touches
// memory past them.
template <typename T>
HWY_INLINE FloatVec load_first(FloatTag d, const T* from, size_t count) {
  alignas(64) T buffer[hn::MaxLanes(FloatTag())] = {};
  std::memcpy(buffer, from, count * sizeof(T));
  return load(d, buffer);
}

template <typename T>
HWY_INLINE void store_first([[maybe_unused]] FloatTag d, FloatVec value, T* to, size_t count) {
  alignas(64) T buffer[hn::MaxLanes(FloatTag())];
  store(d, value, buffer);
  std::memcpy(to, buffer, count * sizeof(T));
}

HWY_INLINE float sum_of_lanes([[maybe_unused]] FloatTag d, FloatVec value) {
  return hn::GetLane(hn::SumOfLanes(d, value));
}

// Calls `body(offset, count)` over [0, size): full vectors first, then what is left.
template <class Body>
HWY_INLINE void for_vectors(FloatTag d, int64_t size, const Body& body) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t at = 0;
  for (; at + lanes <= size; at += lanes) body(at, lanes);
  if (at < size) body(at, size - at);
}

// Known without a look where vectors have one lane: compilers warn of the impossible remainder.
HWY_INLINE bool is_full(FloatTag d, int64_t count) {
  return hn::MaxLanes(d) == 1 || count == static_cast<int64_t>(hn::Lanes(d));
}

template <typename T>
HWY_INLINE FloatVec load_some(FloatTag d, const T* from, int64_t count) {
  return is_full(d, count) ? load(d, from) : load_first(d, from, static_cast<size_t>(count));
}

template <typename T>
HWY_INLINE void store_some(FloatTag d, FloatVec value, T* to, int64_t count) {
  if (is_full(d, count)) {
    store(d, value, to);
  } else {
    store_first(d, value, to, static_cast<size_t>(count));
  }
}

// Phi(x), the standard normal distribution: (1 + erf(x / sqrt 2)) / 2 to an absolute error of
// 1e-7 (Abramowitz and Stegun, 7.1.26), and phi(x), its density.
struct Normal {
  FloatVec distribution;
  FloatVec density;
};

HWY_INLINE Normal normal(FloatTag d, FloatVec x) {
  const auto magnitude = hn::Mul(hn::Abs(x), hn::Set(d, 0.70710678f));
  const auto gauss = hn::Exp(d, hn::Neg(hn::Mul(magnitude, magnitude)));
  const auto one = hn::Set(d, 1.0f);
  const auto t = hn::Div(one, hn::MulAdd(hn::Set(d, 0.3275911f), magnitude, one));
  auto tail = hn::Set(d, 1.061405429f);
  tail = hn::MulAdd(tail, t, hn::Set(d, -1.453152027f));
  tail = hn::MulAdd(tail, t, hn::Set(d, 1.421413741f));
  tail = hn::MulAdd(tail, t, hn::Set(d, -0.284496736f));
  tail = hn::MulAdd(tail, t, hn::Set(d, 0.254829592f));
  // (1 - erf(|x| / sqrt 2)) / 2
  tail = hn::Mul(hn::Mul(hn::Mul(tail, t), gauss), hn::Set(d, 0.5f));
  const auto positive = hn::Sub(one, tail);
  return {hn::IfThenElse(hn::Lt(x, hn::Zero(d)), tail, positive),
          hn::Mul(gauss, hn::Set(d, 0.39894228f))};
}

}  // namespace HWY_NAMESPACE
}  // namespace ata
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
