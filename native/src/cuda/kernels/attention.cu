#include "cuda/entries.h"
#include "cuda/kernels/attention_forward.h"
#include "cuda/kernels/attention_sequences.h"

namespace ata::cuda {
namespace {

constexpr int kThreads = 256;

// y [clips, columns] = the mean of each clip's frames, added up in their order.
template <class Out>
__global__ void __launch_bounds__(kThreads)
    mean_of_frames(const float* x, int64_t clips, int64_t frames, int64_t columns, Out* y) {
  const int64_t at = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (at >= clips * columns) return;
  const float* const from = x + at / columns * frames * columns + at % columns;
  float sum = 0.0f;
  for (int64_t frame = 0; frame < frames; ++frame) sum += from[frame * columns];
  y[at] = narrow<Out>(sum / static_cast<float>(frames));
}

template <class T>
void attention_of(Stream& stream, const Tensor& qkv, const ClipLayout& layout, int heads, Tensor& y,
                  Tensor& log_sum, Tensor& class_rows) {
  const int64_t dim = y.dim(1);
  if (layout.clips == 0) return;
  Tensor per_frame =
      class_rows ? class_rows : Tensor({layout.frame_count(), dim}, DType::kF32, stream.allocator);
  attend<T>(stream, qkv, FrameSequences(layout), heads, y, elements<float>(per_frame),
            elements<float>(log_sum));
  ATA_LAUNCH(mean_of_frames<T>, dim3(blocks_for(layout.clips * dim, kThreads)), dim3(kThreads), 0,
             queue(stream), elements<float>(per_frame), layout.clips, layout.frames, dim,
             elements<T>(y) + layout.patch_rows() * dim);
}

}  // namespace

void attention(Stream& stream, const Tensor& qkv, const ClipLayout& layout, int heads, Tensor& y,
               Tensor& log_sum, Tensor& class_rows) {
  if (y.dtype() == DType::kBF16) {
    attention_of<BFloat16>(stream, qkv, layout, heads, y, log_sum, class_rows);
  } else {
    attention_of<float>(stream, qkv, layout, heads, y, log_sum, class_rows);
  }
}

}  // namespace ata::cuda
