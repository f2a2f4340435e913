#ifndef ATA_CUDA_KERNELS_ATTENTION_BACKWARD_CUH_
#define ATA_CUDA_KERNELS_ATTENTION_BACKWARD_CUH_

#include <cmath>

#include "cuda/dialect.h"
#include "cuda/kernels/attention_tiles.cuh"
#include "cuda/kernels/vectors.cuh"

/// The gradient of attention within sequences (attention_sequences.cuh), in f32: with P the
/// softmax, formed again tile by tile from log_sum, and dP = dy v^T: dv = P^T dy, dS = P (dP -
/// rowsum(dy y)) scale, dq = dS k, dk = dS^T q. One kernel sums over the keys, and again over the
/// queries, so that no two blocks write to one place.
namespace ata::cuda {

constexpr int kProjectionWarps = 8;

/// projections `[sequences, heads, tokens]` = rowsum(dy y), a warp each; y in y, or apart in f32.
template <class T, class Sequences>
__global__ void __launch_bounds__(kProjectionWarps * 32)
    project_gradient(const float* dy, const T* y, const float* apart, Sequences sequences,
                     int heads, int64_t width, float* projections) {
  const int64_t item = int64_t{blockIdx.x} * kProjectionWarps + threadIdx.x / 32;
  const int64_t tokens = sequences.tokens;
  if (item >= sequences.count * tokens * heads) return;
  // Neighbouring warps read neighbouring heads.
  const int64_t head = item % heads, token = item / heads % tokens;
  const int64_t sequence = item / heads / tokens;
  const auto rows = sequences.at(sequence);
  const int64_t dim = heads * width, row = rows.row(token), apart_row = rows.apart(token);
  float sum = 0.0f;
  for (int64_t column = head * width + threadIdx.x % 32; column < (head + 1) * width;
       column += 32) {
    const float value =
        apart_row >= 0 ? apart[apart_row * dim + column] : widen(y[row * dim + column]);
    sum += dy[row * dim + column] * value;
  }
  sum = warp_sum(sum) * rows.share(token);
  if (threadIdx.x % 32 == 0) projections[(sequence * heads + head) * tokens + token] = sum;
}

struct GradientTiles {
  Tile own;  // and then P or dS
  Tile other;
  Tile rows;
};

/// What 64 tokens of one head get for 64 columns: as queries (dq), or, kOfKeys, as keys (dk and
/// dv). "own" are these tokens, "other" those that are summed over. Blocks lie in the order
/// (sequence, head, part of the columns, chunk of the tokens). Gradients of tokens with a row apart
/// go to `apart`. `aligned`: dqkv and apart take 4 columns at once.
template <class T, class Sequences, bool kOfKeys>
__global__ void __launch_bounds__(kTileThreads, 2)
    attend_gradient_tiles(const float* dy, const T* qkv, const float* log_sum,
                          const float* projections, Sequences sequences, int heads, int64_t width,
                          int64_t parts, int64_t chunks, float scale, bool aligned, float* dqkv,
                          float* apart) {
  auto& shared = shared_memory<GradientTiles>();
  const int64_t chunk = blockIdx.x % chunks;
  const int64_t part = blockIdx.x / chunks % parts;
  const int64_t of_head = blockIdx.x / chunks / parts;
  const int64_t head = of_head % heads;
  const auto rows = sequences.at(of_head / heads);
  const int64_t tokens = sequences.tokens;
  const int64_t dim = heads * width, stride = 3 * dim;
  const T* const q = qkv + head * width;
  const T* const k = q + dim;
  const T* const v = k + dim;
  const float* const up = dy + head * width;
  const int64_t first_own = chunk * kTile;
  const int own = tile_part(first_own, tokens);
  const int64_t first_column = part * kTileColumns;
  const int columns = tile_part(first_column, width);
  const auto row = [&](int64_t token) { return rows.row(token); };

  float slope_sums[4][4] = {};                   // of dq or dk
  [[maybe_unused]] float value_sums[4][4] = {};  // of dv
  for (int64_t first = 0; first < tokens; first += kTile) {
    const int others = tile_part(first, tokens);
    float scores[4][4] = {}, slopes[4][4] = {};
    for (int64_t at = 0; at < width; at += kTileColumns) {
      const int depth = tile_part(at, width);
      __syncthreads();  // the tiles' last readers are done
      load_transposed(shared.own, (kOfKeys ? k : q) + at, stride, row, first_own, own, depth);
      load_transposed(shared.other, (kOfKeys ? q : k) + at, stride, row, first, others, depth);
      __syncthreads();
      multiply_scores(scores, shared.own, shared.other, depth);
      __syncthreads();
      if constexpr (kOfKeys) {
        load_transposed(shared.own, v + at, stride, row, first_own, own, depth);
        load_transposed(shared.other, up + at, dim, row, first, others, depth);
      } else {
        load_transposed(shared.own, up + at, dim, row, first_own, own, depth);
        load_transposed(shared.other, v + at, stride, row, first, others, depth);
      }
      __syncthreads();
      multiply_scores(slopes, shared.own, shared.other, depth);
    }
    // Of the queries, each a row of the thread's scores or, kOfKeys, a column.
    float sum_of[4], projection_of[4], share_of[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int64_t query = kOfKeys ? first + tile_lane() + 16 * i : first_own + tile_row() + i;
      const bool is_there = query < tokens;
      sum_of[i] = is_there ? log_sum[of_head * tokens + query] : INFINITY;
      projection_of[i] = is_there ? projections[of_head * tokens + query] : 0.0f;
      share_of[i] = is_there ? rows.share(query) : 0.0f;
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) {
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const int query = kOfKeys ? j : i;
        const float p = expf(scores[i][j] * scale - sum_of[query]);
        slopes[i][j] = p * (slopes[i][j] * share_of[query] - projection_of[query]) * scale;
        scores[i][j] = p * share_of[query];
      }
    }
    __syncthreads();
    if constexpr (kOfKeys) {
      store_scores(shared.own, scores);
      load_rows(shared.rows, up + first_column, dim, row, first, others, columns);
      __syncthreads();
      multiply_values(value_sums, shared.own, shared.rows, others);
      __syncthreads();
    }
    store_scores(shared.own, slopes);
    load_rows(shared.rows, (kOfKeys ? q : k) + first_column, stride, row, first, others, columns);
    __syncthreads();
    multiply_values(slope_sums, shared.own, shared.rows, others);
  }

