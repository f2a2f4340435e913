#include "cuda/entries.h"
#include "cuda/kernels/each.cuh"
#include "cuda/kernels/rows.h"

namespace ata::cuda {
namespace {

struct ScaleRows {
  const float* x;
  const float* scale;
  const float* residual;
  int64_t columns;
  float* y;
  __device__ void operator()(int64_t row, int column) const {
    const int64_t i = row * columns + column;
    const float product = scale != nullptr ? scale[row] * x[i] : x[i];
    y[i] = residual != nullptr ? residual[i] + product : product;
  }
};

struct MeanRowsGradient {
  const float* dy;
  int64_t count;
  int64_t columns;
  float factor;
  float* dx;
  __device__ void operator()(int64_t row, int column) const {
    const int64_t i = row * columns + column;
    dx[i] = fmaf(factor, dy[row / count * columns + column], dx[i]);
  }
};

struct GatherRows {
  const float* x;
  const int32_t* index;
  const float* weight;
  int64_t taps;
  int64_t columns;
  float* y;
  __device__ void operator()(int64_t row, int column) const {
    float sum = 0;
    for (int64_t tap = row * taps; tap < (row + 1) * taps; ++tap) {
      sum = fmaf(weight[tap], x[index[tap] * columns + column], sum);
    }
    y[row * columns + column] = sum;
  }
};

// Several rows may come from one: each column's sums are made in order, by one thread.
struct GatherRowsGradient {
  const float* dy;
  const int32_t* index;
  const float* weight;
  int64_t rows;
  int64_t taps;
  int64_t columns;
  float* dx;
  __device__ void operator()(int64_t column) const {
    for (int64_t tap = 0; tap < rows * taps; ++tap) {
      float& sum = dx[index[tap] * columns + column];
      sum = fmaf(weight[tap], dy[tap / taps * columns + column], sum);
    }
  }
};

constexpr int kTile = 32;
constexpr int kTileRows = 8;

// With a column to spare, so that a warp reads a column of the tile without bank conflicts.
struct Tile {
  float values[kTile][kTile + 1];
};

__global__ void __launch_bounds__(kTile* kTileRows)
    transpose_kernel(const float* x, int64_t rows, int64_t columns, float* y) {
  Tile& tile = shared_memory<Tile>();
  const int64_t across = (columns + kTile - 1) / kTile, down = (rows + kTile - 1) / kTile;
  const int64_t matrix = blockIdx.x / (across * down);
  const int64_t row0 = blockIdx.x / across % down * kTile;
  const int64_t column0 = blockIdx.x % across * kTile;
  const int lane = static_cast<int>(threadIdx.x) % kTile,
            line = static_cast<int>(threadIdx.x) / kTile;
  const int64_t base = matrix * rows * columns;
  for (int r = line; r < kTile; r += kTileRows) {
    if (row0 + r < rows && column0 + lane < columns) {
      tile.values[r][lane] = x[base + (row0 + r) * columns + column0 + lane];
    }
  }
  __syncthreads();
  for (int c = line; c < kTile; c += kTileRows) {
    if (column0 + c < columns && row0 + lane < rows) {
      y[base + (column0 + c) * rows + row0 + lane] = tile.values[lane][c];
    }
  }
}

// Rows that one block sums up: partial sums keep the rounding error from growing with their number,
// and the same order whatever the device.
constexpr int kSumRows = 128;

// partial(chunk, column) = the sum of kSumRows rows, or of those that are left, of group
// blockIdx.y.
__global__ void __launch_bounds__(kTile* kTileRows)
    column_sums_kernel(const float* x, int64_t rows, int64_t columns, int64_t column_tiles,
                       float factor, bool accumulate, float* partial) {
  Tile& tile = shared_memory<Tile>();
  const int lane = static_cast<int>(threadIdx.x) % kTile,
            line = static_cast<int>(threadIdx.x) / kTile;
  const int64_t chunk = blockIdx.x / column_tiles;
  const int64_t column = blockIdx.x % column_tiles * kTile + lane;
  const int64_t begin = chunk * kSumRows;
  const int64_t end = begin + kSumRows < rows ? begin + kSumRows : rows;
  const float* group = x + int64_t{blockIdx.y} * rows * columns;
  float sum = 0;
  if (column < columns) {
    for (int64_t r = begin + line; r < end; r += kTileRows) sum += group[r * columns + column];
  }
  tile.values[line][lane] = sum;
  __syncthreads();
  if (line > 0 || column >= columns) return;
  for (int l = 1; l < kTileRows; ++l) sum += tile.values[l][lane];
  const int64_t chunks = (rows + kSumRows - 1) / kSumRows;
  float& out = partial[(blockIdx.y * chunks + chunk) * columns + column];
  out = accumulate ? out + factor * sum : factor * sum;
}

// A warp a row.
__global__ void __launch_bounds__(kEachThreads)
    negative_row_dots_kernel(const float* a, const float* b, const float* divisor, int64_t rows,
                             int64_t columns, float* y) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int64_t row = int64_t{blockIdx.x} * (kEachThreads / 32) + threadIdx.x / 32;
  if (row >= rows) return;
  double sum = 0;
  for (int64_t c = lane; c < columns; c += 32) {
    sum += static_cast<double>(a[row * columns + c]) * b[row * columns + c];
  }
  sum = warp_sum(sum);
  if (lane > 0) return;
  y[row] = divisor[row] == 0.0F ? 0.0F : static_cast<float>(-sum / divisor[row]);
}

}  // namespace

