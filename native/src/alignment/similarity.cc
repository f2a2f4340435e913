#include "alignment/similarity.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/simd_targets.h"
#include "tensor/product.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "alignment/similarity.cc"
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

namespace {

// In float64: squares may have left the range of float32, or a feature is not finite.
double checked_square(const float* x, int64_t channels, int64_t frame, int64_t patch) {
  double square = 0;
  for (int64_t k = 0; k < channels; ++k) square += static_cast<double>(x[k]) * x[k];
  require(std::isfinite(square), "features of frame ", frame, ", patch ", patch,
          " contain NaN or infinity; alignment needs finite features");
  return square;
}

}  // namespace

void NormalizedFrame::assign(const float* features, int64_t patches, int64_t channels,
                             int64_t row_stride, int64_t index, SimilarityProduct product) {
  patches_ = patches;
  channels_ = channels;
  is_split_ = product == SimilarityProduct::kFastest && has_split_product();
  rows_.reserve(static_cast<size_t>((is_split_ ? 1 : patches) * channels));
  if (is_split_) {
    split_.resize(patches, channels);
  } else {
    panels_.reserve(static_cast<size_t>(panel_elements(patches, channels)));
  }
  lengths_.reserve(static_cast<size_t>(patches));
  for (int64_t i = 0; i < patches; ++i) {
    const float* x = features + i * row_stride;
    double square = HWY_DYNAMIC_DISPATCH(dot)(x, x, channels);
    const bool in_range = square > 1e-30 && square < 1e30;
    if (!in_range) square = checked_square(x, channels, index, i);
    const double length = std::sqrt(square);
    lengths_[static_cast<size_t>(i)] = static_cast<float>(length);
    const double scale = length > 0 ? 1 / length : 0;
    if (is_split_ && in_range) {
      split_.set_row(i, x, static_cast<float>(scale));
      continue;
    }
    float* row = rows_.data() + (is_split_ ? 0 : i * channels);
    if (in_range) {
      const auto factor = static_cast<float>(scale);
      for (int64_t k = 0; k < channels; ++k) row[k] = x[k] * factor;
    } else {
      for (int64_t k = 0; k < channels; ++k) row[k] = static_cast<float>(x[k] * scale);
    }
    if (is_split_) split_.set_row(i, row, 1);
  }
  if (!is_split_) pack_transposed(rows_.data(), patches, channels, panels_.data());
}

void cosine_similarity(const NormalizedFrame& current, int64_t begin, int64_t end,
                       const NormalizedFrame& next, float* out) {
  if (current.split() != nullptr && next.split() != nullptr) {
    multiply_split(*current.split(), begin, end, *next.split(), out);
    return;
  }
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
