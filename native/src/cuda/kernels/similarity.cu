#include <cmath>

#include "cuda/kernels/patch_tiles.cuh"
#include "cuda/kernels/similarity.h"

namespace ata::cuda {
namespace {

constexpr int kScaleWarps = 8;

// A warp a patch.
template <bool kVector>
__global__ void __launch_bounds__(32 * kScaleWarps)
    scales_kernel(const float* features, int64_t rows, int64_t channels, double* scales,
                  int* status, int* refused) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int64_t i = int64_t{blockIdx.x} * kScaleWarps + threadIdx.x / 32;
  if (i >= rows) return;
  const float* row = features + i * channels;
  float sum = 0;
  for (int64_t k = 4 * lane; k < channels; k += 128) {
    const float4 x = load_channels<kVector>(row, k, channels);
    sum += x.x * x.x + x.y * x.y + x.z * x.z + x.w * x.w;
  }
  double square = warp_sum(sum);
  // Squares may have left the range of float32, or a feature is not finite.
  if (!(square > 1e-30 && square < 1e30)) {
    square = 0;
    for (int64_t k = lane; k < channels; k += 32) {
      const double x = row[k];
      square += x * x;
    }
    square = warp_sum(square);
  }
  if (lane != 0) return;
  const bool finite = square < static_cast<double>(INFINITY);
  scales[i] = finite && square > 0 ? 1 / sqrt(square) : 0;
  if (!finite) {
    atomicOr(status, kFeatureNotFinite);
    atomicOr(refused, 1);
  }
}

// A block of 64 threads computes a tile of 64 x 64 similarities, 8 x 8 a thread: rows ty * 4 and
// 32 + ty * 4 on, columns tx * 4 and 32 + tx * 4 on, so that neighbours read neighbouring vectors
// of shared memory.
constexpr int kTile = kPatchTile;
constexpr int kDepth = 16;
constexpr int kProductThreads = 64;

struct alignas(16) ProductTiles {
  float a[kDepth][kTile + 4];
  float b[kDepth][kTile + 4];
};

template <bool kVector>
class TileLoader : public PatchLoader<kVector, kProductThreads, kDepth / 4> {
 public:
  using Base = PatchLoader<kVector, kProductThreads, kDepth / 4>;
  using Base::Base;

  __device__ __forceinline__ void store(float (*tile)[kTile + 4]) const {
    const int k = 4 * Base::vector();
#pragma unroll
    for (int l = 0; l < Base::kLoads; ++l) {
      const float4 x = this->scaled(l);
      const int i = Base::row(l);
      tile[k][i] = x.x;
      tile[k + 1][i] = x.y;
      tile[k + 2][i] = x.z;
      tile[k + 3][i] = x.w;
    }
  }
};

__device__ __forceinline__ void load_eight(const float* line, int at, float (&out)[8]) {
  const auto low = load_vector<float4>(line + 4 * at),
             high = load_vector<float4>(line + 32 + 4 * at);
  out[0] = low.x;
  out[1] = low.y;
  out[2] = low.z;
  out[3] = low.w;
  out[4] = high.x;
  out[5] = high.y;
  out[6] = high.z;
  out[7] = high.w;
}

__device__ __forceinline__ bool is_inside(const Window& window, int64_t i, int64_t j) {
  if (window.radius < 0) return true;
  const auto apart = [](int64_t a, int64_t b) { return a > b ? a - b : b - a; };
  return apart(i / window.width, j / window.width) <= window.radius &&
         apart(i % window.width, j % window.width) <= window.radius;
}

template <bool kVector>
__global__ void __launch_bounds__(kProductThreads)
    product_kernel(FramePairs pairs, int64_t begin, Window window, int tiles, int64_t stride,
                   float* similarities) {
  ProductTiles& shared = shared_memory<ProductTiles>();
  const TilePlace place(tiles);
  TileLoader<kVector> a(pairs.first(begin + place.pair), place.first_row, pairs.patches,
                        pairs.channels);
  TileLoader<kVector> b(pairs.second(begin + place.pair), place.first_column, pairs.patches,
                        pairs.channels);
  const int tx = static_cast<int>(threadIdx.x) % 8, ty = static_cast<int>(threadIdx.x) / 8;
  float sum[8][8] = {};
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
#pragma unroll 4
    for (int k = 0; k < kDepth; ++k) {
      float x[8], y[8];
      load_eight(shared.a[k], ty, x);
      load_eight(shared.b[k], tx, y);
#pragma unroll
      for (int i = 0; i < 8; ++i) {
#pragma unroll
        for (int j = 0; j < 8; ++j) sum[i][j] = fmaf(x[i], y[j], sum[i][j]);
      }
    }
    __syncthreads();
  }
  float* matrix = similarities + place.pair * pairs.patches * stride;
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    const int64_t row = place.first_row + i / 4 * 32 + ty * 4 + i % 4;
    if (row >= pairs.patches) continue;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int64_t column = place.first_column + half * 32 + tx * 4;
      if (column >= stride) continue;
      float out[4];
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        out[j] = is_inside(window, row, column + j) ? sum[i][4 * half + j] : -INFINITY;
      }
      store_vector(matrix + row * stride + column, float4{out[0], out[1], out[2], out[3]});
    }
  }
}

