#include "train/optimizer.h"

#include <cmath>

namespace ata {

Optimizer::Optimizer(const TrainOptions& options, std::vector<TrainedParameter> parameters,
                     Context context)
    : options_(options), context_(std::move(context)), parameters_(std::move(parameters)) {
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
  const double norm = global_norm(gradients);
  const bool clip = options_.clip_norm > 0.0f && norm > options_.clip_norm;
  const auto gradient_scale = static_cast<float>(clip ? options_.clip_norm / norm : 1.0);
  ++update_count_;
  if (options_.optimizer == ATA_OPTIMIZER_SGD) {
    update_by_sgd(learning_rate, gradients, gradient_scale);
  } else {
    update_by_adamw(learning_rate, gradients, gradient_scale);
  }
  return norm;
}

void Optimizer::check_learning_rate(double learning_rate) {
  require(learning_rate >= 0.0 && std::isfinite(learning_rate), "learning_rate is ", learning_rate,
          "; it must be at least 0");
}

double Optimizer::global_norm(std::span<const Tensor> gradients) const {
  std::vector<Tensor> present;
  std::vector<size_t> parameter;
  for (size_t i = 0; i < gradients.size(); ++i) {
    if (!gradients[i]) continue;
    present.push_back(gradients[i]);
    parameter.push_back(i);
  }
  Tensor sums = context_.empty({static_cast<int64_t>(present.size())}, DType::kF64);
  context_.run(&Kernels::sums_of_squares, present, sums);
  const Tensor host = context_.download(sums, /*may_share=*/true);
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
  return std::sqrt(total);
}

void Optimizer::update_by_adamw(double learning_rate, std::span<const Tensor> gradients,
                                float gradient_scale) {
  const auto t = static_cast<double>(update_count_);
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
         .gradient_scale = gradient_scale,
         .beta1 = options_.beta1,
         .beta2 = options_.beta2,
         .epsilon = options_.epsilon,
         .decay_factor = static_cast<float>(1.0 - rate * parameter.group.weight_decay),
         .step_size = static_cast<float>(rate / (1.0 - std::pow(double{options_.beta1}, t))),
         .inverse_root_correction =
             static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(double{options_.beta2}, t))),
         .average_decay = options_.ema_decay});
  }
  context_.run(&Kernels::adamw, updates);
}

void Optimizer::update_by_sgd(double learning_rate, std::span<const Tensor> gradients,
                              float gradient_scale) {
  std::vector<SgdUpdate> updates;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    if (!gradients[i]) continue;
    const TrainedParameter& parameter = parameters_[i];
    updates.push_back(
        {.gradient = gradients[i],
         .velocity = parameter.first_moment,
         .weights = parameter.weights,
         .average = parameter.average,
         .gradient_scale = gradient_scale,
         .momentum = options_.momentum,
         .nesterov = options_.nesterov,
         .weight_decay = static_cast<float>(parameter.group.weight_decay),
         .learning_rate = static_cast<float>(learning_rate * parameter.group.rate_scale),
         .average_decay = options_.ema_decay});
  }
  context_.run(&Kernels::sgd, updates);
}

void Optimizer::restore(std::span<const TrainedParameter> state, int64_t update_count) {
  for (size_t i = 0; i < parameters_.size(); ++i) {
    TrainedParameter& parameter = parameters_[i];
    context_.assign(parameter.weights, state[i].weights);
    parameter.first_moment = context_.upload(state[i].first_moment);
    parameter.second_moment = context_.upload(state[i].second_moment);
    parameter.average = context_.upload(state[i].average);
  }
  update_count_ = update_count;
}

}  // namespace ata
