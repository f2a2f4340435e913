#include "model/temporal_step.h"

#include "ops/temporal_attention.h"

namespace ata {
namespace {

// What the step adds to its input: attention over time and its two layers, the last with `output`.
Variable branch(const Context& context, const Variable& x, const TemporalWeights& weights,
                const TemporalStep& step, const TrainingPass& training,
                const LinearOptions& output) {
  const ClipLayout& layout = step.layout;
  Variable y =
      layer_norm(context, x, weights.norm1.gamma, weights.norm1.beta, step.compute, step.norm_eps);
  y = linear(context, y, weights.qkv, {.out_dtype = step.compute});
  y = temporal_attention(context, y, layout, step.heads, step.trajectories);
  if (weights.fc.out_features == 0) return linear(context, y, weights.proj, output);
  // Nothing lies between the two layers but dropout.
  if (training.dropout_rate == 0.0f && layout.patch_rows() > weights.fc.out_features) {
    return linear(context, y, chain_linear(context, weights.proj, weights.fc), output);
  }
  y = linear(context, y, weights.proj, {.out_dtype = step.compute});
  y = training.dropout(context, y, step.block, DrawSite::kTemporalProjection);
  return linear(context, y, weights.fc, output);
}

}  // namespace

TemporalWeights declare_temporal_weights(ParameterWalk& walk, const std::string& prefix,
                                         int64_t dim) {
  const float deviation = matrix_deviation(dim);
  TemporalWeights weights;
  weights.norm1 = walk.norm(prefix + "temporal_norm1", dim);
  weights.qkv = walk.linear(prefix + "temporal_attn.qkv", 3 * dim, dim, {.deviation = deviation});
  // The last layer starts at zero: a new step leaves its input as it is.
  walk.linear_chain(
      walk.describe_linear(prefix + "temporal_attn.proj", dim, dim, {.deviation = deviation}),
      walk.describe_linear(prefix + "temporal_fc", dim, dim, {}), &weights.proj, &weights.fc);
  return weights;
}

Variable run_temporal_step(const Context& context, const Variable& x,
                           const TemporalWeights& weights, const TemporalStep& step,
                           const TrainingPass& training) {
  const ClipLayout& layout = step.layout;
  const Tensor visited = visited_rows(context, step.trajectories);
  const Tensor row_scale =
      training.drop_path(context, step.block, step.depth, DrawSite::kTemporalBranch, layout.clips,
                         layout.patch_rows(), /*class_rows=*/0, visited);
  if (step.soft) {
    const Variable spread = soft_trajectories(context, x, layout, step.temperature);
    const Variable y = branch(context, soft_gather(context, spread, x, layout), weights, step,
                              training, /*output=*/{});
    return soft_scatter(context, spread, y, x, row_scale, layout);
  }
  LinearOptions output;
  output.residual = x;
  output.row_scale = row_scale;
  return branch(context, x, weights, step, training, output);
}

}  // namespace ata
