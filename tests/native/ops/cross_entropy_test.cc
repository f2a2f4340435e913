#include "ops/cross_entropy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "op_check.h"

namespace ata::testing {
namespace {

Tensor classes_of(const std::vector<int64_t>& values) {
  Tensor tensor({static_cast<int64_t>(values.size())}, DType::kI64);
  std::copy(values.begin(), values.end(), tensor.data<int64_t>());
  return on_device(tensor);
}

// `targets` as probabilities `[B, C]`.
OpCase loss_case(int64_t batch, int64_t classes, const Tensor& targets,
                 const Doubles& probabilities, float smoothing) {
  OpCase op_case;
  op_case.inputs = {random_tensor({batch, classes}, 1)};
  op_case.op = [=](const Context& context, const std::vector<Variable>& in) {
    return softmax_cross_entropy(context, in[0], targets, smoothing);
  };
  op_case.oracle = [=](const std::vector<Doubles>& in) {
    double loss = 0.0;
    const size_t c_count = static_cast<size_t>(classes);
    for (size_t b = 0; b < static_cast<size_t>(batch); ++b) {
      double sum = 0.0;
      for (size_t c = 0; c < c_count; ++c) sum += std::exp(in[0][b * c_count + c]);
      for (size_t c = 0; c < c_count; ++c) {
        const double target =
            (1.0 - static_cast<double>(smoothing)) * probabilities[b * c_count + c] +
            static_cast<double>(smoothing) / static_cast<double>(classes);
        loss -= target * (in[0][b * c_count + c] - std::log(sum)) / static_cast<double>(batch);
      }
    }
    return Doubles{loss};
  };
  return op_case;
}

TEST(SoftmaxCrossEntropy, AgreesWithTheOracle) {
  const Tensor soft = tensor_of({2, 3}, {0.5f, 0.25f, 0.25f, 0.0f, 0.0f, 1.0f});
  for (const float smoothing : {0.0f, 0.1f}) {
    check_op(loss_case(2, 3, classes_of({2, 0}), {0, 0, 1, 1, 0, 0}, smoothing),
             tolerance_of(DType::kF32));
    check_op(loss_case(2, 3, soft, doubles(soft), smoothing), tolerance_of(DType::kF32));
    check_op(loss_case(1, 1, classes_of({0}), {1}, smoothing), {1e-6, 1e-6});
  }
}

TEST(SoftmaxCrossEntropy, SurvivesLargeLogits) {
  const Variable logits(tensor_of({1, 3}, {1000.0f, 0.0f, -1000.0f}));
  const Context context = test_context();
  EXPECT_FLOAT_EQ(doubles(softmax_cross_entropy(context, logits, classes_of({0})).value())[0],
                  0.0f);
  EXPECT_FLOAT_EQ(doubles(softmax_cross_entropy(context, logits, classes_of({2})).value())[0],
                  2000.0f);
}

TEST(SoftmaxCrossEntropy, RejectsWhatDoesNotFit) {
  const Variable logits(random_tensor({2, 3}, 1));
  const auto run = [&](const Tensor& targets, float smoothing) {
    const Context context = test_context();
    softmax_cross_entropy(context, logits, targets, smoothing);
    context.check_status("the loss");
  };
  expect_error(ATA_INVALID_ARGUMENT, "the loss: a class index", [&] {
    run(classes_of({1, 3}), 0.0f);
  });
  expect_error(ATA_INVALID_ARGUMENT, "the loss: a class index", [&] {
    run(classes_of({-1, 1}), 0.0f);
  });
  expect_error(ATA_INVALID_ARGUMENT, "not i64 [3]", [&] { run(classes_of({1, 2, 0}), 0.0f); });
  expect_error(ATA_INVALID_ARGUMENT, "label_smoothing", [&] { run(classes_of({1, 2}), 1.0f); });
}

TEST(SoftmaxCrossEntropy, ClassesAreCheckedOnTheHost) {
  Tensor targets({2}, DType::kI64);
  targets.data<int64_t>()[0] = 2;
  targets.data<int64_t>()[1] = 0;
  check_classes(targets, 3);
  expect_error(ATA_INVALID_ARGUMENT, "2 is outside 0..1", [&] { check_classes(targets, 2); });
  targets.data<int64_t>()[1] = -1;
  expect_error(ATA_INVALID_ARGUMENT, "-1 is outside 0..2", [&] { check_classes(targets, 3); });
}

TEST(Context, TellsAnErrorOfTheDeviceOnce) {
  const Context context = test_context();
  const Variable logits(random_tensor({1, 3}, 1));
  softmax_cross_entropy(context, logits, classes_of({7}));
  EXPECT_THROW(context.check_status("first"), Error);
  EXPECT_NO_THROW(context.check_status("second"));
}

}  // namespace
}  // namespace ata::testing
