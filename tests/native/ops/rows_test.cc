#include "ops/rows.h"

#include <gtest/gtest.h>

#include "op_check.h"

namespace ata::testing {
namespace {

TEST(SliceRows, AgreesWithTheOracle) {
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    OpCase op_case;
    op_case.inputs = {random_tensor({6, 5}, 1, dtype)};
    op_case.op = [](const Context& context, const std::vector<Variable>& in) {
      return slice_rows(context, in[0], 2, 5);
    };
    op_case.oracle = [](const std::vector<Doubles>& in) {
      return Doubles(in[0].begin() + 10, in[0].begin() + 25);
    };
    check_op(op_case, tolerance_of(DType::kF32));
  }
}

TEST(SliceRows, OverlappingSlicesAddTheirGradients) {
  OpCase op_case;
  op_case.inputs = {random_tensor({5, 3}, 1)};
  op_case.op = [](const Context& context, const std::vector<Variable>& in) {
    return concat_rows(context, slice_rows(context, in[0], 0, 4), slice_rows(context, in[0], 2, 5));
  };
  op_case.oracle = [](const std::vector<Doubles>& in) {
    Doubles y(in[0].begin(), in[0].begin() + 12);
    y.insert(y.end(), in[0].begin() + 6, in[0].end());
    return y;
  };
  check_op(op_case, tolerance_of(DType::kF32));
}

TEST(SliceRows, SharesMemoryAndRejectsOtherRanges) {
  const Variable x(random_tensor({4, 2}, 1));
  EXPECT_EQ(slice_rows(test_context(), x, 1, 3).value().address(), x.value().slice(1, 3).address());
  expect_error(ATA_INVALID_ARGUMENT, "rows 3 to 5", [&] { slice_rows(test_context(), x, 3, 5); });
}

TEST(ConcatRows, AgreesWithTheOracle) {
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    OpCase op_case;
    op_case.inputs = {random_tensor({2, 5}, 1, dtype), random_tensor({4, 5}, 2, dtype)};
    op_case.op = [](const Context& context, const std::vector<Variable>& in) {
      return concat_rows(context, in[0], in[1]);
    };
    op_case.oracle = [](const std::vector<Doubles>& in) {
      Doubles y = in[0];
      y.insert(y.end(), in[1].begin(), in[1].end());
      return y;
    };
    check_op(op_case, tolerance_of(DType::kF32));
  }
}

TEST(ConcatRows, RejectsWhatDoesNotFit) {
  const Variable x(random_tensor({4, 2}, 1));
  expect_error(ATA_INVALID_ARGUMENT, "differ in columns", [&] {
    concat_rows(test_context(), x, Variable(random_tensor({4, 3}, 1)));
  });
  expect_error(ATA_INVALID_ARGUMENT, "differ in columns or type", [&] {
    concat_rows(test_context(), x, Variable(random_tensor({4, 2}, 1, DType::kBF16)));
  });
}

TEST(MeanRows, AgreesWithTheOracle) {
  for (const int64_t count : {1, 3, 200}) {
    OpCase op_case;
    op_case.inputs = {random_tensor({2 * count, 5}, 1)};
    op_case.op = [count](const Context& context, const std::vector<Variable>& in) {
      return mean_rows(context, in[0], count);
    };
    op_case.oracle = [count](const std::vector<Doubles>& in) {
      Doubles y(10);
      for (size_t i = 0; i < in[0].size(); ++i) {
        const size_t row = i / 5 / static_cast<size_t>(count);
        y[row * 5 + i % 5] += in[0][i] / static_cast<double>(count);
      }
      return y;
    };
    check_op(op_case, tolerance_of(DType::kF32));
  }
  expect_error(ATA_INVALID_ARGUMENT, "runs of 3", [&] {
    mean_rows(test_context(), Variable(random_tensor({4, 2}, 1)), 3);
  });
}

}  // namespace
}  // namespace ata::testing
