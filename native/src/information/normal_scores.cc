#include "information/normal_scores.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <vector>

namespace ata {
namespace {

// The x that a standard normal variable stays below with probability `p`, by Newton's method on the
// logarithm of the lower tail, which is concave.
double normal_quantile(double p) {
  if (p > 0.5) return -normal_quantile(1 - p);
  double x = 0;
  for (int iteration = 0; iteration < 100; ++iteration) {
    const double tail = 0.5 * std::erfc(-x / std::numbers::sqrt2);
    const double density = std::exp(-0.5 * x * x) * std::numbers::inv_sqrtpi / std::numbers::sqrt2;
    const double step = (std::log(p) - std::log(tail)) * tail / density;
    x += step;
    if (std::fabs(step) < 1e-13) break;
  }
  return x;
}

}  // namespace

SampleMatrix normal_scores(const SampleMatrix& samples) {
  const auto count = static_cast<size_t>(samples.count);
  std::vector<double> quantiles(count);
  for (size_t r = 0; r < count; ++r) {
    quantiles[r] =
        normal_quantile((static_cast<double>(r) + 0.5) / static_cast<double>(samples.count));
  }
  SampleMatrix out{samples.count, samples.dimension, std::vector<double>(samples.values.size())};
  std::vector<int64_t> order(count);
  for (int64_t k = 0; k < samples.dimension; ++k) {
    const auto value = [&](size_t rank) { return samples.row(order[rank])[k]; };
    std::iota(order.begin(), order.end(), int64_t{0});
    std::sort(order.begin(), order.end(),
              [&](int64_t a, int64_t b) { return samples.row(a)[k] < samples.row(b)[k]; });
    for (size_t first = 0, last = 0; first < count; first = last) {
      double sum = 0;
      for (; last < count && value(last) == value(first); ++last) sum += quantiles[last];
      for (size_t rank = first; rank < last; ++rank) {
        out.row(order[rank])[k] = sum / static_cast<double>(last - first);
      }
    }
  }
  return out;
}

}  // namespace ata
