#include "train/optimizer.h"

#include <cmath>

namespace ata {

Optimizer::Optimizer(const TrainOptions& options, std::vector<TrainedParameter> parameters,
                     Context context)
    : options_(options),
      context_(std::move(context)),
      scratch_(scratch_context(context_.stream)),
      parameters_(std::move(parameters)) {
  const bool adamw = options_.optimizer == ATA_OPTIMIZER_ADAMW;
  for (TrainedParameter& parameter : parameters_) {
    const Shape& shape = parameter.weights.shape();
    if (adamw || options_.momentum > 0.0f) parameter.first_moment = context_.zeros(shape);
    if (adamw) parameter.second_moment = context_.zeros(shape);
    if (options_.ema_decay > 0.0f) parameter.average = context_.copy(parameter.weights);
  }
}

double Optimizer::update(double learning_rate, std::span<const Tensor> gradients) {
  check_learning_rate(learning_rate);
  require_valid();
  std::vector<Tensor> present;
  std::vector<size_t> parameter;
  for (size_t i = 0; i < gradients.size(); ++i) {
    if (!gradients[i]) continue;
    present.push_back(gradients[i]);
    parameter.push_back(i);
  }
  Tensor sums = scratch_.empty({static_cast<int64_t>(present.size())}, DType::kF64);
  Tensor gradient_scale = scratch_.empty({1});
  scratch_.run(&Kernels::sums_of_squares, present, sums);
  scratch_.run(&Kernels::clip_scale, sums, options_.clip_norm, gradient_scale);
  if (options_.optimizer == ATA_OPTIMIZER_SGD) {
    queue_sgd(learning_rate, gradients, gradient_scale);
  } else {
    queue_adamw(learning_rate, update_count_ + 1, gradients, gradient_scale);
  }
  const Tensor host = finish(sums);
  double total = 0.0;
  for (size_t i = 0; i < present.size(); ++i) {
    const double sum = host.data<double>()[i];
    // Squares of floats and their sum stay far below the largest double.
    if (!std::isfinite(sum)) {
      fail(ATA_NOT_FINITE, "the gradient of '", parameters_[parameter[i]].name,
           "' is not finite; lower the learning rate, or clip the gradient more");
    }
    total += sum;
  }
  ++update_count_;
  return std::sqrt(total);
}

Tensor Optimizer::finish(const Tensor& values) {
  // What is queued cannot be taken back. A call that fails is made again, since the device may well
  // have done the work; one that is lost fails again.
  invalidate();
  Tensor result;
  try {
    result = scratch_.download(values, /*may_share=*/true);
  } catch (const Error&) {
    result = scratch_.download(values, /*may_share=*/true);
  }
  valid_ = true;
  return result;
}

void Optimizer::require_valid() const {
  if (valid_) return;
  fail(ATA_INVALID_STATE,
       "the device failed in the middle of an update or of loading, and nobody knows what the "
       "weights are; load a saved state");
}

void Optimizer::check_learning_rate(double learning_rate) {
  require(learning_rate >= 0.0 && std::isfinite(learning_rate), "learning_rate is ", learning_rate,
          "; it must be at least 0");
}

void Optimizer::queue_adamw(double learning_rate, int64_t count, std::span<const Tensor> gradients,
                            const Tensor& gradient_scale) const {
  const auto t = static_cast<double>(count);
  std::vector<AdamwUpdate> updates;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    if (!gradients[i]) continue;
    const TrainedParameter& parameter = parameters_[i];
    const double rate = learning_rate * parameter.group.rate_scale;
    updates.push_back(
        {.gradient = gradients[i],
         .first_moment = parameter.first_moment,
         .second_moment = parameter.second_moment,
         .weights = parameter.weights,
         .average = parameter.average,
         .beta1 = options_.beta1,
         .beta2 = options_.beta2,
         .epsilon = options_.epsilon,
         .decay_factor = static_cast<float>(1.0 - rate * parameter.group.weight_decay),
         .step_size = static_cast<float>(rate / (1.0 - std::pow(double{options_.beta1}, t))),
         .inverse_root_correction =
             static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(double{options_.beta2}, t))),
         .average_decay = options_.ema_decay});
  }
  scratch_.run(&Kernels::adamw, gradient_scale, updates);
}

void Optimizer::queue_sgd(double learning_rate, std::span<const Tensor> gradients,
                          const Tensor& gradient_scale) const {
  std::vector<SgdUpdate> updates;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    if (!gradients[i]) continue;
    const TrainedParameter& parameter = parameters_[i];
    updates.push_back(
        {.gradient = gradients[i],
         .velocity = parameter.first_moment,
         .weights = parameter.weights,
         .average = parameter.average,
         .momentum = options_.momentum,
         .nesterov = options_.nesterov,
         .weight_decay = static_cast<float>(parameter.group.weight_decay),
         .learning_rate = static_cast<float>(learning_rate * parameter.group.rate_scale),
         .average_decay = options_.ema_decay});
  }
  scratch_.run(&Kernels::sgd, gradient_scale, updates);
}

void Optimizer::restore(std::span<const TrainedParameter> state, int64_t update_count) {
  invalidate();
  for (size_t i = 0; i < parameters_.size(); ++i) {
    TrainedParameter& parameter = parameters_[i];
    context_.assign(parameter.weights, state[i].weights);
    if (parameter.first_moment) context_.assign(parameter.first_moment, state[i].first_moment);
    if (parameter.second_moment) context_.assign(parameter.second_moment, state[i].second_moment);
    if (parameter.average) context_.assign(parameter.average, state[i].average);
  }
  context_.synchronize();
  update_count_ = update_count;
  valid_ = true;
}

}  // namespace ata
