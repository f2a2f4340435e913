#ifndef ATA_OPS_ATTENTION_H_
#define ATA_OPS_ATTENTION_H_

#include "ops/context.h"

namespace ata {

/// How rows of a token matrix form attention sequences. The matrix holds `groups * frames *
/// patches` patch rows in that order, then `groups` class rows.
///
/// Each (group, frame) is one sequence of 1 + patches tokens: the group's class token and the
/// frame's patches. `divided` and `ata`: groups = B, frames = T, patches = N; `joint`: groups = B,
/// frames = 1, patches = T*N; `space_only`: groups = B*T, frames = 1, patches = N.
struct TokenLayout {
  int64_t groups = 1;
  int64_t frames = 1;
  int64_t patches = 1;
  int64_t patch_rows() const { return groups * frames * patches; }
  int64_t rows() const { return patch_rows() + groups; }
};

/// Multi-head softmax attention within each sequence of `layout`, scale (D/heads)^-1/2.
///
/// qkv `[layout.rows(), 3D]`, f32 or bf16, split as (3, heads, D/heads) -> `[layout.rows(), D]` of
/// the same type. A class row's result is the mean over the group's frames of its result in each.
/// Linear memory: scores are formed tile by tile (Dao et al., FlashAttention, 2022; Milakov and
/// Gimelshein, "Online normalizer calculation for softmax", 2018).
Variable attention(const Context& context, const Variable& qkv, const TokenLayout& layout,
                   int heads);

}  // namespace ata

#endif  // ATA_OPS_ATTENTION_H_
