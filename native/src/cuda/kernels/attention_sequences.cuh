#ifndef ATA_CUDA_KERNELS_ATTENTION_SEQUENCES_CUH_
#define ATA_CUDA_KERNELS_ATTENTION_SEQUENCES_CUH_

#include "cuda/dialect.h"
#include "tensor/layout.h"

/// What the attention kernels attend within: sequences of tokens, each a row of qkv. at(sequence)
/// gives the rows of one: row(token) of qkv and y; apart(token), the f32 row that its result goes
/// to instead of y's, or -1; and share(token), what that result counts in its row of y.
namespace ata::cuda {

/// A frame's patches after the class token of its clip, whose results go apart, a row a frame.
struct FrameSequences {
  struct Rows {
    int64_t sequence;
    int64_t class_row;
    int64_t first_patch;
    float class_share;

    __device__ int64_t row(int64_t token) const {
      return token == 0 ? class_row : first_patch + token - 1;
    }
    __device__ int64_t apart(int64_t token) const { return token == 0 ? sequence : -1; }
    __device__ float share(int64_t token) const { return token == 0 ? class_share : 1.0f; }
  };

  explicit FrameSequences(const ClipLayout& layout)
      : count(layout.frame_count()),
        tokens(1 + layout.patches),
        frames(layout.frames),
        patch_rows(layout.patch_rows()) {}

  __device__ Rows at(int64_t sequence) const {
    return {sequence, patch_rows + sequence / frames, sequence * (tokens - 1),
            1.0f / static_cast<float>(frames)};
  }

  int64_t count;
  int64_t tokens;
  int64_t frames;
  int64_t patch_rows;
};

/// The patches along a trajectory. Where trajectories meet, results go apart in the trajectories'
/// order: (clip, frame, trajectory).
struct TrajectorySequences {
  struct Rows {
    const int32_t* index;
    const int32_t* visits;
    int64_t first;
    int64_t patches;
    int64_t n;

    __device__ int64_t row(int64_t token) const {
      return first + token * patches + (index != nullptr ? index[token * patches + n] : n);
    }
    __device__ int64_t apart(int64_t token) const {
      return visits != nullptr ? first + token * patches + n : -1;
    }
    __device__ float share(int64_t token) const {
      return visits != nullptr ? 1.0f / static_cast<float>(visits[row(token)]) : 1.0f;
    }
  };

  /// index and visits may be null, as the entry's tensors may be empty.
  TrajectorySequences(const ClipLayout& layout, const int32_t* along, const int32_t* meeting)
      : count(layout.clips * layout.patches),
        tokens(layout.frames),
        patches(layout.patches),
        index(along),
        visits(meeting) {}

  __device__ Rows at(int64_t sequence) const {
    const int64_t clip = sequence / patches;
    const int64_t first = clip * tokens * patches;
    return {index != nullptr ? index + first : nullptr, visits, first, patches,
            sequence - clip * patches};
  }

  int64_t count;
  int64_t tokens;
  int64_t patches;
  const int32_t* index;
  const int32_t* visits;
};

}  // namespace ata::cuda

#endif  // ATA_CUDA_KERNELS_ATTENTION_SEQUENCES_CUH_
