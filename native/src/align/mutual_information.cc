#include "align/mutual_information.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "align/value_survey.h"
#include "base/error.h"
#include "base/threads.h"

namespace ata {
namespace {

// Derivative of log gamma, for positive arguments.
double digamma(double x) {
  double result = 0;
  for (; x < 10; ++x) result -= 1 / x;
  const double s = 1 / (x * x);
  return result + std::log(x) - 0.5 / x -
         s * (1.0 / 12 - s * (1.0 / 120 - s * (1.0 / 252 - s * (1.0 / 240 - s / 132))));
}

/// Lower Cholesky factor of a symmetric positive definite matrix.
class Cholesky {
 public:
  explicit Cholesky(SampleMatrix matrix) : factor_(std::move(matrix)) {
    const int64_t n = factor_.count;
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j <= i; ++j) {
        double sum = factor_.row(i)[j];
        for (int64_t k = 0; k < j; ++k) sum -= factor_.row(i)[k] * factor_.row(j)[k];
        if (i == j) {
          require(sum > 0 && std::isfinite(sum),
                  "mutual information: the samples are linearly dependent; use fewer components "
                  "or more samples");
          factor_.row(i)[i] = std::sqrt(sum);
        } else {
          factor_.row(i)[j] = sum / factor_.row(j)[j];
        }
      }
    }
  }

  double log_determinant() const {
    double sum = 0;
    for (int64_t i = 0; i < factor_.count; ++i) sum += 2 * std::log(factor_.row(i)[i]);
    return sum;
  }

  /// In place: b = factor^-1 b, whose squared length is b' matrix^-1 b.
  void whiten(double* b) const {
    for (int64_t i = 0; i < factor_.count; ++i) {
      for (int64_t k = 0; k < i; ++k) b[i] -= factor_.row(i)[k] * b[k];
      b[i] /= factor_.row(i)[i];
    }
  }

  /// In place: b = matrix^-1 b.
  void solve(double* b) const {
    whiten(b);
    for (int64_t i = factor_.count - 1; i >= 0; --i) {
      for (int64_t k = i + 1; k < factor_.count; ++k) b[i] -= factor_.row(k)[i] * b[k];
      b[i] /= factor_.row(i)[i];
    }
  }

 private:
  SampleMatrix factor_;
};

// Rows [x, y] side by side.
SampleMatrix join(const SampleMatrix& x, const SampleMatrix& y) {
  SampleMatrix out{x.count, x.dimension + y.dimension, {}};
  out.values.reserve(static_cast<size_t>(out.count * out.dimension));
  for (int64_t i = 0; i < x.count; ++i) {
    out.values.insert(out.values.end(), x.row(i), x.row(i) + x.dimension);
    out.values.insert(out.values.end(), y.row(i), y.row(i) + y.dimension);
  }
  return out;
}

struct Moments {
  std::vector<double> mean;
  SampleMatrix covariance;
};

