#include "alignment/soft.h"

#include <gtest/gtest.h>

#include "base/threads.h"
#include "support/matrices.h"

namespace ata {
namespace {

// Weights in float64, straight from the definition.
std::vector<double> naive_weights(const std::vector<double>& features, const ClipLayout& shape,
                                  int64_t channels, double temperature) {
  const int64_t n = shape.patches;
  const int64_t d = channels;
  std::vector<double> out;
  const auto dot = [&](const double* a, const double* b) {
    double sum = 0;
    for (int64_t k = 0; k < d; ++k) sum += a[k] * b[k];
    return sum;
  };
  for (int64_t pair = 0; pair < shape.pairs(); ++pair) {
    const double* now = features.data() + shape.first_frame(pair) * n * d;
    const double* next = now + n * d;
    for (int64_t i = 0; i < n; ++i) {
      std::vector<double> row;
      double sum = 0;
      for (int64_t j = 0; j < n; ++j) {
        const double* a = now + i * d;
        const double* b = next + j * d;
        row.push_back(std::exp(dot(a, b) / std::sqrt(dot(a, a) * dot(b, b)) / temperature));
        sum += row.back();
      }
      for (const double x : row) out.push_back(x / sum);
    }
  }
  return out;
}

TEST(Soft, WeightsAndGradientEqualTheDefinition) {
  const ClipLayout shape = {2, 3, 6};
  const int64_t channels = 4;
  constexpr double kTemperature = 0.3;
  std::mt19937 random(1);
  const std::vector<float> features =
      random_features(static_cast<int>(shape.clips * shape.frames * shape.patches), 4, random);
  std::vector<double> exact(features.begin(), features.end());

  SoftWorkspace workspace;
  std::vector<float> weights(static_cast<size_t>(shape.pairs() * 36));
  soft_weights(features.data(), shape, channels, kTemperature, workspace, weights.data());
  const std::vector<double> expected = naive_weights(exact, shape, channels, kTemperature);
  for (size_t k = 0; k < weights.size(); ++k) ASSERT_NEAR(weights[k], expected[k], 1e-6);

  // Loss: a random linear function of the weights. Its gradient by central differences.
  const std::vector<float> grad_weights = random_features(4 * 36, 1, random);
  const auto loss = [&] {
    const std::vector<double> w = naive_weights(exact, shape, channels, kTemperature);
    double sum = 0;
    for (size_t k = 0; k < w.size(); ++k) sum += w[k] * grad_weights[k];
    return sum;
  };
  std::vector<float> gradient(features.size(), 1.0F);  // accumulated into
  soft_weights_backward(features.data(), shape, channels, kTemperature, weights.data(),
                        grad_weights.data(), workspace, gradient.data());
  for (size_t k = 0; k < features.size(); ++k) {
    const double original = exact[k];
    exact[k] = original + 1e-5;
    const double above = loss();
    exact[k] = original - 1e-5;
    const double below = loss();
    exact[k] = original;
    ASSERT_NEAR(gradient[k] - 1, (above - below) / 2e-5, 2e-4) << k;
  }
}

TEST(Soft, DoesNotDependOnTheNumberOfThreads) {
  const ClipLayout shape = {2, 4, 30};
  const int64_t channels = 12;
  std::mt19937 random(2);
  const std::vector<float> features = random_features(2 * 4 * 30, 12, random);
  std::vector<float> reference;
  for (const int threads : {1, 2, 5}) {
    set_thread_count(threads);
    SoftWorkspace workspace;
    std::vector<float> weights(static_cast<size_t>(shape.pairs() * 900));
    soft_weights(features.data(), shape, channels, 0.1F, workspace, weights.data());
    std::vector<float> gradient(features.size());
    soft_weights_backward(features.data(), shape, channels, 0.1F, weights.data(), weights.data(),
                          workspace, gradient.data());
    if (reference.empty()) reference = gradient;
    EXPECT_EQ(gradient, reference);
  }
  set_thread_count(0);
}

}  // namespace
}  // namespace ata
