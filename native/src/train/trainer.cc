#include "train/trainer.h"

#include <cmath>
#include <unordered_set>
#include <utility>

#include "base/error.h"
#include "ops/cross_entropy.h"

namespace ata {
namespace {

[[noreturn]] void fail_diverged(const std::string& what) {
  fail(ATA_NOT_FINITE, what, "; lower the learning rate, or clip the gradient more");
}

// The parameters that are trained, in the model's order.
std::vector<TrainedParameter> trained_parameters(const Model& model, const TrainOptions& options) {
  options.validate();
  const ParameterSet& parameters = model.parameters();
  const std::vector<ParameterInfo>& list = model.parameter_list();
  const auto groups = group_parameters(list, options);
  std::vector<TrainedParameter> trained;
  for (size_t i = 0; i < list.size(); ++i) {
    if (groups[i].frozen) continue;
    TrainedParameter parameter;
    parameter.name = list[i].name;
    parameter.group = groups[i];
    parameter.weights = parameters.tensor(list[i].name);
    trained.push_back(std::move(parameter));
  }
  return trained;
}

}  // namespace

Trainer::Trainer(std::shared_ptr<Model> model, const TrainOptions& options)
    : model_(std::move(model)),
      options_(options),
      stream_(model_->device().make_stream(make_workspace(model_->device().memory()))),
      memory_(lasting_context(stream_)),
      optimizer_(options, trained_parameters(*model_, options), memory_) {
  std::unordered_set<std::string> trained;
  for (const TrainedParameter& parameter : optimizer_.parameters()) trained.insert(parameter.name);
  VariableWalk walk(model_->parameters(),
                    [&](const std::string& name) { return trained.count(name) != 0; });
  network_ = std::make_unique<Network>(model_->config(), walk);
  for (const TrainedParameter& parameter : optimizer_.parameters()) {
    const auto found = walk.variables().find(parameter.name);
    variables_.push_back(found == walk.variables().end() ? Variable() : found->second);
  }
  // Slices begin where vectors and caches like it.
  constexpr int64_t kAlignment = 16;
  int64_t length = 0;
  for (const Variable& variable : variables_) {
    offsets_.push_back(length);
    const int64_t count = variable.defined() ? variable.value().count() : 0;
    length += (count + kAlignment - 1) / kAlignment * kAlignment;
  }
  offsets_.push_back(length);
}

Trainer::Batch Trainer::accumulate(const Tensor& clips, const Tensor& targets, float weight,
                                   const std::atomic<bool>* cancelled) {
  check_clip(memory_, model_->config(), clips);
  check_targets(targets, clips.dim(0));
  require(weight >= 0.0f && std::isfinite(weight), "weight is ", weight,
          "; it must be at least 0, such as 1 / number of batches accumulated");
  // The batch's own gradient is formed apart from what has been accumulated, so that a failure
  // leaves the latter as it was.
  Tensor gradient = spare_ ? spare_ : memory_.zeros({offsets_.back()});
  spare_ = gradient;
  const Batch batch = run(clips, targets, gradient, cancelled);
  std::vector<bool> present(variables_.size());
  finish_gradient(gradient, present);
  if (accumulated_) {
    memory_.run(&Kernels::scale_by, weight, gradient, /*accumulate=*/true, accumulated_);
    for (size_t i = 0; i < present.size(); ++i) present_[i] = present_[i] || present[i];
  } else {
    if (weight != 1.0f) {
      memory_.run(&Kernels::scale_by, weight, gradient, /*accumulate=*/false, gradient);
    }
    accumulated_ = std::exchange(spare_, Tensor());
    present_ = std::move(present);
  }
  ++batch_count_;
  return batch;
}

Trainer::Batch Trainer::run(const Tensor& clips, const Tensor& targets, Tensor& gradient,
                            const std::atomic<bool>* cancelled) {
  stream_->allocator->begin_pass();
  for (size_t i = 0; i < variables_.size(); ++i) {
    if (!variables_[i].defined()) continue;
    // What a batch that failed has left.
    variables_[i].clear_gradient();
    variables_[i].set_gradient_memory(slice_of(gradient, i));
  }
  Tape tape;
  const Context context = {.stream = stream_, .tape = &tape, .cancelled = cancelled};
  context.clear_status();
  Forward forward(context, *network_, model_->config(), options_.precision, alignment_,
                  {.drop_path_rate = options_.stochastic_depth,
                   .dropout_rate = options_.dropout,
                   .seed = options_.seed,
                   .batch = batch_count_,
                   .recompute = options_.recompute});
  Batch batch;
  try {
    const Variable logits = forward.logits(Variable(context.upload(clips)));
    const Variable loss =
        softmax_cross_entropy(context, logits, context.upload(targets), options_.label_smoothing);
    context.check_cancelled();
    context.backward(loss);
    batch = {context.download(logits.value()), *context.download(loss.value()).data<float>()};
    context.check_status("a batch");
  } catch (const Error& error) {
    if (error.status() == ATA_NOT_FINITE) fail_diverged(error.what());
    throw;
  }
  if (!std::isfinite(batch.loss)) {
    fail_diverged(concat("the loss of the batch is ", batch.loss));
  }
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
  if (labels) {
    check_classes(targets, classes);
    return;
  }
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
  if (!accumulated_) {
    fail(ATA_INVALID_STATE,
         "no gradient has been accumulated since the last update; run a batch first");
  }
  const std::vector<Tensor> gradients = accumulated_gradients();
  spare_ = std::exchange(accumulated_, Tensor());
  const double norm = optimizer_.update(learning_rate, gradients);
  memory_.synchronize();
  return norm;
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
                 memory_.copy(has_average ? trained[next].average : parameters.tensor(i)));
    if (is_trained) ++next;
  }
  memory_.synchronize();
  return std::make_shared<Model>(model_->config(), averaged, model_->device());
}

Tensor Trainer::slice_of(const Tensor& flat, size_t i) const {
  const Shape& shape = variables_[i].value().shape();
  return flat.slice(offsets_[i], offsets_[i] + shape.count()).reshape(shape);
}

std::vector<Tensor> Trainer::accumulated_gradients() const {
  std::vector<Tensor> gradients(variables_.size());
  for (size_t i = 0; i < variables_.size() && accumulated_; ++i) {
    if (present_[i]) gradients[i] = slice_of(accumulated_, i);
  }
  return gradients;
}

void Trainer::finish_gradient(Tensor& flat, std::vector<bool>& present) const {
  for (size_t i = 0; i < variables_.size(); ++i) {
    if (!variables_[i].defined()) continue;
    present[i] = variables_[i].take_gradient().defined();
    if (present[i]) continue;
    Tensor slice = slice_of(flat, i);
    stream_->device.fill(slice.address(), 0, slice.bytes(), *stream_);
  }
}

}  // namespace ata