Moments moments(const SampleMatrix& samples) {
  const int64_t d = samples.dimension;
  Moments out;
  out.mean.resize(static_cast<size_t>(d));
  for (int64_t i = 0; i < samples.count; ++i) {
    for (int64_t k = 0; k < d; ++k) out.mean[static_cast<size_t>(k)] += samples.row(i)[k];
  }
  for (double& x : out.mean) x /= static_cast<double>(samples.count);
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

// How far log det of a sample covariance lies below the truth on average (Wishart distribution).
double log_determinant_bias(int64_t count, int64_t dimension) {
  const auto freedom = static_cast<double>(count - 1);
  double sum = static_cast<double>(dimension) * std::log(2 / freedom);
  for (int64_t i = 0; i < dimension; ++i) {
    sum += digamma((freedom - static_cast<double>(i)) / 2);
  }
  return sum;
}

double gaussian(const SampleMatrix& x, const SampleMatrix& y) {
  const SampleMatrix joint = moments(join(x, y)).covariance;
  const auto unbiased = [&](int64_t first, int64_t count) {
    return Cholesky(block(joint, first, count)).log_determinant() -
           log_determinant_bias(x.count, count);
  };
  return 0.5 * (unbiased(0, x.dimension) + unbiased(x.dimension, y.dimension) -
                unbiased(0, x.dimension + y.dimension));
}

double chebyshev(const double* a, const double* b, int64_t count) {
  double greatest = 0;
  for (int64_t k = 0; k < count; ++k) greatest = std::max(greatest, std::fabs(a[k] - b[k]));
  return greatest;
}

double nearest_neighbours(const SampleMatrix& x, const SampleMatrix& y, int neighbours) {
  const int64_t count = x.count;
  std::vector<double> terms(static_cast<size_t>(count));
  parallel_for(count, 16, [&](int64_t begin, int64_t end) {
    const auto size = static_cast<size_t>(count);
    std::vector<double> dx(size), dy(size), joint(size);
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t j = 0; j < count; ++j) {
        const auto at = static_cast<size_t>(j);
        dx[at] = chebyshev(x.row(i), x.row(j), x.dimension);
        dy[at] = chebyshev(y.row(i), y.row(j), y.dimension);
        joint[at] = j == i ? std::numeric_limits<double>::infinity() : std::max(dx[at], dy[at]);
      }
      std::nth_element(joint.begin(), joint.begin() + neighbours - 1, joint.end());
      const double radius = joint[static_cast<size_t>(neighbours - 1)];
      int64_t near_x = 0;
      int64_t near_y = 0;
      for (int64_t j = 0; j < count; ++j) {
        if (j == i) continue;
        near_x += dx[static_cast<size_t>(j)] < radius;
        near_y += dy[static_cast<size_t>(j)] < radius;
      }
      terms[static_cast<size_t>(i)] =
          digamma(static_cast<double>(near_x + 1)) + digamma(static_cast<double>(near_y + 1));
    }
  });
  double sum = 0;
  for (const double term : terms) sum += term;
  return digamma(neighbours) + digamma(static_cast<double>(count)) -
         sum / static_cast<double>(count);
}

// The part of `samples` with rows first, first + 2, ...
SampleMatrix half(const SampleMatrix& samples, int64_t first) {
  SampleMatrix out{(samples.count - first + 1) / 2, samples.dimension, {}};
  for (int64_t i = first; i < samples.count; i += 2) {
    out.values.insert(out.values.end(), samples.row(i), samples.row(i) + samples.dimension);
  }
  return out;
}

// log p(x, y) - log p(x) p(y) of a Gaussian, up to terms that do not depend on y or are constant:
// those cancel in InfoNCE. With y = A x + e it is y' Syy^-1 y / 2 - (y - A x)' See^-1 (y - A x)
// / 2.
class GaussianCritic {
 public:
  GaussianCritic(const SampleMatrix& x, const SampleMatrix& y)
      : dx_(x.dimension),
        dy_(y.dimension),
        fit_(moments(join(x, y))),
        marginal_(block(fit_.covariance, dx_, dy_)),
        residual_(fit_residual()) {}

  // Whitened y - mean by the marginal: its squared length is the first form.
  void marginal(const double* y, double* out) const {
    for (int64_t k = 0; k < dy_; ++k) out[k] = y[k] - fit_.mean[static_cast<size_t>(dx_ + k)];
    marginal_.whiten(out);
  }
  // Whitened y - mean and A (x - mean) by the residual: the squared length of the difference is the
  // second form.
  void observed(const double* y, double* out) const {
    for (int64_t k = 0; k < dy_; ++k) out[k] = y[k] - fit_.mean[static_cast<size_t>(dx_ + k)];
    residual_.whiten(out);
  }
  void predicted(const double* x, double* out) const {
    for (int64_t k = 0; k < dy_; ++k) {
      out[k] = 0;
      for (int64_t a = 0; a < dx_; ++a) {
        out[k] += regression_.row(k)[a] * (x[a] - fit_.mean[static_cast<size_t>(a)]);
      }
    }
    residual_.whiten(out);
  }

