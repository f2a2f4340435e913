#include "ops/assignment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "op_check.h"
#include "ops/assigner.h"
#include "support/matrices.h"

namespace ata::testing {
namespace {

// A batch in the host's memory; the room `assignment` is tested on each kind of matrix by itself.
Tensor batch_of(int64_t count, int rows, int columns, uint32_t seed) {
  std::mt19937 random(seed);
  Tensor values({count, rows, columns}, DType::kF32);
  for (int64_t k = 0; k < count; ++k) {
    const Matrix matrix =
        make_matrix(k % 2 == 0 ? Kind::kUniform : Kind::kShifted, rows, columns, random);
    std::copy(matrix.values.begin(), matrix.values.end(),
              values.data<float>() + k * rows * columns);
  }
  return values;
}

double best_total_of(const Tensor& batch, int64_t problem, bool maximize) {
  Matrix matrix{static_cast<int>(batch.dim(1)), static_cast<int>(batch.dim(2)), {}};
  const auto values = batch.slice(problem, problem + 1).values<float>();
  matrix.values.assign(values.begin(), values.end());
  return best_total(std::move(matrix), maximize);
}

// Every row of the smaller side has a column of its own, and the pairs add up to the total.
void expect_matching(const Tensor& batch, int64_t problem, const int32_t* matching, double total) {
  const int64_t rows = batch.dim(1), columns = batch.dim(2);
  std::vector<int> uses(static_cast<size_t>(columns));
  double sum = 0;
  int64_t matched = 0;
  for (int64_t i = 0; i < rows; ++i) {
    const int32_t j = matching[i];
    if (j < 0) continue;
    ASSERT_LT(j, columns);
    EXPECT_EQ(++uses[static_cast<size_t>(j)], 1);
    ++matched;
    sum += batch.data<float>()[(problem * rows + i) * columns + j];
  }
  EXPECT_EQ(matched, std::min(rows, columns));
  EXPECT_NEAR(total, sum, 1e-9);
}

TEST(Assign, FindsTheBestTotals) {
  const Context context = test_context();
  for (const auto& [rows, columns] :
       std::vector<std::pair<int, int>>{{1, 1}, {7, 7}, {30, 41}, {41, 30}}) {
    for (const bool maximize : {false, true}) {
      SCOPED_TRACE(::testing::Message() << rows << " x " << columns << ", maximize " << maximize);
      const Tensor batch = batch_of(5, rows, columns, 1);
      const Assignments result =
          assign(context, on_device(batch), {.maximize = maximize, .polish = true});
      const Tensor matching = on_host(result.matching), totals = on_host(result.totals);
      ASSERT_EQ(matching.shape(), Shape({5, rows}));
      ASSERT_EQ(totals.shape(), Shape({5}));
      for (int64_t k = 0; k < 5; ++k) {
        const double total = totals.data<double>()[k];
        expect_matching(batch, k, matching.data<int32_t>() + k * rows, total);
        EXPECT_NEAR(total, best_total_of(batch, k, maximize), 1e-9);
      }
    }
  }
}

TEST(Assign, OfNoProblemsIsEmpty) {
  const Assignments result = assign(test_context(), on_device(Tensor({0, 3, 4}, DType::kF32)), {});
  EXPECT_EQ(result.matching.shape(), Shape({0, 3}));
  EXPECT_EQ(result.totals.shape(), Shape({0}));
}

TEST(Assign, RejectsWhatDoesNotFit) {
  const Context context = test_context();
  const auto fails = [&](ata_status status, const std::string& text, const Tensor& values) {
    expect_error(status, text, [&] { assign(context, on_device(values), {}); });
  };
  fails(ATA_INVALID_ARGUMENT, "values is f32 [3, 4], not f32 [B, N, M]",
        Tensor({3, 4}, DType::kF32));
  fails(ATA_INVALID_ARGUMENT, "values is i32", Tensor({1, 3, 4}, DType::kI32));
  fails(ATA_INVALID_ARGUMENT, "0 x 4; extents are 1 to 4096", Tensor({1, 0, 4}, DType::kF32));
  fails(ATA_INVALID_ARGUMENT, "1 x 4097", Tensor({1, 1, 4097}, DType::kF32));
  Tensor bad = batch_of(3, 4, 4, 2);
  bad.data<float>()[16 + 6] = std::numeric_limits<float>::quiet_NaN();
  fails(ATA_INVALID_ARGUMENT, "problem 1 has NaN in row 1, column 2", bad);
  std::fill_n(bad.data<float>() + 16, 16, -std::numeric_limits<float>::infinity());
  fails(ATA_INFEASIBLE, "problem 1", bad);
}

TEST(Assigner, GivesWhatAssignGivesAndLastsBetweenCalls) {
  const Context context = test_context();
  const AssignmentOptions options = {.polish = true};
  Assigner assigner(test_device(), options);
  // Growing, shrinking and growing again.
  for (const int size : {9, 4, 20, 12}) {
    const int64_t count = 30 - size;
    const Tensor batch = batch_of(count, size, size, 3);
    const Assignments expected = assign(context, on_device(batch), options);
    const Tensor expected_totals = on_host(expected.totals);
    std::vector<int32_t> matching(static_cast<size_t>(count * size), -7);
    std::vector<double> totals(static_cast<size_t>(count), -7), duals(matching.size());
    assigner.solve(size % 2 == 0 ? batch : on_device(batch), matching.data(), totals.data(),
                   duals.data());
    for (int64_t k = 0; k < count; ++k) {
      expect_matching(batch, k, matching.data() + k * size, totals[static_cast<size_t>(k)]);
      EXPECT_NEAR(totals[static_cast<size_t>(k)], expected_totals.data<double>()[k], 1e-9);
      // In each row, value minus price is greatest at the matched column.
      for (int64_t i = 0; i < size; ++i) {
        const float* row = batch.data<float>() + (k * size + i) * size;
        const double* prices = duals.data() + k * size;
        const int32_t own = matching[static_cast<size_t>(k * size + i)];
        for (int64_t j = 0; j < size; ++j) {
          EXPECT_GE(row[own] - prices[own] + 1e-9, row[j] - prices[j]);
        }
      }
    }
    // From those prices, without totals.
    std::vector<int32_t> again(matching.size(), -7);
    assigner.solve(batch, again.data(), nullptr, duals.data());
    EXPECT_EQ(again, matching);
  }
}

TEST(Assigner, WritesNothingWhenAProblemFails) {
  Assigner assigner(test_device(), {});
  Tensor batch = batch_of(2, 3, 3, 4);
  batch.data<float>()[12] = std::numeric_limits<float>::quiet_NaN();
  std::vector<int32_t> matching(6, -7);
  std::vector<double> totals(2, -7), duals(6, 0.5);
  expect_error(ATA_INVALID_ARGUMENT, "NaN",
               [&] { assigner.solve(batch, matching.data(), totals.data(), duals.data()); });
  EXPECT_EQ(matching, std::vector<int32_t>(6, -7));
  EXPECT_EQ(totals, std::vector<double>(2, -7));
  EXPECT_EQ(duals, std::vector<double>(6, 0.5));
  expect_error(ATA_INVALID_ARGUMENT, "column_duals need square problems, and these are 2 x 3", [&] {
    assigner.solve(batch_of(1, 2, 3, 5), matching.data(), nullptr, duals.data());
  });
}

}  // namespace
}  // namespace ata::testing
