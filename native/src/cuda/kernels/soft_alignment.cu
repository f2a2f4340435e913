#include "cuda/blas.h"
#include "cuda/entries.h"
#include "cuda/kernels/each.cuh"

namespace ata::cuda {
namespace {

constexpr int kWarps = kEachThreads / 32;

// Rows scaled to unit length, a warp a row; rows of length 0 stay 0. Lengths are taken in f64,
// since squares may leave the range of f32.
__global__ void __launch_bounds__(kEachThreads)
    normalize_rows_kernel(const float* x, int64_t rows, int64_t columns, float* unit,
                          float* lengths, int32_t* status) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int64_t row = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32;
  if (row >= rows) return;
  double square = 0;
  for (int64_t c = lane; c < columns; c += 32) {
    const double value = x[row * columns + c];
    square = fma(value, value, square);
  }
  square = warp_sum(square);
  // Also for NaN.
  if (!(square < INFINITY)) {
    if (lane == 0) atomicOr(status, kFeatureNotFinite);
    square = 0;
  }
  const double length = sqrt(square), scale = length > 0 ? 1 / length : 0;
  if (lane == 0) lengths[row] = static_cast<float>(length);
  for (int64_t c = lane; c < columns; c += 32) {
    const float value = static_cast<float>(x[row * columns + c] * scale);
    unit[row * columns + c] = scale > 0 ? value : 0.0F;
  }
}

// In place: the softmax of each row over a temperature, a warp a row.
__global__ void __launch_bounds__(kEachThreads)
    softmax_rows_kernel(float* x, int64_t rows, int64_t columns, float scale) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int64_t row = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32;
  if (row >= rows) return;
  float* values = x + row * columns;
  float largest = -INFINITY;
  for (int64_t c = lane; c < columns; c += 32) largest = fmaxf(largest, values[c]);
  largest = warp_max(largest);
  float sum = 0;
  for (int64_t c = lane; c < columns; c += 32) sum += expf((values[c] - largest) * scale);
  const float factor = 1.0F / warp_sum(sum);
  for (int64_t c = lane; c < columns; c += 32) {
    values[c] = expf((values[c] - largest) * scale) * factor;
  }
}

// From the gradient of weights to that of similarities: w (g - w . g) / temperature, a warp a row.
__global__ void __launch_bounds__(kEachThreads)
    softmax_gradient_kernel(const float* weights, const float* dweights, int64_t rows,
                            int64_t columns, float temperature, float* dsimilarity) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int64_t row = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32;
  if (row >= rows) return;
  double mean = 0;
  for (int64_t c = row * columns + lane; c < (row + 1) * columns; c += 32) {
    mean += static_cast<double>(weights[c]) * dweights[c];
  }
  const auto middle = static_cast<float>(warp_sum(mean));
  for (int64_t c = row * columns + lane; c < (row + 1) * columns; c += 32) {
    dsimilarity[c] = weights[c] * (dweights[c] - middle) / temperature;
  }
}

// From the gradient of unit-length rows to that of the features, added: a warp a row.
__global__ void __launch_bounds__(kEachThreads)
    normalize_gradient_kernel(const float* unit, const float* lengths, const float* dunit,
                              int64_t rows, int64_t columns, float* dfeatures) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int64_t row = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32;
  if (row >= rows) return;
  const float length = lengths[row];
  if (!(length > 0)) return;
  double along = 0;
  for (int64_t c = row * columns + lane; c < (row + 1) * columns; c += 32) {
    along += static_cast<double>(dunit[c]) * unit[c];
  }
  const auto component = static_cast<float>(warp_sum(along));
  for (int64_t c = row * columns + lane; c < (row + 1) * columns; c += 32) {
    dfeatures[c] += (dunit[c] - component * unit[c]) / length;
  }
}

struct UnitRows {
  Tensor rows;
  Tensor lengths;
};

UnitRows normalize(Stream& stream, const Tensor& features) {
  UnitRows unit = {Tensor(features.shape(), DType::kF32, stream.allocator),
                   Tensor({features.dim(0)}, DType::kF32, stream.allocator)};
  ATA_LAUNCH(normalize_rows_kernel, dim3(blocks_for(features.dim(0), kWarps)), dim3(kEachThreads),
             0, queue(stream), elements<float>(features), features.dim(0), features.dim(1),
             elements<float>(unit.rows), elements<float>(unit.lengths),
             elements<int32_t>(stream.status));
  return unit;
}

