#include <cmath>

#include "cuda/dialect.h"
#include "cuda/kernels/transport.h"

namespace ata::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / 32;
constexpr float kLowest = -3.402823466e38F;

// A sum of exponentials, as exp(top) * sum, which nothing can overflow.
struct ExponentialSum {
  float top = kLowest;
  float sum = 0;
  __device__ __forceinline__ void add(float exponent) {
    if (exponent <= top) {
      sum += expf(exponent - top);
    } else {
      sum = sum * expf(top - exponent) + 1;
      top = exponent;
    }
  }
  __device__ __forceinline__ void add(const ExponentialSum& other) {
    const float greater = fmaxf(top, other.top);
    sum = sum * expf(top - greater) + other.sum * expf(other.top - greater);
    top = greater;
  }
  __device__ __forceinline__ float logarithm() const { return top + logf(sum); }
};

// A block a problem; the logarithms of the scalings of rows and columns in shared memory.
__global__ void __launch_bounds__(kThreads)
    transport_kernel(const float* similarities, int patches, int64_t stride, float scale,
                     int iterations, float* plans) {
  float* row_potential = &shared_memory<float>();
  float* column_potential = row_potential + patches;
  const int64_t matrix = int64_t{blockIdx.x} * patches * stride;
  const float* values = similarities + matrix;
  const int thread = static_cast<int>(threadIdx.x), lane = thread % 32, warp = thread / 32;
  for (int j = thread; j < patches; j += kThreads) column_potential[j] = 0;
  __syncthreads();
  for (int iteration = 0; iteration < iterations; ++iteration) {
    for (int i = warp; i < patches; i += kWarps) {
      ExponentialSum sum;
      for (int j = lane; j < patches; j += 32) {
        sum.add(fmaf(values[i * stride + j], scale, column_potential[j]));
      }
      for (int step = 16; step > 0; step /= 2) {
        sum.add(ExponentialSum{__shfl_xor_sync(kAllLanes, sum.top, step),
                               __shfl_xor_sync(kAllLanes, sum.sum, step)});
      }
      if (lane == 0) row_potential[i] = -sum.logarithm();
    }
    __syncthreads();
    for (int j = thread; j < patches; j += kThreads) {
      ExponentialSum sum;
      for (int i = 0; i < patches; ++i) {
        sum.add(fmaf(values[i * stride + j], scale, row_potential[i]));
      }
      column_potential[j] = -sum.logarithm();
    }
    __syncthreads();
  }
  for (int i = warp; i < patches; i += kWarps) {
    for (int j = lane; j < patches; j += 32) {
      const float exponent = fmaf(values[i * stride + j], scale, row_potential[i]);
      plans[matrix + i * stride + j] = expf(exponent + column_potential[j]);
    }
  }
}

}  // namespace

void entropic_transport(const Stream& stream, const float* similarities, int64_t count,
                        int64_t patches, int64_t stride, float temperature, int iterations,
                        float* plans) {
  ATA_LAUNCH(transport_kernel, dim3(static_cast<unsigned>(count)), dim3(kThreads),
             2 * static_cast<size_t>(patches) * sizeof(float), queue(stream), similarities,
             static_cast<int>(patches), stride, 1 / temperature, iterations, plans);
}

}  // namespace ata::cuda
