#ifndef ATA_CUDA_KERNELS_ATTENTION_FORWARD_CUH_
#define ATA_CUDA_KERNELS_ATTENTION_FORWARD_CUH_

#include <cmath>

#include "cuda/dialect.h"
#include "cuda/kernels/attention_mma.cuh"
#include "cuda/kernels/attention_tiles.cuh"
#include "cuda/kernels/vectors.cuh"

/// Attention within sequences (attention_sequences.cuh), tile of keys by tile of keys with a
/// running maximum and sum (Dao et al., FlashAttention, 2022), so that memory is linear in the
/// tokens.
namespace ata::cuda {

struct AttentionTiles {
  Tile queries;
  Tile keys;  // and then the probabilities
  Tile values;
};

/// 64 queries of one head of one sequence on CUDA cores, for heads of any width: a block answers
/// for 64 columns of it. Blocks lie in the order (sequence, head, part of the columns, chunk of the
/// queries). Results of tokens with a row apart go to `apart`, in f32. log_sum `[sequences, heads,
/// tokens]` may be null. `aligned`: y and apart take 4 columns at once.
template <class T, class Sequences>
__global__ void __launch_bounds__(kTileThreads, 2)
    attend_tiles(const T* qkv, Sequences sequences, int heads, int64_t width, int64_t parts,
                 int64_t chunks, float scale, bool aligned, T* y, float* apart, float* log_sum) {
  auto& shared = shared_memory<AttentionTiles>();
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
  const int64_t first_query = chunk * kTile;
  const int queries = tile_part(first_query, tokens);
  const int64_t first_column = part * kTileColumns;
  const int columns = tile_part(first_column, width);
  const auto row = [&](int64_t token) { return rows.row(token); };

  float sums[4][4] = {}, largest[4], total[4] = {};
  for (float& m : largest) m = -INFINITY;
  for (int64_t first_key = 0; first_key < tokens; first_key += kTile) {
    const int keys = tile_part(first_key, tokens);
    float scores[4][4] = {};
    for (int64_t at = 0; at < width; at += kTileColumns) {
      const int depth = tile_part(at, width);
      if (first_key > 0 || at > 0) __syncthreads();  // the tiles' last readers are done
      if (first_key == 0 || width > kTileColumns) {
        load_transposed(shared.queries, q + at, stride, row, first_query, queries, depth);
      }
      load_transposed(shared.keys, k + at, stride, row, first_key, keys, depth);
      if (at == 0) {
        load_rows(shared.values, v + first_column, stride, row, first_key, keys, columns);
      }
      __syncthreads();
      multiply_scores(scores, shared.queries, shared.keys, depth);
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      float best = -INFINITY;
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        scores[i][j] = tile_lane() + 16 * j < keys ? scores[i][j] * scale : -INFINITY;
        best = fmaxf(best, scores[i][j]);
      }
      best = fmaxf(largest[i], warp_max<16>(best));
      const float shrink = expf(largest[i] - best);
      largest[i] = best;
      float sum = 0.0f;
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        scores[i][j] = expf(scores[i][j] - best);
        sum += scores[i][j];
        sums[i][j] *= shrink;
      }
      total[i] = total[i] * shrink + warp_sum<16>(sum);
    }
    __syncthreads();  // the keys were read
    store_scores(shared.keys, scores);
    __syncthreads();
    multiply_values(sums, shared.keys, shared.values, keys);
  }

  const int column = tile_lane() * 4;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const int64_t token = first_query + tile_row() + i;
    if (token >= tokens) continue;
    if (log_sum != nullptr && part == 0 && tile_lane() == 0) {
      log_sum[of_head * tokens + token] = largest[i] + logf(total[i]);
    }
    const float inverse = 1.0f / total[i];
    const float values[4] = {sums[i][0] * inverse, sums[i][1] * inverse, sums[i][2] * inverse,
                             sums[i][3] * inverse};
    const int64_t apart_row = rows.apart(token);
    const int64_t at =
        (apart_row >= 0 ? apart_row : rows.row(token)) * dim + head * width + first_column + column;
    const auto store = [&](auto* to) {
      using Out = std::remove_pointer_t<decltype(to)>;
      if (aligned) {
        if (column < columns) store_four(to, {values[0], values[1], values[2], values[3]});
        return;
      }
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        if (column + j < columns) to[j] = narrow<Out>(values[j]);
      }
    };
    if (apart_row >= 0) {
      store(apart + at);
    } else {
      store(y + at);
    }
  }
}

/// y, or apart, of all sequences and heads. qkv of y's type; apart and log_sum as attend_tiles().
template <class T, class Sequences>
void attend(Stream& stream, const Tensor& qkv, const Sequences& sequences, int heads, Tensor& y,
            float* apart, float* log_sum) {
  const int64_t width = qkv.dim(1) / 3 / heads;
  const int64_t chunks = (sequences.tokens + kTile - 1) / kTile;
  const float scale = 1.0f / std::sqrt(static_cast<float>(width));
  if constexpr (std::is_same_v<T, BFloat16>) {
    if (can_attend_by_mma(stream, qkv, y, width)) {
      attend_by_mma(stream, elements<T>(qkv), sequences, heads, static_cast<int>(width), scale,
                    elements<T>(y), apart, log_sum);
      return;
    }
  }
  const int64_t parts = (width + kTileColumns - 1) / kTileColumns;
  const bool aligned = width % 4 == 0 && is_aligned(y.address()) && is_aligned(apart);
  ATA_LAUNCH((attend_tiles<T, Sequences>),
             dim3(blocks_for(sequences.count * heads * parts * chunks, 1)), dim3(kTileThreads),
             sizeof(AttentionTiles), queue(stream), elements<T>(qkv), sequences, heads, width,
             parts, chunks, scale, aligned, elements<T>(y), apart, log_sum);
}

}  // namespace ata::cuda

#endif  // ATA_CUDA_KERNELS_ATTENTION_FORWARD_CUH_