  const int column = tile_lane() * 4;
  const auto store = [&](float* to, const float(&values)[4]) {
    if (aligned) {
      if (column < columns) store_four(to, {values[0], values[1], values[2], values[3]});
      return;
    }
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      if (column + j < columns) to[j] = values[j];
    }
  };
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const int64_t token = first_own + tile_row() + i;
    if (token >= tokens) continue;
    const int64_t apart_row = rows.apart(token);
    float* const to = (apart_row >= 0 ? apart + apart_row * stride : dqkv + row(token) * stride) +
                      head * width + first_column + column;
    if constexpr (kOfKeys) {
      store(to + dim, slope_sums[i]);
      store(to + 2 * dim, value_sums[i]);
    } else {
      store(to, slope_sums[i]);
    }
  }
}

/// dqkv, or `apart` `[.., 3 D]`, of all sequences and heads; y, its rows apart and log_sum as
/// attend() gave them.
template <class T, class Sequences>
void attend_gradient(Stream& stream, const Tensor& dy, const Tensor& qkv, const Tensor& y,
                     const float* apart_y, const Tensor& log_sum, const Sequences& sequences,
                     int heads, Tensor& dqkv, float* apart) {
  const int64_t width = qkv.dim(1) / 3 / heads;
  const int64_t chunks = (sequences.tokens + kTile - 1) / kTile;
  const int64_t parts = (width + kTileColumns - 1) / kTileColumns;
  const int64_t count = sequences.count * heads;
  Tensor projections({sequences.count, heads, sequences.tokens}, DType::kF32, stream.allocator);
  ATA_LAUNCH((project_gradient<T, Sequences>),
             dim3(blocks_for(count * sequences.tokens, kProjectionWarps)),
             dim3(kProjectionWarps * 32), 0, queue(stream), elements<float>(dy), elements<T>(y),
             apart_y, sequences, heads, width, elements<float>(projections));
  const bool aligned = width % 4 == 0 && is_aligned(dqkv.address()) && is_aligned(apart);
  const auto launch = [&](const char* name, auto kernel) {
    launch_kernel(name, kernel, dim3(blocks_for(count * parts * chunks, 1)), dim3(kTileThreads),
                  sizeof(GradientTiles), queue(stream), elements<float>(dy), elements<T>(qkv),
                  elements<float>(log_sum),
                  elements<float>(static_cast<const Tensor&>(projections)), sequences, heads, width,
                  parts, chunks, 1.0f / std::sqrt(static_cast<float>(width)), aligned,
                  elements<float>(dqkv), apart);
  };
  launch("attend_gradient_tiles<queries>", attend_gradient_tiles<T, Sequences, false>);
  launch("attend_gradient_tiles<keys>", attend_gradient_tiles<T, Sequences, true>);
}

}  // namespace ata::cuda

#endif  // ATA_CUDA_KERNELS_ATTENTION_BACKWARD_CUH_
