#include "model/vit.h"

#include <utility>

#include "base/error.h"
#include "model/precision.h"
#include "ops/dropout.h"
#include "ops/embedding.h"
#include "ops/patches.h"
#include "ops/rows.h"

namespace ata {
namespace {

Activation activation_of(const ModelConfig& config) {
  switch (config.activation) {
    case ATA_ACTIVATION_QUICK_GELU:
      return Activation::kQuickGelu;
    case ATA_ACTIVATION_GELU_TANH:
      return Activation::kGeluTanh;
    default:
      return Activation::kGelu;
  }
}

// Lets a context record on another tape for a while.
class TapeScope {
 public:
  TapeScope(Context& context, Tape& tape)
      : context_(context), previous_(std::exchange(context.tape, &tape)) {}
  ~TapeScope() { context_.tape = previous_; }
  TapeScope(const TapeScope&) = delete;
  TapeScope& operator=(const TapeScope&) = delete;

 private:
  Context& context_;
  Tape* previous_;
};

}  // namespace

void check_clip_shape(const ModelConfig& config, const Tensor& clip) {
  require(clip.defined() && clip.dtype() == DType::kF32, "the clip must be f32, not ",
          clip.defined() ? dtype_name(clip.dtype()) : "empty");
  const Shape expected = {clip.rank() > 0 ? clip.dim(0) : 0, 3, config.frames, config.image_size,
                          config.image_size};
  require(
      clip.shape() == expected && clip.dim(0) >= 1, "the clip has shape ", clip.shape().to_string(),
      "; the model takes [B, 3, ", config.frames, ", ", config.image_size, ", ", config.image_size,
      "], B at least 1 (sample the clip so, or load the model with other frames or image_size)");
}

void check_clip(const ModelConfig& config, const Tensor& clip) {
  check_clip_shape(config, clip);
  require(all_finite(clip), "the clip holds a NaN or an infinity; pixels must be finite");
}

AlignmentOptions alignment_options(const ModelConfig& config, ata_precision precision) {
  AlignmentOptions options;
  options.method = static_cast<AlignmentMethod>(config.alignment);
  options.window_radius = config.window_radius;
  options.temperature = config.temperature;
  options.iterations = config.iterations;
  options.grid_height = config.grid();
  options.grid_width = config.grid();
  options.product = similarity_product(precision);
  return options;
}

VitForward::VitForward(const Context& context, const VitWeights& weights, const ModelConfig& config,
                       ata_precision precision, AlignmentState& state, const TrainingPass& training)
    : context_(context),
      weights_(weights),
      config_(config),
      state_(state),
      alignment_(alignment_options(config, precision)),
      training_(training),
      compute_(compute_type(precision)) {}

Variable VitForward::embed(const Variable& clip) {
  batch_ = clip.value().dim(0);
  // A run must not depend on those before it.
  state_.warm_start = true;
  state_.column_duals = Tensor();
  const Variable pixels = extract_patches(context_, clip, config_.patch_size, compute_);
  const Variable patches = linear(context_, pixels, weights_.patch_embed);
  const Variable tokens =
      embed_tokens(context_, patches, weights_.cls_token, weights_.pos_embed, weights_.time_embed,
                   {batch_, config_.frames, config_.patches()}, class_row_count());
  return weights_.norm_pre.gamma.defined() ? norm(tokens, weights_.norm_pre, DType::kF32) : tokens;
}

Variable VitForward::logits(const Variable& clip) {
  Variable tokens = embed(clip);
  const int64_t last = config_.depth - 1;
  for (int64_t i = 0; i < last; ++i) tokens = block(tokens, i);
  // Moved, so that in training only the tape still holds what backward needs.
  return head(class_token(std::exchange(tokens, Variable())));
}

Variable VitForward::block(const Variable& tokens, int64_t index) {
  context_.check_cancelled();
  return training_.recompute ? recomputed_block(tokens, index) : run_block(tokens, index);
}

Variable VitForward::run_block(const Variable& tokens, int64_t index, const Tensor& known_result) {
  Variable result = tokens;
  if (has_temporal_step(config_.temporal)) result = temporal_step(result, index);
  result = spatial_output(spatial_attention(result, index), result, index);
  return mlp_step(result, index, known_result);
}

Variable VitForward::last_block(const Variable& tokens, Variable* last) {
  // Never recomputed: its backward follows at once, so that dropping its activations saves nothing.
  context_.check_cancelled();
  const int64_t index = config_.depth - 1;
  Variable result = tokens;
  if (has_temporal_step(config_.temporal)) result = temporal_step(result, index);
  const Variable attended = spatial_attention(result, index);
  Variable classes = class_rows(result);
  // Without a tape what follows is written over its input, which all rows need once more.
  if (last != nullptr) classes = Variable(context_.copy(classes.value()));
  classes = mlp_step(spatial_output(class_rows(attended), classes, index), index, Tensor());
  if (last != nullptr) *last = mlp_step(spatial_output(attended, result, index), index, Tensor());
  return classes;
}

Variable VitForward::recomputed_block(const Variable& tokens, int64_t index) {
  const auto run_apart = [this, tokens, index](Tape& tape, const Variable& input,
                                               const Tensor& known_result) {
    const TapeScope scope(context_, tape);
    return run_block(input, index, known_result);
  };
  // Not without a tape: the result would be written over the input, which is needed again.
  Tape dropped;
  const Variable first =
      run_apart(dropped, Variable(tokens.value(), tokens.requires_gradient()), Tensor());
  const Variable out(first.value(), first.requires_gradient());
  if (out.requires_gradient()) {
    context_.tape->record([this, tokens, out, run_apart] {
      Tensor dy = out.take_gradient();
      if (!dy) return;
      context_.check_cancelled();
      const Variable input(tokens.value(), tokens.requires_gradient());
      Tape tape;
      const Variable again = run_apart(tape, input, out.value());
      tape.backward(again, std::move(dy));
      if (input.gradient()) context_.accumulate_gradient(tokens, input.take_gradient());
    });
  }
  return out;
}

Variable VitForward::class_token(const Variable& tokens, Variable* last) {
  Variable classes = last_block(tokens, last);
  if (config_.temporal == ATA_TEMPORAL_SPACE_ONLY) {
    classes = mean_rows(context_, classes, config_.frames);
  }
  return norm(classes, weights_.norm, DType::kF32);
}

Variable VitForward::head(const Variable& class_token) {
  return linear(context_, training_.thinned(context_, class_token, config_.depth, DrawSite::kHead),
                weights_.head);
}

Variable VitForward::class_rows(const Variable& tokens) const {
  return slice_rows(context_, tokens, patch_row_count(), tokens.value().dim(0));
}

Variable VitForward::patch_rows(const Variable& tokens) const {
  return slice_rows(context_, tokens, 0, patch_row_count());
}

Trajectories VitForward::align_block(const Variable& patches, int64_t index) {
  if (static_cast<size_t>(index) < trajectories_.size()) {
    return trajectories_[static_cast<size_t>(index)];
  }
  // Reused between the blocks that align.
  if (trajectories_.size() % static_cast<size_t>(config_.align_every) != 0) {
    trajectories_.push_back(trajectories_.back());
    return trajectories_.back();
  }
  const ClipLayout layout = {batch_, config_.frames, config_.patches()};
  try {
    trajectories_.push_back(align(context_, patches.value(), layout, alignment_, state_));
  } catch (const Error& error) {
    // The clip is finite and the options are valid, so that what cannot be aligned is the model's.
    if (error.status() != ATA_INVALID_ARGUMENT) throw;
    fail(ATA_NOT_FINITE, "the model computes tokens that are not finite before block ", index,
         ": its weights are damaged or far too large");
  }
  return trajectories_.back();
}

Variable VitForward::temporal_step(const Variable& tokens, int64_t index) {
  const Variable patches = patch_rows(tokens);
  TemporalStep step = {.layout = {batch_, config_.frames, config_.patches()},
                       .heads = config_.heads,
                       .compute = compute_,
                       .norm_eps = config_.norm_eps,
                       .block = index,
                       .depth = config_.depth};
  if (config_.temporal == ATA_TEMPORAL_ATA) {
    step.soft = alignment_.method == AlignmentMethod::kSoft;
    step.temperature = alignment_.temperature;
    if (!step.soft) step.trajectories = align_block(patches, index);
  }
  const Variable x = run_temporal_step(
      context_, patches, weights_.blocks[static_cast<size_t>(index)].temporal, step, training_);
  // Without a tape the result has been written over the patch rows of `tokens`.
  if (context_.tape == nullptr) return tokens;
  return concat_rows(context_, x, class_rows(tokens));
}

Variable VitForward::spatial_attention(const Variable& tokens, int64_t index) {
  const BlockWeights& block = weights_.blocks[static_cast<size_t>(index)];
  ClipLayout layout;
  switch (config_.temporal) {
    case ATA_TEMPORAL_JOINT:
      layout = {batch_, 1, config_.frames * config_.patches()};
      break;
    case ATA_TEMPORAL_SPACE_ONLY:
      layout = {batch_ * config_.frames, 1, config_.patches()};
      break;
    default:
      layout = {batch_, config_.frames, config_.patches()};
  }
  Variable x = norm(tokens, block.norm1, compute_);
  x = linear(context_, x, block.qkv, {.out_dtype = compute_});
  return attention(context_, x, layout, config_.heads);
}

Variable VitForward::spatial_output(const Variable& attended, const Variable& tokens,
                                    int64_t index) {
  return add_branch(attended, weights_.blocks[static_cast<size_t>(index)].proj, tokens,
                    branch_scale(tokens, index, DrawSite::kSpatialBranch), index,
                    DrawSite::kSpatialProjection);
}

Variable VitForward::mlp_step(const Variable& tokens, int64_t index, const Tensor& known_result) {
  const BlockWeights& block = weights_.blocks[static_cast<size_t>(index)];
  Variable x = norm(tokens, block.norm2, compute_);
  x = linear(context_, x, block.fc1, {.out_dtype = compute_, .activation = activation_of(config_)});
  x = training_.thinned(context_, x, index, DrawSite::kMlpHidden);
  return add_branch(x, block.fc2, tokens, branch_scale(tokens, index, DrawSite::kMlpBranch), index,
                    DrawSite::kMlpOutput, known_result);
}

Variable VitForward::add_branch(const Variable& x, const LinearWeights& weights,
                                const Variable& residual, const Tensor& row_scale, int64_t index,
                                DrawSite dropout_site, const Tensor& known_result) const {
  if (training_.dropout == 0.0f) {
    return linear(context_, x, weights,
                  {.residual = residual, .row_scale = row_scale, .known_result = known_result});
  }
  return dropout(context_, linear(context_, x, weights),
                 {.probability = training_.dropout,
                  .seed = training_.seed,
                  .stream = training_.stream(index, dropout_site),
                  .residual = residual,
                  .row_scale = row_scale});
}

Tensor VitForward::branch_scale(const Variable& tokens, int64_t index, DrawSite site) const {
  const Tensor scale = training_.branch_scale(context_, index, config_.depth, site, batch_,
                                              patch_row_count(), class_row_count());
  const bool all = tokens.value().dim(0) != class_row_count();
  return all || !scale ? scale : scale.slice(patch_row_count(), scale.dim(0));
}

Variable VitForward::norm(const Variable& x, const NormWeights& weights, DType dtype) const {
  return layer_norm(context_, x, weights.gamma, weights.beta, dtype, config_.norm_eps);
}

}  // namespace ata
