#include "align/mutual_information.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "base/threads.h"
#include "oracle.h"

namespace ata {
namespace {

struct Pairs {
  SampleMatrix x;
  SampleMatrix y;
};

// Gaussians whose coordinates correlate one by one.
Pairs correlated(int64_t count, int64_t dimension, double rho, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  Pairs pairs{{count, dimension, {}}, {count, dimension, {}}};
  for (int64_t k = 0; k < count * dimension; ++k) {
    const double x = normal(random);
    pairs.x.values.push_back(x);
    pairs.y.values.push_back(rho * x + std::sqrt(1 - rho * rho) * normal(random));
  }
  return pairs;
}

double truth(int64_t dimension, double rho) {
  return -0.5 * static_cast<double>(dimension) * std::log(1 - rho * rho);
}

constexpr int64_t kCount = 4096;

double estimate(const Pairs& pairs, InformationEstimator estimator) {
  return mutual_information(pairs.x, pairs.y, {.estimator = estimator});
}

TEST(MutualInformation, GaussianEstimatorRecoversTheClosedForm) {
  for (const int64_t d : {1, 4, 16}) {
    for (const double rho : {0.0, 0.3, 0.6, 0.9}) {
      const double actual =
          estimate(correlated(kCount, d, rho, 1), InformationEstimator::kGaussian);
      EXPECT_NEAR(actual, truth(d, rho), 0.05 * truth(d, rho) + 0.01) << d << ", " << rho;
    }
  }
}

// In one dimension it recovers the closed form; in more it falls short, by more the more there is.
TEST(MutualInformation, NearestNeighboursRecoverOrFallShort) {
  for (const int64_t d : {1, 4, 16}) {
    double previous = -0.05;
    for (const double rho : {0.0, 0.3, 0.6, 0.9}) {
      const double actual =
          estimate(correlated(kCount, d, rho, 1), InformationEstimator::kNearestNeighbours);
      if (d == 1) {
        EXPECT_NEAR(actual, truth(d, rho), 0.05 * truth(d, rho) + 0.01) << rho;
      }
      EXPECT_LE(actual, 1.05 * truth(d, rho) + 0.01) << d << ", " << rho;
      EXPECT_GT(actual, previous) << d << ", " << rho;
      previous = actual;
    }
  }
}

// A lower bound that is tight while the information is small against log(count / 2).
TEST(MutualInformation, InfoNceIsATightLowerBound) {
  const double ceiling = std::log(kCount / 2.0);
  for (const int64_t d : {1, 4, 16}) {
    for (const double rho : {0.0, 0.3, 0.6, 0.9}) {
      const double actual = estimate(correlated(kCount, d, rho, 1), InformationEstimator::kInfoNce);
      EXPECT_LE(actual, std::min(1.02 * truth(d, rho) + 0.01, ceiling)) << d << ", " << rho;
      if (truth(d, rho) < 0.5 * ceiling) {
        EXPECT_NEAR(actual, truth(d, rho), 0.05 * truth(d, rho) + 0.06) << d << ", " << rho;
      } else {
        EXPECT_GT(actual, 0.9 * ceiling);
      }
    }
  }
}

// Invertible maps of one side change nothing for the Gaussian; noise columns add nothing.
TEST(MutualInformation, SidesMayDifferInDimension) {
  Pairs pairs = correlated(kCount, 2, 0.8, 2);
  std::mt19937 random(3);
  std::normal_distribution<double> normal;
  SampleMatrix wide{kCount, 3, {}};
  for (int64_t i = 0; i < kCount; ++i) {
    const double* y = pairs.y.row(i);
    wide.values.insert(wide.values.end(), {y[0] + y[1], y[0] - 2 * y[1], normal(random)});
  }
  pairs.y = wide;
  EXPECT_NEAR(estimate(pairs, InformationEstimator::kGaussian), truth(2, 0.8), 0.05);
  EXPECT_NEAR(estimate(pairs, InformationEstimator::kInfoNce), truth(2, 0.8), 0.1);
}

TEST(MutualInformation, RejectsWhatItCannotEstimate) {
  const Pairs few = correlated(6, 4, 0.5, 4);
  for (const auto estimator : {InformationEstimator::kGaussian, InformationEstimator::kInfoNce}) {
    EXPECT_THROW(estimate(few, estimator), Error);
  }
  EXPECT_THROW(estimate(correlated(3, 1, 0.5, 4), InformationEstimator::kNearestNeighbours), Error);
  Pairs constant = correlated(100, 2, 0.5, 5);
  for (int64_t i = 0; i < 100; ++i) constant.x.row(i)[1] = 7;
  EXPECT_THROW(estimate(constant, InformationEstimator::kGaussian), Error);
  Pairs uneven = correlated(100, 2, 0.5, 5);
  uneven.y = correlated(90, 2, 0.5, 5).y;
  EXPECT_THROW(estimate(uneven, InformationEstimator::kGaussian), Error);
  EXPECT_THROW(mutual_information(few.x, few.y, {.neighbours = 0}), Error);
}

TEST(PrincipalComponents, FindTheSpreadAndWhitenIt) {
  // Variances 16, 4, 1 along turned axes of the first three channels, and two constant channels.
  std::mt19937 random(6);
  std::normal_distribution<float> normal;
  constexpr int64_t kRows = 5000;
  std::vector<float> rows;
  for (int64_t i = 0; i < kRows; ++i) {
    const float a = 4 * normal(random);
    const float b = 2 * normal(random);
    const float c = normal(random);
    rows.insert(rows.end(), {0.6F * a - 0.8F * b + 5, 0.8F * a + 0.6F * b, c, 3, 0});
  }
  const SampleMatrix out = principal_components(rows.data(), kRows, 5, 5);
  ASSERT_EQ(out.dimension, 3);
  for (int64_t p = 0; p < 3; ++p) {
    for (int64_t q = 0; q <= p; ++q) {
      double sum = 0;
      for (int64_t i = 0; i < kRows; ++i) sum += out.row(i)[p] * out.row(i)[q];
      EXPECT_NEAR(sum / kRows, p == q ? 1 : 0, 1e-4);
    }
  }
  // The first axis is (0.6, 0.8).
  double along = 0;
  for (int64_t i = 0; i < kRows; ++i) {
    along += out.row(i)[0] *
             (0.6 * rows[static_cast<size_t>(5 * i)] + 0.8 * rows[static_cast<size_t>(5 * i + 1)]);
  }
  EXPECT_NEAR(std::abs(along / kRows), 4, 0.1);
  EXPECT_EQ(principal_components(rows.data(), kRows, 5, 2).dimension, 2);
}

// Patches that change places at random: matched ones know each other, those at fixed positions do
// not.
TEST(MutualInformation, RisesWithAlignment) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  const std::vector<float> base = random_features(100, 24, random);
  std::vector<size_t> order(100);
  std::iota(order.begin(), order.end(), size_t{0});
  Tensor features({1, 5, 100, 24}, DType::kF32);
  float* out = features.data<float>();
  for (int64_t t = 0; t < 5; ++t) {
    std::shuffle(order.begin(), order.end(), random);
    for (const size_t from : order) {
      for (size_t d = 0; d < 24; ++d) *out++ = base[from * 24 + d] + 0.3F * normal(random);
    }
  }
  AlignmentWorkspace workspace;
  const Tensor trajectories = align(features, {}, workspace, false).trajectories;
  for (int e = 0; e < 3; ++e) {
    const InformationOptions options{.estimator = static_cast<InformationEstimator>(e),
                                     .components = 4};
    set_thread_count(1);
    const AlignmentInformation one = alignment_information(features, trajectories, options);
    set_thread_count(3);
    const AlignmentInformation three = alignment_information(features, trajectories, options);
    set_thread_count(0);
    EXPECT_LT(one.before, 0.3) << e;
    EXPECT_GT(one.after, one.before + 1) << e;
    EXPECT_EQ(one.before, three.before);
    EXPECT_EQ(one.after, three.after);
  }
}

}  // namespace
}  // namespace ata
