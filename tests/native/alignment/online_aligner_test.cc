#include "alignment/online_aligner.h"

#include <gtest/gtest.h>

#include <limits>

#include "clips.h"
#include "support/matrices.h"

namespace ata {
namespace {

TEST(OnlineAligner, GivesWhatTheBatchGives) {
  const ClipLayout shape = {1, 6, 36};
  const int64_t channels = 12;
  std::mt19937 random(1);
  Tensor features({1, shape.frames, shape.patches, channels}, DType::kF32);
  const std::vector<float> values = random_features(6 * 36, 12, random);
  std::copy(values.begin(), values.end(), features.data<float>());
  for (const AlignmentMethod method :
       {AlignmentMethod::kExact, AlignmentMethod::kNone, AlignmentMethod::kNearest,
        AlignmentMethod::kWindow, AlignmentMethod::kSinkhorn}) {
    SCOPED_TRACE(static_cast<int>(method));
    for (const SimilarityProduct product : {SimilarityProduct::kF32, SimilarityProduct::kFastest}) {
      const AlignmentOptions options{.method = method, .product = product};
      AlignmentWorkspace workspace;
      const Alignment batch = align(features, options, workspace);
      OnlineAligner aligner(options, shape.patches, channels);
      for (int repetition = 0; repetition < 2; ++repetition) {
        for (int64_t t = 0; t < shape.frames; ++t) {
          const auto patches = aligner.push(values.data() + t * shape.patches * channels);
          EXPECT_EQ(aligner.frame_count(), t + 1);
          EXPECT_TRUE(std::equal(patches.begin(), patches.end(),
                                 batch.trajectories.data<int32_t>() + t * shape.patches));
          ASSERT_EQ(aligner.similarities().size(), t == 0 ? 0U : static_cast<size_t>(36));
          for (size_t n = 0; n < aligner.similarities().size(); ++n) {
            EXPECT_NEAR(aligner.similarities()[n],
                        batch.similarities.data<float>()[(t - 1) * 36 + static_cast<int64_t>(n)],
                        1e-6);
          }
        }
        aligner.reset();
      }
    }
  }
}

TEST(OnlineAligner, ARefusedFrameChangesNothing) {
  std::mt19937 random(2);
  OnlineAligner aligner({}, 10, 4);
  OnlineAligner reference({}, 10, 4);
  for (int t = 0; t < 4; ++t) {
    std::vector<float> frame = random_features(10, 4, random);
    std::vector<float> bad = frame;
    bad[17] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_THROW(aligner.push(bad.data()), Error);
    const auto actual = aligner.push(frame.data());
    const auto expected = reference.push(frame.data());
    EXPECT_TRUE(std::equal(actual.begin(), actual.end(), expected.begin()));
  }
}

TEST(OnlineAligner, RejectsBadOptions) {
  EXPECT_THROW(OnlineAligner({}, 0, 4), Error);
  EXPECT_THROW(OnlineAligner({}, 10, 0), Error);
  EXPECT_THROW(OnlineAligner({.method = AlignmentMethod::kSoft}, 9, 4), Error);
  EXPECT_THROW(OnlineAligner({.method = AlignmentMethod::kWindow}, 10, 4), Error);
}

}  // namespace
}  // namespace ata
