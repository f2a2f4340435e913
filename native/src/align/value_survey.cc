#include "align/value_survey.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "align/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "align/value_survey.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

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

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace ata
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ata {

HWY_EXPORT(find_extremes);

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

}  // namespace ata
#endif  // HWY_ONCE
