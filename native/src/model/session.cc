#include "model/session.h"

#include <cmath>

#include "base/error.h"
#include "ops/cross_entropy.h"

namespace ata {
namespace {

// Clips are finite, so that the model is to blame.
void check_results(bool finite, const char* what) {
  if (finite) return;
  fail(ATA_NOT_FINITE, "the model computes ", what,
       " that are not finite: its weights are damaged or far too large");
}

}  // namespace

Session::Session(std::shared_ptr<const Model> model)
    : model_(std::move(model)),
      stream_(model_->device().make_stream(make_workspace(model_->device().memory()))) {}

Context Session::make_context(const Tensor& clip, Tape* tape, const std::atomic<bool>* cancelled) {
  trajectories_.clear();
  // Blocks of another shape would never be used again.
  if (clip.shape() != clip_shape_) {
    stream_->allocator = make_workspace(model_->device().memory());
    clip_shape_ = clip.shape();
  }
  return {.stream = stream_, .tape = tape, .cancelled = cancelled};
}

Tensor Session::forward(const Tensor& clip, const std::atomic<bool>* cancelled) {
  check_clip(model_->config(), clip);
  const Context context = make_context(clip, nullptr, cancelled);
  VitForward run(context, model_->weights(), model_->config(), model_->precision(), alignment_);
  const Tensor logits = context.download(run.logits(Variable(context.upload(clip))).value());
  context.check_status("forward");
  check_results(all_finite(logits), "logits");
  trajectories_ = run.trajectories();
  return logits;
}

Session::Loss Session::gradients(const Tensor& clip, const Tensor& labels,
                                 const std::atomic<bool>* cancelled) {
  check_clip(model_->config(), clip);
  const ParameterSet& parameters = model_->parameters();
  require(labels.defined() && labels.dtype() == DType::kI64 && labels.shape() == Shape{clip.dim(0)},
          "labels must be i64 [", clip.dim(0), "], one for each clip");
  check_classes(labels, model_->config().classes);
  parameters_.clear();
  VariableSource source(parameters, /*requires_gradient=*/true);
  const VitWeights weights =
      bind_weights(model_->config(), parameters.contains("norm_pre.weight"), source);
  Tape tape;
  const Context context = make_context(clip, &tape, cancelled);
  VitForward run(context, weights, model_->config(), model_->precision(), alignment_);
  const Variable logits = run.logits(Variable(context.upload(clip)));
  const Variable loss = softmax_cross_entropy(context, logits, context.upload(labels));
  context.check_cancelled();
  context.backward(loss);
  const Loss result = {context.download(logits.value()),
                       *context.download(loss.value()).data<float>()};
  context.check_status("gradients");
  check_results(all_finite(result.logits), "logits");
  check_results(std::isfinite(result.loss), "a loss");
  trajectories_ = run.trajectories();
  parameters_ = source.variables();
  return result;
}

Tensor Session::gradient(const std::string& name) const {
  const Shape shape = model_->parameters().tensor(name).shape();
  if (parameters_.empty()) {
    fail(ATA_INVALID_STATE, "this session has computed no gradients yet; compute them first");
  }
  const auto found = parameters_.find(name);
  if (found == parameters_.end() || !found->second.gradient()) {
    return Tensor::zeros(shape, DType::kF32);
  }
  return Context{.stream = stream_}.download(found->second.gradient().reshape(shape));
}

Tensor Session::trajectories(int64_t block) const {
  const ModelConfig& config = model_->config();
  if (config.temporal != ATA_TEMPORAL_ATA) {
    fail(ATA_UNSUPPORTED, "mode '", temporal_mode_name(config.temporal),
         "' has no trajectories; only 'ata' has");
  }
  if (config.alignment == ATA_ALIGNMENT_SOFT) {
    fail(ATA_UNSUPPORTED, "alignment 'soft' has no trajectories");
  }
  require(block >= 0 && block < config.depth, "block is ", block, "; it must be 0 to ",
          config.depth - 1);
  if (block >= static_cast<int64_t>(trajectories_.size())) {
    fail(ATA_INVALID_STATE, "no run of this session has reached block ", block,
         " yet; run forward first");
  }
  const Tensor& index = trajectories_[static_cast<size_t>(block)].index;
  return index ? Context{.stream = stream_}.download(index)
               : identity_trajectories({clip_shape_[0], config.frames, config.patches()});
}

Tensor Session::features(const Tensor& clip, int64_t block, const std::atomic<bool>* cancelled) {
  const ModelConfig& config = model_->config();
  require(block >= 0 && block <= config.depth, "block is ", block, "; it must be 0 to ",
          config.depth);
  check_clip(model_->config(), clip);
  const Context context = make_context(clip, nullptr, cancelled);
  VitForward run(context, model_->weights(), config, model_->precision(), alignment_);
  Variable tokens = run.embed(Variable(context.upload(clip)));
  for (int64_t i = 0; i < block; ++i) tokens = run.block(tokens, i);
  const Tensor patches = context.download(run.patch_rows(tokens).value());
  context.check_status("features");
  check_results(all_finite(patches), "tokens");
  trajectories_ = run.trajectories();
  return patches.reshape({clip.dim(0), config.frames, config.patches(), config.dim});
}

}  // namespace ata
