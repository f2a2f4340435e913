#ifndef ATA_CUDA_KERNELS_SIMILARITY_H_
#define ATA_CUDA_KERNELS_SIMILARITY_H_

#include <cstdint>

#include "cuda/launch.h"

namespace ata::cuda {

/// Patches of frames `[frames, patches, channels]`, and the factors that scale each to unit length:
/// 0 for patches of length 0, whose cosine similarity to anything is defined as 0, and for those
/// that are not finite.
struct Frames {
  const float* features = nullptr;
  const double* scales = nullptr;
};

/// The pairs of neighbouring frames of clips, clip after clip.
struct FramePairs {
  /// `[clips, frames]`.
  Frames frames;
  /// `[clips]`: the last frames of the part before, in which each clip's first pair begins; or
  /// null.
  Frames before;
  int64_t clips;
  int64_t frames_per_clip;
  int64_t patches;
  int64_t channels;

  __host__ __device__ int64_t per_clip() const {
    return frames_per_clip - (before.features != nullptr ? 0 : 1);
  }
  __host__ __device__ int64_t count() const { return clips * per_clip(); }
  /// Whether every patch begins at a whole vector of 16 bytes.
  bool has_whole_vectors() const {
    const auto fits = [](const float* x) { return reinterpret_cast<uintptr_t>(x) % 16 == 0; };
    return channels % 4 == 0 && fits(frames.features) && fits(before.features);
  }
  __device__ Frames second(int64_t pair) const {
    const int64_t clip = pair / per_clip();
    return frame(clip, pair - clip * per_clip() + frames_per_clip - per_clip());
  }
  __device__ Frames first(int64_t pair) const {
    const int64_t clip = pair / per_clip();
    return frame(clip, pair - clip * per_clip() + frames_per_clip - per_clip() - 1);
  }

 private:
  // -1: that of the part before.
  __device__ Frames frame(int64_t clip, int64_t frame) const {
    const Frames& from = frame < 0 ? before : frames;
    const int64_t row = (frame < 0 ? clip : clip * frames_per_clip + frame) * patches;
    return {from.features + row * channels, from.scales + row};
  }
};

/// Which pairs of patches may be matched: those at most `radius` rows and columns of a grid of that
/// width apart; all where the radius is negative.
struct Window {
  int width = 1;
  int radius = -1;
};

/// Distance of two rows of a matrix of similarities: whole vectors of 16 bytes.
inline int64_t similarity_stride(int64_t patches) {
  return (patches + 3) / 4 * 4;
}

/// Fills f64 `scales` of `rows` patches. Where one is not finite, sets kFeatureNotFinite in
/// `*status` and `*refused`.
void find_scales(const Stream& stream, const float* features, int64_t rows, int64_t channels,
                 double* scales, int* status, int* refused);

/// f32 `[count, patches, similarity_stride]`: the cosine similarities of the patches in pairs
/// [begin, begin + count), in float32 arithmetic; -infinity outside the window. An element does not
/// depend on what else is computed.
void multiply_frames(const Stream& stream, const FramePairs& pairs, int64_t begin, int64_t count,
                     const Window& window, float* similarities);

/// The same of all pairs of patches by tensor cores, each feature being split into the sum of two
/// bf16, as in alignment/split_product.h; from compute capability 8.0.
void multiply_split_frames(const Stream& stream, const FramePairs& pairs, int64_t begin,
                           int64_t count, float* similarities);

/// f32 `[count, patches]`: the similarity of each patch with the one in its place in the next
/// frame.
void multiply_in_place(const Stream& stream, const FramePairs& pairs, float* similarities);

}  // namespace ata::cuda

#endif  // ATA_CUDA_KERNELS_SIMILARITY_H_