void sum_columns(Stream& stream, const float* x, int64_t groups, int64_t rows, int64_t columns,
                 float factor, bool accumulate, float* y) {
  const int64_t chunks = (rows + kSumRows - 1) / kSumRows;
  const int64_t tiles = (columns + kTile - 1) / kTile;
  // Groups are few: clips, or one.
  constexpr int64_t kMostGroups = 65535;
  for (int64_t first = 0; first < groups; first += kMostGroups) {
    const int64_t some = groups - first < kMostGroups ? groups - first : kMostGroups;
    const dim3 grid(static_cast<unsigned>(chunks * tiles), static_cast<unsigned>(some));
    const float* from = x + first * rows * columns;
    float* to = y + first * columns;
    if (chunks == 1) {
      ATA_LAUNCH(column_sums_kernel, grid, dim3(kTile * kTileRows), sizeof(Tile), queue(stream),
                 from, rows, columns, tiles, factor, accumulate, to);
      continue;
    }
    Tensor partial({some, chunks, columns}, DType::kF32, stream.allocator);
    ATA_LAUNCH(column_sums_kernel, grid, dim3(kTile * kTileRows), sizeof(Tile), queue(stream), from,
               rows, columns, tiles, 1.0F, false, elements<float>(partial));
    sum_columns(stream, elements<float>(partial), some, chunks, columns, factor, accumulate, to);
  }
}

void scale_rows(Stream& stream, const Tensor& x, const Tensor& scale, const Tensor& residual,
                Tensor& y) {
  for_each_in_rows("scale_rows", stream, x.dim(0), x.dim(1),
                   ScaleRows{elements<float>(x), elements<float>(scale), elements<float>(residual),
                             x.dim(1), elements<float>(y)});
}

void transpose(Stream& stream, const Tensor& x, Tensor& y) {
  const int64_t rows = x.dim(1), columns = x.dim(2);
  const int64_t tiles = (rows + kTile - 1) / kTile * ((columns + kTile - 1) / kTile);
  ATA_LAUNCH(transpose_kernel, dim3(static_cast<unsigned>(x.dim(0) * tiles)),
             dim3(kTile * kTileRows), sizeof(Tile), queue(stream), elements<float>(x), rows,
             columns, elements<float>(y));
}

void mean_rows(Stream& stream, const Tensor& x, int64_t count, Tensor& y) {
  sum_columns(stream, elements<float>(x), y.dim(0), count, x.dim(1),
              1.0F / static_cast<float>(count), false, elements<float>(y));
}

void mean_rows_gradient(Stream& stream, const Tensor& dy, int64_t count, Tensor& dx) {
  for_each_in_rows("mean_rows_gradient", stream, dx.dim(0), dx.dim(1),
                   MeanRowsGradient{elements<float>(dy), count, dx.dim(1),
                                    1.0F / static_cast<float>(count), elements<float>(dx)});
}

void gather_rows(Stream& stream, const Tensor& x, const Tensor& index, const Tensor& weight,
                 Tensor& y) {
  for_each_in_rows("gather_rows", stream, index.dim(0), x.dim(1),
                   GatherRows{elements<float>(x), elements<int32_t>(index), elements<float>(weight),
                              index.dim(1), x.dim(1), elements<float>(y)});
}

void gather_rows_gradient(Stream& stream, const Tensor& dy, const Tensor& index,
                          const Tensor& weight, Tensor& dx) {
  for_each(
      "gather_rows_gradient", stream, dx.dim(1),
      GatherRowsGradient{elements<float>(dy), elements<int32_t>(index), elements<float>(weight),
                         index.dim(0), index.dim(1), dx.dim(1), elements<float>(dx)});
}

void linear_bias_gradient(Stream& stream, const Tensor& dy, Tensor& dbias) {
  sum_columns(stream, elements<float>(dy), 1, dy.dim(0), dy.dim(1), 1.0F, true,
              elements<float>(dbias));
}

void negative_row_dots(Stream& stream, const Tensor& a, const Tensor& b, const Tensor& divisor,
                       Tensor& y) {
  ATA_LAUNCH(negative_row_dots_kernel, dim3(blocks_for(a.dim(0), kEachThreads / 32)),
             dim3(kEachThreads), 0, queue(stream), elements<float>(a), elements<float>(b),
             elements<float>(divisor), a.dim(0), a.dim(1), elements<float>(y));
}

}  // namespace ata::cuda
