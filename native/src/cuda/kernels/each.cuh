#ifndef ATA_CUDA_KERNELS_EACH_CUH_
#define ATA_CUDA_KERNELS_EACH_CUH_

#include "cuda/dialect.h"

/// Kernels whose elements have nothing to do with each other.
namespace ata::cuda {

constexpr int kEachThreads = 256;
// Elements of a thread, as far apart as the block has threads: neighbouring threads take
// neighbouring elements.
constexpr int kEachPerThread = 4;

/// body(i) for i from 0 to count - 1.
template <class Body>
__global__ void __launch_bounds__(kEachThreads) for_each_kernel(int64_t count, Body body) {
  int64_t i = int64_t{blockIdx.x} * (kEachThreads * kEachPerThread) + threadIdx.x;
  for (int k = 0; k < kEachPerThread && i < count; ++k, i += kEachThreads) body(i);
}

/// body(row, column), a block for each row.
template <class Body>
__global__ void __launch_bounds__(kEachThreads) for_each_in_rows_kernel(int columns, Body body) {
  for (int c = static_cast<int>(threadIdx.x); c < columns; c += static_cast<int>(blockDim.x)) {
    body(int64_t{blockIdx.x}, c);
  }
}

template <class Body>
void for_each(const char* name, Stream& stream, int64_t count, const Body& body) {
  launch_kernel(name, for_each_kernel<Body>,
                dim3(blocks_for(count, int64_t{kEachThreads} * kEachPerThread)), dim3(kEachThreads),
                0, queue(stream), count, body);
}

template <class Body>
void for_each_in_rows(const char* name, Stream& stream, int64_t rows, int64_t columns,
                      const Body& body) {
  if (columns == 0) return;
  const auto threads =
      static_cast<unsigned>(columns >= kEachThreads ? kEachThreads : (columns + 31) / 32 * 32);
  launch_kernel(name, for_each_in_rows_kernel<Body>, dim3(static_cast<unsigned>(rows)),
                dim3(threads), 0, queue(stream), static_cast<int>(columns), body);
}

}  // namespace ata::cuda

#endif  // ATA_CUDA_KERNELS_EACH_CUH_
