#include "model/session.h"

#include <bit>
#include <numeric>

#include "base/error.h"
#include "ops/cross_entropy.h"

namespace ata {
namespace {

bool all_finite(const Tensor& tensor) {
  constexpr uint32_t kExponent = 0x7f800000;
  uint32_t found = 0;
  for (float value : tensor.values<float>()) {
    found |= (std::bit_cast<uint32_t>(value) & kExponent) == kExponent ? 1u : 0u;
  }
  return found == 0;
}

}  // namespace

Session::Session(std::shared_ptr<const Model> model) : model_(std::move(model)) {}

void Session::check_clip(const Tensor& clip) const {
  const ModelConfig& config = model_->config();
  require(clip.defined() && clip.dtype() == DType::kF32, "the clip must be f32, not ",
          clip.defined() ? dtype_name(clip.dtype()) : "empty");
  const Shape expected = {clip.rank() > 0 ? clip.dim(0) : 0, 3, config.frames, config.image_size,
                          config.image_size};
  require(
      clip.shape() == expected && clip.dim(0) >= 1, "the clip has shape ", clip.shape().to_string(),
      "; the model takes [B, 3, ", config.frames, ", ", config.image_size, ", ", config.image_size,
      "], B at least 1 (sample the clip so, or load the model with other frames or image_size)");
  require(all_finite(clip), "the clip holds a NaN or an infinity; pixels must be finite");
}

Context Session::make_context(const Tensor& clip, Tape* tape, const std::atomic<bool>* cancelled) {
  trajectories_.clear();
  // Blocks of another shape would never be used again.
  if (!workspace_ || clip.shape() != clip_shape_) {
    workspace_ = make_workspace(heap_allocator());
    clip_shape_ = clip.shape();
  }
  return {
      .kernels = &model_->kernels(), .allocator = workspace_, .tape = tape, .cancelled = cancelled};
}

Tensor Session::forward(const Tensor& clip, const std::atomic<bool>* cancelled) {
  check_clip(clip);
  const Context context = make_context(clip, nullptr, cancelled);
  VitForward run(context, model_->weights(), model_->config(), model_->precision(),
                 alignment_memory_);
  Variable tokens = run.embed(Variable(clip));
  for (int64_t i = 0; i < model_->config().depth; ++i) tokens = run.block(tokens, i);
  const Tensor logits = run.classify(tokens).value().clone();
  trajectories_ = run.trajectories();
  return logits;
}

Session::Loss Session::gradients(const Tensor& clip, const Tensor& labels,
                                 const std::atomic<bool>* cancelled) {
  check_clip(clip);
  const ParameterSet& parameters = model_->parameters();
  require(labels.defined() && labels.dtype() == DType::kI64 && labels.shape() == Shape{clip.dim(0)},
          "labels must be i64 [", clip.dim(0), "], one for each clip");
  parameters_.clear();
  VariableSource source(parameters, /*requires_gradient=*/true);
  const VitWeights weights =
      bind_weights(model_->config(), parameters.contains("norm_pre.weight"), source);
  Tape tape;
  const Context context = make_context(clip, &tape, cancelled);
  VitForward run(context, weights, model_->config(), model_->precision(), alignment_memory_);
  Variable tokens = run.embed(Variable(clip));
  for (int64_t i = 0; i < model_->config().depth; ++i) tokens = run.block(tokens, i);
  const Variable logits = run.classify(tokens);
  const Variable loss = softmax_cross_entropy(context, logits, labels);
  context.check_cancelled();
  const Loss result = {logits.value().clone(), loss.value().data<float>()[0]};
  tape.backward(loss, workspace_);
  trajectories_ = run.trajectories();
  parameters_ = source.variables();
  return result;
}

Tensor Session::gradient(const std::string& name) const {
  const Shape shape = model_->parameters().tensor(name).shape();
  require(!parameters_.empty(), "no gradients have been computed in this session");
  const auto found = parameters_.find(name);
  if (found == parameters_.end() || !found->second.gradient()) {
    return Tensor::zeros(shape, DType::kF32);
  }
  return found->second.gradient().reshape(shape).clone();
}

Tensor Session::trajectories(int64_t block) const {
  const ModelConfig& config = model_->config();
  if (config.temporal != ATA_TEMPORAL_ATA) {
    fail(ATA_UNSUPPORTED, "mode '", temporal_mode_name(config.temporal),
         "' has no trajectories; only 'ata' has");
  }
  require(block >= 0 && block < config.depth, "block ", block, " is not one of 0 to ",
          config.depth - 1);
  require(block < static_cast<int64_t>(trajectories_.size()), "the last run did not reach block ",
          block);
  const Tensor& recorded = trajectories_[static_cast<size_t>(block)];
  if (recorded.defined()) return recorded.clone();
  Tensor identity({clip_shape_[0], config.frames, config.patches()}, DType::kI32);
  int32_t* values = identity.data<int32_t>();
  for (int64_t i = 0; i < clip_shape_[0] * config.frames; ++i, values += config.patches()) {
    std::iota(values, values + config.patches(), 0);
  }
  return identity;
}

Tensor Session::features(const Tensor& clip, int64_t block, const std::atomic<bool>* cancelled) {
  const ModelConfig& config = model_->config();
  require(block >= 0 && block <= config.depth, "block ", block, " is not one of 0 to ",
          config.depth);
  check_clip(clip);
  const Context context = make_context(clip, nullptr, cancelled);
  VitForward run(context, model_->weights(), config, model_->precision(), alignment_memory_);
  Variable tokens = run.embed(Variable(clip));
  for (int64_t i = 0; i < block; ++i) tokens = run.block(tokens, i);
  const Tensor patches = run.patch_rows(tokens).value().clone();
  trajectories_ = run.trajectories();
  return patches.reshape({clip.dim(0), config.frames, config.patches(), config.dim});
}

}  // namespace ata
