#include "cuda/kernels/patch_tiles.cuh"
#include "cuda/kernels/similarity.h"

namespace ata::cuda {
namespace {

// A block of 4 warps computes a tile of 64 x 64 similarities, a quarter of 32 x 32 a warp.
constexpr int kTile = kPatchTile;
constexpr int kDepth = 32;
constexpr int kThreads = 128;
// Words of two neighbouring channels. The padding keeps the rows that a warp reads at once in
// different banks.
constexpr int kStride = kDepth / 2 + 4;

struct alignas(16) SplitTile {
  unsigned high[kTile][kStride];
  unsigned low[kTile][kStride];
};
struct SplitShared {
  SplitTile a;
  SplitTile b;
};

struct Split {
  unsigned high;
  unsigned low;
};

// Of two neighbouring channels.
__device__ __forceinline__ Split split(float x, float y) {
  const auto bits = [](float value) { return static_cast<unsigned>(narrow<BFloat16>(value).bits); };
  const auto rest = [](float value) { return value - widen(narrow<BFloat16>(value)); };
  return {bits(x) | bits(y) << 16, bits(rest(x)) | bits(rest(y)) << 16};
}

template <bool kVector>
class SplitLoader : public PatchLoader<kVector, kThreads, kDepth / 4> {
 public:
  using Base = PatchLoader<kVector, kThreads, kDepth / 4>;
  using Base::Base;

  __device__ __forceinline__ void store(SplitTile& tile) const {
    const int k = 2 * Base::vector();
#pragma unroll
    for (int l = 0; l < Base::kLoads; ++l) {
      const float4 x = this->scaled(l);
      const int i = Base::row(l);
      const Split left = split(x.x, x.y), right = split(x.z, x.w);
      store_vector(&tile.high[i][k], uint2{left.high, right.high});
      store_vector(&tile.low[i][k], uint2{left.low, right.low});
    }
  }
};

template <bool kVector>
__global__ void __launch_bounds__(kThreads)
    split_product_kernel(FramePairs pairs, int64_t begin, int tiles, int64_t stride,
                         float* similarities) {
  SplitShared& shared = shared_memory<SplitShared>();
  const TilePlace place(tiles);
  SplitLoader<kVector> a(pairs.first(begin + place.pair), place.first_row, pairs.patches,
                         pairs.channels);
  SplitLoader<kVector> b(pairs.second(begin + place.pair), place.first_column, pairs.patches,
                         pairs.channels);
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  // The warp's quarter, and this lane's place in the fragments of mma_16x8x16().
  const int top = warp / 2 * 32, left = warp % 2 * 32, group = lane / 4, pair = lane % 4;
  float sum[2][4][4] = {};
  a.load(0);
  b.load(0);
  for (int64_t depth = 0; depth < pairs.channels; depth += kDepth) {
    a.store(shared.a);
    b.store(shared.b);
    __syncthreads();
    if (depth + kDepth < pairs.channels) {
      a.load(depth + kDepth);
      b.load(depth + kDepth);
    }
#pragma unroll
    for (int step = 0; step < kDepth / 2; step += 8) {
      unsigned a_high[2][4], a_low[2][4];
#pragma unroll
      for (int m = 0; m < 2; ++m) {
#pragma unroll
        for (int r = 0; r < 4; ++r) {
          const int i = top + 16 * m + group + r % 2 * 8, k = step + pair + r / 2 * 4;
          a_high[m][r] = shared.a.high[i][k];
          a_low[m][r] = shared.a.low[i][k];
        }
      }
#pragma unroll
      for (int n = 0; n < 4; ++n) {
        const int j = left + 8 * n + group, k = step + pair;
        const unsigned b_high[2] = {shared.b.high[j][k], shared.b.high[j][k + 4]};
        const unsigned b_low[2] = {shared.b.low[j][k], shared.b.low[j][k + 4]};
#pragma unroll
        for (int m = 0; m < 2; ++m) {
          mma_16x8x16(sum[m][n], a_low[m], b_high, sum[m][n]);
          mma_16x8x16(sum[m][n], a_high[m], b_low, sum[m][n]);
          mma_16x8x16(sum[m][n], a_high[m], b_high, sum[m][n]);
        }
      }
    }
    __syncthreads();
  }
  float* matrix = similarities + place.pair * pairs.patches * stride;
#pragma unroll
  for (int m = 0; m < 2; ++m) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int64_t row = place.first_row + top + 16 * m + group + 8 * half;
#pragma unroll
      for (int n = 0; n < 4; ++n) {
        const int64_t column = place.first_column + left + 8 * n + 2 * pair;
        if (row >= pairs.patches || column >= stride) continue;
        store_vector(matrix + row * stride + column,
                     float2{sum[m][n][2 * half], sum[m][n][2 * half + 1]});
      }
    }
  }
}

}  // namespace

void multiply_split_frames(const Stream& stream, const FramePairs& pairs, int64_t begin,
                           int64_t count, float* similarities) {
  const int tiles = static_cast<int>((pairs.patches + kTile - 1) / kTile);
  ATA_LAUNCH(pairs.has_whole_vectors() ? split_product_kernel<true> : split_product_kernel<false>,
             dim3(static_cast<unsigned>(count * tiles * tiles)), dim3(kThreads),
             sizeof(SplitShared), queue(stream), pairs, begin, tiles,
             similarity_stride(pairs.patches), similarities);
}

}  // namespace ata::cuda
