#include "information/infonce.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/threads.h"
#include "information/gaussian.h"
#include "information/normal_scores.h"

namespace ata {
namespace {

// The rows of `samples` at first, first + 2, ...
SampleMatrix half(const SampleMatrix& samples, int64_t first) {
  SampleMatrix out{(samples.count - first + 1) / 2, samples.dimension, {}};
  for (int64_t i = first; i < samples.count; i += 2) {
    out.values.insert(out.values.end(), samples.row(i), samples.row(i) + samples.dimension);
  }
  return out;
}

// log p(x, y) - log p(x) p(y) of a Gaussian, up to terms that do not depend on y or are constant:
// those cancel in InfoNCE. With y = A x + e it is y' Syy^-1 y / 2 - (y - A x)' See^-1 (y - A x)
// / 2. The last rows of the joint covariance's Cholesky factor whiten y - A x.
class GaussianCritic {
 public:
  GaussianCritic(const SampleMatrix& x, const SampleMatrix& y)
      : dx_(x.dimension),
        dy_(y.dimension),
        fit_(moments(join(x, y))),
        marginal_(Cholesky::require_of(block(fit_.covariance, dx_, dy_))),
        joint_(Cholesky::require_of(fit_.covariance)) {}

  // Whitened y: its squared length is the first form.
  void marginal(const double* y, double* out) const {
    for (int64_t k = 0; k < dy_; ++k) out[k] = y[k] - fit_.mean[static_cast<size_t>(dx_ + k)];
    marginal_.whiten(out);
  }
  // Whitened y and A x: the squared length of the difference is the second form.
  void observed(const double* y, double* out) const {
    std::vector<double> row(static_cast<size_t>(dx_ + dy_));
    for (size_t k = static_cast<size_t>(dx_); k < row.size(); ++k) row[k] = *y++ - fit_.mean[k];
    joint_.whiten(row.data());
    std::copy_n(row.data() + dx_, dy_, out);
  }
  void predicted(const double* x, double* out) const {
    std::vector<double> row(static_cast<size_t>(dx_ + dy_));
    for (size_t k = 0; k < static_cast<size_t>(dx_); ++k) row[k] = *x++ - fit_.mean[k];
    joint_.whiten(row.data());
    for (int64_t k = 0; k < dy_; ++k) out[k] = -row[static_cast<size_t>(dx_ + k)];
  }

 private:
  int64_t dx_;
  int64_t dy_;
  Moments fit_;
  Cholesky marginal_;
  Cholesky joint_;
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

// The bound on (x, y) of a critic fitted to other samples. Samples with heavier joint tails than a
// Gaussian's make its density ratio overconfident; a weight chosen on the samples of the fit, too,
// tempers it (at weight 0 the bound is 0, for Gaussians the best weight is 1). The bound is concave
// in the weight, so that the search ends where it falls.
double held_out_bound(const SampleMatrix& fit_x, const SampleMatrix& fit_y, const SampleMatrix& x,
                      const SampleMatrix& y) {
  constexpr int64_t kSamplesForWeight = 512;
  const GaussianCritic critic(fit_x, fit_y);
  const SampleMatrix some_x = evenly_spaced(fit_x, kSamplesForWeight);
  const SampleMatrix some_y = evenly_spaced(fit_y, kSamplesForWeight);
  double best_weight = 1;
  double best = contrast(critic, best_weight, some_x, some_y);
  for (double weight = 0.75; weight > 1e-3; weight *= 0.75) {
    const double bound = contrast(critic, weight, some_x, some_y);
    if (bound <= best) break;
    best = bound;
    best_weight = weight;
  }
  return contrast(critic, best_weight, x, y);
}

}  // namespace

double infonce_information(const SampleMatrix& x, const SampleMatrix& y) {
  const SampleMatrix x_scores = normal_scores(x);
  const SampleMatrix y_scores = normal_scores(y);
  const SampleMatrix x0 = half(x_scores, 0);
  const SampleMatrix x1 = half(x_scores, 1);
  const SampleMatrix y0 = half(y_scores, 0);
  const SampleMatrix y1 = half(y_scores, 1);
  return 0.5 * (held_out_bound(x0, y0, x1, y1) + held_out_bound(x1, y1, x0, y0));
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

}  // namespace ata
