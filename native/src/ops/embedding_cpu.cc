#include "base/threads.h"
#include "ops/cpu.h"

namespace ata::cpu {

void embed_tokens(Stream&, const Tensor& patches, const Tensor& cls_token, const Tensor& pos_embed,
                  const Tensor& time_embed, const ClipLayout& layout, Tensor& y) {
  const int64_t dim = patches.dim(1);
  const int64_t patch_rows = layout.patch_rows();
  const int64_t per_frame = layout.patches;
  const int64_t frames = layout.frames;
  const float* source = patches.data<float>();
  const float* positions = pos_embed.data<float>();
  const float* times = time_embed ? time_embed.data<float>() : nullptr;
  const float* token = cls_token.data<float>();
  float* out = y.data<float>();
  parallel_for(y.dim(0), 16, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const bool is_patch = row < patch_rows;
      const float* base = is_patch ? source + row * dim : token;
      const float* position = positions + (is_patch ? 1 + row % per_frame : 0) * dim;
      const float* time = is_patch && times ? times + row / per_frame % frames * dim : nullptr;
      float* to = out + row * dim;
      for (int64_t i = 0; i < dim; ++i) to[i] = base[i] + position[i];
      if (time) {
        for (int64_t i = 0; i < dim; ++i) to[i] += time[i];
      }
    }
  });
}

void embed_tokens_gradient(Stream&, const Tensor& dy, const ClipLayout& layout, Tensor& dcls_token,
                           Tensor& dpos_embed, Tensor& dtime_embed) {
  const int64_t dim = dy.dim(1);
  const int64_t patch_rows = layout.patch_rows();
  const int64_t frames = layout.frames, patches = layout.patches;
  const float* gradient = dy.data<float>();
  const auto add_row = [&](int64_t row, float* to) {
    for (int64_t i = 0; i < dim; ++i) to[i] += gradient[row * dim + i];
  };
  if (dpos_embed) {
    float* out = dpos_embed.data<float>();
    parallel_for(patches, 4, [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        for (int64_t frame = 0; frame < layout.frame_count(); ++frame) {
          add_row(frame * patches + n, out + (1 + n) * dim);
        }
      }
    });
  }
  if (dtime_embed) {
    float* out = dtime_embed.data<float>();
    parallel_for(frames, 1, [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t) {
        for (int64_t b = 0; b < layout.clips; ++b) {
          for (int64_t n = 0; n < patches; ++n) {
            add_row((b * frames + t) * patches + n, out + t * dim);
          }
        }
      }
    });
  }
  for (int64_t row = patch_rows; row < dy.dim(0); ++row) {
    if (dcls_token) add_row(row, dcls_token.data<float>());
    if (dpos_embed) add_row(row, dpos_embed.data<float>());
  }
}

}  // namespace ata::cpu
