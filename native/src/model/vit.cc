#include "model/vit.h"

#include "base/error.h"
#include "ops/embedding.h"
#include "ops/layer_norm.h"
#include "ops/patches.h"
#include "ops/rows.h"
#include "ops/temporal_attention.h"

namespace ata {

VitForward::VitForward(const Context& context, const VitWeights& weights, const ModelConfig& config,
                       ata_precision precision, AlignmentMemory& memory)
    : context_(context),
      weights_(weights),
      config_(config),
      memory_(memory),
      compute_(precision == ATA_PRECISION_BF16 ? DType::kBF16 : DType::kF32) {
  alignment_.method = static_cast<AlignmentMethod>(config.alignment);
  alignment_.window_radius = config.window_radius;
  alignment_.temperature = config.temperature;
  alignment_.iterations = config.iterations;
  alignment_.grid_height = config.grid();
  alignment_.grid_width = config.grid();
}

Variable VitForward::embed(const Variable& clip) {
  batch_ = clip.value().dim(0);
  // A run must not depend on those before it.
  memory_.column_duals.clear();
  const Variable pixels = extract_patches(context_, clip, config_.patch_size, compute_);
  const Variable patches = linear(context_, pixels, weights_.patch_embed);
  const int64_t class_rows =
      config_.temporal == ATA_TEMPORAL_SPACE_ONLY ? batch_ * config_.frames : batch_;
  const Variable tokens = embed_tokens(context_, patches, weights_.cls_token, weights_.pos_embed,
                                       weights_.time_embed, batch_, config_.frames, class_rows);
  return weights_.norm_pre.gamma.defined() ? norm(tokens, weights_.norm_pre, DType::kF32) : tokens;
}

Variable VitForward::block(const Variable& tokens, int64_t index) {
  context_.check_cancelled();
  const BlockWeights& block = weights_.blocks[static_cast<size_t>(index)];
  Variable result = tokens;
  if (has_temporal_step(config_.temporal)) result = temporal_step(result, block);
  return mlp_step(spatial_step(result, block), block);
}

Variable VitForward::classify(const Variable& tokens) {
  const int64_t rows = tokens.value().dim(0);
  const int64_t patch_count = batch_ * config_.frames * config_.patches();
  Variable classes = slice_rows(context_, tokens, patch_count, rows);
  if (config_.temporal == ATA_TEMPORAL_SPACE_ONLY) {
    classes = mean_rows(context_, classes, config_.frames);
  }
  return linear(context_, norm(classes, weights_.norm, DType::kF32), weights_.head);
}

Variable VitForward::patch_rows(const Variable& tokens) const {
  return slice_rows(context_, tokens, 0, batch_ * config_.frames * config_.patches());
}

Tensor VitForward::align(const Variable& patches) {
  if (config_.alignment == ATA_ALIGNMENT_NONE) {
    trajectories_.emplace_back();
    return {};
  }
  // Reused between the blocks that align.
  if (trajectories_.size() % static_cast<size_t>(config_.align_every) != 0) {
    trajectories_.push_back(trajectories_.back());
    return trajectories_.back();
  }
  const FeatureShape shape = {batch_, config_.frames, config_.patches(), config_.dim};
  memory_.column_duals.resize(static_cast<size_t>(shape.pairs() * shape.patches));
  Tensor trajectories = context_.empty({batch_, config_.frames, config_.patches()}, DType::kI32);
  align_features(patches.value().data<float>(), shape, alignment_, memory_.workspace,
                 trajectories.data<int32_t>(), nullptr, memory_.column_duals.data());
  trajectories_.push_back(trajectories);
  return trajectories;
}

Variable VitForward::temporal_step(const Variable& tokens, const BlockWeights& block) {
  const Variable patches = patch_rows(tokens);
  Tensor trajectories;
  LinearOptions output;
  if (config_.temporal == ATA_TEMPORAL_ATA) {
    trajectories = align(patches);
    // Only a many-to-one alignment leaves patches out.
    if (config_.alignment == ATA_ALIGNMENT_NEAREST) {
      output.row_scale = visited_rows(context_, trajectories);
    }
  }
  Variable x = norm(patches, block.temporal_norm1, compute_);
  x = linear(context_, x, block.temporal_qkv, {.out_dtype = compute_});
  x = temporal_attention(context_, x, batch_, config_.frames, config_.patches(), config_.heads,
                         trajectories);
  output.residual = patches;
  if (block.temporal_fc.out_features == 0) {
    x = linear(context_, x, block.temporal_proj, output);
  } else {
    x = linear(context_, x, block.temporal_proj, {.out_dtype = compute_});
    x = linear(context_, x, block.temporal_fc, output);
  }
  // Without a tape the result has been written over the patch rows of `tokens`.
  if (context_.tape == nullptr) return tokens;
  const int64_t patch_count = patches.value().dim(0);
  return concat_rows(context_, x, slice_rows(context_, tokens, patch_count, tokens.value().dim(0)));
}

Variable VitForward::spatial_step(const Variable& tokens, const BlockWeights& block) {
  TokenLayout layout;
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
  x = attention(context_, x, layout, config_.heads);
  return linear(context_, x, block.proj, {.residual = tokens});
}

Variable VitForward::mlp_step(const Variable& tokens, const BlockWeights& block) {
  Variable x = norm(tokens, block.norm2, compute_);
  x = linear(context_, x, block.fc1, {.out_dtype = compute_, .activation = Activation::kGelu});
  return linear(context_, x, block.fc2, {.residual = tokens});
}

Variable VitForward::norm(const Variable& x, const NormWeights& weights, DType dtype) const {
  return layer_norm(context_, x, weights.gamma, weights.beta, dtype);
}

}  // namespace ata
