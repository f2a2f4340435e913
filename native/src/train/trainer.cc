#include "train/trainer.h"

#include <cmath>
#include <unordered_set>
#include <utility>

#include "base/error.h"
#include "ops/cross_entropy.h"
#include "train/optimizer_kernels.h"

namespace ata {
namespace {

[[noreturn]] void fail_diverged(const std::string& what) {
  fail(ATA_NOT_FINITE, what, "; lower the learning rate, or clip the gradient more");
}

// The parameters that are trained, in the model's order.
std::vector<TrainedParameter> trained_parameters(const Model& model, const TrainOptions& options) {
  options.validate();
  const ParameterSet& parameters = model.parameters();
  const std::vector<std::string>& names = model.parameter_names();
  const auto groups = group_parameters(names, model.config().depth, options);
  std::vector<TrainedParameter> trained;
  for (size_t i = 0; i < names.size(); ++i) {
    if (groups[i].frozen) continue;
    TrainedParameter parameter;
    parameter.name = names[i];
    parameter.group = groups[i];
    parameter.weights = parameters.tensor(names[i]);
    trained.push_back(std::move(parameter));
  }
  return trained;
}

}  // namespace

Trainer::Trainer(std::shared_ptr<Model> model, const TrainOptions& options)
    : model_(std::move(model)),
      options_(options),
      optimizer_(options, trained_parameters(*model_, options)) {
  std::unordered_set<std::string> trained;
  for (const TrainedParameter& parameter : optimizer_.parameters()) trained.insert(parameter.name);
  VariableSource source(model_->parameters(),
                        [&](const std::string& name) { return trained.count(name) != 0; });
  weights_ =
      bind_weights(model_->config(), model_->parameters().contains("norm_pre.weight"), source);
  for (const TrainedParameter& parameter : optimizer_.parameters()) {
    const auto found = source.variables().find(parameter.name);
    variables_.push_back(found == source.variables().end() ? Variable() : found->second);
  }
}

Trainer::Batch Trainer::accumulate(const Tensor& clips, const Tensor& targets, float weight,
                                   const std::atomic<bool>* cancelled) {
  check_clip(model_->config(), clips);
  check_targets(targets, clips.dim(0));
  require(weight >= 0.0f && std::isfinite(weight), "weight is ", weight,
          "; it must be at least 0, such as 1 / number of batches accumulated");
  // The batch's own gradient is formed apart from what has been accumulated, so that a failure
  // leaves the latter as it was.
  std::vector<Tensor> accumulated = take_gradients();
  Batch batch;
  try {
    batch = run(clips, targets, cancelled);
  } catch (...) {
    take_gradients();
    set_gradients(std::move(accumulated));
    throw;
  }
  std::vector<Tensor> gradients = take_gradients();
  for (size_t i = 0; i < gradients.size(); ++i) {
    Tensor& gradient = gradients[i];
    if (!gradient) continue;
    const int64_t count = gradient.count();
    if (accumulated[i]) {
      add_scaled(count, weight, gradient.data<float>(), accumulated[i].data<float>());
    } else {
      if (weight != 1.0f) {
        assign_scaled(count, weight, gradient.data<float>(), gradient.data<float>());
      }
      accumulated[i] = std::move(gradient);
    }
  }
  set_gradients(std::move(accumulated));
  ++batch_count_;
  return batch;
}

Trainer::Batch Trainer::run(const Tensor& clips, const Tensor& targets,
                            const std::atomic<bool>* cancelled) {
  // Blocks of another shape would never be used again.
  if (!workspace_ || clips.shape() != clip_shape_) {
    workspace_ = make_workspace(heap_allocator());
    clip_shape_ = clips.shape();
  }
  Tape tape;
  const Context context = {.kernels = &model_->kernels(),
                           .allocator = workspace_,
                           .tape = &tape,
                           .cancelled = cancelled};
  VitForward forward(context, weights_, model_->config(), options_.precision, alignment_memory_,
                     {.stochastic_depth = options_.stochastic_depth,
                      .dropout = options_.dropout,
                      .seed = options_.seed,
                      .batch = batch_count_,
                      .recompute = options_.recompute});
  Variable logits;
  try {
    logits = forward.logits(Variable(clips));
  } catch (const Error& error) {
    if (error.status() == ATA_NOT_FINITE) fail_diverged(error.what());
    throw;
  }
  const Variable loss = softmax_cross_entropy(context, logits, targets, options_.label_smoothing);
  context.check_cancelled();
  const Batch batch = {logits.value().clone(), loss.value().data<float>()[0]};
  if (!std::isfinite(batch.loss)) {
    fail_diverged(concat("the loss of the batch is ", batch.loss));
  }
  tape.backward(loss, workspace_);
  return batch;
}

void Trainer::check_targets(const Tensor& targets, int64_t batch) const {
  const int64_t classes = model_->config().classes;
  const bool labels =
      targets.defined() && targets.dtype() == DType::kI64 && targets.shape() == Shape{batch};
  const bool probabilities = targets.defined() && targets.dtype() == DType::kF32 &&
                             targets.shape() == Shape{batch, classes};
  require(labels || probabilities, "targets must be i64 [", batch, "] labels or f32 [", batch, ", ",
          classes, "] probabilities, not ",
          targets.defined() ? concat(dtype_name(targets.dtype()), " ", targets.shape().to_string())
                            : "empty");
  if (labels) return;
  const float* row = targets.data<float>();
  for (int64_t b = 0; b < batch; ++b, row += classes) {
    double sum = 0.0;
    for (int64_t c = 0; c < classes; ++c) {
      require(row[c] >= 0.0f, "targets[", b, ", ", c, "] is ", row[c],
              "; a probability must be at least 0");
      sum += row[c];
    }
    require(std::abs(sum - 1.0) < 1e-3, "the probabilities of targets[", b, "] sum to ", sum,
            "; they must sum to 1");
  }
}

double Trainer::update(double learning_rate) {
  Optimizer::check_learning_rate(learning_rate);
  const std::vector<Tensor> gradients = take_gradients();
  bool any = false;
  for (const Tensor& gradient : gradients) any = any || gradient.defined();
  if (!any) {
    fail(ATA_INVALID_STATE,
         "no gradient has been accumulated since the last update; run a batch first");
  }
  return optimizer_.update(learning_rate, gradients);
}

std::shared_ptr<Model> Trainer::averaged_model() const {
  ParameterSet averaged;
  const ParameterSet& parameters = model_->parameters();
  size_t next = 0;
  for (size_t i = 0; i < parameters.count(); ++i) {
    // The trained parameters are in the model's order.
    const auto& trained = optimizer_.parameters();
    const bool is_trained = next < trained.size() && trained[next].name == parameters.name(i);
    const bool has_average = is_trained && trained[next].average.defined();
    averaged.add(parameters.name(i),
                 has_average ? trained[next].average.clone() : parameters.tensor(i).clone());
    if (is_trained) ++next;
  }
  return std::make_shared<Model>(model_->config(), std::move(averaged));
}

std::vector<Tensor> Trainer::take_gradients() {
  std::vector<Tensor> gradients;
  for (const Variable& variable : variables_) {
    gradients.push_back(variable.defined() ? variable.take_gradient() : Tensor());
  }
  return gradients;
}

void Trainer::set_gradients(std::vector<Tensor> gradients) {
  for (size_t i = 0; i < gradients.size(); ++i) {
    if (gradients[i]) variables_[i].set_gradient(std::move(gradients[i]));
  }
}

}  // namespace ata
