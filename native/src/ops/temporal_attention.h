#ifndef ATA_OPS_TEMPORAL_ATTENTION_H_
#define ATA_OPS_TEMPORAL_ATTENTION_H_

#include "ops/context.h"

namespace ata {

/// Multi-head softmax attention over time along trajectories (the ATA step; spec "Alignment").
///
/// qkv `[B*T*N, 3D]`, f32 or bf16, rows ordered (b, t, n), split as (3, heads, D/heads) ->
/// `[B*T*N, D]` of the same type. `trajectories` is i32 `[B, T, N]`, or empty for the identity:
/// trajectory n of clip b attends over rows (b, t, trajectories[b, t, n]) for all t, and its result
/// for frame t is written to that row. Nothing is permuted in memory. When trajectories meet in a
/// row (method `nearest`) their results are averaged; rows that no trajectory visits are zero.
/// The index is a constant for the gradient; values outside 0..N-1 are ATA_INVALID_ARGUMENT.
Variable temporal_attention(const Context& context, const Variable& qkv, int64_t batch,
                            int64_t frames, int64_t patches, int heads, const Tensor& trajectories);

/// f32 `[B*T*N]`: 1 where a trajectory visits the row, 0 elsewhere; empty when all are visited
/// (each frame of `trajectories` is a permutation). The `row_scale` that keeps unvisited patches.
Tensor visited_rows(const Context& context, const Tensor& trajectories);

}  // namespace ata

#endif  // ATA_OPS_TEMPORAL_ATTENTION_H_
