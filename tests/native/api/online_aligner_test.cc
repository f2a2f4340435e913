// ata_online_aligner_add(): the trajectories of all frames at once, frame by frame, for ever.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "allocations.h"
#include "device.h"

namespace {

constexpr int64_t kFrames = 6;
constexpr int64_t kPatches = 24;
constexpr int64_t kChannels = 10;
constexpr size_t kFrameSize = kPatches * kChannels;

ata_alignment_options options_of(ata_alignment method) {
  ata_alignment_options options;
  EXPECT_EQ(ata_alignment_options_init(&options, sizeof(options)), ATA_OK);
  options.method = method;
  options.grid_height = 4;
  options.grid_width = 6;
  options.window_radius = 2;
  options.device = device_name();
  return options;
}

Handle<ata_online_aligner> make_aligner(const ata_alignment_options& options) {
  ata_online_aligner* aligner = nullptr;
  EXPECT_EQ(ata_online_aligner_create(kPatches, kChannels, &options, &aligner), ATA_OK)
      << ata_last_error();
  return Handle<ata_online_aligner>(aligner);
}

Handle<ata_tensor> wrap(float* data, std::initializer_list<int64_t> shape) {
  int64_t count = 1;
  for (const int64_t extent : shape) count *= extent;
  return wrap(data, static_cast<size_t>(count) * sizeof(float), ATA_F32, shape);
}

// Frames that resemble the one before: patches move and change.
std::vector<float> moving_patches() {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> features(kFrames * kFrameSize);
  for (size_t k = 0; k < features.size(); ++k) {
    const bool first = k < kFrameSize;
    const size_t before = first ? 0 : k - kFrameSize / kPatches * (kPatches - 1);
    features[k] = first ? normal(random) : features[before] + 0.4F * normal(random);
  }
  return features;
}

template <typename T>
std::vector<T> elements(const Handle<ata_tensor>& tensor) {
  const ata_tensor_info info = info_of(tensor.get());
  const T* data = static_cast<const T*>(info.data);
  return {data, data + info.size / sizeof(T)};
}

struct Step {
  std::vector<int32_t> positions = std::vector<int32_t>(kPatches, -7);
  std::vector<float> similarities = std::vector<float>(kPatches, -7);

