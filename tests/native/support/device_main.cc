#include <gtest/gtest.h>

#include <cstdio>

#include "base/error.h"
#include "devices.h"

namespace ata {
namespace {

class DeviceOfIteration : public ::testing::EmptyTestEventListener {
  void OnTestIterationStart(const ::testing::UnitTest&, int iteration) override {
    const auto& devices = test_devices();
    set_test_device(*devices[static_cast<size_t>(iteration) % devices.size()]);
    std::printf("Device %s\n", test_device().info().name.c_str());
  }
  void OnTestPartResult(const ::testing::TestPartResult& result) override {
    if (result.failed()) std::printf("On device %s:\n", test_device().info().name.c_str());
  }
};

}  // namespace
}  // namespace ata

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  try {
    ata::test_devices();
  } catch (const ata::Error& error) {
    std::fprintf(stderr, "ATA_TEST_DEVICES: %s\n", error.what());
    return 1;
  }
  ::testing::UnitTest::GetInstance()->listeners().Append(new ata::DeviceOfIteration);
  ::testing::GTEST_FLAG(repeat) *= static_cast<int>(ata::test_devices().size());
  return RUN_ALL_TESTS();
}
