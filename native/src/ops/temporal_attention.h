#ifndef ATA_OPS_TEMPORAL_ATTENTION_H_
#define ATA_OPS_TEMPORAL_ATTENTION_H_

#include "ops/alignment.h"
#include "ops/context.h"

namespace ata {

/// Multi-head softmax attention over time along trajectories: the ATA step.
///
/// qkv `[layout.patch_rows(), 3D]`, f32 or bf16, split as (3, heads, D/heads) ->
/// `[layout.patch_rows(), D]` of the same type. Trajectory n of clip b attends over rows
/// (b, t, index[b, t, n]) for all t, and its result for frame t is written to that row; without
/// trajectories it stays at patch n. Nothing is permuted in memory. When trajectories meet in a row
/// (method `nearest`) their results are averaged; rows that no trajectory visits are zero. The
/// index is a constant for the gradient.
Variable temporal_attention(const Context& context, const Variable& qkv, const ClipLayout& layout,
                            int heads, const Trajectories& trajectories);

/// f32 `[B*T*N]`: 1 where a trajectory visits the row, 0 elsewhere; empty when all are visited. The
/// `row_scale` that keeps unvisited patches.
Tensor visited_rows(const Context& context, const Trajectories& trajectories);

}  // namespace ata

#endif  // ATA_OPS_TEMPORAL_ATTENTION_H_
