#include <gtest/gtest.h>

#include "tensor/tensor.h"

namespace ata {
namespace {

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

}  // namespace
}  // namespace ata