 private:
  Cholesky fit_residual() {
    const SampleMatrix& joint = fit_.covariance;
    const Cholesky inputs(block(joint, 0, dx_));
    regression_ = {dy_, dx_, std::vector<double>(static_cast<size_t>(dy_ * dx_))};
    SampleMatrix residual = block(joint, dx_, dy_);
    for (int64_t k = 0; k < dy_; ++k) {
      std::copy_n(joint.row(dx_ + k), dx_, regression_.row(k));
      inputs.solve(regression_.row(k));
    }
    for (int64_t k = 0; k < dy_; ++k) {
      for (int64_t l = 0; l < dy_; ++l) {
        for (int64_t a = 0; a < dx_; ++a) {
          residual.row(k)[l] -= regression_.row(k)[a] * joint.row(dx_ + l)[a];
        }
      }
    }
    return Cholesky(std::move(residual));
  }

  int64_t dx_;
  int64_t dy_;
  Moments fit_;
  SampleMatrix regression_;
  Cholesky marginal_;
  Cholesky residual_;
};

// Mean over i of w critic(x_i, y_i) less the log of the mean over j of exp(w critic(x_i, y_j)).
double contrast(const GaussianCritic& critic, double weight, const SampleMatrix& x,
                const SampleMatrix& y) {
  const int64_t count = y.count;
  const int64_t d = y.dimension;
  SampleMatrix observed{count, d, std::vector<double>(static_cast<size_t>(count * d))};
  std::vector<double> own(static_cast<size_t>(count));
  std::vector<double> scratch(static_cast<size_t>(d));
  for (int64_t j = 0; j < count; ++j) {
    critic.marginal(y.row(j), scratch.data());
    for (const double v : scratch) own[static_cast<size_t>(j)] += 0.5 * v * v;
    critic.observed(y.row(j), observed.row(j));
  }
  std::vector<double> terms(static_cast<size_t>(count));
  parallel_for(count, 16, [&](int64_t begin, int64_t end) {
    std::vector<double> predicted(static_cast<size_t>(d));
    std::vector<double> scores(static_cast<size_t>(count));
    for (int64_t i = begin; i < end; ++i) {
      critic.predicted(x.row(i), predicted.data());
      double greatest = -std::numeric_limits<double>::infinity();
      for (int64_t j = 0; j < count; ++j) {
        double square = 0;
        for (int64_t k = 0; k < d; ++k) {
          const double e = observed.row(j)[k] - predicted[static_cast<size_t>(k)];
          square += e * e;
        }
        scores[static_cast<size_t>(j)] = weight * (own[static_cast<size_t>(j)] - 0.5 * square);
        greatest = std::max(greatest, scores[static_cast<size_t>(j)]);
      }
      double sum = 0;
      for (const double score : scores) sum += std::exp(score - greatest);
      terms[static_cast<size_t>(i)] =
          scores[static_cast<size_t>(i)] - greatest - std::log(sum / static_cast<double>(count));
    }
  });
  double sum = 0;
  for (const double term : terms) sum += term;
  return sum / static_cast<double>(count);
}

SampleMatrix evenly_spaced(const SampleMatrix& samples, int64_t count) {
  if (samples.count <= count) return samples;
  SampleMatrix out{count, samples.dimension, {}};
  for (int64_t i = 0; i < count; ++i) {
    const double* row = samples.row(i * samples.count / count);
    out.values.insert(out.values.end(), row, row + samples.dimension);
  }
  return out;
}

// The bound on (x, y) of a critic fitted to other samples. Samples with heavier tails than a
// Gaussian's make its density ratio overconfident; a weight chosen on the samples of the fit, too,
// tempers it (at weight 0 the bound is 0, for Gaussians the best weight is 1).
double held_out_bound(const SampleMatrix& fit_x, const SampleMatrix& fit_y, const SampleMatrix& x,
                      const SampleMatrix& y) {
  constexpr int64_t kSamplesForWeight = 512;
  const GaussianCritic critic(fit_x, fit_y);
  const SampleMatrix some_x = evenly_spaced(fit_x, kSamplesForWeight);
  const SampleMatrix some_y = evenly_spaced(fit_y, kSamplesForWeight);
  double best_weight = 0;
  double best = 0;
  for (double weight = 1; weight > 1e-3; weight *= 0.75) {
    const double bound = contrast(critic, weight, some_x, some_y);
    if (bound <= best) continue;
    best = bound;
    best_weight = weight;
  }
  return contrast(critic, best_weight, x, y);
}

