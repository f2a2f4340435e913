#include <cmath>

#include "cuda/entries.h"
#include "cuda/kernels/attend_along.h"
#include "cuda/kernels/attention_forward.cuh"
#include "cuda/kernels/attention_sequences.cuh"
#include "cuda/kernels/meeting_trajectories.h"
#include "cuda/kernels/trajectory_warps.cuh"

namespace ata::cuda {
namespace {

// Bytes of shared memory of one warp: queries, keys, values and scores.
template <class T, int kLanes>
size_t short_bytes(int frames) {
  return sizeof(T) * 3 * static_cast<size_t>(frames) * ShortRow<kLanes>::kColumns +
         sizeof(float) * static_cast<size_t>(short_matrix(frames));
}

// Clips of at most kShortFrames frames. Warps lie in the order (sequence, head), so that those of a
// block read neighbouring columns.
template <class T, int kLanes>
__global__ void __launch_bounds__(kShortWarps * 32, kShortBlocks)
    attend_short(const T* qkv, TrajectorySequences sequences, int heads, int width, float scale,
                 bool aligned, T* y, float* apart) {
  using Row = ShortRow<kLanes>;
  const int frames = static_cast<int>(sequences.tokens);
  const int warp = static_cast<int>(threadIdx.x / 32);
  const int64_t item = int64_t{blockIdx.x} * (blockDim.x / 32) + warp;
  if (item >= sequences.count * heads) return;
  const int group = static_cast<int>(threadIdx.x % 32) / kLanes;
  const int lane = static_cast<int>(threadIdx.x % 32) % kLanes;
  const int part = frames * Row::kColumns;
  float* const scores = &shared_memory<float>() +
                        warp * (short_matrix(frames) + 3 * part * static_cast<int>(sizeof(T)) /
                                                           static_cast<int>(sizeof(float)));
  T* const queries = reinterpret_cast<T*>(scores + short_matrix(frames));
  T* const keys = queries + part;
  T* const values = keys + part;
  const auto rows = sequences.at(item / heads);
  const int64_t dim = int64_t{heads} * width;
  const int64_t column = item % heads * width;

  for (int t = group; t < frames; t += Row::kTokens) {
    const T* const from = qkv + rows.row(t) * 3 * dim + column;
    copy_row<kLanes>(queries + t * Row::kColumns, from, lane, width, aligned);
    copy_row<kLanes>(keys + t * Row::kColumns, from + dim, lane, width, aligned);
    copy_row<kLanes>(values + t * Row::kColumns, from + 2 * dim, lane, width, aligned);
  }
  commit_async();
  wait_async<0>();
  __syncwarp();
  multiply_short<kLanes>(scores, queries, keys, frames, scale, group, lane);
  __syncwarp();
  softmax_short<kLanes>(scores, frames, group, lane);
  __syncwarp();
  combine_short<kLanes>(
      values, frames, group, lane,
      [&](int token, int t) { return scores[token * short_stride(frames) + t]; },
      [&](int token, const float(&sums)[8]) {
        const int64_t apart_row = rows.apart(token);
        if (apart_row >= 0) {
          write_columns<T, kLanes>(apart + apart_row * dim + column, sums, lane, width, aligned);
        } else {
          write_columns<T, kLanes>(y + rows.row(token) * dim + column, sums, lane, width, aligned);
        }
      });
}

// Whether the clips were short enough.
template <class T>
bool attend_short_clips(Stream& stream, const Tensor& qkv, const TrajectorySequences& sequences,
                        int heads, Tensor& y, float* apart) {
  const int64_t width = y.dim(1) / heads;
  if (sequences.tokens > kShortFrames || width > kShortWidest) return false;
  const int frames = static_cast<int>(sequences.tokens);
  const bool aligned = width % (16 / static_cast<int64_t>(sizeof(T))) == 0 &&
                       is_aligned(qkv.address()) && is_aligned(y.address()) && is_aligned(apart);
  const auto launch = [&](const char* name, auto kernel, size_t bytes) {
    const int warps = short_warps(stream, bytes);
    if (warps == 0) return false;
    launch_kernel(name, kernel, dim3(blocks_for(sequences.count * heads, warps)), dim3(warps * 32),
                  bytes * static_cast<size_t>(warps), queue(stream), elements<T>(qkv), sequences,
                  heads, static_cast<int>(width), 1.0f / std::sqrt(static_cast<float>(width)),
                  aligned, elements<T>(y), apart);
    return true;
  };
  if (width <= 16) return launch("attend_short<2>", attend_short<T, 2>, short_bytes<T, 2>(frames));
  if (width <= 32) return launch("attend_short<4>", attend_short<T, 4>, short_bytes<T, 4>(frames));
  if (width <= 64) return launch("attend_short<8>", attend_short<T, 8>, short_bytes<T, 8>(frames));
  return launch("attend_short<16>", attend_short<T, 16>, short_bytes<T, 16>(frames));
}

}  // namespace

void attend_along(Stream& stream, const Tensor& qkv, const TrajectorySequences& sequences,
                  int heads, Tensor& y, float* apart, float* log_sum) {
  if (qkv.dtype() == DType::kBF16) {
    attend<BFloat16>(stream, qkv, sequences, heads, y, apart, log_sum);
  } else {
    attend<float>(stream, qkv, sequences, heads, y, apart, log_sum);
  }
}

namespace {

template <class T>
void temporal_attention_of(Stream& stream, const Tensor& qkv, const ClipLayout& layout, int heads,
                           const Tensor& trajectories, const Tensor& visits, Tensor& y) {
  const TrajectorySequences sequences(layout, elements<int32_t>(trajectories),
                                      elements<int32_t>(visits));
  // Results of trajectories that meet lie beside each other until they are averaged.
  Tensor apart = visits ? Tensor(y.shape(), DType::kF32, stream.allocator) : Tensor();
  if (!attend_short_clips<T>(stream, qkv, sequences, heads, y, elements<float>(apart))) {
    attend_along(stream, qkv, sequences, heads, y, elements<float>(apart), nullptr);
  }
  if (!visits) return;
  combine_meetings(stream, apart, layout, visits,
                   find_meetings(stream, layout, trajectories, visits), /*mean=*/true, y);
}

}  // namespace

void temporal_attention(Stream& stream, const Tensor& qkv, const ClipLayout& layout, int heads,
                        const Tensor& trajectories, const Tensor& visits, Tensor& y) {
  if (layout.patch_rows() == 0) return;
  if (y.dtype() == DType::kBF16) {
    temporal_attention_of<BFloat16>(stream, qkv, layout, heads, trajectories, visits, y);
  } else {
    temporal_attention_of<float>(stream, qkv, layout, heads, trajectories, visits, y);
  }
}

}  // namespace ata::cuda
