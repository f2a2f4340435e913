#include "information/gaussian.h"

#include <cmath>
#include <tuple>
#include <utility>

#include "base/error.h"

namespace ata {
namespace {

constexpr double kSingular = 1e-12;

// How far log det of a sample covariance lies below the truth on average.
double log_determinant_bias(int64_t count, int64_t dimension) {
  const auto freedom = static_cast<double>(count - 1);
  double sum = static_cast<double>(dimension) * std::log(2 / freedom);
  for (int64_t i = 0; i < dimension; ++i) {
    sum += digamma((freedom - static_cast<double>(i)) / 2);
  }
  return sum;
}

}  // namespace

double digamma(double x) {
  double result = 0;
  for (; x < 10; ++x) result -= 1 / x;
  const double s = 1 / (x * x);
  return result + std::log(x) - 0.5 / x -
         s * (1.0 / 12 - s * (1.0 / 120 - s * (1.0 / 252 - s * (1.0 / 240 - s / 132))));
}

std::optional<Cholesky> Cholesky::of(SampleMatrix matrix) {
  const int64_t n = matrix.count;
  for (int64_t i = 0; i < n; ++i) {
    const double variance = matrix.row(i)[i];
    for (int64_t j = 0; j <= i; ++j) {
      double sum = matrix.row(i)[j];
      for (int64_t k = 0; k < j; ++k) sum -= matrix.row(i)[k] * matrix.row(j)[k];
      if (i == j) {
        if (!(sum > kSingular * variance && std::isfinite(sum))) return std::nullopt;
        matrix.row(i)[i] = std::sqrt(sum);
      } else {
        matrix.row(i)[j] = sum / matrix.row(j)[j];
      }
    }
  }
  return Cholesky(std::move(matrix));
}

Cholesky Cholesky::require_of(SampleMatrix matrix) {
  std::optional<Cholesky> factor = of(std::move(matrix));
  require(factor.has_value(),
          "mutual information: the samples are linearly dependent (one is a copy of the other, or "
          "there are fewer samples than dimensions); use fewer components or more samples");
  return *std::move(factor);
}

double Cholesky::log_determinant() const {
  double sum = 0;
  for (int64_t i = 0; i < factor_.count; ++i) sum += 2 * std::log(factor_.row(i)[i]);
  return sum;
}

void Cholesky::color(double* b) const {
  for (int64_t i = factor_.count - 1; i >= 0; --i) {
    b[i] *= factor_.row(i)[i];
    for (int64_t k = 0; k < i; ++k) b[i] += factor_.row(i)[k] * b[k];
  }
}

void Cholesky::whiten(double* b) const {
  for (int64_t i = 0; i < factor_.count; ++i) {
    for (int64_t k = 0; k < i; ++k) b[i] -= factor_.row(i)[k] * b[k];
    b[i] /= factor_.row(i)[i];
  }
}

SampleMatrix join(const SampleMatrix& x, const SampleMatrix& y) {
  SampleMatrix out{x.count, x.dimension + y.dimension, {}};
  out.values.reserve(static_cast<size_t>(out.count * out.dimension));
  for (int64_t i = 0; i < x.count; ++i) {
    out.values.insert(out.values.end(), x.row(i), x.row(i) + x.dimension);
    out.values.insert(out.values.end(), y.row(i), y.row(i) + y.dimension);
  }
  return out;
}

Moments moments(const SampleMatrix& samples) {
  const int64_t d = samples.dimension;
  Moments out;
  out.mean.resize(static_cast<size_t>(d));
  // Relative to the first row, so that the variance of a constant is 0 and not a rounding error.
  for (int64_t k = 0; k < d; ++k) {
    double sum = 0;
    for (int64_t i = 0; i < samples.count; ++i) sum += samples.row(i)[k] - samples.row(0)[k];
    out.mean[static_cast<size_t>(k)] = samples.row(0)[k] + sum / static_cast<double>(samples.count);
  }
  out.covariance = {d, d, std::vector<double>(static_cast<size_t>(d * d))};
  for (int64_t i = 0; i < samples.count; ++i) {
    for (int64_t a = 0; a < d; ++a) {
      const double xa = samples.row(i)[a] - out.mean[static_cast<size_t>(a)];
      for (int64_t b = 0; b <= a; ++b) {
        out.covariance.row(a)[b] += xa * (samples.row(i)[b] - out.mean[static_cast<size_t>(b)]);
      }
    }
  }
  for (int64_t a = 0; a < d; ++a) {
    for (int64_t b = 0; b <= a; ++b) {
      const double value = out.covariance.row(a)[b] / static_cast<double>(samples.count - 1);
      out.covariance.row(a)[b] = out.covariance.row(b)[a] = value;
    }
  }
  return out;
}

SampleMatrix block(const SampleMatrix& matrix, int64_t first, int64_t count) {
  SampleMatrix out{count, count, {}};
  for (int64_t i = first; i < first + count; ++i) {
    out.values.insert(out.values.end(), matrix.row(i) + first, matrix.row(i) + first + count);
  }
  return out;
}

std::optional<double> gaussian_information(const SampleMatrix& covariance, int64_t dx,
                                           int64_t count) {
  const int64_t d = covariance.count;
  double nats = 0;
  for (const auto& [first, size, weight] :
       {std::tuple{int64_t{0}, dx, 0.5}, {dx, d - dx, 0.5}, {int64_t{0}, d, -0.5}}) {
    const std::optional<Cholesky> factor = Cholesky::of(block(covariance, first, size));
    if (!factor) return std::nullopt;
    nats += weight * (factor->log_determinant() - log_determinant_bias(count, size));
  }
  return nats;
}

}  // namespace ata
