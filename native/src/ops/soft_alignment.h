#ifndef ATA_OPS_SOFT_ALIGNMENT_H_
#define ATA_OPS_SOFT_ALIGNMENT_H_

#include "ops/context.h"

namespace ata {

/// Soft trajectories (the alignment `soft`): f32 `[B, T, N, N]` with
///   C_0 = identity,  C_{t+1} = C_t W_t,
/// W_t the row-wise softmax of the cosine similarities of frames t and t + 1 over `temperature`.
/// Row n of C_t says how trajectory n spreads over the patches of frame t; rows sum to 1.
/// x f32 `[B*T*N, D]`. Differentiable in x.
Variable soft_trajectories(const Context& context, const Variable& x, const ClipLayout& layout,
                           float temperature);

/// Row n of frame t becomes trajectory n's mean patch: y_t = C_t x_t. x f32 `[B*T*N, D]`.
Variable soft_gather(const Context& context, const Variable& trajectories, const Variable& x,
                     const ClipLayout& layout);

/// The way back: y_t = residual_t + row_scale * R(C_t^T) x_t, where R scales rows to sum 1: every
/// patch takes the mean of the trajectories that pass through it, weighted by how much they do.
/// x, residual f32 `[B*T*N, D]`; row_scale f32 `[B*T*N]` or empty, a constant for the gradient. In
/// inference the result is written over `residual` and shares its memory.
Variable soft_scatter(const Context& context, const Variable& trajectories, const Variable& x,
                      const Variable& residual, const Tensor& row_scale, const ClipLayout& layout);

}  // namespace ata

#endif  // ATA_OPS_SOFT_ALIGNMENT_H_
