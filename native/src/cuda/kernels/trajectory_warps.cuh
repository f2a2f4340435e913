#ifndef ATA_CUDA_KERNELS_TRAJECTORY_WARPS_CUH_
#define ATA_CUDA_KERNELS_TRAJECTORY_WARPS_CUH_

#include "cuda/dialect.h"
#include "cuda/kernels/vectors.cuh"

/// What the kernels for short clips share: a warp takes one head along one trajectory, whose rows
/// it copies to shared memory, each element once. A row is spread over kLanes lanes, 8 columns
/// each, so that the warp works on 32 / kLanes tokens at once.
namespace ata::cuda {

/// Frames that a warp takes at most, and columns of a head.
constexpr int kShortFrames = 32;
constexpr int kShortWidest = 128;
constexpr int kShortWarps = 4;
// Of a multiprocessor, at least: leaves a thread 80 registers, which spares it memory of its own.
constexpr int kShortBlocks = 6;

template <int kLanes>
struct ShortRow {
  static constexpr int kColumns = kLanes * 8;
  static constexpr int kTokens = 32 / kLanes;
};

/// Floats of a warp's matrix [frames, frames]; an odd stride keeps a column's elements in different
/// banks.
__host__ __device__ constexpr int short_stride(int frames) {
  return frames | 1;
}
__host__ __device__ constexpr int short_matrix(int frames) {
  return (frames * short_stride(frames) + 3) / 4 * 4;
}

/// A lane's 8 columns of a row in shared memory: neighbours in bf16, two pieces of 4 in f32, so
/// that a group's lanes read 16 bytes each from different banks.
template <int kLanes>
__device__ __forceinline__ void read_columns(float (&to)[8], const BFloat16* row, int lane) {
  const auto packed = load_vector<uint4>(row + lane * 8);
  const unsigned words[4] = {packed.x, packed.y, packed.z, packed.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    to[2 * i] = low_bf16(words[i]);
    to[2 * i + 1] = high_bf16(words[i]);
  }
}
template <int kLanes>
__device__ __forceinline__ void read_columns(float (&to)[8], const float* row, int lane) {
#pragma unroll
  for (int piece = 0; piece < 2; ++piece) {
    const auto values = load_vector<float4>(row + piece * kLanes * 4 + lane * 4);
    to[piece * 4] = values.x;
    to[piece * 4 + 1] = values.y;
    to[piece * 4 + 2] = values.z;
    to[piece * 4 + 3] = values.w;
  }
}

/// Column of element i of read_columns<T>().
template <class T, int kLanes>
__device__ __forceinline__ int column_of(int lane, int i) {
  if constexpr (sizeof(T) == 2) {
    return lane * 8 + i;
  } else {
    return i / 4 * kLanes * 4 + lane * 4 + i % 4;
  }
}

/// Begins to copy a row of `width` columns to shared memory, a group of lanes together; zeros
/// follow up to kLanes * 8 columns. `aligned`: 16 bytes can be copied at once.
template <int kLanes, class T>
__device__ __forceinline__ void copy_row(T* to, const T* from, int lane, int width, bool aligned) {
  constexpr int kPiece = 16 / static_cast<int>(sizeof(T));
  if (aligned) {
#pragma unroll
    for (int i = 0; i < 8 / kPiece; ++i) {
      const int column = (i * kLanes + lane) * kPiece;
      if (column < width) {
        copy_async_16(to + column, from + column);
      } else {
        store_vector(to + column, uint4{0, 0, 0, 0});
      }
    }
    return;
  }
  for (int column = lane; column < kLanes * 8; column += kLanes) {
    to[column] = column < width ? from[column] : T{};
  }
}

/// The same for an f32 row whose columns are to meet those of rows of type T in each lane.
template <class T, int kLanes>
__device__ __forceinline__ void copy_row_beside(float* to, const float* from, int lane, int width,
                                                bool aligned) {
  if constexpr (sizeof(T) == sizeof(float)) {
    copy_row<kLanes>(to, from, lane, width, aligned);
  } else if (aligned) {
    // read_columns() finds a lane's second four kLanes * 4 after the first.
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int piece = i * kLanes + lane;
      float* const place = to + piece % 2 * kLanes * 4 + piece / 2 * 4;
      if (piece * 4 < width) {
        copy_async_16(place, from + piece * 4);
      } else {
        store_vector(place, float4{0, 0, 0, 0});
      }
    }
  } else {
    for (int column = lane; column < kLanes * 8; column += kLanes) {
      to[column / 4 % 2 * kLanes * 4 + column / 8 * 4 + column % 4] =
          column < width ? from[column] : 0.0f;
    }
  }
}

