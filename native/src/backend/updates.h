#ifndef ATA_BACKEND_UPDATES_H_
#define ATA_BACKEND_UPDATES_H_

#include "tensor/tensor.h"

namespace ata {

/// One AdamW update of one parameter (Loshchilov and Hutter, "Decoupled weight decay
/// regularization", 2019, algorithm 2), with g the gradient times the factor that all have:
///   m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
///   w = decay_factor w - step_size m / (sqrt(v) inverse_root_correction + epsilon)
///   average = average_decay average + (1 - average_decay) w, unless `average` is empty.
/// Tensors are f32 and have as many elements.
struct AdamwUpdate {
  Tensor gradient;
  Tensor first_moment;
  Tensor second_moment;
  Tensor weights;
  Tensor average;
  float beta1;
  float beta2;
  float epsilon;
  /// 1 - learning rate * weight decay.
  float decay_factor;
  /// Learning rate / (1 - beta1^t).
  float step_size;
  /// 1 / sqrt(1 - beta2^t).
  float inverse_root_correction;
  /// Decay of the moving average of weights.
  float average_decay;
};

/// One SGD update of one parameter, with g that gradient plus weight_decay * w:
///   b = momentum b + g;  d = b, or g + momentum b in Nesterov's form;  w -= learning_rate d
/// `velocity` (b) may be empty when momentum is 0: d = g. `average` as in AdamwUpdate.
struct SgdUpdate {
  Tensor gradient;
  Tensor velocity;
  Tensor weights;
  Tensor average;
  float momentum;
  bool nesterov;
  float weight_decay;
  float learning_rate;
  float average_decay;
};

}  // namespace ata

#endif  // ATA_BACKEND_UPDATES_H_
