// ata_temporal_block: what the boundary adds to the block, which tests/native/model tests.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "ata/ata.h"
#include "device.h"

namespace {

constexpr int64_t kShape[] = {2, 3, 4, 8};

class CApiTemporalBlock : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(ata_temporal_block_options_init(&options_, sizeof(options_)), ATA_OK);
    options_.heads = 2;
    options_.device = device_name();
    ata_temporal_block* block = nullptr;
    ASSERT_EQ(ata_temporal_block_create(8, &options_, nullptr, &block), ATA_OK) << ata_last_error();
    block_.reset(block);
    ata_tensor* features = nullptr;
    ASSERT_EQ(ata_tensor_create(ATA_F32, kShape, 4, nullptr, &features), ATA_OK);
    features_.reset(features);
    const auto values = elements(features);
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = std::sin(static_cast<float>(i) * 0.37f);
    }
  }

  static std::span<float> elements(const ata_tensor* tensor) {
    const ata_tensor_info info = info_of(tensor);
    return {static_cast<float*>(info.data), info.size / sizeof(float)};
  }

  Handle<ata_tensor> parameter(const char* name) const {
    ata_tensor* tensor = nullptr;
    EXPECT_EQ(ata_temporal_block_get_parameter(block_.get(), name, &tensor), ATA_OK);
    return Handle<ata_tensor>(tensor);
  }

  // Through memory of the host, as it must be done on a device.
  void fill(const char* name, float value) const {
    const auto parameter_on_device = parameter(name);
    const auto host = copied(parameter_on_device.get(), "cpu");
    std::ranges::fill(elements(host.get()), value);
    ASSERT_EQ(ata_tensor_copy_into(host.get(), parameter_on_device.get()), ATA_OK)
        << ata_last_error();
  }

  Handle<ata_tensor> forward(bool for_backward) const {
    ata_tensor* output = nullptr;
    EXPECT_EQ(ata_temporal_block_forward(block_.get(), features_.get(), for_backward, &output),
              ATA_OK)
        << ata_last_error();
    return Handle<ata_tensor>(output);
  }

  ata_temporal_block_options options_;
  Handle<ata_temporal_block> block_;
  Handle<ata_tensor> features_;
};

TEST_F(CApiTemporalBlock, ParametersAreWrittenThrough) {
  const auto same = forward(false);
  EXPECT_TRUE(std::ranges::equal(elements(same.get()), elements(features_.get())));
  const auto bias = parameter("temporal_fc.bias");
  EXPECT_STREQ(info_of(bias.get()).device, device_name());
  if (runs_on_cpu()) {
    std::ranges::fill(elements(bias.get()), 0.5f);
  } else {
    EXPECT_EQ(info_of(bias.get()).data, nullptr);
    fill("temporal_fc.bias", 0.5f);
  }
  const auto moved = forward(true);
  const auto before = elements(features_.get()), after = elements(moved.get());
  for (size_t i = 0; i < before.size(); ++i) EXPECT_FLOAT_EQ(after[i], before[i] + 0.5f);

  ata_tensor* back = nullptr;
  ASSERT_EQ(ata_temporal_block_backward(block_.get(), features_.get(), &back), ATA_OK);
  const Handle<ata_tensor> features_gradient(back);
  ata_tensor* gradient = nullptr;
  ASSERT_EQ(ata_temporal_block_get_gradient(block_.get(), "temporal_fc.bias", &gradient), ATA_OK);
  const Handle<ata_tensor> bias_gradient(gradient);
  // The bias is added to every patch.
  for (size_t channel = 0; channel < 8; ++channel) {
    float sum = 0.0f;
    for (size_t i = channel; i < before.size(); i += 8) sum += before[i];
    EXPECT_NEAR(elements(gradient)[channel], sum, 1e-4f);
  }
  ata_tensor* trajectories = nullptr;
  ASSERT_EQ(ata_temporal_block_get_trajectories(block_.get(), &trajectories), ATA_OK);
  const Handle<ata_tensor> paths(trajectories);
  const ata_tensor_info info = info_of(trajectories);
  EXPECT_EQ(info.dtype, ATA_I32);
  EXPECT_EQ(info.size, 2u * 3 * 4 * sizeof(int32_t));
}

