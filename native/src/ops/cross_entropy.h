#ifndef ATA_OPS_CROSS_ENTROPY_H_
#define ATA_OPS_CROSS_ENTROPY_H_

#include "ops/context.h"

namespace ata {

/// Mean over the batch of -sum_c target_c log softmax(logits)_c; logits f32 `[B, C]` -> `[1]`.
/// `targets` is i64 `[B]` (class indices in 0..C-1; others are found by
/// Context::check_status()) or f32
/// `[B, C]` (probabilities: label smoothing, mixup). A constant for the gradient.
/// `label_smoothing` in [0, 1) mixes the targets with the uniform distribution.
Variable softmax_cross_entropy(const Context& context, const Variable& logits,
                               const Tensor& targets, float label_smoothing = 0.0f);

/// Throws ATA_INVALID_ARGUMENT unless all of i64 `targets` (of the host) are in 0..classes-1.
void check_classes(const Tensor& targets, int64_t classes);

}  // namespace ata

#endif  // ATA_OPS_CROSS_ENTROPY_H_
