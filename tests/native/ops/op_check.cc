#include "op_check.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace ata::testing {
namespace {

std::vector<Doubles> all_doubles(const std::vector<Tensor>& tensors) {
  std::vector<Doubles> result;
  for (const Tensor& tensor : tensors) result.push_back(doubles(tensor));
  return result;
}

double weighted(const Doubles& values, const Doubles& weights) {
  double sum = 0.0;
  for (size_t i = 0; i < values.size(); ++i) sum += values[i] * weights[i];
  return sum;
}

// Inference may write over its inputs, so that every run gets its own.
std::vector<Variable> variables(const std::vector<Tensor>& inputs, bool require_gradient) {
  std::vector<Variable> result;
  for (const Tensor& input : inputs)
    result.emplace_back(test_context().copy(input), require_gradient);
  return result;
}

Tensor check_values(const OpCase& op_case, Tolerance tolerance) {
  const Doubles expected = op_case.oracle(all_doubles(op_case.inputs));
  const Variable inferred = op_case.op(test_context(), variables(op_case.inputs, false));
  EXPECT_LE(relative_error(doubles(inferred.value()), expected), tolerance.value) << "inference";
  Tape tape;
  const Variable recorded = op_case.op(test_context(&tape), variables(op_case.inputs, true));
  EXPECT_LE(relative_error(doubles(recorded.value()), expected), tolerance.value) << "training";
  return random_tensor(recorded.value().shape(), 991);
}

}  // namespace

Tensor random_tensor(Shape shape, uint64_t seed, DType dtype) {
  Tensor tensor(shape, dtype);
  Random random(seed);
  for (int64_t i = 0; i < tensor.count(); ++i) {
    const float value = random.normal();
    if (dtype == DType::kBF16) {
      tensor.data<BFloat16>()[i] = to_bfloat16(value);
    } else {
      tensor.data<float>()[i] = value;
    }
  }
  return on_device(tensor);
}

Tensor tensor_of(Shape shape, const std::vector<float>& values) {
  Tensor tensor(shape, DType::kF32);
  std::copy(values.begin(), values.end(), tensor.data<float>());
  return on_device(tensor);
}

Tensor indices_of(Shape shape, const std::vector<int32_t>& values) {
  Tensor tensor(shape, DType::kI32);
  std::copy(values.begin(), values.end(), tensor.data<int32_t>());
  return on_device(tensor);
}

Tensor mapped(const Tensor& tensor, const std::function<float(float)>& change) {
  Tensor result = on_host(tensor);
  float* values = result.data<float>();
  std::transform(values, values + result.count(), values, change);
  return on_device(result);
}

std::vector<Tensor> gradients(const OpCase& op_case, const Tensor& weights) {
  Tape tape;
  const Context context = test_context(&tape);
  const std::vector<Variable> inputs = variables(op_case.inputs, true);
  const Variable out = op_case.op(context, inputs);
  tape.backward(out, context.copy(weights));
  std::vector<Tensor> result;
  for (const Variable& input : inputs) {
    result.push_back(input.gradient() ? input.gradient() : context.zeros(input.value().shape()));
  }
  return result;
}

void check_op(const OpCase& op_case, Tolerance tolerance) {
  const Tensor weights = check_values(op_case, tolerance);
  const Doubles w = doubles(weights);
  const std::vector<Tensor> actual = gradients(op_case, weights);
  std::vector<Doubles> point = all_doubles(op_case.inputs);
  constexpr double kStep = 1e-5;
  for (size_t input = 0; input < point.size(); ++input) {
    Doubles expected(point[input].size());
    for (size_t i = 0; i < expected.size(); ++i) {
      const double value = point[input][i];
      point[input][i] = value + kStep;
      const double above = weighted(op_case.oracle(point), w);
      point[input][i] = value - kStep;
      const double below = weighted(op_case.oracle(point), w);
      point[input][i] = value;
      expected[i] = (above - below) / (2.0 * kStep);
    }
    EXPECT_LE(relative_error(doubles(actual[input]), expected), tolerance.gradient)
        << "gradient of input " << input;
  }
}

void check_op_along_directions(const OpCase& op_case, Tolerance tolerance) {
  const Tensor weights = check_values(op_case, tolerance);
  const Doubles w = doubles(weights);
  const std::vector<Tensor> actual = gradients(op_case, weights);
  const std::vector<Doubles> point = all_doubles(op_case.inputs);
  constexpr double kStep = 1e-5;
  for (size_t input = 0; input < point.size(); ++input) {
    const Doubles gradient = doubles(actual[input]);
    double norm = 0.0;
    for (const double g : gradient) norm += g * g;
    for (uint64_t trial = 0; trial < 4; ++trial) {
      // Half the gradient itself, half noise: the derivative is large, yet every part counts.
      Doubles direction =
          doubles(random_tensor({static_cast<int64_t>(gradient.size())}, 71 + trial));
      const double scale = std::sqrt(norm / static_cast<double>(gradient.size()));
      double predicted = 0.0;
      for (size_t i = 0; i < gradient.size(); ++i) {
        direction[i] = gradient[i] / scale + direction[i];
        predicted += direction[i] * gradient[i];
      }
      std::vector<Doubles> above = point, below = point;
      for (size_t i = 0; i < gradient.size(); ++i) {
        above[input][i] += kStep * direction[i];
        below[input][i] -= kStep * direction[i];
      }
      const double measured =
          (weighted(op_case.oracle(above), w) - weighted(op_case.oracle(below), w)) / (2 * kStep);
      EXPECT_NEAR(predicted / measured, 1.0, tolerance.gradient)
          << "gradient of input " << input << " along direction " << trial;
    }
  }
}

}  // namespace ata::testing
