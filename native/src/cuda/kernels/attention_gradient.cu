#include "cuda/entries.h"
#include "cuda/kernels/attention_backward.cuh"
#include "cuda/kernels/attention_sequences.cuh"
#include "cuda/kernels/rows.h"

namespace ata::cuda {
void attention_gradient(Stream& stream, const Tensor& dy, const Tensor& qkv, const Tensor& y,
                        const Tensor& log_sum, const Tensor& class_rows, const ClipLayout& layout,
                        int heads, Tensor& dqkv) {
  if (layout.clips == 0) return;
  const int64_t columns = qkv.dim(1);
  Tensor class_dqkv({layout.frame_count(), columns}, DType::kF32, stream.allocator);
  const FrameSequences sequences(layout);
  const auto* const class_y = elements<float>(class_rows);
  auto* const apart = elements<float>(class_dqkv);
  if (qkv.dtype() == DType::kBF16) {
    attend_gradient<BFloat16>(stream, dy, qkv, y, class_y, log_sum, sequences, heads, dqkv, apart);
  } else {
    attend_gradient<float>(stream, dy, qkv, y, class_y, log_sum, sequences, heads, dqkv, apart);
  }
  // The class token takes part in every frame of its clip.
  sum_columns(stream, apart, layout.clips, layout.frames, columns, 1.0f, /*accumulate=*/false,
              elements<float>(dqkv) + layout.patch_rows() * columns);
}

}  // namespace ata::cuda
