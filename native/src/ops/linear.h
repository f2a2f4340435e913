#ifndef ATA_OPS_LINEAR_H_
#define ATA_OPS_LINEAR_H_

#include <memory>

#include "ops/context.h"

namespace ata {

/// The weights of one linear layer.
///
/// Either `weight` (plain f32 `[out, in]`; training, saving) or `packed` (the device's own layout
/// and precision; inference) is set; both may be.
struct LinearWeights {
  Variable weight;
  /// f32 `[out]`, or undefined.
  Variable bias;
  std::shared_ptr<const PackedMatrix> packed;
  int64_t out_features = 0;
  int64_t in_features = 0;
};

struct LinearOptions {
  /// Element type of the result; products accumulate in f32 whatever it is.
  DType out_dtype = DType::kF32;
  Activation activation = Activation::kNone;
  /// f32 `[rows, out]` added to the result, or undefined. In inference the result is written over
  /// it and shares its memory; in training it is left alone.
  Variable residual = {};
  /// f32 `[rows]`, or empty: factor of every row before the residual is added (stochastic depth,
  /// rows that a trajectory leaves out). A constant for the gradient.
  Tensor row_scale = {};
  /// The result, when an earlier run of the same operation gave it, or empty: nothing is computed,
  /// the operation is only recorded (recomputation of activations).
  Tensor known_result = {};
};

/// `y = residual + row_scale * activation(x W^T + b)`, x f32 or bf16 `[rows, in]` -> `[rows, out]`.
/// An activation together with a residual or row_scale is rejected.
/// With bf16 x the product is computed in bf16 (weights rounded to nearest even).
Variable linear(const Context& context, const Variable& x, const LinearWeights& weights,
                const LinearOptions& options = {});

/// The one layer that `second` after `first` make, W2 (W1 x + b1) + b2: weight W2 W1, bias
/// W2 b1 + b2, in f32. Cheaper than the two when there are more rows than features, forward and
/// backward. Both need plain weights and biases.
LinearWeights chain_linear(const Context& context, const LinearWeights& first,
                           const LinearWeights& second);

}  // namespace ata

#endif  // ATA_OPS_LINEAR_H_
