#include <cmath>

#include "cuda/dialect.h"
#include "cuda/kernels/assignment_problems.h"

namespace ata::cuda {
namespace {

constexpr int kThreads = 256;

struct RangeShared {
  ValueRange parts[kThreads / 32];
};

// A block a problem.
__global__ void __launch_bounds__(kThreads) ranges_kernel(Problems problems) {
  RangeShared& shared = shared_memory<RangeShared>();
  const int64_t index = blockIdx.x;
  const float* values = problems.problem(index);
  const float forbidden = problems.maximize ? -INFINITY : INFINITY;
  float low = INFINITY, high = -INFINITY;
  bool any_forbidden = false, any_invalid = false;
  // A warp a row.
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  for (int i = warp; i < problems.rows; i += kThreads / 32) {
    const float* row = values + i * problems.stride;
#pragma unroll 4
    for (int j = lane; j < problems.columns; j += 32) {
      const float x = row[j];
      if (fabsf(x) < INFINITY) {
        low = fminf(low, x);
        high = fmaxf(high, x);
      } else if (x == forbidden) {
        any_forbidden = true;
      } else {
        any_invalid = true;
      }
    }
  }
  // Duals to start from are finite.
  if (problems.warm) {
    const double* duals = problems.column_duals + index * problems.columns;
    for (int j = static_cast<int>(threadIdx.x); j < problems.columns; j += kThreads) {
      if (!(fabs(duals[j]) < static_cast<double>(INFINITY))) any_invalid = true;
    }
  }
  for (int step = 16; step > 0; step /= 2) {
    low = fminf(low, __shfl_xor_sync(kAllLanes, low, step));
    high = fmaxf(high, __shfl_xor_sync(kAllLanes, high, step));
  }
  any_forbidden = __any_sync(kAllLanes, any_forbidden) != 0;
  any_invalid = __any_sync(kAllLanes, any_invalid) != 0;
  if (lane == 0) shared.parts[warp] = {low, high, any_forbidden ? 1 : 0, any_invalid ? 1 : 0};
  __syncthreads();
  if (threadIdx.x != 0) return;
  ValueRange range = shared.parts[0];
  for (int w = 1; w < kThreads / 32; ++w) {
    const ValueRange& part = shared.parts[w];
    range.low = fminf(range.low, part.low);
    range.high = fmaxf(range.high, part.high);
    range.forbidden |= part.forbidden;
    range.invalid |= part.invalid;
  }
  if (range.low > range.high) range.low = range.high = 0;
  problems.ranges[index] = range;
}

}  // namespace

void find_ranges(const Stream& stream, const Problems& problems) {
  ATA_LAUNCH(ranges_kernel, dim3(static_cast<unsigned>(problems.count)), dim3(kThreads),
             sizeof(RangeShared), queue(stream), problems);
}

void solve(const Stream& stream, const Problems& problems) {
  find_ranges(stream, problems);
  solve_in_integers(stream, problems);
  conclude_in_float64(stream, problems);
}

}  // namespace ata::cuda
