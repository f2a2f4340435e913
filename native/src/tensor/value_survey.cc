#include "tensor/value_survey.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "base/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/value_survey.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#ifndef ATA_ALIGN_VALUE_SURVEY_NO_MAGNITUDE_
#define ATA_ALIGN_VALUE_SURVEY_NO_MAGNITUDE_
namespace ata {
namespace {

constexpr uint32_t kNoMagnitude = 0xFFFFFFFF;  // all values are 0

}  // namespace
}  // namespace ata
#endif

HWY_BEFORE_NAMESPACE();
namespace ata {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// Returns whether all values are finite; when not, `*min` and `*max` mean nothing.
bool find_extremes(const float* values, int64_t count, float* min, float* max) {
  const hn::ScalableTag<float> tag;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(tag));
  float least = std::numeric_limits<float>::max();
  float greatest = std::numeric_limits<float>::lowest();
  bool finite = true;
  int64_t i = 0;
  if (count >= 2 * lanes) {
    auto low0 = hn::Set(tag, least), low1 = low0;
    auto high0 = hn::Set(tag, greatest), high1 = high0;
    auto taint0 = hn::Zero(tag), taint1 = taint0;  // 0 * x is NaN exactly when x is not finite
    for (; i + 2 * lanes <= count; i += 2 * lanes) {
      const auto x0 = hn::LoadU(tag, values + i);
      const auto x1 = hn::LoadU(tag, values + i + lanes);
      low0 = hn::Min(low0, x0);
      low1 = hn::Min(low1, x1);
      high0 = hn::Max(high0, x0);
      high1 = hn::Max(high1, x1);
      taint0 = hn::MulAdd(x0, hn::Zero(tag), taint0);
      taint1 = hn::MulAdd(x1, hn::Zero(tag), taint1);
    }
    least = hn::GetLane(hn::MinOfLanes(tag, hn::Min(low0, low1)));
    greatest = hn::GetLane(hn::MaxOfLanes(tag, hn::Max(high0, high1)));
    const auto taint = hn::Add(taint0, taint1);
    finite = hn::AllTrue(tag, hn::Eq(taint, taint));
  }
  for (; i < count; ++i) {
    least = std::min(least, values[i]);
    greatest = std::max(greatest, values[i]);
    finite = finite && std::isfinite(values[i]);
  }
  *min = least;
  *max = greatest;
  return finite;
}

// Bits of the least magnitude that is not 0, less 1. Integers order floats of one sign.
uint32_t find_least_magnitude(const float* values, int64_t count) {
  const hn::ScalableTag<float> floats;
  const hn::RebindToUnsigned<decltype(floats)> tag;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(tag));
  const auto mask = hn::Set(tag, 0x7FFFFFFFU);
  const auto one = hn::Set(tag, 1U);
  const auto magnitude = [&](const float* at) HWY_ATTR {
    return hn::Sub(hn::And(hn::BitCast(tag, hn::LoadU(floats, at)), mask), one);  // 0: the greatest
  };
  auto least0 = hn::Set(tag, kNoMagnitude);
  auto least1 = least0;
  int64_t i = 0;
  for (; i + 2 * lanes <= count; i += 2 * lanes) {
    least0 = hn::Min(least0, magnitude(values + i));
    least1 = hn::Min(least1, magnitude(values + i + lanes));
  }
  uint32_t least = hn::GetLane(hn::MinOfLanes(tag, hn::Min(least0, least1)));
  for (; i < count; ++i) {
    least = std::min(least, (std::bit_cast<uint32_t>(values[i]) & 0x7FFFFFFFU) - 1);
  }
  return least;
}

bool find_multiples(const float* values, int64_t count, double quantum) {
  const hn::CappedTag<double, 8> tag;
  const hn::Rebind<float, decltype(tag)> floats;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(tag));
  // A sum with this keeps the multiples of the quantum and rounds everything else.
  const double anchor = 0x1.8p+52 * quantum;
  const auto anchors = hn::Set(tag, anchor);
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto x = hn::PromoteTo(tag, hn::LoadU(floats, values + i));
    if (!hn::AllTrue(tag, hn::Eq(hn::Sub(hn::Add(x, anchors), anchors), x))) return false;
  }
  for (; i < count; ++i) {
    const double x = values[i];
    if ((x + anchor) - anchor != x) return false;
  }
  return true;
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace ata
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ata {

HWY_EXPORT(find_extremes);
HWY_EXPORT(find_least_magnitude);
HWY_EXPORT(find_multiples);

ValueSurvey survey_values(const float* values, int64_t count) {
  if (count <= 0) return {};
  ValueSurvey survey;
  if (HWY_DYNAMIC_DISPATCH(find_extremes)(values, count, &survey.min, &survey.max)) return survey;
  survey.min = survey.max = 0;
  bool any_finite = false;
  for (int64_t i = 0; i < count; ++i) {
    const float x = values[i];
    if (std::isnan(x)) {
      survey.has_nan = true;
    } else if (std::isinf(x)) {
      (x > 0 ? survey.has_positive_infinity : survey.has_negative_infinity) = true;
    } else {
      survey.min = any_finite ? std::min(survey.min, x) : x;
      survey.max = any_finite ? std::max(survey.max, x) : x;
      any_finite = true;
    }
  }
  return survey;
}

bool are_multiples(const float* values, int64_t count, double quantum) {
  // Every number from 2^23 quanta on is one, and that is soon seen.
  const uint32_t least = HWY_DYNAMIC_DISPATCH(find_least_magnitude)(values, count);
  if (least == kNoMagnitude || std::bit_cast<float>(least + 1) >= 0x1p+23 * quantum) return true;
  return HWY_DYNAMIC_DISPATCH(find_multiples)(values, count, quantum);
}

}  // namespace ata
#endif  // HWY_ONCE
