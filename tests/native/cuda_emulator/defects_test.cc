// Planted defects are found, whatever the order in which threads run; correct kernels beside them
// are not reported.
#include <set>

#include "test_device.h"
#include "test_kernels.h"

namespace emu_test {
namespace {

struct Schedule {
  const char* name;
  emu::Order order;
  double preempt;
  bool deferred;
};
constexpr Schedule kSchedules[] = {
    {"ascending", emu::Order::kAscending, 0, true},
    {"descending", emu::Order::kDescending, 0, false},
    {"random", emu::Order::kRandom, 0, true},
    {"preempted", emu::Order::kRandom, 0.2, false},
};

class Defects : public EmulatedGpu {
 protected:
  Defects() {
    if (!emu::checked()) return;
    out_ = make(std::vector<int>(kPlantedCount, 1));
  }
  void SetUp() override {
    if (!emu::checked()) GTEST_SKIP() << "accesses are not checked here";
  }
  std::string run(const Planted& kernel) {
    EXPECT_EQ(cudaMemset(out_, 0, kPlantedCount * sizeof(int)), cudaSuccess);
    kernel.launch(out_, nullptr);
    return defect();
  }
  int* out_ = nullptr;
};

TEST_F(Defects, AreFoundInEveryOrder) {
  int planted = 0;
  for (const Schedule& schedule : kSchedules) {
    for (const Planted& kernel : planted_kernels()) {
      SCOPED_TRACE(std::string(kernel.name) + ", " + schedule.name);
      for (uint64_t seed = 1; seed <= 3; ++seed) {
        emu::options().order = schedule.order;
        emu::options().preempt = schedule.preempt;
        emu::options().deferred = schedule.deferred;
        emu::options().seed = seed;
        const std::string found = run(kernel);
        if (kernel.says == nullptr) {
          EXPECT_EQ(found, "");
          continue;
        }
        ++planted;
        // Whether a race shows as one, or as a read of what is still to be written, depends on who
        // comes first.
        EXPECT_TRUE(found.find(kernel.says) != std::string::npos ||
                    (std::string(kernel.says).find("race in shared") == 0 &&
                     found.find("shared memory that nobody wrote") != std::string::npos))
            << found;
        EXPECT_NE(found.find("defect_kernels.cu:"), std::string::npos) << found;
        if (schedule.order != emu::Order::kRandom) break;
      }
    }
  }
  EXPECT_GE(planted, 4 * 15);
}

TEST_F(Defects, NameKernelThreadBlockAndLine) {
  for (const Planted& kernel : planted_kernels()) {
    if (std::string(kernel.name) != "unwritten_shared") continue;
    const std::string found = run(kernel);
    EXPECT_EQ(found.find("kKernel: thread 5 of block 0 reads shared memory that nobody wrote at "
                         "defect_kernels.cu:"),
              0U)
        << found;
  }
}

TEST_F(Defects, StopEveryCallUntilTheyAreTaken) {
  run(planted_kernels()[0]);
  planted_kernels()[2].launch(out_, nullptr);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaErrorLaunchFailure);
  EXPECT_NE(std::string(cudaGetErrorString(cudaErrorLaunchFailure)).find("shared memory"),
            std::string::npos);
  void* block = nullptr;
  EXPECT_EQ(cudaMalloc(&block, 4), cudaErrorLaunchFailure);
  EXPECT_EQ(cudaGetLastError(), cudaErrorLaunchFailure);
  EXPECT_EQ(cudaGetLastError(), cudaErrorLaunchFailure);
  EXPECT_STRNE(ata_emulator_take_defect(), "");
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
  EXPECT_EQ(run(planted_kernels()[0]), "");
}

TEST_F(Defects, UseAfterFreeIsFound) {
  int* const block = make<int>(64);
  int* const next = make<int>(64);
  EXPECT_EQ(cudaMemset(block, 0, 256), cudaSuccess);
  release(block);
  int* const other = make<int>(64);  // not the same memory
  EXPECT_NE(other, block);
  launch_add(block, 64, 1, nullptr);
  EXPECT_NE(defect().find("outside every allocation"), std::string::npos);
  EXPECT_EQ(cudaMemset(next, 0, 256), cudaSuccess);
  launch_add(next, 64, 1, nullptr);
  EXPECT_EQ(defect(), "");
}

TEST_F(Defects, UseOfUnwrittenMemoryIsFound) {
  int* const block = make<int>(64);
  launch_add(block, 64, 1, nullptr);
  EXPECT_NE(defect().find("global memory that nobody wrote"), std::string::npos);
  std::vector<int> host(64);
  cudaMemcpy(host.data(), block, 256, cudaMemcpyDeviceToHost);
  EXPECT_NE(defect().find("a copy to the host reads device memory that nobody wrote"),
            std::string::npos);
  // What is copied stays unwritten.
  int* const copy = make<int>(64);
  EXPECT_EQ(cudaMemcpy(copy, block, 256, cudaMemcpyDeviceToDevice), cudaSuccess);
  launch_add(copy, 64, 1, nullptr);
  EXPECT_NE(defect().find("global memory that nobody wrote"), std::string::npos);
}

TEST_F(Defects, MemoryComesBackAfterAWhile) {
  constexpr size_t kBytes = 1 << 16;
  emu::options().quarantine = 3 * kBytes;
  std::set<void*> blocks;
  for (int i = 0; i < 20; ++i) {
    void* block = nullptr;
    ASSERT_EQ(cudaMalloc(&block, kBytes), cudaSuccess);
    blocks.insert(block);
    ASSERT_EQ(cudaFree(block), cudaSuccess);
  }
  EXPECT_GE(blocks.size(), 3U);
  EXPECT_LE(blocks.size(), 6U);
}

using DefectsDeathTest = Defects;
TEST_F(DefectsDeathTest, TheHostCannotTouchDeviceMemory) {
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  const volatile int* const block = out_;
  EXPECT_DEATH({ [[maybe_unused]] const int value = *block; }, "");
}

}  // namespace
}  // namespace emu_test
