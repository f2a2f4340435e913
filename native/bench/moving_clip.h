#ifndef ATA_BENCH_MOVING_CLIP_H_
#define ATA_BENCH_MOVING_CLIP_H_

#include <cmath>

#include "base/random.h"
#include "model/config.h"

namespace ata::bench {

/// A clip f32 `[1, 3, T, H, W]` of a smooth texture that moves 5 pixels a frame, with noise: what
/// alignment finds in videos.
inline Tensor moving_clip(const ModelConfig& config) {
  const int64_t size = config.image_size, frames = config.frames;
  Tensor clip({1, 3, frames, size, size}, DType::kF32);
  Random random(3);
  constexpr int kWaves = 24;
  double wave[kWaves][4];
  for (auto& [fx, fy, phase, amplitude] : wave) {
    fx = 0.4 * random.normal() / 4;
    fy = 0.4 * random.normal() / 4;
    phase = 6.28 * random.uniform();
    amplitude = 0.3 * random.normal();
  }
  float* out = clip.data<float>();
  for (int64_t channel = 0; channel < 3; ++channel) {
    for (int64_t t = 0; t < frames; ++t) {
      for (int64_t y = 0; y < size; ++y) {
        for (int64_t x = 0; x < size; ++x) {
          double value = 0.1 * random.normal();
          for (const auto& [fx, fy, phase, amplitude] : wave) {
            const double px = static_cast<double>(x) - 5.0 * static_cast<double>(t);
            const double py = static_cast<double>(y) + 3.0 * static_cast<double>(t);
            value +=
                amplitude * std::sin(fx * px + fy * py + phase * static_cast<double>(channel + 1));
          }
          *out++ = static_cast<float>(value);
        }
      }
    }
  }
  return clip;
}

}  // namespace ata::bench

#endif  // ATA_BENCH_MOVING_CLIP_H_
