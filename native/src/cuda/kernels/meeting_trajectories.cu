#include "cuda/dialect.h"
#include "cuda/kernels/meeting_trajectories.h"
#include "cuda/kernels/vectors.cuh"

namespace ata::cuda {
namespace {

constexpr int kWarps = 4;
constexpr int kThreads = 256;

// A warp sorts a frame's trajectories by their patch, 32 at a time, those of a patch in their
// order.
__global__ void __launch_bounds__(kWarps * 32)
    order_visitors(const int32_t* index, const int32_t* visits, int64_t frames, int64_t patches,
                   int32_t* ends, int32_t* visitors) {
  const int64_t frame = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32;
  if (frame >= frames) return;
  const unsigned lane = threadIdx.x % 32;
  const int64_t at = frame * patches;
  // Where each patch's visitors begin.
  int32_t before = 0;
  for (int64_t first = 0; first < patches; first += 32) {
    const int64_t patch = first + lane;
    const int32_t count = patch < patches ? visits[at + patch] : 0;
    int32_t sum = count;
    for (unsigned step = 1; step < 32; step *= 2) {
      const int32_t other = __shfl_up_sync(kAllLanes, sum, step);
      if (lane >= step) sum += other;
    }
    if (patch < patches) ends[at + patch] = before + sum - count;
    before += __shfl_sync(kAllLanes, sum, 31);
  }
  __syncwarp();
  for (int64_t first = 0; first < patches; first += 32) {
    const int64_t n = first + lane;
    const int32_t patch = n < patches ? index[at + n] : -1;
    unsigned same = 0;
    for (unsigned other = 0; other < 32; ++other) {
      if (__shfl_sync(kAllLanes, patch, static_cast<int>(other)) == patch) same |= 1U << other;
    }
    const unsigned earlier = same & ((1U << lane) - 1U);
    const int32_t begin = patch >= 0 ? ends[at + patch] : 0;
    __syncwarp();
    if (patch >= 0) {
      visitors[at + begin + __popc(earlier)] = static_cast<int32_t>(n);
      if (earlier == 0) ends[at + patch] = begin + __popc(same);
    }
    __syncwarp();
  }
}

// A thread takes kPer columns of a row.
template <class Out, int kPer>
__global__ void __launch_bounds__(kThreads)
    combine_visitors(const float* x, const int32_t* visits, const int32_t* ends,
                     const int32_t* visitors, int64_t rows, int64_t patches, int64_t columns,
                     bool mean, Out* y) {
  const int64_t id = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  const int64_t pieces = columns / kPer;
  const int64_t row = id / pieces;
  if (row >= rows) return;
  const int64_t column = (id - row * pieces) * kPer;
  const int64_t frame = row / patches * patches;
  const int32_t count = visits[row], end = ends[row];
  float sums[kPer] = {};
  for (int32_t i = end - count; i < end; ++i) {
    const float* const from = x + (frame + visitors[frame + i]) * columns + column;
    if constexpr (kPer == 4) {
      const auto values = load_vector<float4>(from);
      sums[0] += values.x;
      sums[1] += values.y;
      sums[2] += values.z;
      sums[3] += values.w;
    } else {
      sums[0] += *from;
    }
  }
  const float factor = mean && count > 0 ? 1.0f / static_cast<float>(count) : 1.0f;
  Out* const to = y + row * columns + column;
  if constexpr (kPer == 4) {
    store_four(to, {sums[0] * factor, sums[1] * factor, sums[2] * factor, sums[3] * factor});
  } else {
    *to = narrow<Out>(sums[0] * factor);
  }
}

template <class Out>
void combine_to(Stream& stream, const Tensor& x, const ClipLayout& layout, const Tensor& visits,
                const Meetings& meetings, bool mean, Tensor& y) {
  const int64_t rows = layout.patch_rows(), columns = y.dim(1);
  const auto launch = [&](const char* name, auto kernel, int64_t per) {
    launch_kernel(name, kernel, dim3(blocks_for(rows * columns / per, kThreads)), dim3(kThreads), 0,
                  queue(stream), elements<float>(x), elements<int32_t>(visits),
                  elements<int32_t>(meetings.ends), elements<int32_t>(meetings.visitors), rows,
                  layout.patches, columns, mean, elements<Out>(y));
  };
  if (columns % 4 == 0 && is_aligned(x.address()) && is_aligned(y.address())) {
    launch("combine_visitors<4>", combine_visitors<Out, 4>, 4);
  } else {
    launch("combine_visitors<1>", combine_visitors<Out, 1>, 1);
  }
}

}  // namespace

Meetings find_meetings(Stream& stream, const ClipLayout& layout, const Tensor& trajectories,
                       const Tensor& visits) {
  const Shape shape = {layout.frame_count(), layout.patches};
  Meetings meetings = {Tensor(shape, DType::kI32, stream.allocator),
                       Tensor(shape, DType::kI32, stream.allocator)};
  ATA_LAUNCH(order_visitors, dim3(blocks_for(layout.frame_count(), kWarps)), dim3(kWarps * 32), 0,
             queue(stream), elements<int32_t>(trajectories), elements<int32_t>(visits),
             layout.frame_count(), layout.patches, elements<int32_t>(meetings.ends),
             elements<int32_t>(meetings.visitors));
  return meetings;
}

void combine_meetings(Stream& stream, const Tensor& x, const ClipLayout& layout,
                      const Tensor& visits, const Meetings& meetings, bool mean, Tensor& y) {
  if (y.dtype() == DType::kBF16) {
    combine_to<BFloat16>(stream, x, layout, visits, meetings, mean, y);
  } else {
    combine_to<float>(stream, x, layout, visits, meetings, mean, y);
  }
}

}  // namespace ata::cuda
