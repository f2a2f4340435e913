#ifndef ATA_INFORMATION_PRINCIPAL_COMPONENTS_H_
#define ATA_INFORMATION_PRINCIPAL_COMPONENTS_H_

#include <cstdint>
#include <vector>

namespace ata {

/// Rows of numbers, row-major [count][dimension].
struct SampleMatrix {
  int64_t count = 0;
  int64_t dimension = 0;
  std::vector<double> values;

  const double* row(int64_t i) const { return values.data() + i * dimension; }
  double* row(int64_t i) { return values.data() + i * dimension; }
};

/// Projects f32 rows `[count, channels]` to their first `components` principal components, each
/// scaled to mean 0 and variance 1. Components that explain less than 1e-10 of the greatest are
/// left out, so that the result may have fewer. (Orthogonal iteration on the covariance; the first
/// components need not be separated from each other to span the same space.)
SampleMatrix principal_components(const float* rows, int64_t count, int64_t channels,
                                  int64_t components);

}  // namespace ata

#endif  // ATA_INFORMATION_PRINCIPAL_COMPONENTS_H_
