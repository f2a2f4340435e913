#include "information/mutual_information.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "base/threads.h"
#include "information/ksg.h"
#include "information/normal_scores.h"
#include "support/errors.h"
#include "support/matrices.h"

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
constexpr uint32_t kSeeds = 2;

double estimate(const Pairs& pairs, InformationEstimator estimator) {
  return mutual_information(pairs.x, pairs.y, {.estimator = estimator});
}

// Of several draws, so that what is measured is the estimator and not the draw.
double mean_estimate(int64_t dimension, double rho, InformationEstimator estimator) {
  double sum = 0;
  for (uint32_t seed = 1; seed <= kSeeds; ++seed) {
    sum += estimate(correlated(kCount, dimension, rho, seed), estimator);
  }
  return sum / kSeeds;
}

// 5 %, or three standard errors where samples are too few for that. Those of the closed form have
// the variance d rho^2 / samples; to have counted neighbours adds less than 1 / samples.
double tolerance(int64_t dimension, double rho, double noise) {
  const double variance = (static_cast<double>(dimension) * rho * rho + noise) / (kCount * kSeeds);
  return std::max(0.05 * truth(dimension, rho), 3 * std::sqrt(variance));
}

TEST(MutualInformation, GaussianRecoversTheClosedForm) {
  for (const int64_t d : {1, 4, 16}) {
    for (const double rho : {0.0, 0.3, 0.6, 0.9}) {
      const double actual = mean_estimate(d, rho, InformationEstimator::kGaussian);
      EXPECT_NEAR(actual, truth(d, rho), tolerance(d, rho, 0.1)) << d << ", " << rho;
    }
  }
}

TEST(MutualInformation, KsgRecoversTheClosedForm) {
  for (const int64_t d : {1, 4, 16}) {
    for (const double rho : {0.0, 0.3, 0.6, 0.9}) {
      const double actual = mean_estimate(d, rho, InformationEstimator::kKsg);
      EXPECT_NEAR(actual, truth(d, rho), tolerance(d, rho, 1)) << d << ", " << rho;
    }
  }
}

// A lower bound, which what the critic was fitted to loosens by d^2 / samples, and which is tight
// while the information is small against log(samples / 2).
TEST(MutualInformation, InfonceIsATightLowerBound) {
  const double ceiling = std::log(kCount / 2.0);
  for (const int64_t d : {1, 4, 16}) {
    for (const double rho : {0.0, 0.3, 0.6, 0.9}) {
      const double actual = mean_estimate(d, rho, InformationEstimator::kInfonce);
      const double margin = tolerance(d, rho, 0.1);
      EXPECT_LE(actual, std::min(truth(d, rho) + margin, ceiling)) << d << ", " << rho;
      const double fit = static_cast<double>(d * d) / kCount;
      const double least =
          truth(d, rho) < 0.5 * ceiling ? truth(d, rho) - fit - margin : 0.9 * ceiling;
      EXPECT_GE(actual, least) << d << ", " << rho;
    }
  }
}

// Increasing maps of coordinates keep the information, but not the covariance.
TEST(MutualInformation, KsgSeesThroughIncreasingMaps) {
  for (const int64_t d : {1, 4, 16}) {
    const Pairs plain = correlated(1024, d, 0.6, 11);
    Pairs mapped = plain;
    for (double& x : mapped.x.values) x = x * x * x;
    for (double& y : mapped.y.values) y = std::exp(2 * y);
    EXPECT_EQ(estimate(mapped, InformationEstimator::kKsg),
              estimate(plain, InformationEstimator::kKsg));
    EXPECT_LT(estimate(mapped, InformationEstimator::kGaussian), 0.7 * truth(d, 0.6)) << d;
  }
}

// y is x with uniform noise of half its width: log 2 + 1/4 nats.
TEST(MutualInformation, KsgMeasuresWhatIsNotGaussian) {
  std::mt19937 random(12);
  std::uniform_real_distribution<double> uniform;
  Pairs pairs{{kCount, 1, {}}, {kCount, 1, {}}};
  for (int64_t i = 0; i < kCount; ++i) {
    const double x = uniform(random);
    pairs.x.values.push_back(x);
    pairs.y.values.push_back(x + 0.5 * uniform(random));
  }
  const double nats = std::log(2.0) + 0.25;
  EXPECT_NEAR(estimate(pairs, InformationEstimator::kKsg), nats, 0.05 * nats);
  EXPECT_LT(estimate(pairs, InformationEstimator::kGaussian), 0.9 * nats);
}

// The signs of y are lost: no correlation is left, but |y| still follows |x|. The truth is the
// integral of the density's logarithm, by the trapezoidal rule.
TEST(MutualInformation, KsgSeesDependenceWithoutCorrelation) {
  constexpr double kRho = 0.9;
  const double variance = 1 - kRho * kRho;
  constexpr double kStep = 0.02;
  double nats = 0;
  for (double x = -6; x < 6; x += kStep) {
    for (double y = -6; y < 6; y += kStep) {
      const auto normal = [&](double mean, double spread) {
        return std::exp(-0.5 * (y - mean) * (y - mean) / spread) / std::sqrt(spread);
      };
      const double given = 0.5 * (normal(kRho * x, variance) + normal(-kRho * x, variance));
      if (given <= 0) continue;
      const double density = given * std::exp(-0.5 * x * x) / (2 * std::acos(-1.0));
      nats += density * std::log(given / normal(0, 1)) * kStep * kStep;
    }
  }
  std::mt19937 random(13);
  Pairs pairs = correlated(kCount, 1, kRho, 14);
  for (double& y : pairs.y.values) y *= (random() & 1) != 0 ? 1 : -1;
  EXPECT_NEAR(estimate(pairs, InformationEstimator::kKsg), nats, 3 * std::sqrt(2.0 / kCount));
  EXPECT_NEAR(estimate(pairs, InformationEstimator::kGaussian), 0, 0.01);
  EXPECT_GT(nats, 0.4);
}

