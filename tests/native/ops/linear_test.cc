#include "ops/linear.h"

#include <gtest/gtest.h>

#include "oracles.h"

namespace ata::testing {
namespace {

struct LinearCase {
  DType compute;
  DType out;
  int64_t rows, in, out_features;
  bool bias;
  Activation activation;
  bool residual, row_scale;
};

constexpr const char* kActivationNames[] = {"", "_gelu", "_quick_gelu", "_gelu_tanh"};

std::string name_of(const ::testing::TestParamInfo<LinearCase>& info) {
  const LinearCase& c = info.param;
  return concat(dtype_name(c.compute), "_to_", dtype_name(c.out), "_", c.rows, "x", c.in, "x",
                c.out_features, c.bias ? "_bias" : "",
                kActivationNames[static_cast<int>(c.activation)], c.residual ? "_residual" : "",
                c.row_scale ? "_scale" : "");
}

class Linear : public ::testing::TestWithParam<LinearCase> {
 protected:
  // Inputs: x, weight, bias if any, residual if any.
  static OpCase make_case(const LinearCase& c, bool packed) {
    OpCase op_case;
    op_case.inputs = {random_tensor({c.rows, c.in}, 1, c.compute),
                      random_tensor({c.out_features, c.in}, 2)};
    // Weights of a bf16 product are rounded first; the oracle must see the same.
    if (c.compute == DType::kBF16) {
      op_case.inputs[1] =
          mapped(op_case.inputs[1], [](float weight) { return to_float(to_bfloat16(weight)); });
    }
    if (c.bias) op_case.inputs.push_back(random_tensor({c.out_features}, 3));
    if (c.residual) op_case.inputs.push_back(random_tensor({c.rows, c.out_features}, 4));
    const Tensor scale = c.row_scale ? random_tensor({c.rows}, 5) : Tensor();
    op_case.op = [c, scale, packed](const Context& context, const std::vector<Variable>& inputs) {
      LinearWeights weights;
      weights.in_features = c.in;
      weights.out_features = c.out_features;
      if (packed && !context.tape) {
        weights.packed = context.run(&Kernels::pack_linear, inputs[1].value(), c.compute);
      } else {
        weights.weight = inputs[1];
      }
      if (c.bias) weights.bias = inputs[2];
      LinearOptions options;
      options.out_dtype = c.out;
      options.activation = c.activation;
      if (c.residual) options.residual = inputs.back();
      options.row_scale = scale;
      return linear(context, inputs[0], weights, options);
    };
    const Doubles factors = c.row_scale ? doubles(scale) : Doubles();
    op_case.oracle = [c, factors](const std::vector<Doubles>& inputs) {
      Doubles y =
          linear_oracle(inputs[0], inputs[1], c.bias ? inputs[2] : Doubles(), c.in, c.out_features);
      for (size_t i = 0; i < y.size(); ++i) {
        const size_t row = i / static_cast<size_t>(c.out_features);
        y[i] = activation_oracle(c.activation, y[i]);
        if (c.row_scale) y[i] *= factors[row];
        if (c.residual) y[i] += inputs.back()[i];
      }
      return y;
    };
    return op_case;
  }

