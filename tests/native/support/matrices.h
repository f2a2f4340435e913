#ifndef ATA_TESTS_SUPPORT_MATRICES_H_
#define ATA_TESTS_SUPPORT_MATRICES_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

namespace ata {

/// A matrix of values, row-major.
struct Matrix {
  int rows = 0;
  int columns = 0;
  std::vector<float> values;

  float operator()(int i, int j) const {
    return values[static_cast<size_t>(i) * static_cast<size_t>(columns) + static_cast<size_t>(j)];
  }
  float& operator()(int i, int j) {
    return values[static_cast<size_t>(i) * static_cast<size_t>(columns) + static_cast<size_t>(j)];
  }
};

inline Matrix transpose(const Matrix& matrix) {
  Matrix out{matrix.columns, matrix.rows, std::vector<float>(matrix.values.size())};
  for (int i = 0; i < matrix.rows; ++i) {
    for (int j = 0; j < matrix.columns; ++j) out(j, i) = matrix(i, j);
  }
  return out;
}

/// The least total cost of matching every row (rows <= columns), by the textbook Hungarian method
/// in float64. Infinite costs forbid a pair; infinity is returned when nothing is left.
inline double least_total(const Matrix& costs) {
  const int n = costs.rows;
  const int m = costs.columns;
  const double infinity = std::numeric_limits<double>::infinity();
  std::vector<double> u(static_cast<size_t>(n) + 1), v(static_cast<size_t>(m) + 1);
  std::vector<int> row_of(static_cast<size_t>(m) + 1), way(static_cast<size_t>(m) + 1);
  for (int i = 1; i <= n; ++i) {
    row_of[0] = i;
    int j0 = 0;
    std::vector<double> minimum(static_cast<size_t>(m) + 1, infinity);
    std::vector<bool> used(static_cast<size_t>(m) + 1);
    do {
      used[static_cast<size_t>(j0)] = true;
      const int i0 = row_of[static_cast<size_t>(j0)];
      double delta = infinity;
      int j1 = -1;
      for (int j = 1; j <= m; ++j) {
        const auto k = static_cast<size_t>(j);
        if (used[k]) continue;
        const double reduced = costs(i0 - 1, j - 1) - u[static_cast<size_t>(i0)] - v[k];
        if (reduced < minimum[k]) {
          minimum[k] = reduced;
          way[k] = j0;
        }
        if (minimum[k] < delta) {
          delta = minimum[k];
          j1 = j;
        }
      }
      if (j1 < 0) return infinity;
      for (size_t k = 0; k <= static_cast<size_t>(m); ++k) {
        if (used[k]) {
          u[static_cast<size_t>(row_of[k])] += delta;
          v[k] -= delta;
        } else {
          minimum[k] -= delta;
        }
      }
      j0 = j1;
    } while (row_of[static_cast<size_t>(j0)] != 0);
    do {
      const int j1 = way[static_cast<size_t>(j0)];
      row_of[static_cast<size_t>(j0)] = row_of[static_cast<size_t>(j1)];
      j0 = j1;
    } while (j0 != 0);
  }
  double total = 0;
  for (int j = 1; j <= m; ++j) {
    const int i = row_of[static_cast<size_t>(j)];
    if (i != 0) total += costs(i - 1, j - 1);
  }
  return total;
}

/// The best total in the sense of `maximize`, for any shape.
inline double best_total(Matrix values, bool maximize) {
  if (maximize) {
    for (float& x : values.values) x = -x;
  }
  const double total = least_total(values.rows <= values.columns ? values : transpose(values));
  return maximize ? -total : total;
}

/// Kinds of matrices that assignment meets, from generic to hostile.
enum class Kind {
  kUniform,    ///< independent, uniform on [0, 1)
  kShifted,    ///< similarities of noisy features and their shift: a clear diagonal
  kLowRank,    ///< similarities of features of rank 2
  kClustered,  ///< few prototypes and noise of 1e-6: near-ties everywhere
  kIntegers,   ///< 0 to 3: exact ties everywhere
  kConstant,
  kMonge,     ///< products i * j: one optimum, long augmenting paths
  kOffset,    ///< uniform, around 1000: most of the float's bits are wasted
  kDenormal,  ///< uniform below the least normal float
  kHuge,      ///< uniform up to the greatest float, both signs
};

inline const std::vector<Kind>& all_kinds() {
  static const std::vector<Kind> kinds = {
      Kind::kUniform,  Kind::kShifted, Kind::kLowRank, Kind::kClustered, Kind::kIntegers,
      Kind::kConstant, Kind::kMonge,   Kind::kOffset,  Kind::kDenormal,  Kind::kHuge};
  return kinds;
}

inline std::vector<float> random_features(int count, int channels, std::mt19937& random) {
  std::normal_distribution<float> normal;
  std::vector<float> out(static_cast<size_t>(count) * static_cast<size_t>(channels));
  for (float& x : out) x = normal(random);
  return out;
}

/// Cosine similarities of rows in float64, rounded once.
inline Matrix cosines(const std::vector<float>& a, const std::vector<float>& b, int channels) {
  const auto d = static_cast<size_t>(channels);
  Matrix out{static_cast<int>(a.size() / d), static_cast<int>(b.size() / d), {}};
  out.values.resize(a.size() / d * (b.size() / d));
  const auto dot = [d](const float* x, const float* y) {
    double sum = 0;
    for (size_t k = 0; k < d; ++k) sum += static_cast<double>(x[k]) * y[k];
    return sum;
  };
  for (int i = 0; i < out.rows; ++i) {
    for (int j = 0; j < out.columns; ++j) {
      const float* x = a.data() + static_cast<size_t>(i) * d;
      const float* y = b.data() + static_cast<size_t>(j) * d;
      const double norms = std::sqrt(dot(x, x)) * std::sqrt(dot(y, y));
      out(i, j) = norms > 0 ? static_cast<float>(dot(x, y) / norms) : 0.0F;
    }
  }
  return out;
}

inline Matrix make_matrix(Kind kind, int rows, int columns, std::mt19937& random) {
  Matrix out{rows, columns,
             std::vector<float>(static_cast<size_t>(rows) * static_cast<size_t>(columns))};
  std::uniform_real_distribution<float> uniform(0, 1);
  std::normal_distribution<float> normal;
  const auto fill = [&](auto value) {
    for (int i = 0; i < rows; ++i) {
      for (int j = 0; j < columns; ++j) out(i, j) = value(i, j);
    }
  };
  switch (kind) {
    case Kind::kUniform:
      fill([&](int, int) { return uniform(random); });
      break;
    case Kind::kShifted:
    case Kind::kLowRank: {
      const int channels = kind == Kind::kShifted ? 32 : 2;
      const float noise = kind == Kind::kShifted ? 0.5F : 0.01F;
      std::vector<float> a = random_features(rows, channels, random);
      std::vector<float> b = random_features(columns, channels, random);
      for (size_t k = 0; k < std::min(a.size(), b.size()); ++k) {
        b[k] = a[(k + static_cast<size_t>(channels)) % a.size()] + noise * normal(random);
      }
      return cosines(a, b, channels);
    }
    case Kind::kClustered:
      fill([&](int i, int j) {
        return 0.1F * static_cast<float>((i % 5) * (j % 5)) + 1e-6F * normal(random);
      });
      break;
    case Kind::kIntegers:
      fill([&](int, int) { return std::floor(4 * uniform(random)); });
      break;
    case Kind::kConstant:
      fill([&](int, int) { return 0.25F; });
      break;
    case Kind::kMonge:
      fill([&](int i, int j) { return static_cast<float>(i) * static_cast<float>(j); });
      break;
    case Kind::kOffset:
      fill([&](int, int) { return 1000 + uniform(random); });
      break;
    case Kind::kDenormal:
      fill([&](int, int) { return 1e-39F * uniform(random); });
      break;
    case Kind::kHuge:
      fill([&](int, int) { return 3e38F * (2 * uniform(random) - 1); });
      break;
  }
  return out;
}

}  // namespace ata

#endif  // ATA_TESTS_SUPPORT_MATRICES_H_
