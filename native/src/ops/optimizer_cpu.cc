// The element-wise passes of the optimizer: every array is read and written once, since memory
// bandwidth is what they cost. The same bits on any number of threads.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "base/simd_targets.h"
#include "base/threads.h"
#include "ops/cpu.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/optimizer_cpu.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace ata::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using F32 = hn::ScalableTag<float>;
using VecF32 = hn::Vec<F32>;

// Runs `body(pointers)` on each vector of the arrays. The last, partial vector goes through
// buffers, so that every element sees the same instructions wherever a range ends.
template <int kArrays, typename Body>
void for_each_vector(int64_t count, float* const (&arrays)[kArrays], const Body& body) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(F32()));
  float* pointers[kArrays];
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    for (int a = 0; a < kArrays; ++a) pointers[a] = arrays[a] ? arrays[a] + i : nullptr;
    body(pointers);
  }
  if (i == count) return;
  HWY_ALIGN float buffers[kArrays][HWY_MAX_BYTES / sizeof(float)] = {};
  const size_t bytes = static_cast<size_t>(count - i) * sizeof(float);
  for (int a = 0; a < kArrays; ++a) {
    pointers[a] = arrays[a] ? buffers[a] : nullptr;
    if (arrays[a]) std::memcpy(buffers[a], arrays[a] + i, bytes);
  }
  body(pointers);
  // Array 0 is the one that is only read.
  for (int a = 1; a < kArrays; ++a) {
    if (arrays[a]) std::memcpy(arrays[a] + i, buffers[a], bytes);
  }
}

// average += (1 - decay) (w - average).
HWY_INLINE void update_average(F32 d, float average_decay, VecF32 weight, float* average) {
  const VecF32 old = hn::LoadU(d, average);
  hn::StoreU(hn::MulAdd(hn::Set(d, 1.0f - average_decay), hn::Sub(weight, old), old), d, average);
}

template <bool kAverage>
void adamw(const AdamwUpdate& step, float scale, int64_t count, const float* gradient,
           float* first_moment, float* second_moment, float* weights, float* average) {
  const F32 d;
  const VecF32 gradient_scale = hn::Set(d, scale);
  const VecF32 beta1 = hn::Set(d, step.beta1), rest1 = hn::Set(d, 1.0f - step.beta1);
  const VecF32 beta2 = hn::Set(d, step.beta2), rest2 = hn::Set(d, 1.0f - step.beta2);
  const VecF32 epsilon = hn::Set(d, step.epsilon);
  const VecF32 decay_factor = hn::Set(d, step.decay_factor);
  const VecF32 step_size = hn::Set(d, step.step_size);
  const VecF32 correction = hn::Set(d, step.inverse_root_correction);
  float* const arrays[] = {const_cast<float*>(gradient), first_moment, second_moment, weights,
                           average};
  for_each_vector(count, arrays, [&](float* const(&p)[5]) HWY_ATTR {
    const VecF32 g = hn::Mul(gradient_scale, hn::LoadU(d, p[0]));
    const VecF32 m = hn::MulAdd(beta1, hn::LoadU(d, p[1]), hn::Mul(rest1, g));
    const VecF32 v = hn::MulAdd(beta2, hn::LoadU(d, p[2]), hn::Mul(rest2, hn::Mul(g, g)));
    const VecF32 denominator = hn::MulAdd(hn::Sqrt(v), correction, epsilon);
    const VecF32 w = hn::NegMulAdd(step_size, hn::Div(m, denominator),
                                   hn::Mul(decay_factor, hn::LoadU(d, p[3])));
    hn::StoreU(m, d, p[1]);
    hn::StoreU(v, d, p[2]);
    hn::StoreU(w, d, p[3]);
    if constexpr (kAverage) update_average(d, step.average_decay, w, p[4]);
  });
}

void adamw_range(const AdamwUpdate& step, float scale, int64_t count, const float* gradient,
                 float* first_moment, float* second_moment, float* weights, float* average) {
  const auto kernel = average ? adamw<true> : adamw<false>;
  kernel(step, scale, count, gradient, first_moment, second_moment, weights, average);
}