  static Tolerance tolerance(const LinearCase& c) {
    return tolerance_of(c.out == DType::kBF16 ? DType::kBF16 : c.compute);
  }
};

TEST_P(Linear, AgreesWithTheOracle) {
  check_op(make_case(GetParam(), false), tolerance(GetParam()));
}

TEST_P(Linear, PackedWeightsAgreeWithTheOracle) {
  const OpCase op_case = make_case(GetParam(), true);
  std::vector<Variable> inputs;
  std::vector<Doubles> values;
  for (const Tensor& input : op_case.inputs) {
    inputs.emplace_back(test_context().copy(input));
    values.push_back(doubles(input));
  }
  const Variable y = op_case.op(test_context(), inputs);
  EXPECT_LE(relative_error(doubles(y.value()), op_case.oracle(values)),
            tolerance(GetParam()).value);
}

constexpr DType f32 = DType::kF32, bf16 = DType::kBF16;
constexpr Activation none = Activation::kNone, gelu = Activation::kGelu,
                     quick_gelu = Activation::kQuickGelu, gelu_tanh = Activation::kGeluTanh;
INSTANTIATE_TEST_SUITE_P(
    Cases, Linear,
    ::testing::Values(LinearCase{f32, f32, 1, 1, 1, false, none, false, false},
                      LinearCase{f32, f32, 1, 48, 10, true, none, false, false},
                      LinearCase{f32, f32, 7, 13, 17, true, gelu, false, false},
                      LinearCase{f32, f32, 7, 13, 17, true, quick_gelu, false, false},
                      LinearCase{f32, f32, 7, 13, 17, true, gelu_tanh, false, false},
                      LinearCase{f32, bf16, 7, 13, 17, true, quick_gelu, false, false},
                      LinearCase{f32, f32, 9, 16, 33, true, none, true, false},
                      LinearCase{f32, f32, 9, 12, 5, true, none, true, true},
                      LinearCase{f32, f32, 5, 8, 6, false, none, false, true},
                      LinearCase{f32, bf16, 6, 20, 18, true, none, false, false},
                      LinearCase{bf16, bf16, 1, 48, 10, true, none, false, false},
                      LinearCase{bf16, bf16, 7, 13, 17, true, gelu, false, false},
                      LinearCase{bf16, bf16, 7, 13, 17, true, quick_gelu, false, false},
                      LinearCase{bf16, bf16, 7, 13, 17, true, gelu_tanh, false, false},
                      LinearCase{bf16, f32, 7, 13, 17, false, quick_gelu, false, false},
                      LinearCase{bf16, f32, 9, 16, 33, true, none, true, false},
                      LinearCase{bf16, f32, 9, 12, 5, true, none, true, true}),
    name_of);

class LinearActivation : public ::testing::TestWithParam<Activation> {};

TEST_P(LinearActivation, IsExactOverItsWholeRange) {
  const int64_t count = 4001;
  std::vector<float> points;
  for (int64_t i = 0; i < count; ++i) points.push_back(static_cast<float>(i - 2000) / 200.0f);
  const Tensor x = tensor_of({count, 1}, points);
  LinearWeights weights;
  weights.in_features = weights.out_features = 1;
  weights.weight = Variable(tensor_of({1, 1}, {1.0f}), true);
  LinearOptions options;
  options.activation = GetParam();
  Tape tape;
  const Variable trained = linear(test_context(&tape), Variable(x), weights, options);
  const Variable inferred = linear(test_context(), Variable(x), weights, options);
  const Doubles in_training = doubles(trained.value()), in_inference = doubles(inferred.value());
  for (size_t i = 0; i < points.size(); ++i) {
    const double expected = activation_oracle(GetParam(), static_cast<double>(points[i]));
    EXPECT_NEAR(in_training[i], expected, 1e-6);
    EXPECT_NEAR(in_inference[i], expected, 1e-6);
  }
}

INSTANTIATE_TEST_SUITE_P(All, LinearActivation,
                         ::testing::Values(Activation::kGelu, Activation::kQuickGelu,
                                           Activation::kGeluTanh));

TEST(LinearOp, InferenceWritesOverTheResidual) {
  LinearWeights weights;
  weights.in_features = 3;
  weights.out_features = 2;
  weights.weight = Variable(random_tensor({2, 3}, 1));
  LinearOptions options;
  options.residual = Variable(random_tensor({4, 2}, 2));
  const Variable x(random_tensor({4, 3}, 3));
  const Variable y = linear(test_context(), x, weights, options);
  EXPECT_EQ(y.value().address(), options.residual.value().address());
  Tape tape;
  const Tensor before = test_context().copy(options.residual.value());
  const Variable z = linear(test_context(&tape), x, weights, options);
  EXPECT_NE(z.value().address(), options.residual.value().address());
  EXPECT_TRUE(same_bits(before, options.residual.value()));
  EXPECT_TRUE(tape.empty()) << "nothing requires a gradient";
}

TEST(LinearOp, RejectsWhatDoesNotFit) {
  const Context context = test_context();
  const Variable x(random_tensor({4, 3}, 1));
  LinearWeights weights;
  weights.in_features = 3;
  weights.out_features = 2;
  expect_error(ATA_INVALID_ARGUMENT, "weights are missing", [&] { linear(context, x, weights); });
  weights.weight = Variable(random_tensor({2, 3}, 2));
  expect_error(ATA_INVALID_ARGUMENT, "x has 5 columns", [&] {
    linear(context, Variable(random_tensor({4, 5}, 1)), weights);
  });
  LinearOptions options;
  options.activation = Activation::kGelu;
  options.residual = Variable(random_tensor({4, 2}, 3));
  expect_error(ATA_INVALID_ARGUMENT, "cannot be combined",
               [&] { linear(context, x, weights, options); });
  options.activation = Activation::kNone;
  options.out_dtype = DType::kBF16;
  expect_error(ATA_INVALID_ARGUMENT, "needs an f32 result",
               [&] { linear(context, x, weights, options); });
  weights.packed = context.run(&Kernels::pack_linear, weights.weight.value(), DType::kBF16);
  expect_error(ATA_INTERNAL, "packed weights bf16", [&] { linear(context, x, weights); });
  weights.weight = Variable();
  Tape tape;
  expect_error(ATA_UNSUPPORTED, "packed for inference", [&] {
    linear(test_context(&tape), Variable(random_tensor({4, 3}, 1), true), weights);
  });
}

// x through both layers at once, against one after the other.
TEST(ChainLinear, GradientsOfBothLayers) {
  constexpr int64_t kRows = 6, kIn = 5, kInner = 7, kOut = 4;
  OpCase op_case;
  op_case.inputs = {random_tensor({kRows, kIn}, 1), random_tensor({kInner, kIn}, 2),
                    random_tensor({kInner}, 3), random_tensor({kOut, kInner}, 4),
                    random_tensor({kOut}, 5)};
  op_case.op = [](const Context& context, const std::vector<Variable>& inputs) {
    LinearWeights first, second;
    first.weight = inputs[1];
    first.bias = inputs[2];
    first.out_features = kInner;
    first.in_features = kIn;
    second.weight = inputs[3];
    second.bias = inputs[4];
    second.out_features = kOut;
    second.in_features = kInner;
    return linear(context, inputs[0], chain_linear(context, first, second));
  };
  op_case.oracle = [](const std::vector<Doubles>& inputs) {
    return linear_oracle(linear_oracle(inputs[0], inputs[1], inputs[2], kIn, kInner), inputs[3],
                         inputs[4], kInner, kOut);
  };
  check_op(op_case, tolerance_of(DType::kF32));
}

TEST(ChainLinear, RejectsLayersThatDoNotFit) {
  LinearWeights first, second;
  first.weight = Variable(random_tensor({7, 5}, 1));
  first.bias = Variable(random_tensor({7}, 2));
  first.out_features = 7;
  first.in_features = 5;
  expect_error(ATA_INVALID_ARGUMENT, "the second takes 5",
               [&] { chain_linear(test_context(), first, first); });
  expect_error(ATA_INVALID_ARGUMENT, "missing",
               [&] { chain_linear(test_context(), first, second); });
}

OpCase plain_linear(int64_t rows, int64_t in, int64_t out) {
  OpCase op_case;
  op_case.inputs = {random_tensor({rows, in}, 1), random_tensor({out, in}, 2),
                    random_tensor({out}, 3)};
  op_case.op = [in, out](const Context& context, const std::vector<Variable>& inputs) {
    LinearWeights weights;
    weights.weight = inputs[1];
    weights.bias = inputs[2];
    weights.out_features = out;
    weights.in_features = in;
    return linear(context, inputs[0], weights);
  };
  op_case.oracle = [in, out](const std::vector<Doubles>& inputs) {
    return linear_oracle(inputs[0], inputs[1], inputs[2], in, out);
  };
  return op_case;
}

// The weight gradient packs factors as wide as this, and so do the result and the input gradient
// with as many rows; the bias gradient is summed in several blocks of rows and pieces of columns.
TEST(WideLinear, Gradients) {
  check_op_along_directions(plain_linear(70, 2600, 520), tolerance_of(DType::kF32));
  check_op_along_directions(plain_linear(530, 260, 330), tolerance_of(DType::kF32));
  check_op_along_directions(plain_linear(300, 3, 2500), tolerance_of(DType::kF32));
}

TEST(SharedLinear, GradientsOfBothUsesAdd) {
  constexpr int64_t kDim = 6;
  OpCase op_case = plain_linear(5, kDim, kDim);
  const OpCase once = op_case;
  op_case.op = [once](const Context& context, const std::vector<Variable>& inputs) {
    return once.op(context, {once.op(context, inputs), inputs[1], inputs[2]});
  };
  op_case.oracle = [once](const std::vector<Doubles>& inputs) {
    return once.oracle({once.oracle(inputs), inputs[1], inputs[2]});
  };
  check_op(op_case, tolerance_of(DType::kF32));
}

TEST(LinearResult, AKnownResultIsRecordedAndNotComputed) {
  const Tensor known = random_tensor({3, 4}, 9), dy = random_tensor({3, 4}, 8);
  std::vector<Tensor> gradients_of_x;
  for (const Tensor& result : {Tensor(), known}) {
    Tape tape;
    const Context context = test_context(&tape);
    const Variable x(random_tensor({3, 5}, 1), true);
    LinearWeights weights;
    weights.weight = Variable(random_tensor({4, 5}, 2), true);
    weights.out_features = 4;
    weights.in_features = 5;
    const Variable y = linear(context, x, weights, {.known_result = result});
    if (result) {
      EXPECT_EQ(y.value().address(), known.address());
    }
    tape.backward(y, context.copy(dy));
    gradients_of_x.push_back(x.gradient());
  }
  EXPECT_TRUE(same_bits(gradients_of_x[0], gradients_of_x[1]));
}

}  // namespace
}  // namespace ata::testing
