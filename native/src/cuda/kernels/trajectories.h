#ifndef ATA_CUDA_KERNELS_TRAJECTORIES_H_
#define ATA_CUDA_KERNELS_TRAJECTORIES_H_

#include <cstdint>

#include "cuda/launch.h"

namespace ata::cuda {

/// i32 `[frames, patches]`: every patch in its place.
void stay_in_place(Stream& stream, int64_t frames, int64_t patches, int32_t* trajectories);

/// Matchings of neighbouring frames, to be chained into trajectories.
struct Chain {
  int64_t clips;
  int64_t frames;
  int64_t patches;
  /// i32 `[clips, patches]`, where the trajectories were in the frame before the first, or null.
  const int32_t* before;
  /// i32 `[clips, pairs, patches]`: the match of each patch of a pair's first frame; null: itself.
  const int32_t* matches;
  /// f32 like `matches`, or null.
  const float* similarities;
};

/// Follows the matches from frame to frame: i32 trajectories `[clips, frames, patches]`, and the
/// similarities of each trajectory's patches, f32 `[clips, pairs, patches]` or null.
void follow(Stream& stream, const Chain& chain, int32_t* trajectories, float* similarities);

/// The first of the greatest values of each row: f32 `[rows, columns]`, `stride` apart.
void find_greatest(Stream& stream, const float* values, int64_t rows, int64_t columns,
                   int64_t stride, int32_t* places);

/// f32 y = the value of each row in its matched column; f32 `[rows, columns]`, `stride` apart.
void pick(Stream& stream, const float* values, int64_t rows, int64_t stride, const int32_t* columns,
          float* y);

/// `to[clip]` = the last of the clip's frames of `frame_size` elements, unless `*refused` is set;
/// of float, double and int32_t.
template <class T>
void keep_last_frames(Stream& stream, const T* from, int64_t clips, int64_t frames,
                      int64_t frame_size, const int* refused, T* to);

/// i32 inverse `[count, columns]` of matchings i32 `[count, rows]`, with -1 for columns that have
/// no row; of problems whose `unfinished` is 0.
void invert_matchings(Stream& stream, const int32_t* matchings, const int32_t* unfinished,
                      int64_t count, int64_t rows, int64_t columns, int32_t* inverse);

}  // namespace ata::cuda

#endif  // ATA_CUDA_KERNELS_TRAJECTORIES_H_
