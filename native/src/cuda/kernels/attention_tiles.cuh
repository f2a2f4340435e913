#ifndef ATA_CUDA_KERNELS_ATTENTION_TILES_CUH_
#define ATA_CUDA_KERNELS_ATTENTION_TILES_CUH_

#include "cuda/dialect.h"

/// Tiles of 64 tokens for attention on CUDA cores, in f32: a block of 16 x 16 threads, each with 4
/// x 4 elements of a product.
namespace ata::cuda {

constexpr int kTile = 64;
constexpr int kTileThreads = 256;
/// Columns that one tile holds; wider heads take several.
constexpr int kTileColumns = 64;
// 16 bytes more than a power of two: rows begin in other banks.
using Tile = float[kTile][kTile + 4];

/// Row (first of 4) and column of a thread's part of a product.
__device__ __forceinline__ int tile_row() {
  return static_cast<int>(threadIdx.x / 16) * 4;
}
__device__ __forceinline__ int tile_lane() {
  return static_cast<int>(threadIdx.x % 16);
}

/// How many of the `count` from `first` one tile holds.
__device__ __forceinline__ int tile_part(int64_t first, int64_t count) {
  return static_cast<int>(count - first < kTile ? count - first : kTile);
}

/// tile[c][i] = columns [0, columns) of token first + i; zero from `count` on.
/// `from` is column 0 of row 0; row(token) its row.
template <class T, class Row>
__device__ void load_transposed(Tile& tile, const T* from, int64_t stride, const Row& row,
                                int64_t first, int count, int columns) {
  // A warp takes 8 columns of 4 tokens: whole sectors of f32, and 32 banks.
  const int lane = static_cast<int>(threadIdx.x % 32), warp = static_cast<int>(threadIdx.x / 32);
  const int groups = (columns + 7) / 8;
#pragma unroll 2  // more at once would not fit the registers; so below
  for (int item = warp; item < 16 * groups; item += kTileThreads / 32) {
    const int token = item % 16 * 4 + lane / 8;
    const int column = item / 16 * 8 + lane % 8;
    float value = 0.0f;
    if (token < count && column < columns) {
      value = widen(from[row(first + token) * stride + column]);
    }
    tile[column][token] = value;
  }
}

/// tile[i][c] = columns [0, columns) of token first + i, then zeros, for the
/// tokens [0, count) only.
template <class T, class Row>
__device__ void load_rows(Tile& tile, const T* from, int64_t stride, const Row& row, int64_t first,
                          int count, int columns) {
  const int lane = static_cast<int>(threadIdx.x % 32), warp = static_cast<int>(threadIdx.x / 32);
#pragma unroll 1
  for (int item = warp; item < 2 * count; item += kTileThreads / 32) {
    const int token = item / 2;
    const int column = item % 2 * 32 + lane;
    tile[token][column] =
        column < columns ? widen(from[row(first + token) * stride + column]) : 0.0f;
  }
}

/// sums[i][j] += sum over k < depth of a[k][tile_row() + i] b[k][tile_lane() + 16 j].
__device__ __forceinline__ void multiply_scores(float (&sums)[4][4], const Tile& a, const Tile& b,
                                                int depth) {
  const int row = tile_row(), lane = tile_lane();
#pragma unroll 4
  for (int k = 0; k < depth; ++k) {
    const auto left = load_vector<float4>(&a[k][row]);
    const float right[4] = {b[k][lane], b[k][lane + 16], b[k][lane + 32], b[k][lane + 48]};
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      sums[0][j] += left.x * right[j];
      sums[1][j] += left.y * right[j];
      sums[2][j] += left.z * right[j];
      sums[3][j] += left.w * right[j];
    }
  }
}

/// sums[i][j] += sum over k < depth of a[k][tile_row() + i] b[k][4 tile_lane() + j].
__device__ __forceinline__ void multiply_values(float (&sums)[4][4], const Tile& a, const Tile& b,
                                                int depth) {
  const int row = tile_row(), column = tile_lane() * 4;
#pragma unroll 4
  for (int k = 0; k < depth; ++k) {
    const auto left = load_vector<float4>(&a[k][row]);
    const auto right = load_vector<float4>(&b[k][column]);
    const float rows[4] = {left.x, left.y, left.z, left.w};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      sums[i][0] += rows[i] * right.x;
      sums[i][1] += rows[i] * right.y;
      sums[i][2] += rows[i] * right.z;
      sums[i][3] += rows[i] * right.w;
    }
  }
}

/// tile[tile_lane() + 16 j][tile_row() + i] = values[i][j]: scores, as multiply_values takes them.
__device__ __forceinline__ void store_scores(Tile& tile, const float (&values)[4][4]) {
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    store_vector(&tile[tile_lane() + 16 * j][tile_row()],
                 float4{values[0][j], values[1][j], values[2][j], values[3][j]});
  }
}

}  // namespace ata::cuda

#endif  // ATA_CUDA_KERNELS_ATTENTION_TILES_CUH_