TEST_F(CApiTemporalBlock, RunsAlongTrajectoriesThatAreGiven) {
  fill("temporal_fc.weight", 0.25f);
  const auto aligned = forward(false);
  ata_tensor* made = nullptr;
  ASSERT_EQ(ata_temporal_block_get_trajectories(block_.get(), &made), ATA_OK);
  const Handle<ata_tensor> own(made);
  ASSERT_EQ(ata_temporal_block_forward_along(block_.get(), features_.get(), own.get(), 1, &made),
            ATA_OK)
      << ata_last_error();
  const Handle<ata_tensor> along(made);
  EXPECT_TRUE(std::ranges::equal(elements(along.get()), elements(aligned.get())));
  ASSERT_EQ(ata_temporal_block_backward(block_.get(), features_.get(), &made), ATA_OK);
  const Handle<ata_tensor> back(made);

  static_cast<int32_t*>(info_of(own.get()).data)[5] = 4;
  EXPECT_EQ(ata_temporal_block_forward_along(block_.get(), features_.get(), own.get(), 0, &made),
            ATA_INVALID_ARGUMENT);
  EXPECT_NE(std::string(ata_last_error()).find("patch 4"), std::string::npos) << ata_last_error();
  EXPECT_EQ(
      ata_temporal_block_forward_along(block_.get(), features_.get(), features_.get(), 0, &made),
      ATA_INVALID_ARGUMENT);
  EXPECT_EQ(ata_temporal_block_forward_along(block_.get(), features_.get(), nullptr, 0, &made),
            ATA_INVALID_ARGUMENT);
  EXPECT_EQ(made, back.get());
}

TEST_F(CApiTemporalBlock, ResultsAreWhereTheFeaturesAre) {
  fill("temporal_fc.weight", 0.25f);
  const auto expected = values_of<float>(forward(true).get());
  ata_tensor* made = nullptr;
  ASSERT_EQ(ata_temporal_block_get_trajectories(block_.get(), &made), ATA_OK);
  const Handle<ata_tensor> paths(made);
  EXPECT_STREQ(info_of(made).device, "cpu");
  ASSERT_EQ(ata_temporal_block_backward(block_.get(), features_.get(), &made), ATA_OK);
  const Handle<ata_tensor> back(made);
  EXPECT_STREQ(info_of(made).device, "cpu");

  const Handle<ata_tensor> host = std::exchange(features_, on_device(features_));
  const auto output = forward(true);
  EXPECT_STREQ(info_of(output.get()).device, device_name());
  EXPECT_EQ(values_of<float>(output.get()), expected);
  ASSERT_EQ(ata_temporal_block_backward(block_.get(), features_.get(), &made), ATA_OK);
  const Handle<ata_tensor> device_back(made);
  EXPECT_STREQ(info_of(made).device, device_name());
  EXPECT_EQ(values_of<float>(made), values_of<float>(back.get()));
  ASSERT_EQ(ata_temporal_block_forward_along(block_.get(), features_.get(), on_device(paths).get(),
                                             1, &made),
            ATA_OK)
      << ata_last_error();
  const Handle<ata_tensor> along(made);
  EXPECT_EQ(values_of<float>(made), expected);
  // A result is the caller's own: what he writes to it does not reach backward.
  ASSERT_EQ(ata_tensor_copy_into(host.get(), along.get()), ATA_OK);
  ASSERT_EQ(ata_temporal_block_backward(block_.get(), host.get(), &made), ATA_OK);
  const Handle<ata_tensor> last(made);
  EXPECT_EQ(values_of<float>(made), values_of<float>(back.get()));

  elements(host.get())[3] = INFINITY;
  EXPECT_EQ(ata_temporal_block_forward(block_.get(), on_device(host).get(), 0, &made),
            ATA_INVALID_ARGUMENT);
  EXPECT_MENTIONS(ata_last_error(), "infinity");
  if (third_device() == nullptr) return;
  const auto elsewhere = copied(features_.get(), third_device());
  expect_third_device_refused(ata_temporal_block_forward(block_.get(), elsewhere.get(), 0, &made),
                              "features");
  const auto paths_elsewhere = copied(paths.get(), third_device());
  expect_third_device_refused(ata_temporal_block_forward_along(block_.get(), features_.get(),
                                                               paths_elsewhere.get(), 0, &made),
                              "trajectories");
  forward(true);
  expect_third_device_refused(ata_temporal_block_backward(block_.get(), elsewhere.get(), &made),
                              "gradient");
}

TEST_F(CApiTemporalBlock, FeatureMapsComeFromTheDevice) {
  fill("temporal_fc.weight", 0.25f);
  const int64_t shape[] = {2, 3, 8, 2, 2};
  const auto values = elements(features_.get());
  const ata_tensor_info info =
      describe(values.data(), values.size_bytes(), ATA_F32, std::span<const int64_t>(shape));
  ata_tensor* maps = nullptr;
  ASSERT_EQ(ata_tensor_wrap(&info, nullptr, nullptr, &maps), ATA_OK);
  const Handle<ata_tensor> patches = std::exchange(features_, Handle<ata_tensor>(maps));
  const auto expected = values_of<float>(forward(false).get());
  features_ = on_device(features_);
  const auto output = forward(false);
  EXPECT_STREQ(info_of(output.get()).device, device_name());
  EXPECT_EQ(values_of<float>(output.get()), expected);
}

