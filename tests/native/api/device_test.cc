// A device that is not the CPU, through C and C++.

#include "device.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "ata/ata.hpp"

namespace {

TEST(CApiDevice, IsListedAsItIs) {
  const ata::DeviceInfo* found = nullptr;
  const std::vector<ata::DeviceInfo> devices = ata::devices();
  for (const ata::DeviceInfo& device : devices) {
    if (device.name == device_name()) found = &device;
  }
  ASSERT_NE(found, nullptr);
  EXPECT_FALSE(found->description.empty());
  EXPECT_EQ(found->reason, "");
  EXPECT_TRUE(found->available);
  EXPECT_GT(found->total_bytes, 0);
  EXPECT_EQ(devices[0].name, "cpu");
  const std::string json = ata::diagnose();
  EXPECT_MENTIONS(json, found->description);
  EXPECT_MENTIONS(json, "\"total_bytes\": " + std::to_string(found->total_bytes));
  if (device_name() == std::string("fenced")) {
    EXPECT_EQ(found->driver, "1.0");
    EXPECT_MENTIONS(json, "\"driver\": \"1.0\"");
  }
}

TEST(CApiDevice, CountsWhatItsTensorsHold) {
  const auto live = [] {
    for (const ata::DeviceInfo& device : ata::devices()) {
      if (device.name == device_name()) return device.live_bytes;
    }
    return int64_t{-1};
  };
  const int64_t before = live();
  {
    const ata::Tensor tensor = ata::Tensor::zeros<float>({1000, 1000}, device_name());
    EXPECT_EQ(live(), before + 4'000'000);
  }
  EXPECT_EQ(live(), before);
}

TEST(CApiDevice, CppFormsReachIt) {
  const std::vector<float> values = {1, 2, 3, 4};
  ata::Tensor there =
      ata::Tensor::copy_of(std::span<const float>(values), {2, 2}).copy_to(device_name());
  EXPECT_EQ(there.device(), device_name());
  if (!runs_on_cpu()) {
    try {
      there.data<float>();
      ADD_FAILURE() << "a device's memory was read on the host";
    } catch (const ata::Error& error) {
      EXPECT_EQ(error.status(), ATA_INVALID_ARGUMENT);
      ata::expect_mentions(error.what(), {device_name(), "copy_to"});
    }
  }
  const ata::Tensor back = there.copy_to("cpu");
  EXPECT_EQ(back.data<float>()[3], 4);
  ata::Tensor::zeros<float>({2, 2}).copy_into(there);
  EXPECT_EQ(there.copy_to("cpu").data<float>()[3], 0);
  // Without elements there is nothing that could not be read.
  EXPECT_TRUE(ata::Tensor::zeros<float>({0}, device_name()).data<float>().empty());

  ata_model_config config = ata::architecture("vit-tiny");
  config.image_size = 32;
  config.backbone = R"({"patch_size": 16, "dim": 16, "depth": 1, "heads": 1})";
  config.frames = 2;
  config.classes = 3;
  const ata::Model model = ata::Model::create(config, 1, device_name());
  EXPECT_EQ(model.device(), device_name());
  EXPECT_THROW(ata::Model::create(config, 1, "abacus"), ata::Error);

  auto options = ata::defaults<ata_alignment_options>();
  options.device = device_name();
  const ata::Tensor features = ata::Tensor::zeros<float>({1, 2, 4, 8}, device_name());
  EXPECT_EQ(ata::align(features, options).trajectories.data<int32_t>().size(), 8u);
}

}  // namespace
