#include "cuda/kernels/patch_scaler.cuh"
#include "cuda/kernels/similarity.h"

namespace ata::cuda {
namespace {

// A block of 4 warps computes a tile of 64 x 64 similarities, a quarter of 32 x 32 a warp.
constexpr int kTile = 64;
constexpr int kDepth = 32;
constexpr int kThreads = 128;
constexpr int kVectors = kDepth / 4;
constexpr int kLoads = kTile * kVectors / kThreads;
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

// What one thread brings of a tile of 64 patches and 32 channels: four vectors, of patches 16
// apart.
template <bool kVector>
class SplitLoader {
 public:
  __device__ SplitLoader(const Frames& frame, int64_t first, int64_t patches, int64_t channels)
      : frame_(frame), first_(first), patches_(patches), channels_(channels) {}

  __device__ __forceinline__ void load(int64_t depth) {
#pragma unroll
    for (int l = 0; l < kLoads; ++l) {
      const int64_t i = first_ + row(l);
      next_[l] = i < patches_ ? load_channels<kVector>(frame_.features + i * channels_,
                                                       depth + 4 * vector(), channels_)
                              : float4{0, 0, 0, 0};
    }
  }
  __device__ __forceinline__ void store(SplitTile& tile) const {
#pragma unroll
    for (int l = 0; l < kLoads; ++l) {
      const int64_t i = first_ + row(l);
      float4 x = {0, 0, 0, 0};
      if (i < patches_) x = Scaler(frame_.scales + i)(next_[l]);
      const Split left = split(x.x, x.y), right = split(x.z, x.w);
      store_vector(&tile.high[row(l)][2 * vector()], uint2{left.high, right.high});
      store_vector(&tile.low[row(l)][2 * vector()], uint2{left.low, right.low});
    }
  }

 private:
  __device__ static int row(int load) {
    return static_cast<int>(threadIdx.x) / kVectors + kThreads / kVectors * load;
  }
  __device__ static int vector() {
    return static_cast<int>(threadIdx.x) % kVectors;
  }

  const Frames frame_;
  const int64_t first_;
  const int64_t patches_;
  const int64_t channels_;
  float4 next_[kLoads];
};

template <bool kVector>
__global__ void __launch_bounds__(kThreads)
    split_product_kernel(FramePairs pairs, int64_t begin, int tiles, int64_t stride,
                         float* similarities) {
  SplitShared& shared = shared_memory<SplitShared>();
  const int64_t index = blockIdx.x / (static_cast<int64_t>(tiles) * tiles);
  const int tile = static_cast<int>(blockIdx.x - index * tiles * tiles);
  const int64_t first_row = int64_t{tile / tiles} * kTile;
  const int64_t first_column = int64_t{tile % tiles} * kTile;
  SplitLoader<kVector> a(pairs.first(begin + index), first_row, pairs.patches, pairs.channels);
  SplitLoader<kVector> b(pairs.second(begin + index), first_column, pairs.patches, pairs.channels);
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
  float* matrix = similarities + index * pairs.patches * stride;
#pragma unroll
  for (int m = 0; m < 2; ++m) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int64_t row = first_row + top + 16 * m + group + 8 * half;
#pragma unroll
      for (int n = 0; n < 4; ++n) {
        const int64_t column = first_column + left + 8 * n + 2 * pair;
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
