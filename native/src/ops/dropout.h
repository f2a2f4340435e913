#ifndef ATA_OPS_DROPOUT_H_
#define ATA_OPS_DROPOUT_H_

#include <cstdint>

#include "ops/context.h"

namespace ata {

struct DropoutOptions {
  /// Probability of dropping an element, in (0, 1).
  float probability = 0.5f;
  /// Element i is dropped when the i-th uniform() of Random(seed, stream + first_stream) is below
  /// `probability`: the same draw whenever the operation runs again, on any number of threads.
  uint64_t seed = 0;
  uint64_t stream = 0;
  /// i64 `[1]` of the device, or empty: 0.
  Tensor first_stream = {};
  /// f32 `[rows, D]` added to the result, or undefined.
  Variable residual = {};
  /// f32 `[rows]`, or empty: factor of every row before the residual is added (stochastic depth).
  /// A constant for the gradient.
  Tensor row_scale = {};
};

/// Sets elements of x `[rows, D]` to zero at random and divides the others by 1 - probability
/// (Srivastava et al., "Dropout", 2014): y = residual + row_scale * dropout(x), of x's type; f32
/// or, without residual and row_scale, bf16.
Variable dropout(const Context& context, const Variable& x, const DropoutOptions& options);

}  // namespace ata

#endif  // ATA_OPS_DROPOUT_H_
