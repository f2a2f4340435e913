#include "align/similarity.h"

#include <algorithm>
#include <cmath>

#include "align/product.h"
#include "align/simd.h"
#include "base/error.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "align/similarity.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace ata {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using Tag = hn::CappedTag<float, 16>;
using Floats = hn::Vec<Tag>;
constexpr int kLanes = static_cast<int>(hn::MaxLanes(Tag()));

double dot(const float* x, const float* y, int64_t count) {
  const Tag tag;
  Floats sum0 = hn::Zero(tag);
  Floats sum1 = sum0;
  int64_t k = 0;
  for (; k + 2 * kLanes <= count; k += 2 * kLanes) {
    sum0 = hn::MulAdd(hn::LoadU(tag, x + k), hn::LoadU(tag, y + k), sum0);
    sum1 = hn::MulAdd(hn::LoadU(tag, x + k + kLanes), hn::LoadU(tag, y + k + kLanes), sum1);
  }
  double sum = static_cast<double>(hn::GetLane(hn::SumOfLanes(tag, hn::Add(sum0, sum1))));
  for (; k < count; ++k) sum += static_cast<double>(x[k]) * y[k];
  return sum;
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace ata
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ata {

HWY_EXPORT(dot);

void NormalizedFrame::assign(const float* features, int64_t patches, int64_t channels,
                             int64_t row_stride, int64_t index) {
  patches_ = patches;
  channels_ = channels;
  rows_.reserve(static_cast<size_t>(patches * channels));
  panels_.reserve(static_cast<size_t>(panel_elements(patches, channels)));
  lengths_.reserve(static_cast<size_t>(patches));
  for (int64_t i = 0; i < patches; ++i) {
    const float* x = features + i * row_stride;
    float* out = rows_.data() + i * channels;
    double square = HWY_DYNAMIC_DISPATCH(dot)(x, x, channels);
    if (square > 1e-30 && square < 1e30) {
      lengths_[static_cast<size_t>(i)] = static_cast<float>(std::sqrt(square));
      const float scale = static_cast<float>(1 / std::sqrt(square));
      for (int64_t k = 0; k < channels; ++k) out[k] = x[k] * scale;
      continue;
    }
    // Squares may have left the range of float32, or a feature is not finite.
    square = 0;
    for (int64_t k = 0; k < channels; ++k) square += static_cast<double>(x[k]) * x[k];
    require(std::isfinite(square), "features of frame ", index, ", patch ", i,
            " contain NaN or infinity; alignment needs finite features");
    lengths_[static_cast<size_t>(i)] = static_cast<float>(std::sqrt(square));
    const double scale = square > 0 ? 1 / std::sqrt(square) : 0;
    for (int64_t k = 0; k < channels; ++k) out[k] = static_cast<float>(x[k] * scale);
  }
  pack_transposed(rows_.data(), patches, channels, panels_.data());
}

void cosine_similarity(const NormalizedFrame& current, int64_t begin, int64_t end,
                       const NormalizedFrame& next, float* out) {
  multiply_panels(current.rows() + begin * current.channels(), end - begin, current.channels(),
                  next.panels(), next.patches(), out);
}

void cosine_similarities_of(const NormalizedFrame& current, int64_t patch,
                            const NormalizedFrame& next, std::span<const int32_t> candidates,
                            float* out) {
  const int64_t channels = current.channels();
  const auto product = HWY_DYNAMIC_DISPATCH(dot);
  for (size_t k = 0; k < candidates.size(); ++k) {
    out[k] = static_cast<float>(product(current.rows() + patch * channels,
                                        next.rows() + candidates[k] * channels, channels));
  }
}

}  // namespace ata
#endif  // HWY_ONCE
