#include "ops/patches.h"

#include "ops/checks.h"

namespace ata {

Variable extract_patches(const Context& context, const Variable& clip, int64_t patch_size,
                         DType out_dtype) {
  require(clip.defined(), "extract_patches: the clip is missing");
  const Tensor& value = clip.value();
  require(value.rank() == 5 && value.dtype() == DType::kF32 && value.dim(1) == 3,
          "extract_patches: a clip must be f32 [B, 3, T, H, W], not ", dtype_name(value.dtype()),
          " of shape ", value.shape().to_string());
  require(patch_size >= 1, "extract_patches: the patch size must be at least 1, not ", patch_size);
  const int64_t height = value.dim(3);
  const int64_t width = value.dim(4);
  require(height >= patch_size && width >= patch_size && height % patch_size == 0 &&
              width % patch_size == 0,
          "extract_patches: frames of ", height, " x ", width,
          " pixels do not divide into patches of ", patch_size, " x ", patch_size,
          "; resize or crop the clip");
  check_float("extract_patches", "out_dtype", out_dtype);

  const bool record = context.records(clip);
  const int64_t patches = (height / patch_size) * (width / patch_size);
  Tensor y = context.empty({value.dim(0) * value.dim(2) * patches, 3 * patch_size * patch_size},
                           out_dtype);
  context.run(&Kernels::extract_patches, value, patch_size, y);
  Variable out(y, record);
  if (record) {
    context.tape->record([context, clip, patch_size, out] {
      const Tensor dy = out.take_gradient();
      if (!dy) return;
      context.run(&Kernels::extract_patches_gradient, dy, patch_size, context.gradient(clip));
    });
  }
  return out;
}

}  // namespace ata
