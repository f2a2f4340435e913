#ifndef ATA_INFORMATION_GAUSSIAN_H_
#define ATA_INFORMATION_GAUSSIAN_H_

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "information/principal_components.h"

namespace ata {

/// Derivative of log gamma, for positive arguments.
double digamma(double x);

/// Lower Cholesky factor of a symmetric positive definite matrix.
class Cholesky {
 public:
  /// Nothing when the matrix is singular: when less than 1e-12 of a variance is left after what the
  /// variables before it explain.
  static std::optional<Cholesky> of(SampleMatrix matrix);
  /// The same, or ATA_INVALID_ARGUMENT.
  static Cholesky require_of(SampleMatrix matrix);

  double log_determinant() const;
  /// In place: b = factor b, which gives white noise the covariance `matrix`.
  void color(double* b) const;
  /// In place: b = factor^-1 b, whose squared length is b' matrix^-1 b.
  void whiten(double* b) const;

 private:
  explicit Cholesky(SampleMatrix factor) : factor_(std::move(factor)) {}

  SampleMatrix factor_;
};

/// Rows [x, y] side by side.
SampleMatrix join(const SampleMatrix& x, const SampleMatrix& y);

/// Mean and covariance (over count - 1) of rows.
struct Moments {
  std::vector<double> mean;
  SampleMatrix covariance;
};
Moments moments(const SampleMatrix& samples);

/// Rows and columns [first, first + count) of a square matrix.
SampleMatrix block(const SampleMatrix& matrix, int64_t first, int64_t count);

/// Mutual information in nats of the first `dx` variables of a Gaussian and the others, from the
/// covariance of `count` samples. Free of bias: how far the log determinants of sample covariances
/// lie below the truth on average is known (Wishart distribution) and taken off. Nothing when the
/// covariance is singular.
std::optional<double> gaussian_information(const SampleMatrix& covariance, int64_t dx,
                                           int64_t count);

}  // namespace ata

#endif  // ATA_INFORMATION_GAUSSIAN_H_