void sgd_range(const SgdUpdate& step, float scale, int64_t count, const float* gradient,
               float* velocity, float* weights, float* average) {
  const F32 d;
  const VecF32 gradient_scale = hn::Set(d, scale);
  const VecF32 momentum = hn::Set(d, step.momentum);
  const VecF32 weight_decay = hn::Set(d, step.weight_decay);
  const VecF32 rate = hn::Set(d, step.learning_rate);
  float* const arrays[] = {const_cast<float*>(gradient), velocity, weights, average};
  for_each_vector(count, arrays, [&](float* const(&p)[4]) HWY_ATTR {
    const VecF32 old = hn::LoadU(d, p[2]);
    const VecF32 g = hn::MulAdd(weight_decay, old, hn::Mul(gradient_scale, hn::LoadU(d, p[0])));
    VecF32 direction = g;
    if (p[1]) {
      const VecF32 b = hn::MulAdd(momentum, hn::LoadU(d, p[1]), g);
      hn::StoreU(b, d, p[1]);
      direction = step.nesterov ? hn::MulAdd(momentum, b, g) : b;
    }
    const VecF32 w = hn::NegMulAdd(rate, direction, old);
    hn::StoreU(w, d, p[2]);
    if (p[3]) update_average(d, step.average_decay, w, p[3]);
  });
}

double sum_of_squares_range(int64_t count, const float* values) {
  const hn::ScalableTag<double> d;
  const hn::Rebind<float, decltype(d)> df;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  auto sum0 = hn::Zero(d), sum1 = hn::Zero(d), sum2 = hn::Zero(d), sum3 = hn::Zero(d);
  int64_t i = 0;
  for (; i + 4 * lanes <= count; i += 4 * lanes) {
    const auto x0 = hn::PromoteTo(d, hn::LoadU(df, values + i));
    const auto x1 = hn::PromoteTo(d, hn::LoadU(df, values + i + lanes));
    const auto x2 = hn::PromoteTo(d, hn::LoadU(df, values + i + 2 * lanes));
    const auto x3 = hn::PromoteTo(d, hn::LoadU(df, values + i + 3 * lanes));
    sum0 = hn::MulAdd(x0, x0, sum0);
    sum1 = hn::MulAdd(x1, x1, sum1);
    sum2 = hn::MulAdd(x2, x2, sum2);
    sum3 = hn::MulAdd(x3, x3, sum3);
  }
  double sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(sum0, sum1), hn::Add(sum2, sum3))));
  for (; i < count; ++i) sum += static_cast<double>(values[i]) * static_cast<double>(values[i]);
  return sum;
}

void assign_scaled_range(int64_t count, float scale, const float* source, float* target) {
  const F32 d;
  const VecF32 factor = hn::Set(d, scale);
  float* const arrays[] = {const_cast<float*>(source), target};
  for_each_vector(count, arrays, [&](float* const(&p)[2]) HWY_ATTR {
    hn::StoreU(hn::Mul(factor, hn::LoadU(d, p[0])), d, p[1]);
  });
}