  ata_status add(const Handle<ata_online_aligner>& aligner, const Handle<ata_tensor>& frame) {
    return ata_online_aligner_add(aligner.get(), frame.get(), positions.data(), similarities.data(),
                                  kPatches);
  }
};

class OnlineAlignerMethods : public testing::TestWithParam<ata_alignment> {};
INSTANTIATE_TEST_SUITE_P(All, OnlineAlignerMethods,
                         testing::Values(ATA_ALIGNMENT_EXACT, ATA_ALIGNMENT_NONE,
                                         ATA_ALIGNMENT_NEAREST, ATA_ALIGNMENT_WINDOW,
                                         ATA_ALIGNMENT_SINKHORN));

TEST_P(OnlineAlignerMethods, GivesWhatAlignGivesForAllFrames) {
  std::vector<float> features = moving_patches();
  const ata_alignment_options options = options_of(GetParam());
  const auto clip = wrap(features.data(), {1, kFrames, kPatches, kChannels});
  ata_tensor* trajectories = nullptr;
  ata_tensor* similarities = nullptr;
  ASSERT_EQ(ata_align(clip.get(), &options, &trajectories, &similarities), ATA_OK)
      << ata_last_error();
  EXPECT_STREQ(info_of(trajectories).device, "cpu");
  EXPECT_STREQ(info_of(similarities).device, "cpu");
  const auto all_positions = elements<int32_t>(Handle<ata_tensor>(trajectories));
  const auto all_similarities = elements<float>(Handle<ata_tensor>(similarities));

  ASSERT_EQ(ata_align(on_device(clip).get(), &options, &trajectories, nullptr), ATA_OK)
      << ata_last_error();
  EXPECT_EQ(elements<int32_t>(Handle<ata_tensor>(trajectories)), all_positions);

  const auto aligner = make_aligner(options);
  for (int repetition = 0; repetition < 2; ++repetition) {
    for (size_t t = 0; t < kFrames; ++t) {
      SCOPED_TRACE(testing::Message() << "frame " << t << ", repetition " << repetition);
      const auto host = wrap(features.data() + t * kFrameSize, {kPatches, kChannels});
      const auto frame = repetition == 0 ? copied(host.get(), "cpu") : on_device(host);
      Step step;
      ASSERT_EQ(step.add(aligner, frame), ATA_OK) << ata_last_error();
      EXPECT_TRUE(std::equal(step.positions.begin(), step.positions.end(),
                             all_positions.begin() + static_cast<int64_t>(t) * kPatches));
      for (size_t n = 0; n < kPatches; ++n) {
        const float expected = t == 0 ? 1 : all_similarities[(t - 1) * kPatches + n];
        EXPECT_NEAR(step.similarities[n], expected, 1e-6);
      }
    }
    ASSERT_EQ(ata_online_aligner_reset(aligner.get()), ATA_OK);
  }
}

TEST_P(OnlineAlignerMethods, AddingAFrameAllocatesNothing) {
  if (!kAllocationsAreCounted) GTEST_SKIP() << "AddressSanitizer keeps its own operators";
  if (!runs_on_cpu()) return;  // Promised of the CPU alone.
  std::vector<float> features = moving_patches();
  const auto aligner = make_aligner(options_of(GetParam()));
  std::vector<Handle<ata_tensor>> frames;
  for (size_t t = 0; t < kFrames; ++t) {
    frames.push_back(wrap(features.data() + t * kFrameSize, {kPatches, kChannels}));
  }
  Step step;
  // Until it has met every pair of neighbours.
  for (size_t t = 0; t < 2 * kFrames; ++t) {
    ASSERT_EQ(step.add(aligner, frames[t % kFrames]), ATA_OK);
  }
  const int64_t before = allocation_count();
  for (size_t t = 0; t < 50 * kFrames; ++t) {
    ASSERT_EQ(step.add(aligner, frames[t % kFrames]), ATA_OK);
  }
  EXPECT_EQ(allocation_count(), before);
}

TEST(OnlineAligner, ARefusedFrameWritesNothingAndChangesNothing) {
  std::vector<float> features = moving_patches();
  const auto aligner = make_aligner(options_of(ATA_ALIGNMENT_EXACT));
  const auto reference = make_aligner(options_of(ATA_ALIGNMENT_EXACT));
  for (size_t t = 0; t < kFrames; ++t) {
    std::vector<float> spoilt(features.begin() + static_cast<int64_t>(t * kFrameSize),
                              features.begin() + static_cast<int64_t>((t + 1) * kFrameSize));
    spoilt[31] = t % 2 == 0 ? std::nanf("") : std::numeric_limits<float>::infinity();
    Step step;
    EXPECT_EQ(step.add(aligner, wrap(spoilt.data(), {kPatches, kChannels})), ATA_INVALID_ARGUMENT);
    EXPECT_MENTIONS(ata_last_error(), "frame " + std::to_string(t));
    EXPECT_EQ(step.positions, Step().positions);
    EXPECT_EQ(step.similarities, Step().similarities);

    const auto frame = wrap(features.data() + t * kFrameSize, {kPatches, kChannels});
    Step expected;
    ASSERT_EQ(step.add(aligner, frame), ATA_OK) << ata_last_error();
    ASSERT_EQ(expected.add(reference, frame), ATA_OK);
    EXPECT_EQ(step.positions, expected.positions);
    EXPECT_EQ(step.similarities, expected.similarities);
  }
}

TEST(OnlineAligner, NamesWhatIsWrong) {
  std::vector<float> features = moving_patches();
  const auto aligner = make_aligner(options_of(ATA_ALIGNMENT_EXACT));
  const auto frame = wrap(features.data(), {kPatches, kChannels});
  const auto wide = wrap(features.data(), {kPatches, kChannels + 1});
  int32_t positions[kPatches];
  EXPECT_EQ(ata_online_aligner_add(nullptr, frame.get(), positions, nullptr, kPatches),
            ATA_INVALID_ARGUMENT);
  EXPECT_MENTIONS(ata_last_error(), "aligner is NULL");
  EXPECT_EQ(ata_online_aligner_add(aligner.get(), nullptr, positions, nullptr, kPatches),
            ATA_INVALID_ARGUMENT);
  EXPECT_MENTIONS(ata_last_error(), "frame is NULL");
  EXPECT_EQ(ata_online_aligner_add(aligner.get(), frame.get(), nullptr, nullptr, kPatches),
            ATA_INVALID_ARGUMENT);
  EXPECT_MENTIONS(ata_last_error(), "positions is NULL");
  EXPECT_EQ(ata_online_aligner_add(aligner.get(), frame.get(), positions, nullptr, kPatches - 1),
            ATA_INVALID_ARGUMENT);
  EXPECT_MENTIONS(ata_last_error(), "capacity is 23");
  EXPECT_EQ(ata_online_aligner_add(aligner.get(), wide.get(), positions, nullptr, kPatches),
            ATA_INVALID_ARGUMENT);
  EXPECT_MENTIONS(ata_last_error(), "[24, 10]");
  EXPECT_EQ(ata_online_aligner_reset(nullptr), ATA_INVALID_ARGUMENT);
  // Similarities are not asked for.
  EXPECT_EQ(ata_online_aligner_add(aligner.get(), frame.get(), positions, nullptr, kPatches),
            ATA_OK)
      << ata_last_error();
  ata_online_aligner_release(nullptr);
}

TEST(OnlineAligner, FeaturesOfAnotherDeviceAreRefused) {
  std::vector<float> features = moving_patches();
  ata_alignment_options options = options_of(ATA_ALIGNMENT_EXACT);
  const auto clip = wrap(features.data(), {1, kFrames, kPatches, kChannels});
  const auto frame = wrap(features.data(), {kPatches, kChannels});
  ata_tensor* trajectories = nullptr;
  if (!runs_on_cpu()) {
    // Nobody said that alignment should run there.
    EXPECT_EQ(ata_align(on_device(clip).get(), nullptr, &trajectories, nullptr),
              ATA_INVALID_ARGUMENT);
    ata::expect_mentions(ata_last_error(), {"features", device_name(), "'cpu'"});
  }
  if (third_device() != nullptr) {
    Step step;
    expect_third_device_refused(
        ata_align(copied(clip.get(), third_device()).get(), &options, &trajectories, nullptr),
        "features");
    expect_third_device_refused(
        step.add(make_aligner(options), copied(frame.get(), third_device())), "frame");
    EXPECT_EQ(step.positions, Step().positions);
  }
  for (const char* absent : {"tpu", "", "cuda:999"}) {
    options.device = absent;
    ata_online_aligner* aligner = nullptr;
    EXPECT_EQ(ata_align(clip.get(), &options, &trajectories, nullptr), ATA_DEVICE_UNAVAILABLE);
    EXPECT_EQ(ata_online_aligner_create(kPatches, kChannels, &options, &aligner),
              ATA_DEVICE_UNAVAILABLE);
    EXPECT_MENTIONS(ata_last_error(), "'cpu'");
    EXPECT_EQ(aligner, nullptr);
  }
  EXPECT_EQ(trajectories, nullptr);
}

TEST(OnlineAligner, CreationIsChecked) {
  ata_online_aligner* aligner = nullptr;
  EXPECT_EQ(ata_online_aligner_create(kPatches, kChannels, nullptr, nullptr), ATA_INVALID_ARGUMENT);
  EXPECT_EQ(ata_online_aligner_create(0, kChannels, nullptr, &aligner), ATA_INVALID_ARGUMENT);
  EXPECT_EQ(ata_online_aligner_create(4097, kChannels, nullptr, &aligner), ATA_INVALID_ARGUMENT);
  EXPECT_EQ(ata_online_aligner_create(kPatches, 0, nullptr, &aligner), ATA_INVALID_ARGUMENT);
  const ata_alignment_options soft = options_of(ATA_ALIGNMENT_SOFT);
  EXPECT_EQ(ata_online_aligner_create(kPatches, kChannels, &soft, &aligner), ATA_UNSUPPORTED);
  ata_alignment_options window = options_of(ATA_ALIGNMENT_WINDOW);
  window.grid_width = 5;
  EXPECT_EQ(ata_online_aligner_create(kPatches, kChannels, &window, &aligner),
            ATA_INVALID_ARGUMENT);
  EXPECT_EQ(aligner, nullptr);
}

}  // namespace
