#include "tensor/tensor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "support/errors.h"

namespace ata {
namespace {

TEST(BFloat16Test, RoundsToNearestEven) {
  EXPECT_EQ(to_float(to_bfloat16(1.0f)), 1.0f);
  // 1 + 2^-8 lies midway between 1 and 1 + 2^-7; the even neighbour is 1.
  EXPECT_EQ(to_float(to_bfloat16(1.0f + 0x1p-8f)), 1.0f);
  EXPECT_EQ(to_float(to_bfloat16(1.0f + 0x1.8p-7f)), 1.0f + 0x1p-6f);
  EXPECT_EQ(to_float(to_bfloat16(-0.0f)), 0.0f);
  EXPECT_TRUE(std::signbit(to_float(to_bfloat16(-0.0f))));
  EXPECT_TRUE(std::isinf(to_float(to_bfloat16(std::numeric_limits<float>::max()))));
  EXPECT_TRUE(std::isnan(to_float(to_bfloat16(std::numeric_limits<float>::quiet_NaN()))));
}

TEST(ShapeTest, CountsAndPrints) {
  EXPECT_EQ(Shape({2, 3, 4}).count(), 24);
  EXPECT_EQ(Shape({}).count(), 1);
  EXPECT_EQ(Shape({5, 0}).count(), 0);
  EXPECT_EQ(Shape({2, 3}).to_string(), "[2, 3]");
  EXPECT_EQ(Shape({2, 3}), Shape({2, 3}));
  EXPECT_FALSE(Shape({2, 3}) == Shape({3, 2}));
  EXPECT_FALSE(Shape({2}) == Shape({2, 1}));
}

TEST(ShapeTest, RejectsWhatCannotBe) {
  EXPECT_THROW(Shape({-1}), Error);
  EXPECT_THROW(Shape({int64_t{1} << 40, int64_t{1} << 40}), Error);
  EXPECT_THROW(Shape({1, 1, 1, 1, 1, 1, 1, 1, 1}), Error);
}

TEST(TensorTest, SharesReshapesSlicesAndClones) {
  Tensor tensor = Tensor::zeros({4, 3}, DType::kF32);
  for (int i = 0; i < 12; ++i) tensor.data<float>()[i] = static_cast<float>(i);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.raw()) % 64, 0u);

  Tensor rows = tensor.slice(1, 3);
  EXPECT_EQ(rows.shape(), Shape({2, 3}));
  EXPECT_EQ(rows.data<float>()[0], 3.0f);
  rows.data<float>()[0] = -1.0f;
  EXPECT_EQ(tensor.data<float>()[3], -1.0f);

  EXPECT_EQ(tensor.reshape({2, 6}).data<float>(), tensor.data<float>());
  EXPECT_THROW(tensor.reshape({5}), Error);
  EXPECT_THROW(tensor.slice(2, 5), Error);

  const Tensor copy = tensor.clone();
  tensor.data<float>()[0] = 7.0f;
  EXPECT_EQ(copy.data<float>()[0], 0.0f);
}

TEST(TensorTest, ChecksItsElementType) {
  Tensor tensor = Tensor::zeros({2}, DType::kI32);
  EXPECT_THROW(tensor.data<float>(), Error);
  EXPECT_NO_THROW(tensor.data<int32_t>());
}

TEST(TensorTest, WrapsForeignMemory) {
  std::vector<float> values = {1, 2, 3};
  const Tensor tensor = Tensor::wrap(values.data(), {3}, DType::kF32, nullptr);
  EXPECT_TRUE(tensor.defined());
  EXPECT_EQ(tensor.data<float>(), values.data());
  EXPECT_TRUE(Tensor::wrap(nullptr, {0}, DType::kF32, nullptr).defined());
  EXPECT_FALSE(Tensor().defined());
}

TEST(TensorTest, CountsTheMemoryItHolds) {
  const int64_t before = memory_statistics().live_bytes;
  {
    const Tensor tensor({1000}, DType::kF32);
    EXPECT_EQ(memory_statistics().live_bytes, before + 4000);
  }
  EXPECT_EQ(memory_statistics().live_bytes, before);
}

TEST(TensorTest, ImpossibleSizeIsOutOfMemory) {
  error_of(ATA_OUT_OF_MEMORY, [] { const Tensor tensor({int64_t{1} << 58}, DType::kF32); });
}

}  // namespace
}  // namespace ata
