#include "cuda/dialect.h"
#include "test_kernels.h"

// One warp each.
namespace emu_test {
namespace {

using ata::cuda::load_vector;
using ata::cuda::shared_memory;
using ata::cuda::store_vector;

constexpr int kSharedFloats = 4096;
struct Floats {
  alignas(16) float at[kSharedFloats];
};

__global__ void contiguous(const float* x, float* y) {
  y[threadIdx.x] = x[threadIdx.x];
}
__global__ void strided(const float* x, int stride, float* y) {
  y[threadIdx.x] = x[static_cast<int>(threadIdx.x) * stride];
}
__global__ void broadcast(const float* x, float* y) {
  y[threadIdx.x] = x[0];
}
__global__ void vectors(const float* x, float* y) {
  store_vector(y + 4 * threadIdx.x, load_vector<float4>(x + 4 * threadIdx.x));
}
__global__ void offset_by_one(const float* x, float* y) {
  y[threadIdx.x] = x[threadIdx.x + 1];
}
// A column of a matrix in shared memory, whose rows may be padded.
__global__ void columns(int row_length, float* y) {
  auto& s = shared_memory<Floats>();
  const int at = static_cast<int>(threadIdx.x) * row_length;
  s.at[at] = 1;
  __syncwarp();
  y[threadIdx.x] = s.at[at];
}
__global__ void shared_vectors(int stride, float* y) {
  auto& s = shared_memory<Floats>();
  float* const at = s.at + static_cast<int>(threadIdx.x) * stride;
  store_vector(at, float4{1, 2, 3, 4});
  __syncwarp();
  y[threadIdx.x] = load_vector<float4>(at).x;
}
__global__ void half_warp(const float* x, float* y) {
  if (threadIdx.x < 16) y[threadIdx.x] = x[threadIdx.x];
}
__global__ void loop(const float* x, int times, float* y) {
  float sum = 0;
  for (int i = 0; i < times; ++i) sum += x[i * 32 + static_cast<int>(threadIdx.x)];
  y[threadIdx.x] = sum;
}

}  // namespace

void launch_contiguous(const float* x, float* y, cudaStream_t stream) {
  ATA_LAUNCH(contiguous, dim3(1), dim3(32), 0, stream, x, y);
}
void launch_strided(const float* x, int stride, float* y, cudaStream_t stream) {
  ATA_LAUNCH(strided, dim3(1), dim3(32), 0, stream, x, stride, y);
}
void launch_broadcast(const float* x, float* y, cudaStream_t stream) {
  ATA_LAUNCH(broadcast, dim3(1), dim3(32), 0, stream, x, y);
}
void launch_vectors(const float* x, float* y, cudaStream_t stream) {
  ATA_LAUNCH(vectors, dim3(1), dim3(32), 0, stream, x, y);
}
void launch_offset(const float* x, float* y, cudaStream_t stream) {
  ATA_LAUNCH(offset_by_one, dim3(1), dim3(32), 0, stream, x, y);
}
void launch_columns(int row_length, float* y, cudaStream_t stream) {
  ATA_LAUNCH(columns, dim3(1), dim3(32), sizeof(Floats), stream, row_length, y);
}
void launch_shared_vectors(int stride, float* y, cudaStream_t stream) {
  ATA_LAUNCH(shared_vectors, dim3(1), dim3(32), sizeof(Floats), stream, stride, y);
}
void launch_half_warp(const float* x, float* y, cudaStream_t stream) {
  ATA_LAUNCH(half_warp, dim3(1), dim3(32), 0, stream, x, y);
}
void launch_loop(const float* x, int times, float* y, cudaStream_t stream) {
  ATA_LAUNCH(loop, dim3(1), dim3(32), 0, stream, x, times, y);
}

}  // namespace emu_test
