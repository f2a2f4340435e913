#include "train/trainer.h"

#include <cmath>
#include <unordered_set>
#include <utility>

#include "base/error.h"
#include "ops/checks.h"
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
  Tensor one({1}, DType::kF32);
  one.data<float>()[0] = 1.0f;
  one_ = memory_.copy(one);
}

Trainer::Batch Trainer::accumulate(const Tensor& clips, const Tensor& targets, float weight,
                                   const std::atomic<bool>* cancelled) {
  optimizer_.require_valid();
  check_clip_shape(model_->config(), clips);
  // Of a device's clips it is seen with the results.
  if (clips.device() == nullptr) require_finite_clip(all_finite(clips));
  check_targets(targets, clips.dim(0));
  require(weight >= 0.0f && std::isfinite(weight), "weight is ", weight,
          "; it must be at least 0, such as 1 / number of batches accumulated");
  if (!gradient_) gradient_ = memory_.zeros({offsets_.back()});
  // The batch's own gradient is formed apart from what has been accumulated, so that a failure
  // leaves the latter as it was. One batch alone needs no sum.
  const bool alone = !accumulated_ && weight == 1.0f;
  if (!alone && !sum_) sum_ = memory_.empty({offsets_.back()});
  if (accumulated_ && accumulated_.address() == gradient_.address()) {
    memory_.assign(sum_, gradient_);
    accumulated_ = sum_;
  }
  const Batch batch = run(clips, targets, cancelled);
  // The last call that may fail: it is the one that accumulates.
  if (!alone) {
    memory_.run(&Kernels::scale_by, weight, gradient_, /*accumulate=*/accumulated_.defined(), sum_);
  }
  if (!accumulated_) present_.assign(variables_.size(), false);
  for (size_t i = 0; i < present_.size(); ++i) present_[i] = present_[i] || pass_.present[i];
  accumulated_ = alone ? gradient_ : sum_;
  ++batch_count_;
  return batch;
}

Trainer::Results Trainer::compute(const Context& stream_context, const Inputs& inputs,
                                  AlignmentState& alignment) {
  Results results;
  stream_context.clear_status();
  if (inputs.clips.device() != nullptr) {
    results.clip_squares = sum_of_squares(stream_context, inputs.clips);
  }
  for (size_t i = 0; i < variables_.size(); ++i) {
    if (!variables_[i].defined()) continue;
    // What a batch that failed has left.
    variables_[i].clear_gradient();
    variables_[i].set_gradient_memory(slice_of(gradient_, i));
  }
  Tape tape;
  Context context = stream_context;
  context.tape = &tape;
  Forward forward(context, *network_, model_->config(), options_.precision, alignment,
                  {.drop_path_rate = options_.stochastic_depth,
                   .dropout_rate = options_.dropout,
                   .seed = options_.seed,
                   .batch_stream = inputs.batch_stream,
                   .recompute = options_.recompute});
  const Variable logits = forward.logits(Variable(inputs.clips));
  const Variable loss =
      softmax_cross_entropy(context, logits, inputs.targets, options_.label_smoothing);
  context.check_cancelled();
  // A copy: the first operation may hand it on as a gradient that others write to.
  tape.backward(loss, context.copy(one_));
  results.logits = logits.value();
  results.loss = loss.value();
  finish_gradient();
  return results;
}

// Whether there is a recorded pass, which is made now if it can be.
bool Trainer::has_recorded(const Tensor& clips, const Tensor& targets) {
  if (pass_.clips != clips.shape() || pass_.targets != targets.shape()) {
    pass_ = {};
    pass_.clips = clips.shape();
    pass_.targets = targets.shape();
  }
  if (pass_.work) return true;
  if (!pass_.has_run || pass_.unrecordable) return false;
  // It takes the blocks that it needs from the workspace for good; the others stay there.
  pass_.memory = make_lasting_workspace(stream_->allocator);
  const Context context = on_queue_of(stream_, pass_.memory);
  pass_.inputs = {context.empty(clips.shape()), context.empty(targets.shape(), targets.dtype()),
                  context.empty({1}, DType::kI64)};
  // What alignments keep may be made by the work itself, which need not come to run.
  AlignmentState alignment = std::exchange(alignment_, {});
  Results results;
  std::unique_ptr<Recording> work = model_->device().record(
      *context.stream, [&] { results = compute(context, pass_.inputs, alignment); });
  if (!work) {
    pass_.inputs = {};
    pass_.memory = nullptr;
    pass_.unrecordable = true;
    return false;
  }
  alignment_ = std::move(alignment);
  pass_.results = std::move(results);
  pass_.work = std::move(work);
  return true;
}

Trainer::Batch Trainer::run(const Tensor& clips, const Tensor& targets,
                            const std::atomic<bool>* cancelled) {
  const bool on_host = clips.device() == nullptr;
  const Context context = {.stream = stream_, .cancelled = cancelled};
  Tensor batch_stream({1}, DType::kI64);
  batch_stream.data<int64_t>()[0] = static_cast<int64_t>(TrainingPass::first_stream(batch_count_));
  try {
    Results results;
    if (has_recorded(clips, targets)) {
      context.check_cancelled();
      context.assign(pass_.inputs.clips, clips);
      context.assign(pass_.inputs.targets, targets);
      context.assign(pass_.inputs.batch_stream, batch_stream);
      pass_.work->replay();
      results = pass_.results;
    } else {
      stream_->allocator->begin_pass();
      results = compute(
          context, {context.upload(clips), context.upload(targets), context.upload(batch_stream)},
          alignment_);
      pass_.has_run = true;
    }
    const Tensor wanted[] = {results.logits, results.loss, stream_->status,
                             on_host ? Tensor() : results.clip_squares};
    const std::vector<Tensor> host = context.download(wanted);
    // What is wrong with clips of the host was seen before.
    if (!on_host) require_finite_clip(std::isfinite(*host[3].data<double>()));
    context.check_status(host[2], "a batch");
    const Batch batch = {host[0], *host[1].data<float>()};
    if (!std::isfinite(batch.loss)) {
      fail(ATA_NOT_FINITE, "the loss of the batch is ", batch.loss);
    }
    return batch;
  } catch (const Error& error) {
    if (error.status() != ATA_NOT_FINITE) throw;
    // A device that tells at once tells before the clips were looked at, which may be to blame.
    if (!on_host) require_finite_clip(all_finite(context, clips));
    fail_diverged(error.what());
  }
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
  optimizer_.require_valid();
  if (!accumulated_) {
    fail(ATA_INVALID_STATE,
         "no gradient has been accumulated since the last update; run a batch first");
  }
  try {
    const double norm = optimizer_.update(learning_rate, accumulated_gradients());
    accumulated_ = Tensor();
    return norm;
  } catch (const Error& error) {
    if (error.status() == ATA_NOT_FINITE) accumulated_ = Tensor();
    throw;
  }
}

std::shared_ptr<Model> Trainer::averaged_model() const {
  optimizer_.require_valid();
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

void Trainer::finish_gradient() {
  pass_.present.assign(variables_.size(), false);
  for (size_t i = 0; i < variables_.size(); ++i) {
    if (!variables_[i].defined()) continue;
    pass_.present[i] = variables_[i].take_gradient().defined();
    if (pass_.present[i]) continue;
    Tensor slice = slice_of(gradient_, i);
    memory_.fill_zero(slice);
  }
}

}  // namespace ata
