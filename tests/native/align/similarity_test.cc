#include "align/similarity.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/error.h"
#include "oracle.h"
#include "targets.h"

namespace ata {
namespace {

NormalizedFrame normalize(const std::vector<float>& features, int channels) {
  NormalizedFrame frame;
  frame.assign(features.data(), static_cast<int64_t>(features.size()) / channels, channels,
               channels, 0);
  return frame;
}

class SimilarityTargets : public EveryTarget {};
INSTANTIATE_TEST_SUITE_P(, SimilarityTargets, ::testing::ValuesIn(machine_targets()), target_name);

TEST_P(SimilarityTargets, EqualsTheCosineInFloat64) {
  std::mt19937 random(1);
  for (const int patches : {1, 4, 16, 33, 49, 100}) {
    for (const int channels : {1, 3, 16, 50, 96}) {
      const std::vector<float> a = random_features(patches, channels, random);
      const std::vector<float> b = random_features(patches, channels, random);
      const Matrix expected = cosines(a, b, channels);
      std::vector<float> actual(expected.values.size());
      cosine_similarity(normalize(a, channels), 0, patches, normalize(b, channels), actual.data());
      for (size_t k = 0; k < actual.size(); ++k) {
        ASSERT_NEAR(actual[k], expected.values[k], 1e-6)
            << patches << " patches, " << channels << " channels, element " << k;
      }
    }
  }
}

TEST_P(SimilarityTargets, RangesOfRowsGiveTheSameBits) {
  std::mt19937 random(2);
  constexpr int kPatches = 50;
  const NormalizedFrame a = normalize(random_features(kPatches, 40, random), 40);
  const NormalizedFrame b = normalize(random_features(kPatches, 40, random), 40);
  std::vector<float> whole(kPatches * kPatches);
  cosine_similarity(a, 0, kPatches, b, whole.data());
  std::vector<float> parts(whole.size());
  for (const auto& [begin, end] : std::vector<std::pair<int, int>>{{0, 1}, {1, 18}, {18, 50}}) {
    cosine_similarity(a, begin, end, b, parts.data() + begin * kPatches);
  }
  EXPECT_EQ(parts, whole);
}

TEST_P(SimilarityTargets, ExtremeLengths) {
  // Lengths whose squares leave the range of float32, and a patch of length 0.
  const std::vector<float> features = {3e30F, 4e30F, 3e-30F, 4e-30F, 0, 0, 6e-42F, 8e-42F};
  std::vector<float> actual(16);
  const NormalizedFrame frame = normalize(features, 2);
  cosine_similarity(frame, 0, 4, frame, actual.data());
  for (int i = 0; i < 4; ++i) {
    for (int j = 0; j < 4; ++j) {
      EXPECT_NEAR(actual[static_cast<size_t>(4 * i + j)], i == 2 || j == 2 ? 0.0F : 1.0F, 1e-3F);
    }
  }
}

TEST(Similarity, RejectsFeaturesThatAreNotFinite) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    std::vector<float> features(6, 1.0F);
    features[3] = bad;
    try {
      normalize(features, 2);
      FAIL() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.status(), ATA_INVALID_ARGUMENT);
      EXPECT_NE(std::string(error.what()).find("patch 1"), std::string::npos) << error.what();
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
