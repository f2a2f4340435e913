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
  tape.backward(loss, Tensor::zeros({1}, DType::kF32));
  EXPECT_EQ(order, (std::vector<int>{2, 1}));
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_TRUE(tape.empty());
}

TEST(Tape, IsEmptyAfterANodeThrew) {
  Tape tape;
  auto held = std::make_shared<int>(1);
  tape.record([held] {});
  tape.record([] { fail(ATA_CANCELLED, "stop"); });
  const Variable loss(Tensor::zeros({1}, DType::kF32), true);
  expect_error(ATA_CANCELLED, "stop",
               [&] { tape.backward(loss, Tensor::zeros({1}, DType::kF32)); });
  EXPECT_TRUE(tape.empty());
  EXPECT_EQ(held.use_count(), 1);
}

TEST(Context, GoesBackFromOneElementWithTheGradientOne) {
  Tape tape;
  const Context context = test_context(&tape);
  const Variable loss(random_tensor({1}, 1), true);
  context.backward(loss);
  EXPECT_EQ(doubles(loss.gradient()), Doubles{1.0});
  expect_error(ATA_INVALID_ARGUMENT, "[2]",
               [&] { context.backward(Variable(random_tensor({2}, 1), true)); });
}

TEST(Context, FormsGradientsInTheMemoryThatTheyWereGiven) {
  const Context context = test_context();
  const Tensor flat = context.zeros({4});
  const Variable added(random_tensor({2}, 1), true), handed_on(random_tensor({2}, 2), true);
  added.set_gradient_memory(flat.slice(0, 2));
  handed_on.set_gradient_memory(flat.slice(2, 4));
  context.run(&Kernels::add, tensor_of({2}, {1, 2}), context.gradient(added));
  context.accumulate_gradient(handed_on, tensor_of({2}, {3, 4}));
  EXPECT_TRUE(same_bits(flat, tensor_of({4}, {1, 2, 3, 4})));
  added.clear_gradient();
  EXPECT_TRUE(same_bits(context.gradient(added), tensor_of({2}, {0, 0})));
}

TEST(Variable, AccumulatesGradients) {
  const Context context = test_context();
  const Variable x(random_tensor({3}, 1), true);
  EXPECT_FALSE(x.gradient());
  const Tensor g = tensor_of({3}, {1, 2, 3});
  context.accumulate_gradient(x, context.copy(g));
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
  Context context = test_context();
  context.check_cancelled();
  context.cancelled = &cancelled;
  context.check_cancelled();
  cancelled = true;
  expect_error(ATA_CANCELLED, "cancelled", [&] { context.check_cancelled(); });
}

}  // namespace
}  // namespace ata::testing
