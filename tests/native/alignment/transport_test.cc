#include "alignment/transport.h"

#include <gtest/gtest.h>

#include "support/matrices.h"
#include "support/targets.h"

namespace ata {
namespace {

class TransportTargets : public EveryTarget {};
INSTANTIATE_TEST_SUITE_P(, TransportTargets, ::testing::ValuesIn(machine_targets()), target_name);

// The same iteration in float64.
std::vector<double> naive_transport(const Matrix& s, double temperature, int iterations) {
  const auto n = static_cast<size_t>(s.rows);
  std::vector<double> f(n), g(n);
  const auto k = [&](size_t i, size_t j) {
    return s(static_cast<int>(i), static_cast<int>(j)) / temperature;
  };
  for (int iteration = 0; iteration < iterations; ++iteration) {
    for (size_t i = 0; i < n; ++i) {
      double sum = 0;
      for (size_t j = 0; j < n; ++j) sum += std::exp(k(i, j) + g[j]);
      f[i] = -std::log(sum);
    }
    for (size_t j = 0; j < n; ++j) {
      double sum = 0;
      for (size_t i = 0; i < n; ++i) sum += std::exp(k(i, j) + f[i]);
      g[j] = -std::log(sum);
    }
  }
  std::vector<double> plan(n * n);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < n; ++j) plan[i * n + j] = std::exp(k(i, j) + f[i] + g[j]);
  }
  return plan;
}

TEST_P(TransportTargets, EqualsTheIterationInFloat64) {
  std::mt19937 random(1);
  for (const int size : {1, 7, 16, 37, 64}) {
    for (const float temperature : {0.05F, 0.5F}) {
      const Matrix matrix = make_matrix(Kind::kUniform, size, size, random);
      const std::vector<double> expected = naive_transport(matrix, temperature, 20);
      std::vector<float> plan(matrix.values.size());
      TransportWorkspace workspace;
      entropic_transport(matrix.values.data(), size, temperature, 20, workspace, plan.data());
      for (size_t k = 0; k < plan.size(); ++k) ASSERT_NEAR(plan[k], expected[k], 2e-5);
    }
  }
}

TEST_P(TransportTargets, SoftmaxRowsSumToOne) {
  std::mt19937 random(2);
  const Matrix matrix = make_matrix(Kind::kUniform, 5, 37, random);
  std::vector<float> weights = matrix.values;
  softmax_rows(weights.data(), 5, 37, 0.1F, weights.data());
  for (int i = 0; i < 5; ++i) {
    double sum = 0;
    double expected_sum = 0;
    for (int j = 0; j < 37; ++j) expected_sum += std::exp(matrix(i, j) / 0.1);
    for (int j = 0; j < 37; ++j) {
      const float weight = weights[static_cast<size_t>(i * 37 + j)];
      EXPECT_NEAR(weight, std::exp(matrix(i, j) / 0.1) / expected_sum, 1e-6);
      sum += weight;
    }
    EXPECT_NEAR(sum, 1, 1e-5);
  }
}

}  // namespace
}  // namespace ata
