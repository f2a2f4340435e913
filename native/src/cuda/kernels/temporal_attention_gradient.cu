#include <cmath>

#include "cuda/entries.h"
#include "cuda/kernels/attend_along.h"
#include "cuda/kernels/attention_backward.cuh"
#include "cuda/kernels/attention_sequences.cuh"
#include "cuda/kernels/meeting_trajectories.h"
#include "cuda/kernels/trajectory_warps.cuh"

namespace ata::cuda {
namespace {

// Bytes of shared memory of one warp: probabilities and slopes, dy, queries, keys and values.
template <class T, int kLanes>
size_t short_bytes(int frames) {
  return sizeof(float) * 2 * static_cast<size_t>(short_matrix(frames)) +
         (sizeof(float) + 3 * sizeof(T)) * static_cast<size_t>(frames) * ShortRow<kLanes>::kColumns;
}

// Slopes of the scores from dP, and P weighted by what each result counts: all of a row are of the
// lanes that softmax_short() gave them.
template <int kLanes, class Rows>
__device__ __forceinline__ void slopes_short(float* probabilities, float* slopes, const Rows& rows,
                                             int frames, float scale, int group, int lane) {
  for (int base = 0; base < frames; base += ShortRow<kLanes>::kTokens) {
    const int token = base + group;
    float* const p = probabilities + token * short_stride(frames);
    float* const s = slopes + token * short_stride(frames);
    const int end = token < frames ? frames : 0;
    const float share = token < frames ? rows.share(token) : 0.0f;
    float sum = 0.0f;
    for (int t = lane; t < end; t += kLanes) sum += p[t] * s[t];
    const float shift = warp_sum<kLanes>(sum);
    for (int t = lane; t < end; t += kLanes) {
      s[t] = p[t] * (s[t] - shift) * share * scale;
      p[t] *= share;
    }
  }
}

// Clips of at most kShortFrames frames, a warp for each (sequence, head).
template <class T, int kLanes>
__global__ void __launch_bounds__(kShortWarps * 32, kShortBlocks)
    attend_short_gradient(const float* dy, const T* qkv, TrajectorySequences sequences, int heads,
                          int width, float scale, bool aligned, float* dqkv, float* apart) {
  using Row = ShortRow<kLanes>;
  const int frames = static_cast<int>(sequences.tokens);
  const int warp = static_cast<int>(threadIdx.x / 32);
  const int64_t item = int64_t{blockIdx.x} * (blockDim.x / 32) + warp;
  if (item >= sequences.count * heads) return;
  const int group = static_cast<int>(threadIdx.x % 32) / kLanes;
  const int lane = static_cast<int>(threadIdx.x % 32) % kLanes;
  const int part = frames * Row::kColumns, matrix = short_matrix(frames);
  constexpr int kSizes = static_cast<int>(sizeof(float) / sizeof(T));
  float* const probabilities =
      &shared_memory<float>() + warp * (2 * matrix + part + 3 * part / kSizes);
  float* const slopes = probabilities + matrix;
  float* const upstream = slopes + matrix;
  T* const queries = reinterpret_cast<T*>(upstream + part);
  T* const keys = queries + part;
  T* const values = keys + part;
  const auto rows = sequences.at(item / heads);
  const int64_t dim = int64_t{heads} * width;
  const int64_t column = item % heads * width;

  for (int t = group; t < frames; t += Row::kTokens) {
    const int64_t row = rows.row(t);
    const T* const from = qkv + row * 3 * dim + column;
    copy_row<kLanes>(queries + t * Row::kColumns, from, lane, width, aligned);
    copy_row<kLanes>(keys + t * Row::kColumns, from + dim, lane, width, aligned);
    copy_row<kLanes>(values + t * Row::kColumns, from + 2 * dim, lane, width, aligned);
    copy_row_beside<T, kLanes>(upstream + t * Row::kColumns, dy + row * dim + column, lane, width,
                               aligned);
  }
  commit_async();
  wait_async<0>();
  __syncwarp();
  multiply_short<kLanes>(probabilities, queries, keys, frames, scale, group, lane);
  multiply_short<kLanes>(slopes, upstream, values, frames, 1.0f, group, lane);
  __syncwarp();
  softmax_short<kLanes>(probabilities, frames, group, lane);
  slopes_short<kLanes>(probabilities, slopes, rows, frames, scale, group, lane);
  __syncwarp();
  const int stride = short_stride(frames);
  const auto write_part = [&](int64_t which) {
    return [&, which](int token, const float(&sums)[8]) {
      const int64_t apart_row = rows.apart(token);
      float* const to =
          apart_row >= 0 ? apart + apart_row * 3 * dim : dqkv + rows.row(token) * 3 * dim;
      write_columns<T, kLanes>(to + which * dim + column, sums, lane, width, aligned);
    };
  };
  combine_short<kLanes>(
      keys, frames, group, lane, [&](int token, int t) { return slopes[token * stride + t]; },
      write_part(0));
  combine_short<kLanes>(
      queries, frames, group, lane, [&](int token, int t) { return slopes[t * stride + token]; },
      write_part(1));
  combine_short<kLanes>(
      upstream, frames, group, lane,
      [&](int token, int t) { return probabilities[t * stride + token]; }, write_part(2));
}

// Whether the clips were short enough.
template <class T>
bool attend_short_clips_gradient(Stream& stream, const Tensor& dy, const Tensor& qkv,
                                 const TrajectorySequences& sequences, int heads, Tensor& dqkv,
                                 float* apart) {
  const int64_t width = dy.dim(1) / heads;
  if (sequences.tokens > kShortFrames || width > kShortWidest) return false;
  const int frames = static_cast<int>(sequences.tokens);
  const bool aligned = width % (16 / static_cast<int64_t>(sizeof(T))) == 0 &&
                       is_aligned(dy.address()) && is_aligned(qkv.address()) &&
                       is_aligned(dqkv.address()) && is_aligned(apart);
  const auto launch = [&](const char* name, auto kernel, size_t bytes) {
    const int warps = short_warps(stream, bytes);
    if (warps == 0) return false;
    launch_kernel(name, kernel, dim3(blocks_for(sequences.count * heads, warps)), dim3(warps * 32),
                  bytes * static_cast<size_t>(warps), queue(stream), elements<float>(dy),
                  elements<T>(qkv), sequences, heads, static_cast<int>(width),
                  1.0f / std::sqrt(static_cast<float>(width)), aligned, elements<float>(dqkv),
                  apart);
    return true;
  };
  if (width <= 16) {
    return launch("attend_short_gradient<2>", attend_short_gradient<T, 2>,
                  short_bytes<T, 2>(frames));
  }
  if (width <= 32) {
    return launch("attend_short_gradient<4>", attend_short_gradient<T, 4>,
                  short_bytes<T, 4>(frames));
  }
  if (width <= 64) {
    return launch("attend_short_gradient<8>", attend_short_gradient<T, 8>,
                  short_bytes<T, 8>(frames));
  }
  return launch("attend_short_gradient<16>", attend_short_gradient<T, 16>,
                short_bytes<T, 16>(frames));
}

// Long clips: the results and their log_sum are formed again first.
template <class T>
void attend_long_clips_gradient(Stream& stream, const Tensor& dy, const Tensor& qkv,
                                const TrajectorySequences& sequences, int heads, Tensor& dqkv,
                                float* apart) {
  const bool meet = sequences.visits != nullptr;
  Tensor y(dy.shape(), dtype_of<T>(), stream.allocator);
  Tensor apart_y = meet ? Tensor(dy.shape(), DType::kF32, stream.allocator) : Tensor();
  Tensor log_sum({sequences.count, heads, sequences.tokens}, DType::kF32, stream.allocator);
  attend_along(stream, qkv, sequences, heads, y, elements<float>(apart_y),
               elements<float>(log_sum));
  attend_gradient<T>(stream, dy, qkv, y, elements<float>(apart_y), log_sum, sequences, heads, dqkv,
                     apart);
}

template <class T>
void gradient_of(Stream& stream, const Tensor& dy, const Tensor& qkv, const ClipLayout& layout,
                 int heads, const Tensor& trajectories, const Tensor& visits, Tensor& dqkv) {
  const TrajectorySequences sequences(layout, elements<int32_t>(trajectories),
                                      elements<int32_t>(visits));
  // Gradients of trajectories that meet lie beside each other until they are added up.
  Tensor beside = visits ? Tensor(dqkv.shape(), DType::kF32, stream.allocator) : Tensor();
  float* const apart = elements<float>(beside);
  if (!attend_short_clips_gradient<T>(stream, dy, qkv, sequences, heads, dqkv, apart)) {
    attend_long_clips_gradient<T>(stream, dy, qkv, sequences, heads, dqkv, apart);
  }
  if (!visits) return;
  combine_meetings(stream, beside, layout, visits,
                   find_meetings(stream, layout, trajectories, visits), /*mean=*/false, dqkv);
}

}  // namespace

void temporal_attention_gradient(Stream& stream, const Tensor& dy, const Tensor& qkv,
                                 const ClipLayout& layout, int heads, const Tensor& trajectories,
                                 const Tensor& visits, Tensor& dqkv) {
  if (layout.patch_rows() == 0) return;
  if (qkv.dtype() == DType::kBF16) {
    gradient_of<BFloat16>(stream, dy, qkv, layout, heads, trajectories, visits, dqkv);
  } else {
    gradient_of<float>(stream, dy, qkv, layout, heads, trajectories, visits, dqkv);
  }
}

}  // namespace ata::cuda