void add_scaled_range(int64_t count, float scale, const float* source, float* target) {
  const F32 d;
  const VecF32 factor = hn::Set(d, scale);
  float* const arrays[] = {const_cast<float*>(source), target};
  for_each_vector(count, arrays, [&](float* const(&p)[2]) HWY_ATTR {
    hn::StoreU(hn::MulAdd(factor, hn::LoadU(d, p[0]), hn::LoadU(d, p[1])), d, p[1]);
  });
}

}  // namespace ata::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ata {
namespace {

HWY_EXPORT(adamw_range);
HWY_EXPORT(sgd_range);
HWY_EXPORT(sum_of_squares_range);
HWY_EXPORT(assign_scaled_range);
HWY_EXPORT(add_scaled_range);

// Below this many elements a second thread costs more than it brings.
constexpr int64_t kGrain = 32768;
// Partial sums are formed over pieces of this size, whatever the number of threads.
constexpr int64_t kSumPiece = 16384;

float* data_or_null(Tensor& tensor) {
  return tensor ? tensor.data<float>() : nullptr;
}

float* offset(float* array, int64_t begin) {
  return array ? array + begin : nullptr;
}

double sum_of_squares(int64_t count, const float* values) {
  const int64_t pieces = (count + kSumPiece - 1) / kSumPiece;
  std::vector<double> sums(static_cast<size_t>(pieces));
  parallel_for(pieces, kGrain / kSumPiece, [&](int64_t begin, int64_t end) {
    for (int64_t piece = begin; piece < end; ++piece) {
      const int64_t first = piece * kSumPiece;
      sums[static_cast<size_t>(piece)] = HWY_DYNAMIC_DISPATCH(sum_of_squares_range)(
          std::min(kSumPiece, count - first), values + first);
    }
  });
  double total = 0.0;
  for (double sum : sums) total += sum;
  return total;
}

}  // namespace

namespace cpu {

void clip_scale(Stream&, const Tensor& sums, float clip_norm, Tensor& scale) {
  double total = 0.0;
  for (const double sum : sums.values<double>()) total += sum;
  const double norm = std::sqrt(total);
  double factor = 1.0;
  if (!std::isfinite(norm)) {
    factor = std::numeric_limits<double>::quiet_NaN();
  } else if (clip_norm > 0.0f && norm > clip_norm) {
    factor = clip_norm / norm;
  }
  scale.data<float>()[0] = static_cast<float>(factor);
}

void adamw(Stream&, const Tensor& gradient_scale, std::span<AdamwUpdate> updates) {
  const float scale = gradient_scale.data<float>()[0];
  if (!std::isfinite(scale)) return;
  for (AdamwUpdate& update : updates) {
    const float* const gradient = update.gradient.data<float>();
    float* const first_moment = update.first_moment.data<float>();
    float* const second_moment = update.second_moment.data<float>();
    float* const weights = update.weights.data<float>();
    float* const average = data_or_null(update.average);
    parallel_for(update.gradient.count(), kGrain, [&](int64_t begin, int64_t end) {
      HWY_DYNAMIC_DISPATCH(adamw_range)
      (update, scale, end - begin, gradient + begin, first_moment + begin, second_moment + begin,
       weights + begin, offset(average, begin));
    });
  }
}

void sgd(Stream&, const Tensor& gradient_scale, std::span<SgdUpdate> updates) {
  const float scale = gradient_scale.data<float>()[0];
  if (!std::isfinite(scale)) return;
  for (SgdUpdate& update : updates) {
    const float* const gradient = update.gradient.data<float>();
    float* const velocity = data_or_null(update.velocity);
    float* const weights = update.weights.data<float>();
    float* const average = data_or_null(update.average);
    parallel_for(update.gradient.count(), kGrain, [&](int64_t begin, int64_t end) {
      HWY_DYNAMIC_DISPATCH(sgd_range)
      (update, scale, end - begin, gradient + begin, offset(velocity, begin), weights + begin,
       offset(average, begin));
    });
  }
}

// In an order that depends on the counts alone.
void sums_of_squares(Stream&, std::span<const Tensor> x, Tensor& sums) {
  double* const out = sums.data<double>();
  for (size_t i = 0; i < x.size(); ++i) out[i] = sum_of_squares(x[i].count(), x[i].data<float>());
}

void scale_by(Stream&, float factor, const Tensor& x, bool accumulate, Tensor& y) {
  const float* const source = x.data<float>();
  float* const target = y.data<float>();
  parallel_for(x.count(), kGrain, [&](int64_t begin, int64_t end) {
    if (accumulate) {
      HWY_DYNAMIC_DISPATCH(add_scaled_range)
      (end - begin, factor, source + begin, target + begin);
    } else {
      HWY_DYNAMIC_DISPATCH(assign_scaled_range)
      (end - begin, factor, source + begin, target + begin);
    }
  });
}

}  // namespace cpu
}  // namespace ata
#endif  // HWY_ONCE
