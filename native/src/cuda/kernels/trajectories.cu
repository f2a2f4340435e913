#include <cmath>

#include "cuda/dialect.h"
#include "cuda/entries.h"
#include "cuda/kernels/each.cuh"
#include "cuda/kernels/trajectories.h"

namespace ata::cuda {
namespace {

constexpr int kRowWarps = 8;

// A warp a row.
__global__ void __launch_bounds__(32 * kRowWarps)
    greatest_kernel(const float* values, int64_t rows, int64_t columns, int64_t stride,
                    int32_t* places) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int64_t i = int64_t{blockIdx.x} * kRowWarps + threadIdx.x / 32;
  if (i >= rows) return;
  const float* row = values + i * stride;
  float greatest = -INFINITY;
  int place = 0;
  for (int64_t j = lane; j < columns; j += 32) {
    if (row[j] > greatest) {
      greatest = row[j];
      place = static_cast<int>(j);
    }
  }
  for (int step = 16; step > 0; step /= 2) {
    const float other = __shfl_xor_sync(kAllLanes, greatest, step);
    const int there = __shfl_xor_sync(kAllLanes, place, step);
    if (other > greatest || (other == greatest && there < place)) {
      greatest = other;
      place = there;
    }
  }
  if (lane == 0) places[i] = place;
}

}  // namespace

void stay_in_place(Stream& stream, int64_t frames, int64_t patches, int32_t* trajectories) {
  for_each("stay_in_place", stream, frames * patches,
           [=] __device__(int64_t i) { trajectories[i] = static_cast<int32_t>(i % patches); });
}

void follow(Stream& stream, const Chain& chain, int32_t* trajectories, float* similarities) {
  for_each("follow", stream, chain.clips * chain.patches, [=] __device__(int64_t line) {
    const int64_t clip = line / chain.patches, n = line - clip * chain.patches;
    const int64_t skipped = chain.before != nullptr ? 0 : 1;
    auto now = chain.before != nullptr ? chain.before[line] : static_cast<int32_t>(n);
    int32_t* to = trajectories + clip * chain.frames * chain.patches + n;
    if (skipped != 0) to[0] = now;
    int64_t from = clip * (chain.frames - skipped) * chain.patches;
    for (int64_t t = skipped; t < chain.frames; ++t, from += chain.patches) {
      if (similarities != nullptr) similarities[from + n] = chain.similarities[from + now];
      if (chain.matches != nullptr) now = chain.matches[from + now];
      to[t * chain.patches] = now;
    }
  });
}

void find_greatest(Stream& stream, const float* values, int64_t rows, int64_t columns,
                   int64_t stride, int32_t* places) {
  ATA_LAUNCH(greatest_kernel, dim3(blocks_for(rows, kRowWarps)), dim3(32 * kRowWarps), 0,
             queue(stream), values, rows, columns, stride, places);
}

void pick(Stream& stream, const float* values, int64_t rows, int64_t stride, const int32_t* columns,
          float* y) {
  for_each("pick", stream, rows,
           [=] __device__(int64_t i) { y[i] = values[i * stride + columns[i]]; });
}

template <class T>
void keep_last_frames(Stream& stream, const T* from, int64_t clips, int64_t frames,
                      int64_t frame_size, const int* refused, T* to) {
  for_each("keep_last_frames", stream, clips * frame_size, [=] __device__(int64_t i) {
    if (*refused != 0) return;
    const int64_t clip = i / frame_size;
    to[i] = from[((clip + 1) * frames - 1) * frame_size + (i - clip * frame_size)];
  });
}
template void keep_last_frames(Stream&, const float*, int64_t, int64_t, int64_t, const int*,
                               float*);
template void keep_last_frames(Stream&, const double*, int64_t, int64_t, int64_t, const int*,
                               double*);
template void keep_last_frames(Stream&, const int32_t*, int64_t, int64_t, int64_t, const int*,
                               int32_t*);

void invert_matchings(Stream& stream, const int32_t* matchings, const int32_t* unfinished,
                      int64_t count, int64_t rows, int64_t columns, int32_t* inverse) {
  for_each("clear_matchings", stream, count * columns,
           [=] __device__(int64_t i) { inverse[i] = -1; });
  for_each("invert_matchings", stream, count * rows, [=] __device__(int64_t i) {
    const int64_t problem = i / rows;
    if (unfinished[problem] != 0) return;
    inverse[problem * columns + matchings[i]] = static_cast<int32_t>(i - problem * rows);
  });
}

void count_visits(Stream& stream, const Tensor& trajectories, Tensor& visits) {
  if (trajectories.count() == 0) return;
  stream.device.fill(visits.address(), 0, visits.bytes(), stream);
  const int32_t* indices = elements<int32_t>(trajectories);
  const int64_t patches = trajectories.dim(2);
  int32_t* counts = elements<int32_t>(visits);
  int* status = elements<int32_t>(stream.status);
  for_each("count_visits", stream, trajectories.count(), [=] __device__(int64_t i) {
    const int32_t patch = indices[i];
    if (patch < 0 || patch >= patches) {
      atomicOr(status, kPatchOutOfRange);
    } else {
      atomicAdd(counts + (i / patches * patches + patch), 1);
    }
  });
}

void visited_rows(Stream& stream, const Tensor& visits, Tensor& rows) {
  const int32_t* counts = elements<int32_t>(visits);
  float* y = elements<float>(rows);
  for_each("visited_rows", stream, visits.count(),
           [=] __device__(int64_t i) { y[i] = counts[i] > 0 ? 1.0F : 0.0F; });
}

}  // namespace ata::cuda
