#include <cstring>

#include "base/threads.h"
#include "ops/cpu.h"

namespace ata::cpu {
namespace {

// Calls visit(clip offset, row offset, P) for each run of P pixels that a patch row holds, the
// patches of one row of the grid (b, t, gy) at a time; those may run at once.
template <class Visit>
void for_patch_runs(const Shape& clip, int64_t patch_size, const Visit& visit) {
  const int64_t frames = clip[2], height = clip[3], width = clip[4];
  const int64_t grid_height = height / patch_size, grid_width = width / patch_size;
  const int64_t row_size = 3 * patch_size * patch_size;
  parallel_for(clip[0] * frames * grid_height, 1, [&](int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; ++item) {
      const int64_t gy = item % grid_height;
      const int64_t t = item / grid_height % frames;
      const int64_t b = item / grid_height / frames;
      for (int64_t channel = 0; channel < 3; ++channel) {
        for (int64_t y = 0; y < patch_size; ++y) {
          const int64_t line =
              (((b * 3 + channel) * frames + t) * height + gy * patch_size + y) * width;
          for (int64_t gx = 0; gx < grid_width; ++gx) {
            visit(line + gx * patch_size,
                  (item * grid_width + gx) * row_size + (channel * patch_size + y) * patch_size);
          }
        }
      }
    }
  });
}

}  // namespace

void extract_patches(Stream&, const Tensor& clip, int64_t patch_size, Tensor& y) {
  const float* pixels = clip.data<float>();
  if (y.dtype() == DType::kBF16) {
    BFloat16* out = y.data<BFloat16>();
    for_patch_runs(clip.shape(), patch_size, [&](int64_t from, int64_t to) {
      for (int64_t x = 0; x < patch_size; ++x) out[to + x] = to_bfloat16(pixels[from + x]);
    });
  } else {
    float* out = y.data<float>();
    for_patch_runs(clip.shape(), patch_size, [&](int64_t from, int64_t to) {
      std::memcpy(out + to, pixels + from, static_cast<size_t>(patch_size) * sizeof(float));
    });
  }
}

void extract_patches_gradient(Stream&, const Tensor& dy, int64_t patch_size, Tensor& dclip) {
  const float* gradient = dy.data<float>();
  float* out = dclip.data<float>();
  for_patch_runs(dclip.shape(), patch_size, [&](int64_t to, int64_t from) {
    for (int64_t x = 0; x < patch_size; ++x) out[to + x] += gradient[from + x];
  });
}

}  // namespace ata::cpu