double info_nce(const SampleMatrix& x, const SampleMatrix& y) {
  const SampleMatrix x0 = half(x, 0);
  const SampleMatrix x1 = half(x, 1);
  const SampleMatrix y0 = half(y, 0);
  const SampleMatrix y1 = half(y, 1);
  return 0.5 * (held_out_bound(x0, y0, x1, y1) + held_out_bound(x1, y1, x0, y0));
}

void check(const InformationOptions& options) {
  const int estimator = static_cast<int>(options.estimator);
  require(estimator >= 0 && estimator <= 2, "mutual information: estimator ", estimator,
          " does not exist");
  require(options.components >= 1, "mutual information: components is ", options.components,
          "; it must be at least 1");
  require(options.neighbours >= 1, "mutual information: neighbours is ", options.neighbours,
          "; it must be at least 1");
  require(options.max_samples >= 2, "mutual information: max_samples is ", options.max_samples,
          "; it must be at least 2");
}

}  // namespace

double mutual_information(const SampleMatrix& x, const SampleMatrix& y,
                          const InformationOptions& options) {
  check(options);
  require(x.count == y.count, "mutual information: ", x.count, " samples of X but ", y.count,
          " of Y");
  require(x.dimension >= 1 && y.dimension >= 1,
          "mutual information: the samples have no dimensions; are the features constant?");
  const bool is_gaussian = options.estimator == InformationEstimator::kGaussian;
  const int64_t count = is_gaussian ? x.count : std::min(x.count, options.max_samples);
  const int64_t needed = options.estimator == InformationEstimator::kNearestNeighbours
                             ? options.neighbours + 1
                             : (is_gaussian ? 1 : 2) * (x.dimension + y.dimension + 2);
  require(count >= needed, "mutual information: ", count,
          " samples are too few; the estimator needs ", needed);
  if (is_gaussian) return gaussian(x, y);
  const SampleMatrix some_x = evenly_spaced(x, count);
  const SampleMatrix some_y = evenly_spaced(y, count);
  if (options.estimator == InformationEstimator::kInfoNce) return info_nce(some_x, some_y);
  return nearest_neighbours(some_x, some_y, options.neighbours);
}

AlignmentInformation alignment_information(const Tensor& features, const Tensor& trajectories,
                                           const InformationOptions& options) {
  check(options);
  require(features.defined() && features.dtype() == DType::kF32 && features.rank() == 4,
          "mutual information needs f32 features [B, T, N, D]");
  const FeatureShape shape{features.dim(0), features.dim(1), features.dim(2), features.dim(3)};
  require(trajectories.defined() && trajectories.dtype() == DType::kI32 &&
              trajectories.shape() == Shape({shape.clips, shape.frames, shape.patches}),
          "mutual information needs i32 trajectories [B, T, N] of the features");
  require(shape.pairs() > 0 && shape.patches > 0 && shape.channels > 0,
          "mutual information needs clips of at least two frames; features are ",
          features.shape().to_string());
  require(survey_values(features.data<float>(), features.count()).finite(),
          "mutual information: the features contain NaN or infinity");
  const int32_t* index = trajectories.data<int32_t>();
  for (int64_t k = 0; k < trajectories.count(); ++k) {
    require(index[k] >= 0 && index[k] < shape.patches, "mutual information: trajectory entry ",
            index[k], " is not a patch; there are ", shape.patches);
  }

  const int64_t rows = shape.clips * shape.frames * shape.patches;
  const SampleMatrix projected =
      principal_components(features.data<float>(), rows, shape.channels, options.components);
  const auto gather = [&](bool aligned, int64_t step) {
    SampleMatrix out{shape.pairs() * shape.patches, projected.dimension, {}};
    for (int64_t pair = 0; pair < shape.pairs(); ++pair) {
      const int64_t first = (shape.first_frame(pair) + step) * shape.patches;
      for (int64_t n = 0; n < shape.patches; ++n) {
        const double* row = projected.row(first + (aligned ? index[first + n] : n));
        out.values.insert(out.values.end(), row, row + projected.dimension);
      }
    }
    return out;
  };
  AlignmentInformation result;
  result.before = mutual_information(gather(false, 0), gather(false, 1), options);
  result.after = mutual_information(gather(true, 0), gather(true, 1), options);
  return result;
}

}  // namespace ata
