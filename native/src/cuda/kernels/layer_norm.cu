#include "cuda/dialect.h"
#include "cuda/entries.h"
#include "cuda/kernels/vectors.cuh"

namespace ata::cuda {
namespace {

// A warp takes a row.
constexpr int kWarps = 8;

// The sum of the squared distances from the mean gives the variance: two passes over registers or
// over memory, as exact as the CPU's.
__device__ __forceinline__ float rstd_of(float squares, int64_t columns, float epsilon) {
  return 1.0f / sqrtf(squares / static_cast<float>(columns) + epsilon);
}

__device__ __forceinline__ void keep_statistics(int64_t row, float centre, float scale, float* mean,
                                                float* rstd) {
  if (mean == nullptr || threadIdx.x % 32 != 0) return;
  mean[row] = centre;
  rstd[row] = scale;
}

// Rows of up to 128 * kVectors columns, a multiple of 4, each read once; 16-byte aligned.
template <class Out, int kVectors>
__global__ void __launch_bounds__(kWarps * 32)
    layer_norm_registers(const float* x, const float* gamma, const float* beta, int64_t rows,
                         int64_t columns, float epsilon, Out* y, float* mean, float* rstd) {
  const int64_t row = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32;
  if (row >= rows) return;
  const int first = static_cast<int>(threadIdx.x % 32) * 4;
  const int width = static_cast<int>(columns);
  const float* const from = x + row * columns;
  float4 values[kVectors];
  float sum = 0.0f;
#pragma unroll
  for (int i = 0; i < kVectors; ++i) {
    const int column = first + i * 128;
    values[i] = column < width ? load_vector<float4>(from + column) : float4{0, 0, 0, 0};
  }
#pragma unroll
  for (int i = 0; i < kVectors; ++i) {
    sum += (values[i].x + values[i].y) + (values[i].z + values[i].w);
  }
  const float centre = warp_sum(sum) / static_cast<float>(columns);
  float squares = 0.0f;
#pragma unroll
  for (int i = 0; i < kVectors; ++i) {
    if (first + i * 128 >= width) continue;
    values[i] = {values[i].x - centre, values[i].y - centre, values[i].z - centre,
                 values[i].w - centre};
    squares += (values[i].x * values[i].x + values[i].y * values[i].y) +
               (values[i].z * values[i].z + values[i].w * values[i].w);
  }
  const float scale = rstd_of(warp_sum(squares), columns, epsilon);
  keep_statistics(row, centre, scale, mean, rstd);
#pragma unroll
  for (int i = 0; i < kVectors; ++i) {
    const int column = first + i * 128;
    if (column >= width) continue;
    const auto g = load_vector<float4>(gamma + column), b = load_vector<float4>(beta + column);
    store_four(y + row * columns + column,
               {values[i].x * scale * g.x + b.x, values[i].y * scale * g.y + b.y,
                values[i].z * scale * g.z + b.z, values[i].w * scale * g.w + b.w});
  }
}

// Rows of any number of columns, read three times, the second and third time from a cache.
template <class Out>
__global__ void __launch_bounds__(kWarps * 32)
    layer_norm_any(const float* x, const float* gamma, const float* beta, int64_t rows,
                   int64_t columns, float epsilon, Out* y, float* mean, float* rstd) {
  const int64_t row = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32;
  if (row >= rows) return;
  const int64_t first = threadIdx.x % 32;
  const float* const from = x + row * columns;
  float sum = 0.0f;
  for (int64_t i = first; i < columns; i += 32) sum += from[i];
  const float centre = warp_sum(sum) / static_cast<float>(columns);
  float squares = 0.0f;
  for (int64_t i = first; i < columns; i += 32) {
    const float distance = from[i] - centre;
    squares += distance * distance;
  }
  const float scale = rstd_of(warp_sum(squares), columns, epsilon);
  keep_statistics(row, centre, scale, mean, rstd);
  for (int64_t i = first; i < columns; i += 32) {
    y[row * columns + i] = narrow<Out>((from[i] - centre) * scale * gamma[i] + beta[i]);
  }
}

template <class Out>
void layer_norm_to(Stream& stream, const Tensor& x, const Tensor& gamma, const Tensor& beta,
                   float epsilon, Tensor& y, Tensor& mean, Tensor& rstd) {
  const int64_t rows = x.dim(0), columns = x.dim(1);
  const bool aligned = columns % 4 == 0 && is_aligned(x.address()) && is_aligned(y.address()) &&
                       is_aligned(gamma.address()) && is_aligned(beta.address());
  const auto launch = [&](const char* name, auto kernel) {
    launch_kernel(name, kernel, dim3(blocks_for(rows, kWarps)), dim3(kWarps * 32), 0, queue(stream),
                  elements<float>(x), elements<float>(gamma), elements<float>(beta), rows, columns,
                  epsilon, elements<Out>(y), elements<float>(mean), elements<float>(rstd));
  };
  if (!aligned || columns > 12 * 128) {
    launch("layer_norm_any", layer_norm_any<Out>);
  } else if (columns <= 3 * 128) {
    launch("layer_norm_registers<3>", layer_norm_registers<Out, 3>);
  } else if (columns <= 6 * 128) {
    launch("layer_norm_registers<6>", layer_norm_registers<Out, 6>);
  } else if (columns <= 8 * 128) {
    launch("layer_norm_registers<8>", layer_norm_registers<Out, 8>);
  } else {
    launch("layer_norm_registers<12>", layer_norm_registers<Out, 12>);
  }
}

}  // namespace

void layer_norm(Stream& stream, const Tensor& x, const Tensor& gamma, const Tensor& beta,
                float epsilon, Tensor& y, Tensor& mean, Tensor& rstd) {
  if (y.dtype() == DType::kBF16) {
    layer_norm_to<BFloat16>(stream, x, gamma, beta, epsilon, y, mean, rstd);
  } else {
    layer_norm_to<float>(stream, x, gamma, beta, epsilon, y, mean, rstd);
  }
}

}  // namespace ata::cuda
