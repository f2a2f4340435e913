#include "information/ksg.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "information/gaussian.h"
#include "information/normal_scores.h"

namespace ata {
namespace {

double chebyshev(const SampleMatrix& rows, int64_t i, int64_t j) {
  double greatest = 0;
  for (int64_t k = 0; k < rows.dimension; ++k) {
    greatest = std::max(greatest, std::fabs(rows.row(i)[k] - rows.row(j)[k]));
  }
  return greatest;
}

// The definition, word for word.
double naive(const SampleMatrix& x, const SampleMatrix& y, int neighbours) {
  double sum = 0;
  for (int64_t i = 0; i < x.count; ++i) {
    std::vector<double> distances;
    for (int64_t j = 0; j < x.count; ++j) {
      if (j != i) distances.push_back(std::max(chebyshev(x, i, j), chebyshev(y, i, j)));
    }
    std::sort(distances.begin(), distances.end());
    const double radius = distances[static_cast<size_t>(neighbours - 1)];
    double near_x = 1;
    double near_y = 1;
    for (int64_t j = 0; j < x.count; ++j) {
      near_x += j != i && chebyshev(x, i, j) < radius;
      near_y += j != i && chebyshev(y, i, j) < radius;
    }
    sum += digamma(near_x) + digamma(near_y);
  }
  const auto count = static_cast<double>(x.count);
  return digamma(neighbours) + digamma(count) - sum / count;
}

// Few distinct values, so that many distances tie, some of them at 0.
SampleMatrix rough(int64_t count, int64_t dimension, std::mt19937& random) {
  SampleMatrix out{count, dimension, {}};
  for (int64_t k = 0; k < count * dimension; ++k) {
    out.values.push_back(static_cast<double>(random() % 16) / 8);
  }
  return out;
}

TEST(Ksg, CountsAsTheDefinitionDoes) {
  std::mt19937 random(1);
  for (const int64_t count : {6, 64, 131}) {
    for (const int64_t d : {1, 3, 8}) {
      const SampleMatrix x = rough(count, d, random);
      const SampleMatrix y = rough(count, 2, random);
      for (const int neighbours : {1, 3, 5}) {
        EXPECT_NEAR(ksg_information(x, y, neighbours).nats, naive(x, y, neighbours), 1e-12)
            << count << ", " << d << ", " << neighbours;
      }
    }
  }
}

TEST(NormalScores, AreQuantilesOfRanks) {
  SampleMatrix samples{20, 2, {}};
  for (int64_t i = 0; i < 20; ++i) {
    samples.values.push_back(std::exp(static_cast<double>(7 * i % 20)));
    samples.values.push_back(i < 19 ? 5 : 6);
  }
  const SampleMatrix scores = normal_scores(samples);
  for (int64_t i = 0; i < 20; ++i) {
    const double below = 0.5 * std::erfc(-scores.row(i)[0] / std::sqrt(2.0));
    EXPECT_NEAR(below, (static_cast<double>(7 * i % 20) + 0.5) / 20, 1e-14);
  }
  const double last = 1.959963984540054;  // the quantile of 0.975
  EXPECT_NEAR(scores.row(19)[1], last, 1e-12);
  for (int64_t i = 0; i < 19; ++i) EXPECT_NEAR(scores.row(i)[1], -last / 19, 1e-12);
}

}  // namespace
}  // namespace ata
