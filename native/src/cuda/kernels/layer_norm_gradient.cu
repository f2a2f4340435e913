#include "cuda/dialect.h"
#include "cuda/entries.h"
#include "cuda/kernels/rows.h"
#include "cuda/kernels/vectors.cuh"

namespace ata::cuda {
namespace {

constexpr int kWarps = 8;
// Rows whose sums for gamma and beta one block forms: each of its warps adds up kRows / kWarps.
// Sums of sums keep the rounding error small, and their order does not depend on the device.
constexpr int kRows = 256;

// With g = dy * gamma and hat = (x - mean) * rstd: dx (+)= rstd * (g - mean(g) - hat mean(g hat)).
// A warp takes a row, which it reads twice, the second time from a cache.
template <bool kAligned>
__global__ void __launch_bounds__(kWarps * 32)
    layer_norm_input_gradient(const float* dy, const float* x, const float* gamma,
                              const float* mean, const float* rstd, int64_t rows, int64_t columns,
                              bool accumulate, float* dx) {
  const int64_t row = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32;
  if (row >= rows) return;
  constexpr int kPer = kAligned ? 4 : 1;
  const int64_t first = static_cast<int64_t>(threadIdx.x % 32) * kPer;
  const float centre = mean[row], scale = rstd[row];
  const float* const up = dy + row * columns;
  const float* const from = x + row * columns;
  float* const to = dx + row * columns;
  const float inverse = 1.0f / static_cast<float>(columns);
  float sum = 0.0f, projection = 0.0f;
  const auto add = [&](float upstream, float value, float weight) {
    const float g = upstream * weight;
    sum += g;
    projection += g * ((value - centre) * scale);
  };
  for (int64_t i = first; i < columns; i += 32 * kPer) {
    if constexpr (kAligned) {
      const auto u = load_vector<float4>(up + i), v = load_vector<float4>(from + i);
      const auto w = load_vector<float4>(gamma + i);
      add(u.x, v.x, w.x);
      add(u.y, v.y, w.y);
      add(u.z, v.z, w.z);
      add(u.w, v.w, w.w);
    } else {
      add(up[i], from[i], gamma[i]);
    }
  }
  const float mean_g = warp_sum(sum) * inverse;
  const float mean_projection = warp_sum(projection) * inverse;
  const auto slope = [&](float upstream, float value, float weight, float before) {
    const float hat = (value - centre) * scale;
    return before + scale * (upstream * weight - mean_g - hat * mean_projection);
  };
  for (int64_t i = first; i < columns; i += 32 * kPer) {
    if constexpr (kAligned) {
      const auto u = load_vector<float4>(up + i), v = load_vector<float4>(from + i);
      const auto w = load_vector<float4>(gamma + i);
      const float4 b = accumulate ? load_vector<float4>(to + i) : float4{0, 0, 0, 0};
      store_vector(to + i, float4{slope(u.x, v.x, w.x, b.x), slope(u.y, v.y, w.y, b.y),
                                  slope(u.z, v.z, w.z, b.z), slope(u.w, v.w, w.w, b.w)});
    } else {
      to[i] = slope(up[i], from[i], gamma[i], accumulate ? to[i] : 0.0f);
    }
  }
}

struct WarpSums {
  float gamma[kWarps][32];
  float beta[kWarps][32];
};

// The sum of each lane's column over the block's warps, for warp 0.
__device__ __forceinline__ float sum_of_warps(const float (&sums)[kWarps][32], unsigned lane) {
  float total = 0.0f;
  for (int warp = 0; warp < kWarps; ++warp) total += sums[warp][lane];
  return total;
}

// Sums of 32 columns over kRows rows, into `sums` [2, blocks of rows, columns]: of dy * hat, and of
// dy. Blocks lie in the order (rows, columns).
__global__ void __launch_bounds__(kWarps * 32)
    layer_norm_weight_sums(const float* dy, const float* x, const float* mean, const float* rstd,
                           int64_t rows, int64_t columns, int64_t blocks, int64_t column_blocks,
                           float* sums) {
  auto& shared = shared_memory<WarpSums>();
  const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int64_t block = blockIdx.x / column_blocks;
  const int64_t column = blockIdx.x % column_blocks * 32 + lane;
  float gamma_sum = 0.0f, beta_sum = 0.0f;
  if (column < columns) {
    const int64_t end = (block + 1) * kRows < rows ? (block + 1) * kRows : rows;
    for (int64_t row = block * kRows + warp; row < end; row += kWarps) {
      const float up = dy[row * columns + column];
      gamma_sum += up * ((x[row * columns + column] - mean[row]) * rstd[row]);
      beta_sum += up;
    }
  }
  shared.gamma[warp][lane] = gamma_sum;
  shared.beta[warp][lane] = beta_sum;
  __syncthreads();
  if (warp != 0 || column >= columns) return;
  sums[block * columns + column] = sum_of_warps(shared.gamma, lane);
  sums[(blocks + block) * columns + column] = sum_of_warps(shared.beta, lane);
}

}  // namespace

void layer_norm_gradient(Stream& stream, const Tensor& dy, const Tensor& x, const Tensor& gamma,
                         const Tensor& mean, const Tensor& rstd, bool accumulate, Tensor& dx,
                         Tensor& dgamma, Tensor& dbeta) {
  const int64_t rows = x.dim(0), columns = x.dim(1);
  if (rows == 0) return;
  const dim3 threads(kWarps * 32);
  if (dx) {
    const bool aligned = columns % 4 == 0 && is_aligned(dy.address()) && is_aligned(x.address()) &&
                         is_aligned(gamma.address()) && is_aligned(dx.address());
    const auto launch = [&](const char* name, auto kernel) {
      launch_kernel(name, kernel, dim3(blocks_for(rows, kWarps)), threads, 0, queue(stream),
                    elements<float>(dy), elements<float>(x), elements<float>(gamma),
                    elements<float>(mean), elements<float>(rstd), rows, columns, accumulate,
                    elements<float>(dx));
    };
    if (aligned) {
      launch("layer_norm_input_gradient<aligned>", layer_norm_input_gradient<true>);
    } else {
      launch("layer_norm_input_gradient", layer_norm_input_gradient<false>);
    }
  }
  if (!dgamma && !dbeta) return;
  const int64_t blocks = (rows + kRows - 1) / kRows;
  const int64_t column_blocks = (columns + 31) / 32;
  Tensor sums({2, blocks, columns}, DType::kF32, stream.allocator);
  ATA_LAUNCH(layer_norm_weight_sums, dim3(static_cast<unsigned>(blocks * column_blocks)), threads,
             sizeof(WarpSums), queue(stream), elements<float>(dy), elements<float>(x),
             elements<float>(mean), elements<float>(rstd), rows, columns, blocks, column_blocks,
             elements<float>(sums));
  const auto add_sums = [&](Tensor& total, int64_t first) {
    if (!total) return;
    sum_columns(stream, elements<float>(sums) + first * blocks * columns, 1, blocks, columns, 1.0f,
                /*accumulate=*/true, elements<float>(total));
  };
  add_sums(dgamma, 0);
  add_sums(dbeta, 1);
}

}  // namespace ata::cuda
