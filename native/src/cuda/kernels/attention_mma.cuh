#ifndef ATA_CUDA_KERNELS_ATTENTION_MMA_CUH_
#define ATA_CUDA_KERNELS_ATTENTION_MMA_CUH_

#include <cmath>

#include "cuda/dialect.h"
#include "cuda/kernels/vectors.cuh"

/// Attention within sequences on tensor cores, in bf16: 64 queries a block, 16 a warp; keys and
/// values come in tiles of 64, one computed with while the next is on its way; scores and
/// probabilities stay in registers (Dao, FlashAttention-2, 2023).
namespace ata::cuda {

constexpr int kMmaTile = 64;
constexpr int kMmaWarps = 4;
constexpr int kMmaWidest = 128;

/// 16 bytes more than the head: the 8 rows that load_tiles() reads at once lie in different banks.
template <int kWidth>
using MmaTile = BFloat16[kMmaTile][kWidth + 8];

template <int kWidth>
struct MmaShared {
  MmaTile<kWidth> keys[2];  // the second holds the queries at first, the first the results at last
  MmaTile<kWidth> values[2];
};

/// Begins to copy one head of tokens [first, first + count) to the tile, zeros where there are none
/// and from `width` columns on.
template <int kWidth, class Rows>
__device__ __forceinline__ void copy_mma_tile(MmaTile<kWidth>& tile, const BFloat16* from,
                                              int64_t stride, const Rows& rows, int64_t first,
                                              int count, int width) {
  constexpr int kPieces = kWidth / 8;
  for (int i = static_cast<int>(threadIdx.x); i < kMmaTile * kPieces; i += kMmaWarps * 32) {
    const int token = i / kPieces, column = i % kPieces * 8;
    BFloat16* const to = &tile[token][column];
    if (token < count && column < width) {
      copy_async_16(to, from + rows.row(first + token) * stride + column);
    } else {
      store_vector(to, uint4{0, 0, 0, 0});
    }
  }
}

/// Heads of `width` columns, a multiple of 8 up to kWidth; blocks lie in the order (sequence, head,
/// chunk of the queries). Results of tokens with a row apart go to `apart`, in f32. log_sum
/// `[sequences, heads, tokens]` may be null.
template <int kWidth, class Sequences>
__global__ void __launch_bounds__(kMmaWarps * 32, kWidth <= 64 ? 4 : 2)
    attend_mma(const BFloat16* qkv, Sequences sequences, int heads, int width, int64_t chunks,
               float scale, BFloat16* y, float* apart, float* log_sum) {
  constexpr int kSteps = kWidth / 16;
  auto& shared = shared_memory<MmaShared<kWidth>>();
  const int lane = static_cast<int>(threadIdx.x % 32);
  const int warp = static_cast<int>(threadIdx.x / 32);
  // Of the 16 x 8 results of a product, a lane holds columns 2 `pair` and the next, of rows `group`
  // and `group` + 8.
  const int group = lane / 4, pair = lane % 4;
  const int64_t chunk = blockIdx.x % chunks;
  const int64_t of_head = blockIdx.x / chunks;
  const int64_t head = of_head % heads;
  const auto rows = sequences.at(of_head / heads);
  const int64_t tokens = sequences.tokens;
  const int64_t dim = int64_t{heads} * width, stride = 3 * dim;
  const BFloat16* const q = qkv + head * width;
  const BFloat16* const k = q + dim;
  const BFloat16* const v = k + dim;
  const int64_t first_query = chunk * kMmaTile;
  const auto part = [&](int64_t first) {
    return static_cast<int>(tokens - first < kMmaTile ? tokens - first : kMmaTile);
  };

  copy_mma_tile<kWidth>(shared.keys[1], q, stride, rows, first_query, part(first_query), width);
  commit_async();
  copy_mma_tile<kWidth>(shared.keys[0], k, stride, rows, 0, part(0), width);
  copy_mma_tile<kWidth>(shared.values[0], v, stride, rows, 0, part(0), width);
  commit_async();
  wait_async<1>();
  __syncthreads();
  unsigned queries[kSteps][4];
#pragma unroll
  for (int step = 0; step < kSteps; ++step) {
    load_tiles(queries[step], &shared.keys[1][warp * 16 + lane % 16][step * 16 + lane / 16 * 8]);
  }
  __syncthreads();  // the queries were read, their place is free

  // Exponentials are taken to the base of 2.
  const float to_binary = scale * 1.44269504088896340736f;
  float sums[kSteps * 2][4] = {};
  float largest[2] = {-INFINITY, -INFINITY}, total[2] = {0.0f, 0.0f};
  const int64_t tiles = (tokens + kMmaTile - 1) / kMmaTile;
  for (int64_t tile = 0; tile < tiles; ++tile) {
    const int now = static_cast<int>(tile % 2);
    const int count = part(tile * kMmaTile);
    if (tile + 1 < tiles) {
      const int64_t next = (tile + 1) * kMmaTile;
      copy_mma_tile<kWidth>(shared.keys[1 - now], k, stride, rows, next, part(next), width);
      copy_mma_tile<kWidth>(shared.values[1 - now], v, stride, rows, next, part(next), width);
      commit_async();
      wait_async<1>();
    } else {
      wait_async<0>();
    }
    __syncthreads();

    float scores[8][4] = {};
#pragma unroll
    for (int step = 0; step < kSteps; ++step) {
#pragma unroll
      for (int keys = 0; keys < 4; ++keys) {
        if (keys * 16 >= count) continue;
        unsigned b[4];
        load_tiles(
            b,
            &shared.keys[now][keys * 16 + lane / 16 * 8 + lane % 8][step * 16 + lane / 8 % 2 * 8]);
        mma_16x8x16(scores[2 * keys], queries[step], {b[0], b[1]}, scores[2 * keys]);
        mma_16x8x16(scores[2 * keys + 1], queries[step], {b[2], b[3]}, scores[2 * keys + 1]);
      }
    }
    if (count < kMmaTile) {
#pragma unroll
      for (int i = 0; i < 8; ++i) {
#pragma unroll
        for (int j = 0; j < 4; ++j) {
          if (i * 8 + pair * 2 + j % 2 >= count) scores[i][j] = -INFINITY;
        }
      }
    }
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float best = largest[half];
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        best = fmaxf(best, fmaxf(scores[i][2 * half], scores[i][2 * half + 1]));
      }
      best = fmaxf(best, __shfl_xor_sync(kAllLanes, best, 1));
      best = fmaxf(best, __shfl_xor_sync(kAllLanes, best, 2));
      const float shrink = exp2f((largest[half] - best) * to_binary);
      largest[half] = best;
      float sum = 0.0f;
#pragma unroll
      for (int i = 0; i < 8; ++i) {
#pragma unroll
        for (int j = 2 * half; j < 2 * half + 2; ++j) {
          scores[i][j] = exp2f((scores[i][j] - best) * to_binary);
          sum += scores[i][j];
        }
      }
      total[half] = total[half] * shrink + sum;  // of this lane's columns
#pragma unroll
      for (int i = 0; i < kSteps * 2; ++i) {
        sums[i][2 * half] *= shrink;
        sums[i][2 * half + 1] *= shrink;
      }
    }
#pragma unroll
    for (int keys = 0; keys < 4; ++keys) {
      if (keys * 16 >= count) continue;
      const float(&first)[4] = scores[2 * keys];
      const float(&second)[4] = scores[2 * keys + 1];
      const unsigned a[4] = {pack_bf16(first[0], first[1]), pack_bf16(first[2], first[3]),
                             pack_bf16(second[0], second[1]), pack_bf16(second[2], second[3])};
#pragma unroll
      for (int step = 0; step < kSteps; ++step) {
        unsigned b[4];
        load_tiles_transposed(
            b, &shared.values[now][keys * 16 + lane % 16][step * 16 + lane / 16 * 8]);
        mma_16x8x16(sums[2 * step], a, {b[0], b[1]}, sums[2 * step]);
        mma_16x8x16(sums[2 * step + 1], a, {b[2], b[3]}, sums[2 * step + 1]);
      }
    }
    __syncthreads();  // the tile was read, its place is free
  }

  // Through shared memory, so that rows are written 16 bytes at once.
  auto& results = shared.keys[0];
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    total[half] += __shfl_xor_sync(kAllLanes, total[half], 1);
    total[half] += __shfl_xor_sync(kAllLanes, total[half], 2);
    const float inverse = 1.0f / total[half];
    const int place = warp * 16 + half * 8 + group;
    const int64_t token = first_query + place;
    const int64_t apart_row = token < tokens ? rows.apart(token) : -1;
    if (log_sum != nullptr && token < tokens && pair == 0) {
      log_sum[of_head * tokens + token] = largest[half] * scale + logf(total[half]);
    }
