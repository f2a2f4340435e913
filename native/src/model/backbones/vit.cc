#include "model/backbones/vit.h"

#include "ops/attention.h"
#include "ops/embedding.h"
#include "ops/patches.h"
#include "ops/rows.h"

namespace ata {
namespace {

// About as large as tokens are: with next to no time embedding, attention over time cannot tell
// before from after, and training does not get off the ground.
constexpr float kTimeDeviation = 0.5f;

Activation activation_of(const VitConfig& vit) {
  switch (vit.activation) {
    case ATA_ACTIVATION_QUICK_GELU:
      return Activation::kQuickGelu;
    case ATA_ACTIVATION_GELU_TANH:
      return Activation::kGeluTanh;
    default:
      return Activation::kGelu;
  }
}

int64_t class_row_count(const BackbonePass& pass) {
  return pass.config.temporal == ATA_TEMPORAL_SPACE_ONLY ? pass.layout.frame_count()
                                                         : pass.layout.clips;
}

}  // namespace

Vit::Vit(const VitConfig& vit, const ModelConfig& config, ParameterWalk& walk) : vit_(vit) {
  const int64_t dim = vit.width;
  const int64_t hidden = vit.hidden_dim();
  const LinearDeclaration inner = {.deviation = matrix_deviation(dim)};
  walk.begin_layer(0);
  cls_token_ = walk.tensor("cls_token", {1, 1, dim});
  pos_embed_ = walk.tensor("pos_embed", {1, config.patches() + 1, dim});
  if (config.temporal != ATA_TEMPORAL_SPACE_ONLY || walk.keeps("time_embed")) {
    time_embed_ = walk.tensor("time_embed", {1, config.frames, dim}, kTimeDeviation);
  }
  LinearDeclaration convolution = inner;
  convolution.weight_shape = {dim, 3, vit.patch_size, vit.patch_size};
  patch_embed_ = walk.linear("patch_embed.proj", dim, int64_t{3} * vit.patch_size * vit.patch_size,
                             convolution);
  if (walk.has("norm_pre.weight")) norm_pre_ = walk.norm("norm_pre", dim);
  const bool temporal =
      has_temporal_step(config.temporal) || walk.keeps("blocks.0.temporal_attn.qkv.weight");
  for (int i = 0; i < vit.blocks; ++i) {
    walk.begin_layer(1 + i);
    const std::string prefix = concat("blocks.", i, ".");
    Block block;
    if (temporal) block.temporal = declare_temporal_weights(walk, prefix, dim);
    block.norm1 = walk.norm(prefix + "norm1", dim);
    block.qkv = walk.linear(prefix + "attn.qkv", 3 * dim, dim, inner);
    block.proj = walk.linear(prefix + "attn.proj", dim, dim, inner);
    block.norm2 = walk.norm(prefix + "norm2", dim);
    block.fc1 = walk.linear(prefix + "mlp.fc1", hidden, dim, inner);
    block.fc2 = walk.linear(prefix + "mlp.fc2", dim, hidden, inner);
    blocks_.push_back(std::move(block));
  }
  walk.begin_layer(1 + vit.blocks);
  norm_ = walk.norm("norm", dim);
}

Variable Vit::embed(BackbonePass& pass, const Variable& clip) const {
  const Context& context = pass.context;
  const Variable pixels = extract_patches(context, clip, vit_.patch_size, pass.compute);
  const Variable patches = linear(context, pixels, patch_embed_);
  const Variable tokens = embed_tokens(context, patches, cls_token_, pos_embed_, time_embed_,
                                       pass.layout, class_row_count(pass));
  return norm_pre_.gamma.defined() ? norm(pass, tokens, norm_pre_, DType::kF32) : tokens;
}

Variable Vit::block(BackbonePass& pass, const Variable& tokens, int64_t index,
                    const Tensor& known_result) const {
  Variable result = tokens;
  if (has_temporal_step(pass.config.temporal)) result = temporal_step(pass, result, index);
  result = spatial_output(pass, spatial_attention(pass, result, index), result, index);
  return mlp_step(pass, result, index, known_result);
}

Variable Vit::class_token(BackbonePass& pass, const Variable& tokens, Variable* last) const {
  const Context& context = pass.context;
  const int64_t index = vit_.blocks - 1;
  Variable result = tokens;
  if (has_temporal_step(pass.config.temporal)) result = temporal_step(pass, result, index);
  const Variable attended = spatial_attention(pass, result, index);
  Variable classes = class_rows(pass, result);
  // Without a tape what follows is written over its input, which all rows need once more.
  if (last != nullptr) classes = Variable(context.copy(classes.value()));
  classes = spatial_output(pass, class_rows(pass, attended), classes, index);
  classes = mlp_step(pass, classes, index, Tensor());
  if (last != nullptr) {
    *last = mlp_step(pass, spatial_output(pass, attended, result, index), index, Tensor());
  }
  if (pass.config.temporal == ATA_TEMPORAL_SPACE_ONLY) {
    classes = mean_rows(context, classes, pass.layout.frames);
  }
  return norm(pass, classes, norm_, DType::kF32);
}

Variable Vit::class_rows(const BackbonePass& pass, const Variable& tokens) const {
  return slice_rows(pass.context, tokens, pass.layout.patch_rows(), tokens.value().dim(0));
}

Variable Vit::patch_rows(const BackbonePass& pass, const Variable& tokens) const {
  return slice_rows(pass.context, tokens, 0, pass.layout.patch_rows());
}

Variable Vit::temporal_step(BackbonePass& pass, const Variable& tokens, int64_t index) const {
  const TemporalLayer layer = {.weights = blocks_[static_cast<size_t>(index)].temporal,
                               .heads = vit_.heads,
                               .norm_eps = vit_.norm_eps,
                               .block = index};
  const Variable x =
      pass.temporal.run(pass.context, pass.training, patch_rows(pass, tokens), pass.layout, layer);
  // Without a tape the result has been written over the patch rows of `tokens`.
  if (pass.context.tape == nullptr) return tokens;
  return concat_rows(pass.context, x, class_rows(pass, tokens));
}

Variable Vit::spatial_attention(const BackbonePass& pass, const Variable& tokens,
                                int64_t index) const {
  const Block& block = blocks_[static_cast<size_t>(index)];
  ClipLayout layout = pass.layout;
  if (pass.config.temporal == ATA_TEMPORAL_JOINT) {
    layout = {layout.clips, 1, layout.frames * layout.patches};
  } else if (pass.config.temporal == ATA_TEMPORAL_SPACE_ONLY) {
    layout = {layout.frame_count(), 1, layout.patches};
  }
  Variable x = norm(pass, tokens, block.norm1, pass.compute);
  x = linear(pass.context, x, block.qkv, {.out_dtype = pass.compute});
  return attention(pass.context, x, layout, vit_.heads);
}

Variable Vit::spatial_output(const BackbonePass& pass, const Variable& attended,
                             const Variable& tokens, int64_t index) const {
  return add_branch(pass.context, pass.training, attended, blocks_[static_cast<size_t>(index)].proj,
                    {.residual = tokens,
                     .row_scale = drop_path(pass, tokens, index, DrawSite::kSpatialBranch),
                     .block = index,
                     .site = DrawSite::kSpatialProjection});
}

Variable Vit::mlp_step(const BackbonePass& pass, const Variable& tokens, int64_t index,
                       const Tensor& known_result) const {
  const Block& block = blocks_[static_cast<size_t>(index)];
  Variable x = norm(pass, tokens, block.norm2, pass.compute);
  x = linear(pass.context, x, block.fc1,
             {.out_dtype = pass.compute, .activation = activation_of(vit_)});
  x = pass.training.dropout(pass.context, x, index, DrawSite::kMlpHidden);
  return add_branch(pass.context, pass.training, x, block.fc2,
                    {.residual = tokens,
                     .row_scale = drop_path(pass, tokens, index, DrawSite::kMlpBranch),
                     .block = index,
                     .site = DrawSite::kMlpOutput,
                     .known_result = known_result});
}

Tensor Vit::drop_path(const BackbonePass& pass, const Variable& tokens, int64_t index,
                      DrawSite site) const {
  const int64_t patches = pass.layout.patch_rows(), classes = class_row_count(pass);
  const Tensor factors = pass.training.drop_path(pass.context, index, vit_.blocks, site,
                                                 pass.layout.clips, patches, classes);
  const bool all = tokens.value().dim(0) != classes;
  return all || !factors ? factors : factors.slice(patches, factors.dim(0));
}

Variable Vit::norm(const BackbonePass& pass, const Variable& x, const NormWeights& weights,
                   DType dtype) const {
  return layer_norm(pass.context, x, weights.gamma, weights.beta, dtype, vit_.norm_eps);
}

}  // namespace ata
