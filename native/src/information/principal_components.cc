#include "information/principal_components.h"

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "base/threads.h"
#include "tensor/aligned_buffer.h"
#include "tensor/product.h"

namespace ata {
namespace {

constexpr int kIterations = 60;
constexpr int64_t kOversampling = 8;
constexpr double kNegligible = 1e-10;

std::vector<double> column_means(const float* rows, int64_t count, int64_t channels) {
  std::vector<double> mean(static_cast<size_t>(channels));
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t k = 0; k < channels; ++k) {
      mean[static_cast<size_t>(k)] += rows[i * channels + k];
    }
  }
  for (double& x : mean) x /= static_cast<double>(count);
  return mean;
}

// Sums of products of centred columns over blocks of rows: float32 within a block, float64 across.
SampleMatrix covariance(const float* rows, int64_t count, int64_t channels,
                        const std::vector<double>& mean) {
  constexpr int64_t kBlock = 256;
  const auto size = static_cast<size_t>(channels * channels);
  SampleMatrix sum{channels, channels, std::vector<double>(size)};
  std::vector<float> centred(static_cast<size_t>(kBlock * channels));
  std::vector<float> transposed(centred.size());
  AlignedBuffer<float> panels;
  panels.reserve(static_cast<size_t>(panel_elements(channels, kBlock)));
  std::vector<float> product(size);
  for (int64_t first = 0; first < count; first += kBlock) {
    const int64_t block = std::min(kBlock, count - first);
    for (int64_t i = 0; i < block; ++i) {
      for (int64_t k = 0; k < channels; ++k) {
        const auto x =
            static_cast<float>(rows[(first + i) * channels + k] - mean[static_cast<size_t>(k)]);
        centred[static_cast<size_t>(i * channels + k)] = x;
        transposed[static_cast<size_t>(k * block + i)] = x;
      }
    }
    pack(centred.data(), channels, block, panels.data());
    parallel_for(channels, 48, [&](int64_t begin, int64_t end) {
      multiply_panels(transposed.data() + begin * block, end - begin, block, panels.data(),
                      channels, product.data() + begin * channels);
    });
    for (size_t k = 0; k < size; ++k) sum.values[k] += product[k];
  }
  for (double& x : sum.values) x /= static_cast<double>(count);
  return sum;
}

double dot(const double* a, const double* b, int64_t count) {
  double sum = 0;
  for (int64_t k = 0; k < count; ++k) sum += a[k] * b[k];
  return sum;
}

// Makes the rows orthonormal (Gram-Schmidt, twice for accuracy); dependent ones become 0.
void orthonormalize(SampleMatrix& basis) {
  for (int64_t i = 0; i < basis.count; ++i) {
    double* row = basis.row(i);
    const double before = std::sqrt(dot(row, row, basis.dimension));
    for (int pass = 0; pass < 2; ++pass) {
      for (int64_t j = 0; j < i; ++j) {
        const double along = dot(row, basis.row(j), basis.dimension);
        for (int64_t k = 0; k < basis.dimension; ++k) row[k] -= along * basis.row(j)[k];
      }
    }
    const double length = std::sqrt(dot(row, row, basis.dimension));
    const double scale = length > 1e-12 * before && length > 0 ? 1 / length : 0;
    for (int64_t k = 0; k < basis.dimension; ++k) row[k] *= scale;
  }
}

// basis rows times the (symmetric) covariance.
SampleMatrix apply(const SampleMatrix& matrix, const SampleMatrix& basis) {
  SampleMatrix out{basis.count, basis.dimension, std::vector<double>(basis.values.size())};
  const int64_t grain = std::max<int64_t>(1, 100000 / (matrix.count * matrix.count));
  parallel_for(basis.count, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t k = 0; k < matrix.count; ++k) {
        const double weight = basis.row(i)[k];
        const double* line = matrix.row(k);
        double* result = out.row(i);
        for (int64_t j = 0; j < matrix.count; ++j) result[j] += weight * line[j];
      }
    }
  });
  return out;
}