/// Writes the columns that read_columns<T>() gives to a row of `width`; `aligned` as for
/// copy_row().
template <class T, int kLanes, class Out>
__device__ __forceinline__ void write_columns(Out* to, const float (&values)[8], int lane,
                                              int width, bool aligned) {
  if (aligned) {
    const int first = column_of<T, kLanes>(lane, 0), second = column_of<T, kLanes>(lane, 4);
    if constexpr (sizeof(T) == 2 && sizeof(Out) == 2) {
      if (first >= width) return;
      store_vector(to + first,
                   uint4{pack_bf16(values[0], values[1]), pack_bf16(values[2], values[3]),
                         pack_bf16(values[4], values[5]), pack_bf16(values[6], values[7])});
    } else {
      if (first < width) store_four(to + first, {values[0], values[1], values[2], values[3]});
      if (second < width) store_four(to + second, {values[4], values[5], values[6], values[7]});
    }
    return;
  }
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    const int column = column_of<T, kLanes>(lane, i);
    if (column < width) to[column] = narrow<Out>(values[i]);
  }
}

__device__ __forceinline__ float dot_columns(const float (&a)[8], const float (&b)[8]) {
  float sum = 0.0f;
#pragma unroll
  for (int i = 0; i < 8; ++i) sum += a[i] * b[i];
  return sum;
}

/// products[s][t] = scale * (row s of `a`) . (row t of `b`), both [frames, kLanes * 8] in shared
/// memory.
template <int kLanes, class A, class B>
__device__ __forceinline__ void multiply_short(float* products, const A* a, const B* b, int frames,
                                               float scale, int group, int lane) {
  using Row = ShortRow<kLanes>;
  const int stride = short_stride(frames);
  for (int base = 0; base < frames; base += 2 * Row::kTokens) {
    const int first = base + group, second = first + Row::kTokens;
    const int last = frames - 1;
    float rows[2][8];
    read_columns<kLanes>(rows[0], a + (first < frames ? first : last) * Row::kColumns, lane);
    read_columns<kLanes>(rows[1], a + (second < frames ? second : last) * Row::kColumns, lane);
    for (int t = 0; t < frames; ++t) {
      float other[8];
      read_columns<kLanes>(other, b + t * Row::kColumns, lane);
      const float dots[2] = {warp_sum<kLanes>(dot_columns(rows[0], other)),
                             warp_sum<kLanes>(dot_columns(rows[1], other))};
      if (lane != 0) continue;
      if (first < frames) products[first * stride + t] = dots[0] * scale;
      if (second < frames) products[second * stride + t] = dots[1] * scale;
    }
  }
}

/// Each row of scores becomes its softmax.
template <int kLanes>
__device__ __forceinline__ void softmax_short(float* scores, int frames, int group, int lane) {
  for (int base = 0; base < frames; base += ShortRow<kLanes>::kTokens) {
    float* const row = scores + (base + group) * short_stride(frames);
    const int end = base + group < frames ? frames : 0;
    float best = -INFINITY;
    for (int t = lane; t < end; t += kLanes) best = fmaxf(best, row[t]);
    best = warp_max<kLanes>(best);
    float sum = 0.0f;
    for (int t = lane; t < end; t += kLanes) {
      row[t] = expf(row[t] - best);
      sum += row[t];
    }
    const float inverse = 1.0f / warp_sum<kLanes>(sum);
    for (int t = lane; t < end; t += kLanes) row[t] *= inverse;
  }
}

/// Calls use(token, sums) for each token of the group: sums = the rows of `rows` weighted by
/// weight(token, t), this lane's columns.
template <int kLanes, class T, class Weight, class Use>
__device__ __forceinline__ void combine_short(const T* rows, int frames, int group, int lane,
                                              const Weight& weight, const Use& use) {
  using Row = ShortRow<kLanes>;
  for (int first = group; first < frames; first += 2 * Row::kTokens) {
    const int second = first + Row::kTokens;
    const bool both = second < frames;
    float sums[2][8] = {};
    for (int t = 0; t < frames; ++t) {
      float values[8];
      read_columns<kLanes>(values, rows + t * Row::kColumns, lane);
      const float weights[2] = {weight(first, t), both ? weight(second, t) : 0.0f};
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        sums[0][i] += weights[0] * values[i];
        sums[1][i] += weights[1] * values[i];
      }
    }
    use(first, sums[0]);
    if (both) use(second, sums[1]);
  }
}

/// How many warps of `bytes` of shared memory each a block has: few where they need much, so that
/// several blocks fit a multiprocessor. 0: not even one.
inline int short_warps(const Stream& stream, size_t bytes) {
  constexpr size_t kOfBlock = size_t{48} << 10;
  if (bytes > properties(stream).shared_bytes) return 0;
  const size_t warps = kOfBlock / bytes;
  return warps < 1 ? 1 : warps > kShortWarps ? kShortWarps : static_cast<int>(warps);
}

}  // namespace ata::cuda

#endif  // ATA_CUDA_KERNELS_TRAJECTORY_WARPS_CUH_
