#ifndef ATA_OPS_EMBEDDING_H_
#define ATA_OPS_EMBEDDING_H_

#include "ops/context.h"

namespace ata {

/// Assembles the token matrix that enters the first block: f32 `[B*T*N + class_rows, D]`.
///
/// Patch row (b, t, n) = patches(b, t, n) + pos_embed[1 + n] + time_embed[t]; every class row =
/// cls_token + pos_embed[0]. patches `[B*T*N, D]`, cls_token `[1,1,D]`, pos_embed `[1,N+1,D]`,
/// time_embed `[1,T,D]` or undefined, all f32.
Variable embed_tokens(const Context& context, const Variable& patches, const Variable& cls_token,
                      const Variable& pos_embed, const Variable& time_embed,
                      const ClipLayout& layout, int64_t class_rows);

enum class Resampling { kNearest, kBicubic };

/// Resamples the spatial embedding `[1, 1 + h*w, D]` to a grid of `to_height` x `to_width`; the
/// class position is kept. Returns `pos_embed` itself when the grids agree. Nearest as
/// torch.nn.functional.interpolate (index floor(i * in / out)); bicubic as timm's
/// resample_abs_pos_embed (bicubic with antialias: Keys' cubic of a = -0.5, widened where the grid
/// shrinks, its weights inside the grid scaled to a sum of one).
Variable resample_positions(const Context& context, const Variable& pos_embed, int64_t from_height,
                            int64_t from_width, int64_t to_height, int64_t to_width,
                            Resampling resampling);

/// Resamples the time embedding `[1, T0, D]` to `[1, to_frames, D]` by nearest neighbour.
Variable resample_times(const Context& context, const Variable& time_embed, int64_t to_frames);

}  // namespace ata

#endif  // ATA_OPS_EMBEDDING_H_