// Eigenvectors (columns of `vectors`) of a small symmetric matrix by Jacobi's rotations.
void diagonalize(SampleMatrix& matrix, SampleMatrix& vectors) {
  const int64_t n = matrix.count;
  vectors = {n, n, std::vector<double>(static_cast<size_t>(n * n))};
  for (int64_t i = 0; i < n; ++i) vectors.row(i)[i] = 1;
  for (int sweep = 0; sweep < 30; ++sweep) {
    double off = 0;
    for (int64_t p = 0; p < n; ++p) {
      for (int64_t q = p + 1; q < n; ++q) {
        const double apq = matrix.row(p)[q];
        off += apq * apq;
        if (apq == 0) continue;
        const double theta = (matrix.row(q)[q] - matrix.row(p)[p]) / (2 * apq);
        const double t = (theta >= 0 ? 1 : -1) / (std::fabs(theta) + std::sqrt(theta * theta + 1));
        const double c = 1 / std::sqrt(t * t + 1);
        const double s = t * c;
        for (int64_t k = 0; k < n; ++k) {
          const double a = matrix.row(k)[p];
          const double b = matrix.row(k)[q];
          matrix.row(k)[p] = c * a - s * b;
          matrix.row(k)[q] = s * a + c * b;
        }
        for (int64_t k = 0; k < n; ++k) {
          const double a = matrix.row(p)[k];
          const double b = matrix.row(q)[k];
          matrix.row(p)[k] = c * a - s * b;
          matrix.row(q)[k] = s * a + c * b;
          const double u = vectors.row(k)[p];
          const double v = vectors.row(k)[q];
          vectors.row(k)[p] = c * u - s * v;
          vectors.row(k)[q] = s * u + c * v;
        }
      }
    }
    if (off == 0) break;
  }
}

}  // namespace

SampleMatrix principal_components(const float* rows, int64_t count, int64_t channels,
                                  int64_t components) {
  const std::vector<double> mean = column_means(rows, count, channels);
  const SampleMatrix spread = covariance(rows, count, channels, mean);
  const int64_t wanted = std::min(components, channels);
  const int64_t width = std::min(components + kOversampling, channels);

  SampleMatrix basis{width, channels, std::vector<double>(static_cast<size_t>(width * channels))};
  Random random(0);
  for (double& x : basis.values) x = random.normal();
  for (int iteration = 0; iteration < kIterations; ++iteration) {
    orthonormalize(basis);
    basis = apply(spread, basis);
  }
  orthonormalize(basis);

  // Within the space found, the axes of the covariance.
  const SampleMatrix image = apply(spread, basis);
  SampleMatrix small{width, width, std::vector<double>(static_cast<size_t>(width * width))};
  for (int64_t i = 0; i < width; ++i) {
    for (int64_t j = 0; j <= i; ++j) {
      small.row(i)[j] = small.row(j)[i] = dot(basis.row(i), image.row(j), channels);
    }
  }
  SampleMatrix axes;
  diagonalize(small, axes);
  std::vector<int64_t> order(static_cast<size_t>(width));
  for (int64_t i = 0; i < width; ++i) order[static_cast<size_t>(i)] = i;
  std::sort(order.begin(), order.end(),
            [&](int64_t a, int64_t b) { return small.row(a)[a] > small.row(b)[b]; });
  int64_t kept = 0;
  const double greatest = small.row(order[0])[order[0]];
  while (kept < wanted) {
    const int64_t at = order[static_cast<size_t>(kept)];
    if (!(small.row(at)[at] > kNegligible * greatest)) break;
    ++kept;
  }

  SampleMatrix projection{kept, channels,
                          std::vector<double>(static_cast<size_t>(kept * channels))};
  for (int64_t c = 0; c < kept; ++c) {
    const int64_t axis = order[static_cast<size_t>(c)];
    const double scale = 1 / std::sqrt(small.row(axis)[axis]);
    for (int64_t i = 0; i < width; ++i) {
      const double weight = axes.row(i)[axis] * scale;
      for (int64_t k = 0; k < channels; ++k) projection.row(c)[k] += weight * basis.row(i)[k];
    }
  }
  SampleMatrix out{count, kept, std::vector<double>(static_cast<size_t>(count * kept))};
  parallel_for(count, 64, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t c = 0; c < kept; ++c) {
        double sum = 0;
        for (int64_t k = 0; k < channels; ++k) {
          sum += (rows[i * channels + k] - mean[static_cast<size_t>(k)]) * projection.row(c)[k];
        }
        out.row(i)[c] = sum;
      }
    }
  });
  return out;
}

}  // namespace ata
