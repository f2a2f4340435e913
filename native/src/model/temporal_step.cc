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
  if (training.dropout == 0.0f && layout.patch_rows() > weights.fc.out_features) {
    return linear(context, y, chain_linear(context, weights.proj, weights.fc), output);
  }
  y = linear(context, y, weights.proj, {.out_dtype = step.compute});
  y = training.thinned(context, y, step.block, DrawSite::kTemporalProjection);
  return linear(context, y, weights.fc, output);
}

}  // namespace

Variable run_temporal_step(const Context& context, const Variable& x,
                           const TemporalWeights& weights, const TemporalStep& step,
                           const TrainingPass& training) {
  const ClipLayout& layout = step.layout;
  const Tensor visited = visited_rows(context, step.trajectories);
  const Tensor row_scale =
      training.branch_scale(context, step.block, step.depth, DrawSite::kTemporalBranch,
                            layout.clips, layout.patch_rows(), /*class_rows=*/0, visited);
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
