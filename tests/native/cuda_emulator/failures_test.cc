// Launches that a GPU refuses, calls that fail when a test asks for it, and other machines.
#include "test_device.h"
#include "test_kernels.h"

namespace emu_test {
namespace {

class Failures : public EmulatedGpu {};

TEST_F(Failures, LaunchesBeyondLimitsAreRefused) {
  int* const out = make(std::vector<int>(1, 0));
  struct Case {
    dim3 grid, block;
  };
  for (const Case& shape :
       {Case{dim3(1), dim3(1025)}, Case{dim3(1), dim3(32, 33)}, Case{dim3(1), dim3(1, 1, 65)},
        Case{dim3(1), dim3(0)}, Case{dim3(1, 65536), dim3(1)}, Case{dim3(1, 1, 65536), dim3(1)},
        Case{dim3(0x80000000U), dim3(1)}}) {
    launch_indices(shape.grid, shape.block, reinterpret_cast<int64_t*>(out), nullptr);
    EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidConfiguration);
    EXPECT_EQ(cudaGetLastError(), cudaSuccess);  // not for ever
  }
}

TEST_F(Failures, SharedMemoryIsAskedFor) {
  int* const out = make(std::vector<int>(1, 0));
  launch_unasked(48 << 10, out, nullptr);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
  launch_unasked((48 << 10) + 1, out, nullptr);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidValue);
  launch_shared(100 << 10, 32, out, nullptr);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
  EXPECT_EQ(read(out, 1)[0], 7);
  launch_shared(228 << 10, 32, out, nullptr);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidValue);
  emu::options().architecture = 75;
  launch_shared(65 << 10, 32, out, nullptr);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidValue);
}

TEST_F(Failures, TheNthCallFails) {
  void* block = nullptr;
  ata_emulator_fail_nth("cudaMalloc", 3, 0);
  for (int i = 1; i <= 4; ++i) {
    EXPECT_EQ(cudaMalloc(&block, 16), i == 3 ? cudaErrorMemoryAllocation : cudaSuccess);
    if (i != 3) {
      EXPECT_EQ(cudaFree(block), cudaSuccess);
    }
  }
  EXPECT_EQ(cudaGetLastError(), cudaErrorMemoryAllocation);
  ata_emulator_fail_nth("cudaStreamSynchronize", 1, cudaErrorIllegalAddress);
  EXPECT_EQ(cudaStreamSynchronize(nullptr), cudaErrorIllegalAddress);
  EXPECT_NE(std::string(cudaGetErrorString(cudaErrorIllegalAddress)).find("asked for by a test"),
            std::string::npos);
  EXPECT_EQ(cudaStreamSynchronize(nullptr), cudaSuccess);
  ata_emulator_fail_nth("cudaEventCreateWithFlags", 0, 0);
  cudaEvent_t event = nullptr;
  for (int i = 0; i < 3; ++i) EXPECT_NE(cudaEventCreateWithFlags(&event, 0), cudaSuccess);
  ata_emulator_fail_none();
  ASSERT_EQ(cudaEventCreateWithFlags(&event, 0), cudaSuccess);
  EXPECT_EQ(cudaEventDestroy(event), cudaSuccess);
}

TEST_F(Failures, ALaunchFails) {
  int* const values = make(std::vector<int>(64, 0));
  ata_emulator_fail_nth("cudaLaunchKernel", 2, 0);
  launch_add(values, 64, 1, nullptr);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
  launch_add(values, 64, 10, nullptr);
  EXPECT_EQ(cudaGetLastError(), cudaErrorLaunchFailure);
  ata_emulator_fail_nth("copy", 1, cudaErrorInvalidValue);
  launch_add(values, 64, 100, nullptr);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
  launch_copy(values, 32, values + 32, nullptr);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidValue);
  EXPECT_EQ(read(values, 1)[0], 101);
}

TEST_F(Failures, AnIdleGpuComputesNothingAndRefusesAsMuch) {
  constexpr size_t kCount = 64;
  int* const values = make(std::vector<int>(kCount, 1));
  ata_emulator_set_options("idle=1");
  launch_add(values, kCount, 1, nullptr);
  EXPECT_EQ(cudaMemsetAsync(values, 0xff, kCount * sizeof(int), nullptr), cudaSuccess);
  EXPECT_EQ(read(values, kCount), std::vector<int>(kCount, 0));
  EXPECT_NE(cudaMemsetAsync(values, 0, 2 * kCount * sizeof(int), nullptr), cudaSuccess);
  cudaGetLastError();
  ata_emulator_set_options("idle=0");
  EXPECT_EQ(read(values, kCount), std::vector<int>(kCount, 1)) << "nothing was written meanwhile";
}

TEST_F(Failures, OtherMachines) {
  int count = -1, version = -1;
  ata_emulator_set_options("devices=0");
  EXPECT_EQ(cudaGetDeviceCount(&count), cudaErrorNoDevice);
  EXPECT_EQ(count, 0);
  ata_emulator_set_options("devices=1,driver=12040");
  EXPECT_EQ(cudaGetDeviceCount(&count), cudaErrorInsufficientDriver);
  EXPECT_EQ(cudaDriverGetVersion(&version), cudaSuccess);
  EXPECT_EQ(version, 12040);
  ata_emulator_set_options(
      "driver=13000,architecture=61,memory=1000000,order=random,seed=5,"
      "preempt=0.5,deferred=0");
  EXPECT_EQ(cudaGetDeviceCount(&count), cudaSuccess);
  EXPECT_EQ(count, 1);
  cudaDeviceProp properties;
  EXPECT_EQ(cudaGetDeviceProperties(&properties, 0), cudaSuccess);
  EXPECT_EQ(properties.major, 6);
  EXPECT_EQ(properties.minor, 1);
  EXPECT_EQ(properties.totalGlobalMem, 1000000U);
  EXPECT_EQ(std::string(properties.name).find("emulated GPU (no hardware)"), 0U);
  EXPECT_EQ(cudaGetDeviceProperties(&properties, 1), cudaErrorInvalidDevice);
  EXPECT_EQ(emu::options().order, emu::Order::kRandom);
  EXPECT_EQ(emu::options().seed, 5U);
  EXPECT_EQ(emu::options().preempt, 0.5);
  EXPECT_FALSE(emu::options().deferred);
  ata_emulator_set_options("fail=cudaMalloc:1:700");
  void* block = nullptr;
  EXPECT_EQ(cudaMalloc(&block, 16), cudaErrorIllegalAddress);
}

using OptionsDeathTest = Failures;
TEST_F(OptionsDeathTest, MisspeltOnesEndTheProcess) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  for (const char* wrong :
       {"order=up", "seed=-1", "preempt=2", "speed=3", "fail=cudaMalloc", "x"}) {
    EXPECT_EXIT(ata_emulator_set_options(wrong), ::testing::ExitedWithCode(2),
                "is not an option of the emulated GPU")
        << wrong;
  }
}

TEST_F(Failures, TensorCoresNeedTheirArchitecture) {
  emu::options().architecture = 75;
  auto* const a = make(std::vector<ata::BFloat16>(256));
  float* const c = make<float>(128);
  launch_mma(a, a, c, nullptr);
  EXPECT_NE(defect().find("needs compute capability 8.0"), std::string::npos);
}

}  // namespace
}  // namespace emu_test