// The rows of one frame of `[B*T*N, D]`.
Tensor frame_rows(const Tensor& rows, const ClipLayout& layout, int64_t frame) {
  return rows.slice(frame * layout.patches, (frame + 1) * layout.patches);
}

// The first pair's matrix of a clip in `[B, T - 1, N, N]`.
Tensor first_pair(const Tensor& pairs, const ClipLayout& layout, int64_t clip) {
  const int64_t n = layout.patches;
  return pairs.reshape({layout.pairs(), n, n})
      .slice(clip * (layout.frames - 1), clip * (layout.frames - 1) + 1)
      .reshape({n, n});
}

// How a clip's pairs lie behind each other.
Batch pair_batch(const ClipLayout& layout, int64_t columns, bool similarity_first) {
  const int64_t frame = layout.patches * columns, matrix = layout.patches * layout.patches;
  return {layout.frames - 1, similarity_first ? matrix : frame, frame,
          similarity_first ? frame : matrix};
}

dim3 pair_rows_grid(const ClipLayout& layout) {
  return dim3(blocks_for(layout.pairs() * layout.patches, kWarps));
}

}  // namespace

void soft_weights(Stream& stream, const Tensor& features, const ClipLayout& layout,
                  float temperature, Tensor& weights) {
  const UnitRows unit = normalize(stream, features);
  if (weights.count() == 0) return;
  for (int64_t clip = 0; clip < layout.clips; ++clip) {
    const int64_t frame = clip * layout.frames;
    Tensor first = first_pair(weights, layout, clip);
    multiply(stream, {frame_rows(unit.rows, layout, frame)},
             {frame_rows(unit.rows, layout, frame + 1), true}, {}, false, first,
             pair_batch(layout, features.dim(1), false));
  }
  ATA_LAUNCH(softmax_rows_kernel, pair_rows_grid(layout), dim3(kEachThreads), 0, queue(stream),
             elements<float>(weights), layout.pairs() * layout.patches, layout.patches,
             1.0F / temperature);
}

void soft_weights_gradient(Stream& stream, const Tensor& features, const ClipLayout& layout,
                           float temperature, const Tensor& weights, const Tensor& dweights,
                           Tensor& dfeatures) {
  if (weights.count() == 0) return;
  const UnitRows unit = normalize(stream, features);
  Tensor dsimilarity(weights.shape(), DType::kF32, stream.allocator);
  ATA_LAUNCH(softmax_gradient_kernel, pair_rows_grid(layout), dim3(kEachThreads), 0, queue(stream),
             elements<float>(weights), elements<float>(dweights), layout.pairs() * layout.patches,
             layout.patches, temperature, elements<float>(dsimilarity));
  Tensor dunit(features.shape(), DType::kF32, stream.allocator);
  stream.device.fill(dunit.address(), 0, dunit.bytes(), stream);
  for (int64_t clip = 0; clip < layout.clips; ++clip) {
    const int64_t frame = clip * layout.frames;
    const Tensor first = first_pair(dsimilarity, layout, clip);
    const Batch batch = pair_batch(layout, features.dim(1), true);
    // Each frame from the pair that it begins, then from the one that it ends.
    Tensor begins = frame_rows(dunit, layout, frame), ends = frame_rows(dunit, layout, frame + 1);
    multiply(stream, {first}, {frame_rows(unit.rows, layout, frame + 1)}, {}, true, begins, batch);
    multiply(stream, {first, true}, {frame_rows(unit.rows, layout, frame)}, {}, true, ends, batch);
  }
  ATA_LAUNCH(normalize_gradient_kernel, dim3(blocks_for(features.dim(0), kWarps)),
             dim3(kEachThreads), 0, queue(stream), elements<float>(unit.rows),
             elements<float>(unit.lengths), elements<float>(dunit), features.dim(0),
             features.dim(1), elements<float>(dfeatures));
}

}  // namespace ata::cuda