TEST_F(CApiTemporalBlock, AlignsOnItsOwnDevice) {
  ata_alignment_options alignment;
  ASSERT_EQ(ata_alignment_options_init(&alignment, sizeof(alignment)), ATA_OK);
  ata_temporal_block* made = nullptr;
  alignment.device = device_name();
  ASSERT_EQ(ata_temporal_block_create(8, &options_, &alignment, &made), ATA_OK) << ata_last_error();
  block_.reset(std::exchange(made, nullptr));
  alignment.device = runs_on_cpu() ? third_device() : "cpu";
  if (alignment.device == nullptr) return;
  EXPECT_EQ(ata_temporal_block_create(8, &options_, &alignment, &made), ATA_INVALID_ARGUMENT);
  ata::expect_mentions(ata_last_error(), {alignment.device, device_name(), "leave it NULL"});
  EXPECT_EQ(made, nullptr);
}

TEST_F(CApiTemporalBlock, ParametersOutliveTheBlock) {
  const auto bias = parameter("temporal_fc.bias");
  block_.reset();
  EXPECT_EQ(values_of<float>(bias.get()), std::vector<float>(8));
}

TEST_F(CApiTemporalBlock, NamesItsParameters) {
  ASSERT_EQ(ata_temporal_block_parameter_count(block_.get()), 8u);
  EXPECT_EQ(ata_temporal_block_parameter_count(nullptr), 0u);
  const char* name = nullptr;
  ASSERT_EQ(ata_temporal_block_get_parameter_name(block_.get(), 2, &name), ATA_OK);
  EXPECT_STREQ(name, "temporal_attn.qkv.weight");
  EXPECT_EQ(ata_temporal_block_get_parameter_name(block_.get(), 8, &name), ATA_INVALID_ARGUMENT);
  EXPECT_STREQ(name, "temporal_attn.qkv.weight");
}

TEST_F(CApiTemporalBlock, RejectsWhatItCannotUse) {
  ata_temporal_block* untouched = block_.get();
  const auto fails = [&](ata_status expected, const char* text,
                         const ata_temporal_block_options* options,
                         const ata_alignment_options* alignment) {
    EXPECT_EQ(ata_temporal_block_create(8, options, alignment, &untouched), expected);
    EXPECT_MENTIONS(ata_last_error(), text);
    EXPECT_EQ(untouched, block_.get());
  };
  fails(ATA_INVALID_ARGUMENT, "say how many heads", nullptr, nullptr);
  ata_temporal_block_options wrong = options_;
  wrong.struct_size = 3;
  fails(ATA_INVALID_ARGUMENT, "struct_size is 3", &wrong, nullptr);
  wrong = options_;
  wrong.precision = static_cast<ata_precision>(7);
  fails(ATA_INVALID_ARGUMENT, "precision is 7", &wrong, nullptr);
  wrong = options_;
  wrong.device = "abacus";
  fails(ATA_DEVICE_UNAVAILABLE, "abacus", &wrong, nullptr);
  wrong.device = "cuda:999";  // neither plugin nor so many GPUs
  fails(ATA_DEVICE_UNAVAILABLE, "use device 'cpu'", &wrong, nullptr);
  ata_alignment_options alignment;
  ASSERT_EQ(ata_alignment_options_init(&alignment, sizeof(alignment)), ATA_OK);
  alignment.method = static_cast<ata_alignment>(99);
  fails(ATA_INVALID_ARGUMENT, "method is 99", &options_, &alignment);

  ata_tensor* output = features_.get();
  EXPECT_EQ(ata_temporal_block_forward(nullptr, features_.get(), 0, &output), ATA_INVALID_ARGUMENT);
  EXPECT_EQ(ata_temporal_block_forward(block_.get(), nullptr, 0, &output), ATA_INVALID_ARGUMENT);
  EXPECT_EQ(ata_temporal_block_forward(block_.get(), features_.get(), 0, nullptr),
            ATA_INVALID_ARGUMENT);
  EXPECT_EQ(ata_temporal_block_backward(block_.get(), features_.get(), &output), ATA_INVALID_STATE);
  EXPECT_EQ(ata_temporal_block_get_parameter(block_.get(), "head.weight", &output),
            ATA_UNKNOWN_NAME);
  EXPECT_EQ(ata_temporal_block_get_gradient(block_.get(), "head.weight", &output),
            ATA_UNKNOWN_NAME);
  EXPECT_EQ(ata_temporal_block_get_gradient(block_.get(), "temporal_fc.bias", &output),
            ATA_INVALID_STATE);
  EXPECT_EQ(ata_temporal_block_get_trajectories(block_.get(), &output), ATA_INVALID_STATE);
  EXPECT_EQ(output, features_.get());
}

}  // namespace
