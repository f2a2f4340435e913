#include "cuda/entries.h"
#include "cuda/kernels/each.cuh"

namespace ata::cuda {
namespace {

// Where the pixels of a patch are: rows of patches are [clip, frame, patch row, patch column],
// their columns [channel, y, x].
struct PatchGrid {
  int64_t frames;
  int64_t height;
  int64_t width;
  int patch_size;

  __device__ int64_t pixel(int64_t row, int column) const {
    const int64_t across = width / patch_size, down = height / patch_size;
    const int64_t gx = row % across, gy = row / across % down;
    const int64_t t = row / (across * down) % frames, b = row / (across * down) / frames;
    const int x = column % patch_size, y = column / patch_size % patch_size;
    const int channel = column / (patch_size * patch_size);
    const int64_t line = ((b * 3 + channel) * frames + t) * height + gy * patch_size + y;
    return line * width + gx * patch_size + x;
  }
};

template <class T>
struct ExtractPatches {
  PatchGrid grid;
  const float* clip;
  int64_t columns;
  T* y;
  __device__ void operator()(int64_t row, int column) const {
    y[row * columns + column] = narrow<T>(clip[grid.pixel(row, column)]);
  }
};

struct ExtractPatchesGradient {
  PatchGrid grid;
  const float* dy;
  int64_t columns;
  float* dclip;
  __device__ void operator()(int64_t row, int column) const {
    dclip[grid.pixel(row, column)] += dy[row * columns + column];
  }
};

struct EmbedTokens {
  const float* patches;
  const float* cls_token;
  const float* pos_embed;
  const float* time_embed;
  int64_t patch_rows;
  int64_t per_frame;
  int64_t frames;
  int64_t dim;
  float* y;
  __device__ void operator()(int64_t row, int column) const {
    float value = 0;
    if (row < patch_rows) {
      value = patches[row * dim + column] + pos_embed[(1 + row % per_frame) * dim + column];
      if (time_embed != nullptr) value += time_embed[row / per_frame % frames * dim + column];
    } else {
      value = cls_token[column] + pos_embed[column];
    }
    y[row * dim + column] = value;
  }
};

// Gradients of embeddings: sums of rows in a fixed order.
struct PositionGradient {
  const float* dy;
  int64_t frame_count;
  int64_t patches;
  int64_t dim;
  float* dpos_embed;
  __device__ void operator()(int64_t n, int column) const {
    float sum = 0;
    for (int64_t frame = 0; frame < frame_count; ++frame) {
      sum += dy[(frame * patches + n) * dim + column];
    }
    dpos_embed[(1 + n) * dim + column] += sum;
  }
};

struct TimeGradient {
  const float* dy;
  int64_t clips;
  int64_t frames;
  int64_t patches;
  int64_t dim;
  float* dtime_embed;
  __device__ void operator()(int64_t t, int column) const {
    float sum = 0;
    for (int64_t clip = 0; clip < clips; ++clip) {
      float part = 0;
      const float* frame = dy + (clip * frames + t) * patches * dim;
      for (int64_t n = 0; n < patches; ++n) part += frame[n * dim + column];
      sum += part;
    }
    dtime_embed[t * dim + column] += sum;
  }
};

struct ClassGradient {
  const float* dy;
  int64_t first;
  int64_t rows;
  int64_t dim;
  float* dcls_token;
  float* dpos_embed;
  __device__ void operator()(int64_t column) const {
    float sum = 0;
    for (int64_t row = first; row < rows; ++row) sum += dy[row * dim + column];
    if (dcls_token != nullptr) dcls_token[column] += sum;
    if (dpos_embed != nullptr) dpos_embed[column] += sum;
  }
};

PatchGrid grid_of(const Tensor& clip, int64_t patch_size) {
  return {clip.dim(2), clip.dim(3), clip.dim(4), static_cast<int>(patch_size)};
}

}  // namespace

void extract_patches(Stream& stream, const Tensor& clip, int64_t patch_size, Tensor& y) {
  const PatchGrid grid = grid_of(clip, patch_size);
  const int64_t columns = y.dim(1);
  if (y.dtype() == DType::kBF16) {
    for_each_in_rows(
        "extract_patches", stream, y.dim(0), columns,
        ExtractPatches<BFloat16>{grid, elements<float>(clip), columns, elements<BFloat16>(y)});
  } else {
    for_each_in_rows(
        "extract_patches", stream, y.dim(0), columns,
        ExtractPatches<float>{grid, elements<float>(clip), columns, elements<float>(y)});
  }
}

void extract_patches_gradient(Stream& stream, const Tensor& dy, int64_t patch_size, Tensor& dclip) {
  for_each_in_rows("extract_patches_gradient", stream, dy.dim(0), dy.dim(1),
                   ExtractPatchesGradient{grid_of(dclip, patch_size), elements<float>(dy),
                                          dy.dim(1), elements<float>(dclip)});
}

void embed_tokens(Stream& stream, const Tensor& patches, const Tensor& cls_token,
                  const Tensor& pos_embed, const Tensor& time_embed, const ClipLayout& layout,
                  Tensor& y) {
  for_each_in_rows(
      "embed_tokens", stream, y.dim(0), y.dim(1),
      EmbedTokens{elements<float>(patches), elements<float>(cls_token), elements<float>(pos_embed),
                  elements<float>(time_embed), layout.patch_rows(), layout.patches, layout.frames,
                  y.dim(1), elements<float>(y)});
}

void embed_tokens_gradient(Stream& stream, const Tensor& dy, const ClipLayout& layout,
                           Tensor& dcls_token, Tensor& dpos_embed, Tensor& dtime_embed) {
  const float* gradient = elements<float>(dy);
  const int64_t dim = dy.dim(1);
  if (dpos_embed) {
    for_each_in_rows("embed_tokens_gradient (positions)", stream, layout.patches, dim,
                     PositionGradient{gradient, layout.frame_count(), layout.patches, dim,
                                      elements<float>(dpos_embed)});
  }
  if (dtime_embed) {
    for_each_in_rows("embed_tokens_gradient (times)", stream, layout.frames, dim,
                     TimeGradient{gradient, layout.clips, layout.frames, layout.patches, dim,
                                  elements<float>(dtime_embed)});
  }
  for_each("embed_tokens_gradient (class)", stream, dim,
           ClassGradient{gradient, layout.patch_rows(), dy.dim(0), dim, elements<float>(dcls_token),
                         elements<float>(dpos_embed)});
}

}  // namespace ata::cuda
