#ifndef ATA_OPS_PATCHES_H_
#define ATA_OPS_PATCHES_H_

#include "ops/context.h"

namespace ata {

/// Cuts f32 clips `[B, 3, T, H, W]` into patches: `[B*T*N, 3*P*P]`, rows ordered (b, t, n) with n
/// row-major over the H/P x W/P grid, columns ordered (channel, y, x) as a convolution's weight.
/// H and W must be multiples of P. `out_dtype` f32 or bf16.
Variable extract_patches(const Context& context, const Variable& clip, int64_t patch_size,
                         DType out_dtype = DType::kF32);

}  // namespace ata

#endif  // ATA_OPS_PATCHES_H_
