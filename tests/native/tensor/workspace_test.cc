#include <gtest/gtest.h>

#include <vector>

#include "support/errors.h"
#include "tensor/tensor.h"

namespace ata {
namespace {

/// Counts what a workspace asks for; has `limit` bytes.
class CountedMemory : public Allocator {
 public:
  explicit CountedMemory(size_t limit = SIZE_MAX) : limit_(limit) {}

  void* allocate(size_t bytes) override {
    if (bytes > limit_ - held) fail(ATA_OUT_OF_MEMORY, "no ", bytes, " bytes");
    held += bytes;
    ++allocations;
    return heap_->allocate(bytes);
  }
  void release(void* block, size_t bytes) noexcept override {
    held -= bytes;
    heap_->release(block, bytes);
  }

  size_t held = 0;
  int allocations = 0;

 private:
  size_t limit_;
  std::shared_ptr<Allocator> heap_ = heap_allocator();
};

/// A pass on a batch: tensors of several sizes that grow with it, some at the same time.
void run_pass(const std::shared_ptr<Allocator>& workspace, int64_t batch) {
  workspace->begin_pass();
  const auto make = [&](int64_t rows) { return Tensor({batch, rows}, DType::kU8, workspace); };
  Tensor tokens = make(1000);
  for (int block = 0; block < 3; ++block) {
    const Tensor projected = make(3000);
    const Tensor attended = make(1000);
    Tensor hidden = make(4000);
    tokens = make(1000);
  }
}
constexpr size_t kPassBytes = 10'000;  // of a batch of one, at a time

TEST(Workspace, HandsReleasedBlocksOutAgain) {
  const auto workspace = make_workspace(heap_allocator());
  const void* first;
  {
    const Tensor tensor({100}, DType::kF32, workspace);
    first = tensor.raw();
  }
  const int64_t before = memory_statistics().live_bytes;
  const Tensor again({100}, DType::kF32, workspace);
  EXPECT_EQ(again.raw(), first);
  EXPECT_EQ(memory_statistics().live_bytes, before);
}

TEST(Workspace, ReturnsItsMemoryWhenTheLastTensorGoes) {
  const int64_t before = memory_statistics().live_bytes;
  Tensor survivor;
  {
    const auto workspace = make_workspace(heap_allocator());
    survivor = Tensor({10}, DType::kF32, workspace);
  }
  survivor.data<float>()[9] = 1.0f;
  survivor = Tensor();
  EXPECT_EQ(memory_statistics().live_bytes, before);
}

TEST(Workspace, ServesBatchesOfAllSizesWithoutAllocatingAgain) {
  const auto memory = std::make_shared<CountedMemory>();
  const auto workspace = make_workspace(memory);
  const std::vector<std::vector<int64_t>> mixes = {{8, 1}, {8, 7}, {1, 2, 3, 4, 5, 6, 7, 8}};
  for (const std::vector<int64_t>& batches : mixes) {
    for (int round = 0; round < 2; ++round) {
      for (const int64_t batch : batches) run_pass(workspace, batch);
    }
    const int before = memory->allocations;
    for (int round = 0; round < 10; ++round) {
      for (const int64_t batch : batches) run_pass(workspace, batch);
    }
    EXPECT_EQ(memory->allocations, before);
    EXPECT_LE(memory->held, 2 * 8 * kPassBytes);
  }
}

TEST(Workspace, KeepsWhatAPassNeedsOneAfterAnother) {
  const auto memory = std::make_shared<CountedMemory>();
  const auto workspace = make_workspace(memory);
  // No two at a time, and none serves for another.
  const auto pass = [&] {
    workspace->begin_pass();
    for (const int64_t bytes : {100, 201, 403, 807, 1615}) {
      const Tensor tensor({bytes}, DType::kU8, workspace);
    }
  };
  for (int i = 0; i < 40; ++i) pass();
  EXPECT_EQ(memory->allocations, 5);
}

TEST(Workspace, TheSecondPassFindsWhatTheFirstOneMade) {
  const auto memory = std::make_shared<CountedMemory>();
  const auto workspace = make_workspace(memory);
  const auto make = [&](int64_t bytes) { return Tensor({bytes}, DType::kU8, workspace); };
  const auto pass = [&] {
    workspace->begin_pass();
    make(250);
    Tensor small = make(200);  // not where 250 was, which is needed again beside two of these
    const Tensor other = make(200);
    small = Tensor();
    const Tensor large = make(250);
  };
  pass();
  const int before = memory->allocations;
  pass();
  EXPECT_EQ(memory->allocations, before);
}

TEST(Workspace, ForgetsWhatItHasNotNeededForLong) {
  const auto memory = std::make_shared<CountedMemory>();
  const auto workspace = make_workspace(memory);
  run_pass(workspace, 100);
  EXPECT_GE(memory->held, 80 * kPassBytes);
  for (int i = 0; i < 20; ++i) run_pass(workspace, 1);
  EXPECT_LE(memory->held, 2 * kPassBytes);
  EXPECT_GT(memory->held, 0u);
}

TEST(Workspace, GivesFreeBlocksUpBeforeMemoryRunsOut) {
  const auto memory = std::make_shared<CountedMemory>(1000);
  const auto workspace = make_workspace(memory);
  for (const int64_t bytes : {300, 700, 1000, 200}) {
    const Tensor tensor({bytes}, DType::kU8, workspace);
  }
  EXPECT_LE(memory->held, 1000u);
  const Tensor kept({600}, DType::kU8, workspace);
  error_of(ATA_OUT_OF_MEMORY, [&] { Tensor({2000}, DType::kU8, workspace); });
}

TEST(Workspace, WhatIsFarLargerIsKeptForWhatNeedsIt) {
  const auto memory = std::make_shared<CountedMemory>();
  const auto workspace = make_workspace(memory);
  { const Tensor large({1000}, DType::kU8, workspace); }
  workspace->begin_pass();
  const Tensor small({499}, DType::kU8, workspace);
  EXPECT_EQ(memory->allocations, 2);
  const Tensor half({500}, DType::kU8, workspace);
  EXPECT_EQ(memory->allocations, 2);
}

}  // namespace
}  // namespace ata
