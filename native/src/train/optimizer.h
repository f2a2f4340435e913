#ifndef ATA_TRAIN_OPTIMIZER_H_
#define ATA_TRAIN_OPTIMIZER_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "ops/context.h"
#include "train/options.h"
#include "train/parameter_groups.h"

namespace ata {

/// A parameter in training, and what the update rule remembers of it; all f32 of one shape.
struct TrainedParameter {
  std::string name;
  ParameterGroup group;
  /// Updated in place.
  Tensor weights;
  /// AdamW's first moment, or SGD's velocity; undefined for SGD without momentum.
  Tensor first_moment;
  /// AdamW's second moment; undefined for SGD.
  Tensor second_moment;
  /// Exponential moving average of the weights; undefined when none is kept.
  Tensor average;
};

/// Updates parameters from their gradients: clipping by global norm (Pascanu et al., 2013), AdamW
/// or SGD with momentum, moving average of the weights. The same inputs give the same bits on any
/// number of threads. One thread at a time.
class Optimizer {
 public:
  /// `parameters` come with name, group and weights; the rest is allocated here: moments zero,
  /// averages equal to the weights. None may be frozen.
  /// All tensors are in the memory of the context's device, and outlive a run.
  Optimizer(const TrainOptions& options, std::vector<TrainedParameter> parameters, Context context);

  /// Makes one update and returns the global norm of the gradients before clipping.
  /// `gradients[i]` is the gradient of parameters()[i], or empty for a parameter that took no part:
  /// it stays as it is, without decay.
  /// Waits for the device once, when all is queued: the device itself decides whether the gradients
  /// are finite and how they are scaled.
  /// Throws, with nothing changed, ATA_NOT_FINITE when a gradient is not finite (naming the
  /// parameter), ATA_INVALID_ARGUMENT when `learning_rate` is negative or not finite, and what the
  /// device says when it fails. One that does not answer when it has the whole update is asked once
  /// more; if it fails again, nobody knows whether the update was made: invalidate().
  double update(double learning_rate, std::span<const Tensor> gradients);

  /// Throws ATA_INVALID_ARGUMENT unless the rate is finite and at least 0.
  static void check_learning_rate(double learning_rate);

  const std::vector<TrainedParameter>& parameters() const { return parameters_; }
  /// Number of updates made.
  int64_t update_count() const { return update_count_; }

  /// Continues from another optimizer's state, in the host's memory: weights, moments and average
  /// of `state[i]` are copied over those of parameters()[i], as far as this has them. Shapes must
  /// agree.
  void restore(std::span<const TrainedParameter> state, int64_t update_count);

  /// Says that nobody knows what the parameters hold, until restore() has ended.
  void invalidate() { valid_ = false; }
  /// Throws ATA_INVALID_STATE while that is so.
  void require_valid() const;

 private:
  // Queues the update number `count`; throws where not all of it could be queued, and then none is.
  void queue_adamw(double learning_rate, int64_t count, std::span<const Tensor> gradients,
                   const Tensor& gradient_scale) const;
  void queue_sgd(double learning_rate, std::span<const Tensor> gradients,
                 const Tensor& gradient_scale) const;
  // The values on the host, when the update that is queued has been made.
  Tensor finish(const Tensor& values);

  TrainOptions options_;
  Context context_;
  /// On the same queue, for what an update needs besides.
  Context scratch_;
  std::vector<TrainedParameter> parameters_;
  int64_t update_count_ = 0;
  bool valid_ = true;
};

}  // namespace ata

#endif  // ATA_TRAIN_OPTIMIZER_H_