// A warp a patch.
template <bool kVector>
__global__ void __launch_bounds__(32 * kScaleWarps)
    in_place_kernel(FramePairs pairs, float* similarities) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int64_t index = int64_t{blockIdx.x} * kScaleWarps + threadIdx.x / 32;
  if (index >= pairs.count() * pairs.patches) return;
  const int64_t pair = index / pairs.patches, patch = index - pair * pairs.patches;
  const Frames first = pairs.first(pair), second = pairs.second(pair);
  const Scaler scale_a(first.scales + patch), scale_b(second.scales + patch);
  float sum = 0;
  for (int64_t k = 4 * lane; k < pairs.channels; k += 128) {
    const int64_t row = patch * pairs.channels;
    const float4 a = scale_a(load_channels<kVector>(first.features + row, k, pairs.channels));
    const float4 b = scale_b(load_channels<kVector>(second.features + row, k, pairs.channels));
    sum += a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w;
  }
  sum = warp_sum(sum);
  if (lane == 0) similarities[index] = sum;
}

}  // namespace

void find_scales(const Stream& stream, const float* features, int64_t rows, int64_t channels,
                 double* scales, int* status, int* refused) {
  const bool vector = channels % 4 == 0 && reinterpret_cast<uintptr_t>(features) % 16 == 0;
  ATA_LAUNCH(vector ? scales_kernel<true> : scales_kernel<false>,
             dim3(blocks_for(rows, kScaleWarps)), dim3(32 * kScaleWarps), 0, queue(stream),
             features, rows, channels, scales, status, refused);
}

void multiply_frames(const Stream& stream, const FramePairs& pairs, int64_t begin, int64_t count,
                     const Window& window, float* similarities) {
  const int tiles = static_cast<int>((pairs.patches + kTile - 1) / kTile);
  ATA_LAUNCH(pairs.has_whole_vectors() ? product_kernel<true> : product_kernel<false>,
             dim3(static_cast<unsigned>(count * tiles * tiles)), dim3(kProductThreads),
             sizeof(ProductTiles), queue(stream), pairs, begin, window, tiles,
             similarity_stride(pairs.patches), similarities);
}

void multiply_in_place(const Stream& stream, const FramePairs& pairs, float* similarities) {
  ATA_LAUNCH(pairs.has_whole_vectors() ? in_place_kernel<true> : in_place_kernel<false>,
             dim3(blocks_for(pairs.count() * pairs.patches, kScaleWarps)), dim3(32 * kScaleWarps),
             0, queue(stream), pairs, similarities);
}

}  // namespace ata::cuda
