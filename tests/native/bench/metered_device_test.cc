#include "metered_device.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "assignment/assignment.h"
#include "base/error.h"
#include "ops/context.h"
#include "ops/cpu_device.h"
#include "ops/linear.h"
#include "ops/temporal_attention.h"

// Counts against numbers that were reckoned by hand, on the CPU.
namespace ata::bench {
namespace {

Tensor zeros(const Shape& shape, DType dtype = DType::kF32) {
  return Tensor::zeros(shape, dtype);
}

class MeteredDeviceTest : public ::testing::Test {
 protected:
  MeteredDevice device_{cpu_device()};
  Context context_ = make_context(device_);

  Tally only(const std::vector<Tally>& tallies) const {
    EXPECT_EQ(tallies.size(), 1u);
    return tallies.empty() ? Tally{} : tallies.front();
  }
};

TEST_F(MeteredDeviceTest, CountsProducts) {
  const Tensor x = zeros({10, 6}), weight = zeros({4, 6}), bias = zeros({4});
  Tensor y = zeros({10, 4});
  device_.begin(/*timed=*/true);
  for (int i = 0; i < 3; ++i) {
    context_.run(&Kernels::linear, x, weight, nullptr, bias, Activation::kNone, false, y);
  }
  const Tally tally = only(device_.end());
  EXPECT_EQ(tally.name, "linear");
  EXPECT_EQ(tally.calls, 3);
  // x 240 bytes, weight 96, bias 16, y 160.
  EXPECT_EQ(tally.work.bytes, 3 * (240 + 96 + 16 + 160));
  EXPECT_EQ(tally.work.f32_operations, 3 * 2 * 10 * 6 * 4);
  EXPECT_EQ(tally.work.bf16_operations, 0);
  EXPECT_GT(tally.seconds, 0);

  // A result that is added to is read as well.
  device_.begin(/*timed=*/false);
  context_.run(&Kernels::linear, x, weight, nullptr, bias, Activation::kNone, true, y);
  const Tally added = only(device_.end());
  EXPECT_EQ(added.work.bytes, 240 + 96 + 16 + 2 * 160);
  EXPECT_EQ(added.seconds, 0);
}

TEST_F(MeteredDeviceTest, CountsPackedWeightsInTheirType) {
  const Tensor weight = zeros({4, 6}), x = zeros({10, 6}, DType::kBF16);
  const auto packed = context_.run(&Kernels::pack_linear, weight, DType::kBF16);
  Tensor y = zeros({10, 4}, DType::kBF16);
  device_.begin(/*timed=*/false);
  context_.run(&Kernels::linear, x, Tensor(), packed.get(), Tensor(), Activation::kGelu, false, y);
  const Tally tally = only(device_.end());
  EXPECT_EQ(tally.work.bytes, 120 + 48 + 80);
  EXPECT_EQ(tally.work.bf16_operations, 2 * 10 * 6 * 4);
}

TEST_F(MeteredDeviceTest, CountsAttentionOverTime) {
  const ClipLayout layout = {2, 3, 5};
  const Tensor qkv = zeros({30, 3 * 8}), index = zeros({2, 3, 5}, DType::kI32);
  Tensor y = zeros({30, 8});
  device_.begin(/*timed=*/false);
  context_.run(&Kernels::temporal_attention, qkv, layout, 2, index, Tensor(), y);
  const Tally tally = only(device_.end());
  EXPECT_EQ(tally.work.bytes, 30 * 24 * 4 + 30 * 4 + 30 * 8 * 4);
  // Of each of 10 trajectories 3 queries by 3 keys of width 8, and as much for the values.
  EXPECT_EQ(tally.work.f32_operations, 10 * 2 * (2 * 3 * 3 * 8));
}

TEST_F(MeteredDeviceTest, CountsUpdates) {
  AdamwUpdate update = {};
  update.gradient = zeros({100});
  update.first_moment = zeros({100});
  update.second_moment = zeros({100});
  update.weights = zeros({100});
  update.inverse_root_correction = update.epsilon = 1;
  std::vector<AdamwUpdate> updates(2, update);
  device_.begin(/*timed=*/false);
  context_.run(&Kernels::adamw, zeros({1}), std::span(updates));
  // Read once: the factor and the gradient; read and written: moments and weights.
  EXPECT_EQ(only(device_.end()).work.bytes, 4 + 2 * 7 * 400);
}

TEST_F(MeteredDeviceTest, CountsWhatOperationsAskForAndWhatTheyTakeMeanwhile) {
  LinearWeights weights;
  weights.weight = Variable(zeros({4, 6}));
  weights.out_features = 4;
  weights.in_features = 6;
  LinearOptions options;
  options.row_scale = zeros({10});
  device_.begin(/*timed=*/false);
  linear(context_, Variable(zeros({10, 6})), weights, options);
  const std::vector<Tally> tallies = device_.end();
  ASSERT_EQ(tallies.size(), 2u);
  EXPECT_EQ(tallies[0].name, "scale_rows");
  EXPECT_EQ(tallies[1].name, "linear");

  // What nobody asked for is no call.
  context_.run(&Kernels::scale_rows, zeros({2, 2}), Tensor(), Tensor(), options.row_scale);
  device_.begin(/*timed=*/false);
  EXPECT_TRUE(device_.end().empty());
}

TEST_F(MeteredDeviceTest, KeepsCopiesApart) {
  device_.begin(/*timed=*/false);
  const Tensor made = context_.zeros({8});
  context_.download(made);
  Tensor to({8}, DType::kF32);
  device_.copy(to.address(), made.address(), made.bytes(), *context_.stream);
  const std::vector<Tally> tallies = device_.end();
  ASSERT_EQ(tallies.size(), 2u);
  EXPECT_EQ(tallies[0].name, "fill");
  EXPECT_EQ(tallies[0].work.bytes, 32);
  EXPECT_EQ(tallies[1].name, "copy");
  EXPECT_EQ(tallies[1].work.bytes, 64);
}

TEST_F(MeteredDeviceTest, ACallThatThrowsLeavesTheStreamAsItWas) {
  const auto allocator = context_.stream->allocator;
  Tensor none, matching = zeros({1, 2}, DType::kI32), totals = zeros({1}, DType::kF64);
  Tensor values = zeros({1, 2, 2});
  values.data<float>()[0] = NAN;
  device_.begin(/*timed=*/false);
  EXPECT_THROW(
      context_.run(&Kernels::assign, values, AssignmentOptions{}, nullptr, none, matching, totals),
      Error);
  EXPECT_EQ(context_.stream->allocator, allocator);
  context_.zeros({8});
  EXPECT_EQ(device_.end().size(), 2u);
}

TEST(WorkBound, IsOfMemoryOrOfProducts) {
  const Ceilings ceilings = {100, 1000, 10};
  EXPECT_DOUBLE_EQ(bound({.bytes = 200, .bf16_operations = 1000}, ceilings), 2);
  EXPECT_DOUBLE_EQ(bound({.bytes = 200, .bf16_operations = 4000}, ceilings), 4);
  EXPECT_DOUBLE_EQ(bound({.bytes = 0, .bf16_operations = 1000, .f32_operations = 10}, ceilings), 2);
}

}  // namespace
}  // namespace ata::bench
