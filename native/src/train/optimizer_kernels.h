#ifndef ATA_TRAIN_OPTIMIZER_KERNELS_H_
#define ATA_TRAIN_OPTIMIZER_KERNELS_H_

#include <cstdint>

namespace ata {

// The element-wise passes of the optimizer over one parameter: every array has `count` f32
// elements and is read and written once, since memory bandwidth is what they cost. Each runs on
// thread_count() threads and gives the same bits on any number of them.

/// The numbers that an AdamW update shares between the elements of a parameter.
struct AdamwStep {
  /// Factor of the gradient (clipping).
  float gradient_scale;
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

/// Loshchilov and Hutter, "Decoupled weight decay regularization", 2019, algorithm 2, with g the
/// scaled gradient:
///   m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
///   w = decay_factor w - step_size m / (sqrt(v) inverse_root_correction + epsilon)
///   average = average_decay average + (1 - average_decay) w, unless `average` is null.
void adamw_update(const AdamwStep& step, int64_t count, const float* gradient, float* first_moment,
                  float* second_moment, float* weights, float* average);

/// The numbers that an SGD update shares between the elements of a parameter.
struct SgdStep {
  float gradient_scale;
  float momentum;
  bool nesterov;
  float weight_decay;
  float learning_rate;
  float average_decay;
};

/// With g the scaled gradient plus weight_decay * w:
///   b = momentum b + g;  d = b, or g + momentum b in Nesterov's form;  w -= learning_rate d
/// `velocity` (b) may be null when momentum is 0: d = g. `average` as in adamw_update().
void sgd_update(const SgdStep& step, int64_t count, const float* gradient, float* velocity,
                float* weights, float* average);

/// Sum of squares in double precision, in an order that depends on `count` alone. Infinite or NaN
/// when an element is.
double sum_of_squares(int64_t count, const float* values);

/// target[i] = scale * source[i], or target[i] += scale * source[i]. `target` may be `source`.
void assign_scaled(int64_t count, float scale, const float* source, float* target);
void add_scaled(int64_t count, float scale, const float* source, float* target);

}  // namespace ata

#endif  // ATA_TRAIN_OPTIMIZER_KERNELS_H_
