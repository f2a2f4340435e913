#include "backend/backend.h"

#include <gtest/gtest.h>

#include "backend/cpu_info.h"
#include "op_check.h"

namespace ata::testing {
namespace {

TEST(Backend, ParsesDeviceNames) {
  EXPECT_EQ(parse_device("cpu").kind, Device::Kind::kCpu);
  EXPECT_EQ(parse_device("cuda").kind, Device::Kind::kCuda);
  EXPECT_EQ(parse_device("cuda").index, 0);
  EXPECT_EQ(parse_device("cuda:12").index, 12);
  for (const char* name : {"", "gpu", "CPU", "cpu:0", "cuda:", "cuda:-1", "cuda:1x", "cuda:+1",
                           "cuda: 1", "cuda:99999999999"}) {
    expect_error(ATA_DEVICE_UNAVAILABLE, "'cpu', 'cuda' and 'cuda:N'", [&] { parse_device(name); });
  }
}

TEST(Backend, GivesTheDeviceThatWasAskedForOrAnError) {
  EXPECT_EQ(&kernels_for("cpu"), &cpu_kernels());
  EXPECT_EQ(cpu_kernels().version, kKernelsVersion);
  try {
    EXPECT_STREQ(kernels_for("cuda:0").device, "cuda");
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), ATA_DEVICE_UNAVAILABLE);
    EXPECT_NE(std::string(error.what()).find("cuda"), std::string::npos) << error.what();
  }
}

TEST(Backend, DescribesTheProcessor) {
  const CpuInfo info = cpu_info();
  EXPECT_NE(info.vector_targets.find(info.vector_target), std::string::npos);
  EXPECT_FALSE(info.vector_target.empty());
  EXPECT_FALSE(info.onednn_isa.empty());
  EXPECT_EQ(info.onednn_version.find("2."), 0u) << info.onednn_version;
  EXPECT_FALSE(info.highway_version.empty());
}

}  // namespace
}  // namespace ata::testing
