#ifndef ATA_OPS_LAYER_NORM_H_
#define ATA_OPS_LAYER_NORM_H_

#include "ops/context.h"

namespace ata {

/// The weights of a normalisation, f32 `[D]`.
struct NormWeights {
  Variable gamma;
  Variable beta;
};

/// Normalises each row of f32 x `[rows, D]` to mean 0 and variance 1 (biased, plus `epsilon`), then
/// scales and shifts by f32 gamma and beta `[D]`. The result is of type `out_dtype` (f32 or bf16).
Variable layer_norm(const Context& context, const Variable& x, const Variable& gamma,
                    const Variable& beta, DType out_dtype = DType::kF32, float epsilon = 1e-6f);

}  // namespace ata

#endif  // ATA_OPS_LAYER_NORM_H_
