#include "alignment/similarity.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "support/errors.h"
#include "support/matrices.h"
#include "support/targets.h"

namespace ata {
namespace {

constexpr SimilarityProduct kProducts[] = {SimilarityProduct::kF32, SimilarityProduct::kFastest};

NormalizedFrame normalize(const std::vector<float>& features, int channels,
                          SimilarityProduct product = SimilarityProduct::kF32) {
  NormalizedFrame frame;
  frame.assign(features.data(), static_cast<int64_t>(features.size()) / channels, channels,
               channels, 0, product);
  return frame;
}

// Checks the similarities of two frames of random features, in each kind of product.
void expect_cosines(int patches, int channels, std::mt19937& random) {
  const std::vector<float> a = random_features(patches, channels, random);
  const std::vector<float> b = random_features(patches, channels, random);
  const Matrix expected = cosines(a, b, channels);
  std::vector<float> actual(expected.values.size());
  for (const SimilarityProduct product : kProducts) {
    cosine_similarity(normalize(a, channels, product), 0, patches, normalize(b, channels, product),
                      actual.data());
    const bool split = product == SimilarityProduct::kFastest && has_split_product();
    // A split product's errors are at most 2^-16 of each term, and average out.
    const double tolerance = split ? std::min(1.6e-5, 4e-5 / std::sqrt(channels)) : 1e-6;
    for (size_t k = 0; k < actual.size(); ++k) {
      ASSERT_NEAR(actual[k], expected.values[k], tolerance)
          << patches << " patches, " << channels << " channels, element " << k
          << (split ? ", split" : "");
    }
  }
}

class SimilarityTargets : public EveryTarget {};
INSTANTIATE_TEST_SUITE_P(, SimilarityTargets, ::testing::ValuesIn(machine_targets()), target_name);

TEST_P(SimilarityTargets, EqualsTheCosineInFloat64) {
  std::mt19937 random(1);
  for (const int patches : {1, 4, 16, 33, 49, 100}) {
    for (const int channels : {1, 3, 16, 50, 96}) {
      expect_cosines(patches, channels, random);
    }
  }
  expect_cosines(196, 768, random);
}

TEST_P(SimilarityTargets, RangesOfRowsGiveTheSameBits) {
  std::mt19937 random(2);
  constexpr int kPatches = 50;
  const std::vector<float> first = random_features(kPatches, 40, random);
  const std::vector<float> second = random_features(kPatches, 40, random);
  for (const SimilarityProduct product : kProducts) {
    const NormalizedFrame a = normalize(first, 40, product);
    const NormalizedFrame b = normalize(second, 40, product);
    std::vector<float> whole(kPatches * kPatches);
    cosine_similarity(a, 0, kPatches, b, whole.data());
    std::vector<float> parts(whole.size());
    for (const auto& [begin, end] : std::vector<std::pair<int, int>>{{0, 1}, {1, 18}, {18, 50}}) {
      cosine_similarity(a, begin, end, b, parts.data() + begin * kPatches);
    }
    EXPECT_EQ(parts, whole);
  }
}

// A frame's memory is used again, also by smaller frames and for another product.
TEST_P(SimilarityTargets, FramesCanBeAssignedAgain) {
  std::mt19937 random(3);
  NormalizedFrame frame;
  for (const auto& [patches, channels] : std::vector<std::pair<int, int>>{{40, 70}, {17, 33}}) {
    for (const SimilarityProduct product : kProducts) {
      const std::vector<float> features = random_features(patches, channels, random);
      frame.assign(features.data(), patches, channels, channels, 0, product);
      const NormalizedFrame fresh = normalize(features, channels, product);
      std::vector<float> actual(static_cast<size_t>(patches * patches));
      std::vector<float> expected(actual.size());
      cosine_similarity(frame, 0, patches, frame, actual.data());
      cosine_similarity(fresh, 0, patches, fresh, expected.data());
      EXPECT_EQ(actual, expected);
    }
  }
}

TEST_P(SimilarityTargets, ExtremeLengths) {
  // Lengths whose squares leave the range of float32, and a patch of length 0.
  const std::vector<float> features = {3e30F, 4e30F, 3e-30F, 4e-30F, 0, 0, 6e-42F, 8e-42F};
  std::vector<float> actual(16);
  for (const SimilarityProduct product : kProducts) {
    const NormalizedFrame frame = normalize(features, 2, product);
    cosine_similarity(frame, 0, 4, frame, actual.data());
    for (int i = 0; i < 4; ++i) {
      for (int j = 0; j < 4; ++j) {
        EXPECT_NEAR(actual[static_cast<size_t>(4 * i + j)], i == 2 || j == 2 ? 0.0F : 1.0F, 1e-3F);
      }
    }
  }
}

TEST(Similarity, RejectsFeaturesThatAreNotFinite) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    for (const SimilarityProduct product : kProducts) {
      std::vector<float> features(6, 1.0F);
      features[3] = bad;
      expect_error(ATA_INVALID_ARGUMENT, "patch 1", [&] { normalize(features, 2, product); });
    }
  }
}

TEST(Similarity, ReadsRowsThatLieApart) {
  const std::vector<float> features = {1, 0, 9, 9, 0, 1, 9, 9};
  NormalizedFrame frame;
  frame.assign(features.data(), 2, 2, 4, 0);
  std::vector<float> actual(4);
  cosine_similarity(frame, 0, 2, frame, actual.data());
  EXPECT_EQ(actual, (std::vector<float>{1, 0, 0, 1}));
}

}  // namespace
}  // namespace ata
