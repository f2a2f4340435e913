#include "alignment/transport.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "alignment/transport.cc"
// The order matters, and is not the alphabet's.
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include <hwy/contrib/math/math-inl.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace ata {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using Tag = hn::CappedTag<float, 16>;
using Floats = hn::Vec<Tag>;
constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(Tag()));

// Vector of count - k < kLanes elements, filled up with `filler`.
HWY_INLINE Floats load_tail(const float* x, int64_t count, float filler) {
  alignas(64) float line[kLanes];
  std::fill_n(line, kLanes, filler);
  std::copy_n(x, count, line);
  return hn::Load(Tag(), line);
}

HWY_INLINE void store_tail(Floats v, float* x, int64_t count) {
  alignas(64) float line[kLanes];
  hn::Store(v, Tag(), line);
  std::copy_n(line, count, x);
}

// log of the sum over j of exp(scale * x[j] + add[j]); `add` may be null. When `weights` is not
// null it receives exp(scale * x[j] + add[j] - result).
float log_sum_exp(const float* x, float scale, const float* add, int64_t count, float* weights) {
  const Tag tag;
  constexpr float kLowest = std::numeric_limits<float>::lowest();
  const Floats factor = hn::Set(tag, scale);
  const int64_t whole = count / kLanes * kLanes;
  const auto exponent = [&](int64_t j) HWY_ATTR {
    if (j < whole) {
      const Floats addend = add != nullptr ? hn::LoadU(tag, add + j) : hn::Zero(tag);
      return hn::MulAdd(hn::LoadU(tag, x + j), factor, addend);
    }
    const Floats addend = add != nullptr ? load_tail(add + j, count - j, 0) : hn::Zero(tag);
    const auto inside = hn::FirstN(tag, static_cast<size_t>(count - j));
    return hn::IfThenElse(inside, hn::MulAdd(load_tail(x + j, count - j, 0), factor, addend),
                          hn::Set(tag, kLowest));
  };
  Floats greatest = hn::Set(tag, kLowest);
  for (int64_t j = 0; j < count; j += kLanes) greatest = hn::Max(greatest, exponent(j));
  const Floats top = hn::MaxOfLanes(tag, greatest);
  Floats sum = hn::Zero(tag);
  for (int64_t j = 0; j < count; j += kLanes) {
    const Floats term = hn::Exp(tag, hn::Sub(exponent(j), top));
    sum = hn::Add(
        sum, j < whole ? term
                       : hn::IfThenElseZero(hn::FirstN(tag, static_cast<size_t>(count - j)), term));
  }
  const float result = hn::GetLane(top) + std::log(hn::GetLane(hn::SumOfLanes(tag, sum)));
  if (weights != nullptr) {
    const Floats shift = hn::Set(tag, result);
    for (int64_t j = 0; j < count; j += kLanes) {
      const Floats weight = hn::Exp(tag, hn::Sub(exponent(j), shift));
      if (j < whole) {
        hn::StoreU(weight, tag, weights + j);
      } else {
        store_tail(weight, weights + j, count - j);
      }
    }
  }
  return result;
}

// Over rows i: maximum[j] = max(maximum[j], scale * x[j] + add) for one row.
void keep_maximum(const float* x, float scale, float add, int64_t count, float* maximum) {
  const Tag tag;
  int64_t j = 0;
  for (; j + kLanes <= count; j += kLanes) {
    const Floats value = hn::MulAdd(hn::LoadU(tag, x + j), hn::Set(tag, scale), hn::Set(tag, add));
    hn::StoreU(hn::Max(hn::LoadU(tag, maximum + j), value), tag, maximum + j);
  }
  for (; j < count; ++j) maximum[j] = std::max(maximum[j], scale * x[j] + add);
}

// sum[j] += exp(scale * x[j] + add - maximum[j]) for one row.
void add_exponentials(const float* x, float scale, float add, const float* maximum, int64_t count,
                      float* sum) {
  const Tag tag;
  for (int64_t j = 0; j < count; j += kLanes) {
    const int64_t left = count - j;
    const bool whole = left >= kLanes;
    const Floats value = whole ? hn::LoadU(tag, x + j) : load_tail(x + j, left, 0);
    const Floats top = whole ? hn::LoadU(tag, maximum + j) : load_tail(maximum + j, left, 0);
    const Floats old = whole ? hn::LoadU(tag, sum + j) : load_tail(sum + j, left, 0);
    const Floats exponent = hn::Sub(hn::MulAdd(value, hn::Set(tag, scale), hn::Set(tag, add)), top);
    const Floats result = hn::Add(old, hn::Exp(tag, exponent));
    if (whole) {
      hn::StoreU(result, tag, sum + j);
    } else {
      store_tail(result, sum + j, left);
    }
  }
}

void transport(const float* similarity, int64_t n, float temperature, int iterations,
               TransportWorkspace& w, float* plan) {
  const float scale = 1 / temperature;
  float* f = w.row_potential.data();
  float* g = w.column_potential.data();
  float* maximum = w.column_maximum.data();
  float* sum = w.column_sum.data();
  std::fill_n(g, n, 0.0F);
  for (int iteration = 0; iteration < iterations; ++iteration) {
    for (int64_t i = 0; i < n; ++i) f[i] = -log_sum_exp(similarity + i * n, scale, g, n, nullptr);
    std::fill_n(maximum, n, std::numeric_limits<float>::lowest());
    std::fill_n(sum, n, 0.0F);
    for (int64_t i = 0; i < n; ++i) keep_maximum(similarity + i * n, scale, f[i], n, maximum);
    for (int64_t i = 0; i < n; ++i) {
      add_exponentials(similarity + i * n, scale, f[i], maximum, n, sum);
    }
    for (int64_t j = 0; j < n; ++j) g[j] = -(maximum[j] + std::log(sum[j]));
  }
  const Tag tag;
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; j += kLanes) {
      const int64_t left = n - j;
      const float* x = similarity + i * n + j;
      const Floats value = left >= kLanes ? hn::LoadU(tag, x) : load_tail(x, left, 0);
      const Floats column = left >= kLanes ? hn::LoadU(tag, g + j) : load_tail(g + j, left, 0);
      const Floats mass =
          hn::Exp(tag, hn::Add(hn::MulAdd(value, hn::Set(tag, scale), hn::Set(tag, f[i])), column));
      if (left >= kLanes) {
        hn::StoreU(mass, tag, plan + i * n + j);
      } else {
        store_tail(mass, plan + i * n + j, left);
      }
    }
  }
}

void softmax(const float* similarity, int64_t rows, int64_t columns, float temperature,
             float* weights) {
  for (int64_t i = 0; i < rows; ++i) {
    log_sum_exp(similarity + i * columns, 1 / temperature, nullptr, columns, weights + i * columns);
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace ata
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ata {

HWY_EXPORT(transport);
HWY_EXPORT(softmax);

void entropic_transport(const float* similarity, int64_t patches, float temperature, int iterations,
                        TransportWorkspace& workspace, float* plan) {
  for (AlignedBuffer<float>* buffer : {&workspace.row_potential, &workspace.column_potential,
                                       &workspace.column_maximum, &workspace.column_sum}) {
    buffer->reserve(static_cast<size_t>(patches));
  }
  HWY_DYNAMIC_DISPATCH(transport)
  (similarity, patches, temperature, iterations, workspace, plan);
}

void softmax_rows(const float* similarity, int64_t rows, int64_t columns, float temperature,
                  float* weights) {
  HWY_DYNAMIC_DISPATCH(softmax)(similarity, rows, columns, temperature, weights);
}

}  // namespace ata
#endif  // HWY_ONCE
