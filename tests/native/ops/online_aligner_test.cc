#include "ops/online_aligner.h"

#include <gtest/gtest.h>

#include <limits>

#include "op_check.h"
#include "ops/alignment.h"

namespace ata::testing {
namespace {

constexpr ClipLayout kLayout = {1, 6, 36};
constexpr int64_t kChannels = 12;

// Of the host.
Tensor frame_of(const Tensor& features, int64_t frame) {
  return features.slice(frame * kLayout.patches, (frame + 1) * kLayout.patches);
}

TEST(OnlineAligner, GivesWhatTheBatchGives) {
  const Tensor features = random_tensor({kLayout.patch_rows(), kChannels}, 1);
  const Tensor host = on_host(features);
  for (const AlignmentMethod method :
       {AlignmentMethod::kExact, AlignmentMethod::kNone, AlignmentMethod::kNearest,
        AlignmentMethod::kWindow, AlignmentMethod::kSinkhorn}) {
    SCOPED_TRACE(static_cast<int>(method));
    for (const SimilarityProduct product : {SimilarityProduct::kF32, SimilarityProduct::kFastest}) {
      const AlignmentOptions options{.method = method, .product = product};
      AlignmentState state;
      Tensor along;
      Tensor index =
          on_host(align(test_context(), features, kLayout, options, state, &along).index);
      along = on_host(along);
      OnlineAligner aligner(test_device(), options, kLayout.patches, kChannels);
      for (int repetition = 0; repetition < 2; ++repetition) {
        for (int64_t t = 0; t < kLayout.frames; ++t) {
          // From the host, and from the device.
          const Tensor frame = frame_of(host, t);
          const auto patches = aligner.push(repetition == 0 ? frame : on_device(frame));
          EXPECT_EQ(aligner.frame_count(), t + 1);
          EXPECT_TRUE(std::equal(patches.begin(), patches.end(),
                                 index.data<int32_t>() + t * kLayout.patches));
          const auto similarities = aligner.similarities();
          ASSERT_EQ(similarities.size(), t == 0 ? 0U : static_cast<size_t>(kLayout.patches));
          EXPECT_TRUE(std::equal(similarities.begin(), similarities.end(),
                                 along.data<float>() + (t - 1) * kLayout.patches));
        }
        aligner.reset();
      }
    }
  }
}

TEST(OnlineAligner, ARefusedFrameChangesNothing) {
  const Tensor features = on_host(random_tensor({kLayout.patch_rows(), kChannels}, 2));
  OnlineAligner aligner(test_device(), {}, kLayout.patches, kChannels);
  OnlineAligner reference(test_device(), {}, kLayout.patches, kChannels);
  for (int64_t t = 0; t < kLayout.frames; ++t) {
    const Tensor frame = frame_of(features, t);
    Tensor bad = frame.clone();
    bad.data<float>()[17] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_THROW(aligner.push(bad), Error);
    EXPECT_EQ(aligner.frame_count(), t);
    const auto actual = aligner.push(frame);
    const auto expected = reference.push(frame);
    EXPECT_TRUE(std::equal(actual.begin(), actual.end(), expected.begin()));
  }
}

TEST(OnlineAligner, RejectsWhatDoesNotFit) {
  const auto make = [](const AlignmentOptions& options, int64_t patches, int64_t channels) {
    return [=] { OnlineAligner(test_device(), options, patches, channels); };
  };
  expect_error(ATA_INVALID_ARGUMENT, "0 patches", make({}, 0, 4));
  expect_error(ATA_INVALID_ARGUMENT, "4097 patches", make({}, 4097, 4));
  expect_error(ATA_INVALID_ARGUMENT, "0 channels", make({}, 10, 0));
  expect_error(ATA_UNSUPPORTED, "soft", make({.method = AlignmentMethod::kSoft}, 9, 4));
  expect_error(ATA_INVALID_ARGUMENT, "grid", make({.method = AlignmentMethod::kWindow}, 10, 4));
  OnlineAligner aligner(test_device(), {}, 10, 4);
  expect_error(ATA_INVALID_ARGUMENT, "frame is f32 [4, 10], not f32 [10, 4]", [&] {
    aligner.push(Tensor::zeros({4, 10}, DType::kF32));
  });
}

}  // namespace
}  // namespace ata::testing
