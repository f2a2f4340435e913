#include "model/training_pass.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/random.h"
#include "support/devices.h"

namespace ata {
namespace {

TEST(TrainingPass, NothingIsDroppedByDefaultOrInTheFirstBlock) {
  TrainingPass pass;
  EXPECT_FALSE(pass.drop_path(test_context(), 3, 4, DrawSite::kMlpBranch, 2, 8, 2));
  pass.drop_path_rate = 0.9f;
  EXPECT_FALSE(pass.drop_path(test_context(), 0, 4, DrawSite::kMlpBranch, 2, 8, 2));
  EXPECT_TRUE(pass.drop_path(test_context(), 3, 4, DrawSite::kMlpBranch, 2, 8, 2));
  EXPECT_TRUE(pass.drop_path(test_context(), 0, 1, DrawSite::kMlpBranch, 2, 8, 2));
  const Tensor scale = Tensor::zeros({8}, DType::kF32);
  EXPECT_EQ(pass.drop_path(test_context(), 0, 4, DrawSite::kMlpBranch, 2, 8, 0, scale).address(),
            scale.address());
}

// Rates grow linearly with depth, samples are dropped whole, and the mean of the factor is 1.
TEST(TrainingPass, DropsSamplesAtTheRateOfTheBlock) {
  constexpr int64_t kSamples = 20000, kDepth = 5;
  TrainingPass pass;
  pass.drop_path_rate = 0.6f;
  for (int64_t block = 1; block < kDepth; ++block) {
    const float probability = 0.6f * static_cast<float>(block) / (kDepth - 1);
    const Tensor rows =
        on_host(pass.drop_path(test_context(), block, kDepth, DrawSite::kSpatialBranch, kSamples,
                               3 * kSamples, 2 * kSamples));
    int64_t dropped = 0;
    for (int64_t sample = 0; sample < kSamples; ++sample) {
      const float* patches = rows.data<float>() + 3 * sample;
      const float* classes = rows.data<float>() + 3 * kSamples + 2 * sample;
      const float factor = patches[0];
      ASSERT_TRUE(factor == 0.0f || factor == 1.0f / (1.0f - probability));
      for (float value : {patches[1], patches[2], classes[0], classes[1]}) {
        ASSERT_EQ(value, factor);
      }
      dropped += factor == 0.0f;
    }
    // Within four standard deviations.
    EXPECT_NEAR(static_cast<double>(dropped) / kSamples, probability,
                4 * std::sqrt(0.25 / kSamples));
  }
}

TEST(TrainingPass, MultipliesTheGivenScale) {
  TrainingPass pass;
  pass.drop_path_rate = 0.5f;
  Tensor scale({4}, DType::kF32);
  for (int64_t i = 0; i < 4; ++i) scale.data<float>()[i] = static_cast<float>(i);
  const Tensor plain =
      on_host(pass.drop_path(test_context(), 1, 2, DrawSite::kTemporalBranch, 2, 4, 0));
  const Tensor scaled = on_host(
      pass.drop_path(test_context(), 1, 2, DrawSite::kTemporalBranch, 2, 4, 0, on_device(scale)));
  for (int64_t i = 0; i < 4; ++i) {
    EXPECT_EQ(scaled.data<float>()[i], plain.data<float>()[i] * static_cast<float>(i));
  }
}

// On every device, of every batch: the batch's number comes from the device's memory.
TEST(TrainingPass, DrawsFromTheStreamOfItsBatch) {
  constexpr int64_t kSamples = 37;
  TrainingPass pass;
  pass.drop_path_rate = pass.dropout_rate = 0.5f;
  pass.seed = 0x123456789abcdef0u;
  Tensor ones({kSamples, 1}, DType::kF32);
  std::fill_n(ones.data<float>(), kSamples, 1.0f);
  for (const uint64_t batch : {uint64_t{0}, uint64_t{3}, (uint64_t{1} << 40) - 1}) {
    Tensor first({1}, DType::kI64);
    first.data<int64_t>()[0] = static_cast<int64_t>(TrainingPass::first_stream(batch));
    pass.batch_stream = on_device(first);
    const Tensor rows = on_host(pass.drop_path(test_context(), 1, 2, DrawSite::kMlpBranch, kSamples,
                                               2 * kSamples, kSamples));
    const Tensor kept = on_host(
        pass.dropout(test_context(), Variable(on_device(ones)), 1, DrawSite::kMlpHidden).value());
    Random path(pass.seed, (batch << 24) + TrainingPass::stream(1, DrawSite::kMlpBranch));
    Random hidden(pass.seed, (batch << 24) + TrainingPass::stream(1, DrawSite::kMlpHidden));
    for (int64_t sample = 0; sample < kSamples; ++sample) {
      const float factor = path.uniform() < 0.5f ? 0.0f : 2.0f;
      for (const int64_t row : {2 * sample, 2 * sample + 1, 2 * kSamples + sample}) {
        EXPECT_EQ(rows.data<float>()[row], factor) << batch << ", row " << row;
      }
      EXPECT_EQ(kept.data<float>()[sample], hidden.uniform() < 0.5f ? 0.0f : 2.0f) << batch;
    }
  }
}

TEST(TrainingPass, EveryBatchBlockAndSiteHasItsStream) {
  std::set<uint64_t> streams;
  for (uint64_t batch = 0; batch < 5; ++batch) {
    for (int64_t block = 0; block < 30; ++block) {
      for (uint64_t site = 0; site <= static_cast<uint64_t>(DrawSite::kHead); ++site) {
        streams.insert(TrainingPass::first_stream(batch) +
                       TrainingPass::stream(block, static_cast<DrawSite>(site)));
      }
    }
  }
  EXPECT_EQ(streams.size(), 5u * 30u * 8u);
}

}  // namespace
}  // namespace ata
