#include "train/optimizer.h"

#include <cmath>
#include <cstring>

#include "train/optimizer_kernels.h"

namespace ata {
namespace {

float* data_or_null(Tensor& tensor) {
  return tensor ? tensor.data<float>() : nullptr;
}

// The global norm of the gradients; throws when one is not finite.
double global_norm(std::span<const TrainedParameter> parameters,
                   std::span<const Tensor> gradients) {
  double total = 0.0;
  for (size_t i = 0; i < gradients.size(); ++i) {
    if (!gradients[i]) continue;
    const double sum = sum_of_squares(gradients[i].count(), gradients[i].data<float>());
    // Squares of floats and their sum stay far below the largest double.
    if (!std::isfinite(sum)) {
      fail(ATA_NOT_FINITE, "the gradient of '", parameters[i].name,
           "' is not finite; lower the learning rate, or clip the gradient more");
    }
    total += sum;
  }
  return std::sqrt(total);
}

}  // namespace

Optimizer::Optimizer(const TrainOptions& options, std::vector<TrainedParameter> parameters)
    : options_(options), parameters_(std::move(parameters)) {
  const bool adamw = options_.optimizer == ATA_OPTIMIZER_ADAMW;
  for (TrainedParameter& parameter : parameters_) {
    const Shape& shape = parameter.weights.shape();
    if (adamw || options_.momentum > 0.0f) {
      parameter.first_moment = Tensor::zeros(shape, DType::kF32);
    }
    if (adamw) parameter.second_moment = Tensor::zeros(shape, DType::kF32);
    if (options_.ema_decay > 0.0f) parameter.average = parameter.weights.clone();
  }
}

double Optimizer::update(double learning_rate, std::span<const Tensor> gradients) {
  check_learning_rate(learning_rate);
  const double norm = global_norm(parameters_, gradients);
  const bool clip = options_.clip_norm > 0.0f && norm > options_.clip_norm;
  const auto gradient_scale = static_cast<float>(clip ? options_.clip_norm / norm : 1.0);
  ++update_count_;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    if (gradients[i]) {
      update_parameter(parameters_[i], gradients[i], learning_rate, gradient_scale);
    }
  }
  return norm;
}

void Optimizer::check_learning_rate(double learning_rate) {
  require(learning_rate >= 0.0 && std::isfinite(learning_rate), "learning_rate is ", learning_rate,
          "; it must be at least 0");
}

void Optimizer::update_parameter(TrainedParameter& parameter, const Tensor& gradient,
                                 double learning_rate, float gradient_scale) const {
  const double rate = learning_rate * parameter.group.rate_scale;
  const double weight_decay = parameter.group.weight_decay;
  const int64_t count = gradient.count();
  if (options_.optimizer == ATA_OPTIMIZER_SGD) {
    SgdStep step;
    step.gradient_scale = gradient_scale;
    step.momentum = options_.momentum;
    step.nesterov = options_.nesterov;
    step.weight_decay = static_cast<float>(weight_decay);
    step.learning_rate = static_cast<float>(rate);
    step.average_decay = options_.ema_decay;
    sgd_update(step, count, gradient.data<float>(), data_or_null(parameter.first_moment),
               parameter.weights.data<float>(), data_or_null(parameter.average));
    return;
  }
  const auto t = static_cast<double>(update_count_);
  AdamwStep step;
  step.gradient_scale = gradient_scale;
  step.beta1 = options_.beta1;
  step.beta2 = options_.beta2;
  step.epsilon = options_.epsilon;
  step.decay_factor = static_cast<float>(1.0 - rate * weight_decay);
  step.step_size = static_cast<float>(rate / (1.0 - std::pow(double{options_.beta1}, t)));
  step.inverse_root_correction =
      static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(double{options_.beta2}, t)));
  step.average_decay = options_.ema_decay;
  adamw_update(step, count, gradient.data<float>(), parameter.first_moment.data<float>(),
               parameter.second_moment.data<float>(), parameter.weights.data<float>(),
               data_or_null(parameter.average));
}

void Optimizer::restore(std::span<const TrainedParameter> state, int64_t update_count) {
  for (size_t i = 0; i < parameters_.size(); ++i) {
    TrainedParameter& parameter = parameters_[i];
    std::memcpy(parameter.weights.raw(), state[i].weights.raw(), parameter.weights.bytes());
    parameter.first_moment = state[i].first_moment;
    parameter.second_moment = state[i].second_moment;
    parameter.average = state[i].average;
  }
  update_count_ = update_count;
}

}  // namespace ata