TEST(MutualInformation, HeavyTailsAloneAreNoInformation) {
  for (const int64_t d : {1, 4, 16}) {
    std::mt19937 random(15);
    std::cauchy_distribution<double> cauchy;
    Pairs pairs{{1024, d, {}}, {1024, d, {}}};
    for (int64_t k = 0; k < 1024 * d; ++k) {
      pairs.x.values.push_back(cauchy(random));
      pairs.y.values.push_back(cauchy(random));
    }
    EXPECT_NEAR(estimate(pairs, InformationEstimator::kKsg), 0, 3 * std::sqrt(1.0 / 1024)) << d;
  }
}

// Where the closed form is infinite or undefined, the count of neighbours stands as it is.
TEST(MutualInformation, KsgIsNotCorrectedWithoutACovariance) {
  const auto uncorrected = [](const Pairs& pairs) {
    return ksg_information(normal_scores(pairs.x), normal_scores(pairs.y), 3).nats;
  };
  Pairs copy = correlated(200, 2, 0, 16);
  copy.y = copy.x;
  Pairs constant = correlated(200, 2, 0.5, 17);
  for (int64_t i = 0; i < 200; ++i) constant.x.row(i)[1] = 7;
  for (const Pairs& pairs : {copy, constant, correlated(10, 16, 0.5, 18)}) {
    const double actual = estimate(pairs, InformationEstimator::kKsg);
    EXPECT_TRUE(std::isfinite(actual));
    EXPECT_EQ(actual, uncorrected(pairs));
    EXPECT_THROW(estimate(pairs, InformationEstimator::kGaussian), Error);
    EXPECT_THROW(estimate(pairs, InformationEstimator::kInfonce), Error);
  }
}

// On values of which many are equal, nearest neighbours would find more information than the values
// have entropy.
TEST(MutualInformation, KsgRefusesTies) {
  const auto expect_refusal = [](const Pairs& pairs, const char* what) {
    SCOPED_TRACE(what);
    expect_error(ATA_INVALID_ARGUMENT, "samples are tied",
                 [&] { estimate(pairs, InformationEstimator::kKsg); });
  };
  std::mt19937 random(19);
  for (const int64_t d : {1, 3}) {
    for (const int levels : {2, 16, 256}) {  // independent and copied, of each side and of both
      if (d > 1 && levels > 16) continue;    // so many cells that hardly two samples share one
      Pairs discrete{{kCount, d, {}}, {kCount, d, {}}};
      for (int64_t k = 0; k < kCount * d; ++k) {
        discrete.x.values.push_back(static_cast<double>(random() % static_cast<unsigned>(levels)));
        discrete.y.values.push_back(static_cast<double>(random() % static_cast<unsigned>(levels)));
      }
      expect_refusal(discrete, "independent");
      discrete.y = discrete.x;
      expect_refusal(discrete, "copied");
    }
    Pairs rounded = correlated(kCount, d, 0.6, 20);
    for (double& x : rounded.x.values) x = std::round(8 * x);
    for (double& y : rounded.y.values) y = std::round(8 * y);
    expect_refusal(rounded, "rounded");
    // One sample in a hundred in one place: a border of one colour.
    Pairs border = correlated(1400, d, 0.6, 21);
    for (int64_t i = 0; i < 1400; i += 100) {
      std::fill_n(border.x.row(i), d, 0.0);
      std::fill_n(border.y.row(i), d, 0.0);
    }
    expect_refusal(border, "border");
    EXPECT_TRUE(std::isfinite(estimate(border, InformationEstimator::kGaussian)));
  }
  // One dimension of several may have them.
  Pairs partly = correlated(1024, 2, 0.6, 22);
  for (int64_t i = 0; i < 1024; ++i) partly.x.row(i)[1] = partly.x.row(i)[1] > 0 ? 1 : 0;
  const double nats = estimate(partly, InformationEstimator::kKsg);
  EXPECT_GT(nats, truth(1, 0.6));
  EXPECT_LT(nats, truth(2, 0.6));
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
  EXPECT_NEAR(estimate(pairs, InformationEstimator::kInfonce), truth(2, 0.8), 0.1);
}

TEST(MutualInformation, RejectsWhatItCannotEstimate) {
  const Pairs few = correlated(6, 4, 0.5, 4);
  for (const auto estimator : {InformationEstimator::kGaussian, InformationEstimator::kInfonce}) {
    EXPECT_THROW(estimate(few, estimator), Error);
  }
  EXPECT_THROW(estimate(correlated(3, 1, 0.5, 4), InformationEstimator::kKsg), Error);
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
  Tensor trajectories({1, 5, 100}, DType::kI32);
  float* out = features.data<float>();
  std::vector<size_t> first;
  for (int64_t t = 0; t < 5; ++t) {
    std::shuffle(order.begin(), order.end(), random);
    for (const size_t from : order) {
      for (size_t d = 0; d < 24; ++d) *out++ = base[from * 24 + d] + 0.3F * normal(random);
    }
    if (t == 0) first = order;
    for (size_t n = 0; n < first.size(); ++n) {
      trajectories.data<int32_t>()[static_cast<size_t>(t) * 100 + n] =
          static_cast<int32_t>(std::find(order.begin(), order.end(), first[n]) - order.begin());
    }
  }
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
  const double all = alignment_information(features, trajectories, {.components = 0}).after;
  EXPECT_EQ(all, alignment_information(features, trajectories, {.components = 24}).after);
}

}  // namespace
}  // namespace ata
