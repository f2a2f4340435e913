#include "autograd/tape.h"

#include <gtest/gtest.h>

#include "op_check.h"

namespace ata::testing {
namespace {

TEST(Tape, RunsNodesNewestFirstAndFreesThem) {
  Tape tape;
  std::vector<int> order;
  auto held = std::make_shared<int>(1);
  tape.record([&order, held] { order.push_back(1); });
  tape.record([&order, &held] {
    order.push_back(2);
    EXPECT_EQ(held.use_count(), 2);
  });
  const Variable loss(Tensor::zeros({1}, DType::kF32), true);
  tape.backward(loss, heap_allocator());
  EXPECT_EQ(order, (std::vector<int>{2, 1}));
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_TRUE(tape.empty());
  EXPECT_EQ(loss.gradient().data<float>()[0], 1.0f);
}

TEST(Tape, IsEmptyAfterANodeThrew) {
  Tape tape;
  auto held = std::make_shared<int>(1);
  tape.record([held] {});
  tape.record([] { fail(ATA_CANCELLED, "stop"); });
  const Variable loss(Tensor::zeros({1}, DType::kF32), true);
  expect_error(ATA_CANCELLED, "stop", [&] { tape.backward(loss, heap_allocator()); });
  EXPECT_TRUE(tape.empty());
  EXPECT_EQ(held.use_count(), 1);
}

TEST(Tape, StartsFromOneElement) {
  Tape tape;
  expect_error(ATA_INVALID_ARGUMENT, "[2]", [&] {
    tape.backward(Variable(Tensor::zeros({2}, DType::kF32), true), heap_allocator());
  });
}

TEST(Variable, AccumulatesGradients) {
  const Context context = cpu_context();
  const Variable x(random_tensor({3}, 1), true);
  EXPECT_FALSE(x.gradient());
  const Tensor g = tensor_of({3}, {1, 2, 3});
  context.accumulate_gradient(x, g.clone());
  context.accumulate_gradient(x, g);
  EXPECT_TRUE(same_bits(x.gradient(), tensor_of({3}, {2, 4, 6})));
  expect_error(ATA_INTERNAL, "which has one already", [&] { x.set_gradient(g); });
  x.clear_gradient();
  expect_error(ATA_INTERNAL, "cannot become",
               [&] { x.set_gradient(Tensor::zeros({4}, DType::kF32)); });
  const Variable constant(random_tensor({3}, 1));
  context.accumulate_gradient(constant, g);
  EXPECT_FALSE(constant.gradient());
}

TEST(Context, ReportsCancellation) {
  std::atomic<bool> cancelled{false};
  Context context = cpu_context();
  context.check_cancelled();
  context.cancelled = &cancelled;
  context.check_cancelled();
  cancelled = true;
  expect_error(ATA_CANCELLED, "cancelled", [&] { context.check_cancelled(); });
}

}  // namespace
}  // namespace ata::testing
