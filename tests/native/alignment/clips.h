#ifndef ATA_TESTS_ALIGNMENT_CLIPS_H_
#define ATA_TESTS_ALIGNMENT_CLIPS_H_

#include "alignment/alignment.h"

namespace ata {

struct Alignment {
  Tensor trajectories;  // i32 [B, T, N]
  Tensor similarities;  // f32 [B, T - 1, N], or absent
};

/// align_features() on a tensor, f32 `[B, T, N, D]`.
inline Alignment align(const Tensor& features, const AlignmentOptions& options,
                       AlignmentWorkspace& workspace, bool with_similarities = true) {
  const ClipLayout layout = {features.dim(0), features.dim(1), features.dim(2)};
  Alignment result;
  result.trajectories = Tensor({layout.clips, layout.frames, layout.patches}, DType::kI32);
  if (with_similarities) {
    result.similarities = Tensor({layout.clips, layout.frames - 1, layout.patches}, DType::kF32);
  }
  align_features(features.data<float>(), layout, features.dim(3), options, workspace,
                 result.trajectories.data<int32_t>(),
                 with_similarities ? result.similarities.data<float>() : nullptr);
  return result;
}

}  // namespace ata

#endif  // ATA_TESTS_ALIGNMENT_CLIPS_H_