#pragma unroll
    for (int i = 0; i < kSteps * 2; ++i) {
      const float low = sums[i][2 * half] * inverse, high = sums[i][2 * half + 1] * inverse;
      const int column = i * 8 + pair * 2;
      store_vector(&results[place][column], pack_bf16(low, high));
      if (apart_row >= 0 && column < width) {
        store_vector(apart + apart_row * dim + head * width + column, float2{low, high});
      }
    }
  }
  __syncwarp();
  for (int i = lane; i < 16 * kWidth / 8; i += 32) {
    const int place = warp * 16 + i / (kWidth / 8), column = i % (kWidth / 8) * 8;
    const int64_t token = first_query + place;
    if (token >= tokens || column >= width || rows.apart(token) >= 0) continue;
    store_vector(y + rows.row(token) * dim + head * width + column,
                 load_vector<uint4>(&results[place][column]));
  }
}

/// Whether the GPU has tensor cores for bf16 and the rows of these heads lie as they take them.
inline bool can_attend_by_mma(const Stream& stream, const Tensor& qkv, const Tensor& y,
                              int64_t width) {
  return properties(stream).architecture >= 80 && width % 8 == 0 && width <= kMmaWidest &&
         is_aligned(qkv.address()) && is_aligned(y.address());
}

template <class Sequences>
void attend_by_mma(Stream& stream, const BFloat16* qkv, const Sequences& sequences, int heads,
                   int width, float scale, BFloat16* y, float* apart, float* log_sum) {
  const int64_t chunks = (sequences.tokens + kMmaTile - 1) / kMmaTile;
  const auto launch = [&](const char* name, auto kernel, size_t shared_bytes) {
    launch_kernel(name, kernel, dim3(blocks_for(sequences.count * heads * chunks, 1)),
                  dim3(kMmaWarps * 32), shared_bytes, queue(stream), qkv, sequences, heads, width,
                  chunks, scale, y, apart, log_sum);
  };
  if (width <= 32) {
    launch("attend_mma<32>", attend_mma<32, Sequences>, sizeof(MmaShared<32>));
  } else if (width <= 64) {
    launch("attend_mma<64>", attend_mma<64, Sequences>, sizeof(MmaShared<64>));
  } else if (width <= 80) {
    launch("attend_mma<80>", attend_mma<80, Sequences>, sizeof(MmaShared<80>));
  } else if (width <= 96) {
    launch("attend_mma<96>", attend_mma<96, Sequences>, sizeof(MmaShared<96>));
  } else {
    launch("attend_mma<128>", attend_mma<128, Sequences>, sizeof(MmaShared<128>));
  }
}

}  // namespace ata::cuda

#endif  // ATA_CUDA_KERNELS_ATTENTION_MMA_CUH_
