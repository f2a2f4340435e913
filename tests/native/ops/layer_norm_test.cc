#include "ops/layer_norm.h"

#include <gtest/gtest.h>

#include <cmath>

#include "oracles.h"

namespace ata::testing {
namespace {

OpCase layer_norm_case(int64_t rows, int64_t columns, DType out) {
  OpCase op_case;
  op_case.inputs = {random_tensor({rows, columns}, 1), random_tensor({columns}, 2),
                    random_tensor({columns}, 3)};
  op_case.op = [out](const Context& context, const std::vector<Variable>& inputs) {
    return layer_norm(context, inputs[0], inputs[1], inputs[2], out, 1e-3f);
  };
  op_case.oracle = [](const std::vector<Doubles>& inputs) {
    return layer_norm_oracle(inputs[0], inputs[1], inputs[2], 1e-3f);
  };
  return op_case;
}

TEST(LayerNorm, AgreesWithTheOracle) {
  for (const int64_t columns : {1, 3, 7, 16, 48, 65}) {
    for (const int64_t rows : {1, 3, 20}) {
      SCOPED_TRACE(concat(rows, " x ", columns));
      check_op(layer_norm_case(rows, columns, DType::kF32), tolerance_of(DType::kF32));
      check_op(layer_norm_case(rows, columns, DType::kBF16),
               {tolerance_of(DType::kBF16).value, tolerance_of(DType::kF32).gradient});
    }
  }
}

// Rows as wide as registers hold, in one step less and one more, and wider.
TEST(LayerNorm, TakesRowsOfAnyWidth) {
  for (const int64_t columns : {384, 388, 768, 1020, 1536, 1540, 3073}) {
    SCOPED_TRACE(columns);
    check_op_along_directions(layer_norm_case(9, columns, DType::kF32), tolerance_of(DType::kF32));
    check_op_along_directions(
        layer_norm_case(9, columns, DType::kBF16),
        {tolerance_of(DType::kBF16).value, tolerance_of(DType::kF32).gradient});
  }
}

TEST(LayerNorm, TakesNoRows) {
  const Variable gamma(random_tensor({4}, 2));
  const Variable y = layer_norm(test_context(), Variable(random_tensor({0, 4}, 1)), gamma, gamma);
  EXPECT_EQ(y.value().shape(), Shape({0, 4}));
}

TEST(LayerNorm, SumsManyRowsPrecisely) {
  check_op_along_directions(layer_norm_case(3001, 24, DType::kF32), tolerance_of(DType::kF32));
}

TEST(LayerNorm, KeepsItsPrecisionFarFromZero) {
  const Tensor x = mapped(random_tensor({2, 96}, 1), [](float value) { return value + 1000.0f; });
  const Variable one(tensor_of({96}, std::vector<float>(96, 1.0f)));
  const Variable zero(tensor_of({96}, std::vector<float>(96, 0.0f)));
  const Variable y = layer_norm(test_context(), Variable(x), one, zero);
  OpCase reference = layer_norm_case(2, 96, DType::kF32);
  const Doubles expected =
      reference.oracle({doubles(x), doubles(one.value()), doubles(zero.value())});
  EXPECT_LE(relative_error(doubles(y.value()), expected), 1e-3);
}

TEST(LayerNorm, AddsToTheGradientThatIsThere) {
  Tape tape;
  const Context context = test_context(&tape);
  const Variable x(random_tensor({5, 12}, 1), true);
  const Variable gamma(random_tensor({12}, 2)), beta(random_tensor({12}, 3));
  const Variable y = layer_norm(context, x, gamma, beta);
  const Variable z = layer_norm(context, x, gamma, beta);
  const Tensor w = random_tensor({5, 12}, 4);
  y.set_gradient(context.copy(w));
  tape.backward(z, context.copy(w));
  OpCase once = layer_norm_case(5, 12, DType::kF32);
  once.inputs = {x.value(), gamma.value(), beta.value()};
  once.op = [](const Context& c, const std::vector<Variable>& in) {
    return layer_norm(c, in[0], in[1], in[2]);
  };
  Doubles doubled = doubles(gradients(once, w)[0]);
  for (double& value : doubled) value *= 2.0;
  EXPECT_LE(relative_error(doubles(x.gradient()), doubled), 1e-6);
  EXPECT_FALSE(y.gradient()) << "gradients of results are released";
}

TEST(LayerNorm, RejectsWhatDoesNotFit) {
  const Variable x(random_tensor({2, 4}, 1)), gamma(random_tensor({4}, 2));
  expect_error(ATA_INVALID_ARGUMENT, "beta must be f32 of shape [4]",
               [&] { layer_norm(test_context(), x, gamma, Variable(random_tensor({5}, 3))); });
  expect_error(ATA_INVALID_ARGUMENT, "epsilon",
               [&] { layer_norm(test_context(), x, gamma, gamma, DType::kF32, 0.0f); });
}

}  // namespace
}  // namespace ata::testing
