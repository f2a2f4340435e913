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
  /// Throws ATA_INVALID_ARGUMENT, with nothing changed, when a gradient is not finite (naming the
  /// parameter) or `learning_rate` is negative or not finite.
  double update(double learning_rate, std::span<const Tensor> gradients);

  /// Throws ATA_INVALID_ARGUMENT unless the rate is finite and at least 0.
  static void check_learning_rate(double learning_rate);

  const std::vector<TrainedParameter>& parameters() const { return parameters_; }
  /// Number of updates made.
  int64_t update_count() const { return update_count_; }

  /// Continues from another optimizer's state, in the host's memory: `state[i]` replaces weights
  /// (copied into their memory), moments and average of parameters()[i]. Shapes must agree.
  void restore(std::span<const TrainedParameter> state, int64_t update_count);

 private:
  /// The global norm of the gradients; throws when one is not finite.
  double global_norm(std::span<const Tensor> gradients) const;
  void update_by_adamw(double learning_rate, std::span<const Tensor> gradients,
                       float gradient_scale);
  void update_by_sgd(double learning_rate, std::span<const Tensor> gradients, float gradient_scale);

  TrainOptions options_;
  Context context_;
  std::vector<TrainedParameter> parameters_;
  int64_t update_count_ = 0;
};

}  // namespace ata

#endif  // ATA_TRAIN_OPTIMIZER_H_
