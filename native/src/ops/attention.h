#ifndef ATA_OPS_ATTENTION_H_
#define ATA_OPS_ATTENTION_H_

#include "ops/context.h"

namespace ata {

/// Multi-head softmax attention within each sequence of a token matrix, scale (D/heads)^-1/2. A
/// sequence is a frame's patches and the class token of its clip. The model's modes see the same
/// rows as other clips: `divided` and `ata` as they are; `joint` as one frame of T*N patches;
/// `space_only` as B*T clips of one frame.
///
/// qkv `[layout.token_rows(), 3D]`, f32 or bf16, split as (3, heads, D/heads) ->
/// `[layout.token_rows(), D]` of the same type. A class row's result is the mean over the clip's
/// frames of its result in each.
/// Linear memory: scores are formed tile by tile (Dao et al., FlashAttention, 2022; Milakov and
/// Gimelshein, "Online normalizer calculation for softmax", 2018).
Variable attention(const Context& context, const Variable& qkv, const ClipLayout& layout,
                   int heads);

}  // namespace ata

#endif  // ATA_OPS_ATTENTION_H_
