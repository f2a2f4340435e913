#include "cuda/entries.h"
#include "cuda/kernels/attention_forward.cuh"
#include "cuda/kernels/attention_sequences.cuh"

namespace ata::cuda {

void attention(Stream& stream, const Tensor& qkv, const ClipLayout& layout, int heads, Tensor& y,
               Tensor& log_sum, Tensor& class_rows) {
  if (layout.clips == 0) return;
  const int64_t dim = y.dim(1);
  Tensor per_frame =
      class_rows ? class_rows : Tensor({layout.frame_count(), dim}, DType::kF32, stream.allocator);
  const FrameSequences sequences(layout);
  float* const apart = elements<float>(per_frame);
  float* const sums = elements<float>(log_sum);
  Tensor class_y = y.slice(layout.patch_rows(), layout.token_rows());
  if (y.dtype() == DType::kBF16) {
    attend<BFloat16>(stream, qkv, sequences, heads, y, apart, sums);
    Tensor mean({layout.clips, dim}, DType::kF32, stream.allocator);
    mean_rows(stream, per_frame, layout.frames, mean);
    convert(stream, mean, class_y);
  } else {
    attend<float>(stream, qkv, sequences, heads, y, apart, sums);
    mean_rows(stream, per_frame, layout.frames, class_y);
  }
}

}  // namespace ata::cuda
