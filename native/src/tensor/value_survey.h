#ifndef ATA_TENSOR_VALUE_SURVEY_H_
#define ATA_TENSOR_VALUE_SURVEY_H_

#include <cstdint>

namespace ata {

/// What a pass over values found.
struct ValueSurvey {
  /// Least and greatest finite value; both 0 if there is none.
  float min = 0;
  float max = 0;
  bool has_nan = false;
  bool has_positive_infinity = false;
  bool has_negative_infinity = false;

  bool finite() const { return !has_nan && !has_positive_infinity && !has_negative_infinity; }
};

ValueSurvey survey_values(const float* values, int64_t count);

/// Whether all values are multiples of `quantum`, a power of two; 0 and infinity are multiples of
/// any. Finite values are less than 2^51 quanta.
bool are_multiples(const float* values, int64_t count, double quantum);

}  // namespace ata

#endif  // ATA_TENSOR_VALUE_SURVEY_H_
