#include "assignment/assignment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <set>

#include "base/threads.h"
#include "support/errors.h"
#include "support/matrices.h"
#include "support/targets.h"

namespace ata {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct Solution {
  std::vector<int32_t> matching;
  double total = 0;
};

Solution solve(const Matrix& matrix, const AssignmentOptions& options,
               double* column_duals = nullptr) {
  static AssignmentWorkspace workspace;  // reused on purpose: sizes grow and shrink between calls
  Solution solution;
  solution.matching.resize(static_cast<size_t>(matrix.rows));
  solution.total = solve_assignment(matrix.values.data(), matrix.rows, matrix.columns, options,
                                    workspace, solution.matching.data(), column_duals);
  return solution;
}

// Every row of the smaller side matched, no column twice, and the total what the pairs add up to.
void expect_complete(const Matrix& matrix, const Solution& solution) {
  std::set<int32_t> columns;
  double total = 0;
  int matched = 0;
  for (int i = 0; i < matrix.rows; ++i) {
    const int32_t j = solution.matching[static_cast<size_t>(i)];
    if (j == -1) continue;
    ASSERT_GE(j, 0);
    ASSERT_LT(j, matrix.columns);
    EXPECT_TRUE(columns.insert(j).second) << "column " << j << " twice";
    total += matrix(i, j);
    ++matched;
  }
  EXPECT_EQ(matched, std::min(matrix.rows, matrix.columns));
  EXPECT_NEAR(total, solution.total, 1e-12 * std::abs(total));
}

double sum_of_magnitudes(const Matrix& matrix, const Solution& solution) {
  double sum = 0;
  for (int i = 0; i < matrix.rows; ++i) {
    const int32_t j = solution.matching[static_cast<size_t>(i)];
    if (j >= 0) sum += std::abs(matrix(i, j));
  }
  return sum;
}

class AssignmentTargets : public EveryTarget {};
INSTANTIATE_TEST_SUITE_P(, AssignmentTargets, ::testing::ValuesIn(machine_targets()), target_name);

TEST_P(AssignmentTargets, TotalsAreOptimalForAllKindsAndSizes) {
  std::mt19937 random(1);
  const std::vector<int> sizes = {1, 2, 3, 5, 8, 15, 16, 17, 31, 49, 64, 65, 100, 196, 250, 260};
  for (const Kind kind : all_kinds()) {
    for (const int size : sizes) {
      const Matrix matrix = make_matrix(kind, size, size, random);
      for (const bool maximize : {false, true}) {
        SCOPED_TRACE(::testing::Message() << "kind " << static_cast<int>(kind) << ", size " << size
                                          << ", maximize " << maximize);
        const Solution plain = solve(matrix, {.maximize = maximize});
        expect_complete(matrix, plain);
        const double best = best_total(matrix, maximize);
        const double scale = sum_of_magnitudes(matrix, plain);
        EXPECT_NEAR(plain.total, best, 1e-6 * scale);

        const Solution polished = solve(matrix, {.maximize = maximize, .polish = true});
        expect_complete(matrix, polished);
        EXPECT_NEAR(polished.total, best, 1e-12 * scale);
        const Solution certified = solve(matrix, {.maximize = maximize, .certify = true});
        expect_complete(matrix, certified);
        EXPECT_NEAR(certified.total, best, 1e-6 * std::abs(best) + 1e-12 * scale);
      }
    }
  }
}

TEST_P(AssignmentTargets, RectangularProblems) {
  std::mt19937 random(2);
  for (const Kind kind : all_kinds()) {
    for (const auto& [rows, columns] : std::vector<std::pair<int, int>>{
             {1, 7}, {7, 1}, {3, 4}, {20, 50}, {50, 20}, {48, 49}, {100, 300}, {300, 100}}) {
      const Matrix matrix = make_matrix(kind, rows, columns, random);
      for (const bool maximize : {false, true}) {
        SCOPED_TRACE(::testing::Message() << "kind " << static_cast<int>(kind) << ", " << rows
                                          << " x " << columns << ", maximize " << maximize);
        const double best = best_total(matrix, maximize);
        for (const bool polish : {false, true}) {
          const Solution solution = solve(matrix, {.maximize = maximize, .polish = polish});
          expect_complete(matrix, solution);
          EXPECT_NEAR(solution.total, best,
                      (polish ? 1e-12 : 1e-6) * sum_of_magnitudes(matrix, solution));
        }
      }
    }
  }
}

TEST_P(AssignmentTargets, FindsAPermutationHiddenInNoise) {
  std::mt19937 random(3);
  for (const int size : {4, 49, 196, 300}) {
    std::vector<int32_t> hidden(static_cast<size_t>(size));
    std::iota(hidden.begin(), hidden.end(), 0);
    std::shuffle(hidden.begin(), hidden.end(), random);
    Matrix matrix = make_matrix(Kind::kUniform, size, size, random);
    for (int i = 0; i < size; ++i) matrix(i, hidden[static_cast<size_t>(i)]) += 1;
    EXPECT_EQ(solve(matrix, {}).matching, hidden);
  }
}

TEST_P(AssignmentTargets, WarmStartFindsTheSameMatching) {
  std::mt19937 random(4);
  for (const Kind kind : {Kind::kUniform, Kind::kShifted}) {
    for (const int size : {5, 49, 196, 300}) {
      for (const bool maximize : {false, true}) {
        Matrix matrix = make_matrix(kind, size, size, random);
        std::vector<double> duals(static_cast<size_t>(size));
        const Solution first = solve(matrix, {.maximize = maximize}, duals.data());
        const Solution cold = solve(matrix, {.maximize = maximize});
        EXPECT_EQ(first.matching, cold.matching);
        // Prices are optimal: each row prefers its column, up to the resolution of the integers.
        for (int i = 0; i < size; ++i) {
          const auto preference = [&](int j) {
            const double x = matrix(i, j) - duals[static_cast<size_t>(j)];
            return maximize ? x : -x;
          };
          const double own = preference(cold.matching[static_cast<size_t>(i)]);
          for (int j = 0; j < size; ++j) EXPECT_GE(own + 2e-6, preference(j));
        }
        // From the optimum, from a similar problem, and from nonsense.
        EXPECT_EQ(solve(matrix, {.maximize = maximize}, duals.data()).matching, cold.matching);
        std::normal_distribution<float> normal;
        for (float& x : matrix.values) x += 0.01F * normal(random);
        const Solution moved = solve(matrix, {.maximize = maximize});
        EXPECT_EQ(solve(matrix, {.maximize = maximize}, duals.data()).matching, moved.matching);
        for (double& x : duals) x = 1e3 * normal(random);
        EXPECT_EQ(solve(matrix, {.maximize = maximize}, duals.data()).matching, moved.matching);
      }
    }
  }
}

TEST_P(AssignmentTargets, ForbiddenPairs) {
  std::mt19937 random(5);
  std::bernoulli_distribution forbid(0.7);
  for (const auto& [rows, columns] :
       std::vector<std::pair<int, int>>{{10, 10}, {49, 49}, {60, 100}, {100, 60}, {200, 200}}) {
    for (const bool maximize : {false, true}) {
      Matrix matrix = make_matrix(Kind::kUniform, rows, columns, random);
      for (int i = 0; i < rows; ++i) {
        for (int j = 0; j < columns; ++j) {
          if (i != j && forbid(random)) matrix(i, j) = maximize ? -kInfinity : kInfinity;
        }
      }
      const Solution solution = solve(matrix, {.maximize = maximize});
      expect_complete(matrix, solution);
      EXPECT_NEAR(solution.total, best_total(matrix, maximize), 1e-9);
    }
  }
}

TEST(Assignment, InfeasibleProblemsAreNamed) {
  // Two rows that may only have column 0, in the second problem of three.
  std::vector<float> values(27, 1.0F);
  for (const int k : {9 + 1, 9 + 2, 9 + 4, 9 + 5}) values[static_cast<size_t>(k)] = -kInfinity;
  std::vector<AssignmentWorkspace> workspaces;
  std::vector<int32_t> matching(9);
  expect_error(ATA_INFEASIBLE, "problem 1", [&] {
    solve_assignments(values.data(), 3, 3, 3, {}, workspaces, matching.data(), nullptr);
  });
}

TEST(Assignment, RejectsNaNAndTheWrongInfinity) {
  Matrix matrix{4, 4, std::vector<float>(16, 1.0F)};
  const auto status = [&](bool maximize) {
    return status_of([&] { solve(matrix, {.maximize = maximize}); });
  };
  matrix(2, 3) = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(status(true), ATA_INVALID_ARGUMENT);
  matrix(2, 3) = kInfinity;
  EXPECT_EQ(status(true), ATA_INVALID_ARGUMENT);
  EXPECT_EQ(status(false), ATA_OK);
  matrix(2, 3) = -kInfinity;
  EXPECT_EQ(status(true), ATA_OK);
  EXPECT_EQ(status(false), ATA_INVALID_ARGUMENT);
}

// The solver looks at a few rows first; values that it cannot use may be anywhere.
TEST_P(AssignmentTargets, FindsBadValuesAnywhere) {
  std::mt19937 random(8);
  for (const int size : {20, 49, 300}) {
    for (const bool maximize : {false, true}) {
      for (const float bad : {std::numeric_limits<float>::quiet_NaN(), kInfinity, -kInfinity, 50.0F,
                              -50.0F, 1e30F, -1e30F}) {
        Matrix matrix = make_matrix(Kind::kUniform, size, size, random);
        matrix(size / 2, size - 1) = bad;
        const bool allowed = std::isfinite(bad) || (std::isinf(bad) && (bad > 0) != maximize);
        SCOPED_TRACE(::testing::Message() << size << ", " << bad << ", maximize " << maximize);
        for (const bool warm : {false, true}) {
          std::vector<double> duals(static_cast<size_t>(size));
          double* start = warm ? duals.data() : nullptr;
          if (!allowed) {
            EXPECT_THROW(solve(matrix, {.maximize = maximize}, start), Error);
            continue;
          }
          const Solution solution = solve(matrix, {.maximize = maximize, .polish = true}, start);
          const double best = best_total(matrix, maximize);
          EXPECT_NEAR(solution.total, best, 1e-9 * std::max(1.0, std::abs(best)));
        }
      }
    }
  }
}

// Costs of 1e9 for "rather not", as people write instead of infinity.
TEST_P(AssignmentTargets, HugeCostsLeaveTheOthersTheirDigits) {
  std::mt19937 random(9);
  std::bernoulli_distribution avoid(0.3);
  for (const auto& [rows, columns] :
       std::vector<std::pair<int, int>>{{20, 20}, {49, 60}, {200, 200}}) {
    Matrix matrix = make_matrix(Kind::kUniform, rows, columns, random);
    for (float& x : matrix.values) {
      if (avoid(random)) x = 1e9F;
    }
    const double best = best_total(matrix, false);
    EXPECT_NEAR(solve(matrix, {.maximize = false}).total, best, 1e-6 * best);
    EXPECT_NEAR(solve(matrix, {.maximize = false, .polish = true}).total, best, 1e-9 * best);
  }
}

TEST(Assignment, RejectsExtentsOutOfRange) {
  AssignmentWorkspace workspace;
  std::vector<int32_t> matching(1);
  std::vector<float> value(1);
  EXPECT_THROW(solve_assignment(value.data(), 0, 1, {}, workspace, matching.data()), Error);
  EXPECT_THROW(solve_assignment(value.data(), 1, 4097, {}, workspace, matching.data()), Error);
}

// Nothing may crawl on ties: these shapes made published solvers run for seconds.
TEST(Assignment, TiesDoNotStall) {
  std::mt19937 random(6);
  for (const Kind kind : {Kind::kClustered, Kind::kIntegers, Kind::kConstant, Kind::kMonge}) {
    const Matrix matrix = make_matrix(kind, 784, 784, random);
    for (const bool polish : {false, true}) {
      const Solution solution = solve(matrix, {.polish = polish});
      expect_complete(matrix, solution);
    }
  }
}

// Small problems are solved two in turns, of which either may be far harder than the other, have
// values that a sample of its rows does not foretell, or forbidden pairs.
TEST_P(AssignmentTargets, BatchesGiveWhatSingleProblemsGive) {
  std::mt19937 random(7);
  for (const auto& [rows, columns] : {std::pair{1, 1},
                                      {20, 20},
                                      {60, 60},
                                      {40, 70},
                                      {70, 40},
                                      {130, 130},
                                      {196, 196},
                                      {260, 260}}) {
    for (const auto& [count, warm] : {std::pair{1, false},
                                      {2, false},
                                      {3, false},
                                      {7, false},
                                      {12, false},
                                      {5, true},
                                      {12, true}}) {
      if (warm && rows != columns) continue;  // duals need a square problem
      SCOPED_TRACE(::testing::Message()
                   << count << " of " << rows << " x " << columns << ", duals " << warm);
      const size_t size = static_cast<size_t>(rows) * static_cast<size_t>(columns);
      std::vector<float> values;
      std::vector<int32_t> expected;
      std::vector<double> expected_totals, expected_duals;
      for (int k = 0; k < count; ++k) {
        Matrix matrix = make_matrix(all_kinds()[static_cast<size_t>(k) % all_kinds().size()], rows,
                                    columns, random);
        if (k % 4 == 1) matrix.values[size / 3] = 50;
        if (k % 5 == 3 && size > 1) matrix.values[size / 2] = -kInfinity;
        values.insert(values.end(), matrix.values.begin(), matrix.values.end());
        std::vector<double> duals(static_cast<size_t>(columns));
        const Solution single = solve(matrix, {}, warm ? duals.data() : nullptr);
        expected.insert(expected.end(), single.matching.begin(), single.matching.end());
        expected_totals.push_back(single.total);
        expected_duals.insert(expected_duals.end(), duals.begin(), duals.end());
      }
      for (const int threads : {1, 2, 5}) {
        set_thread_count(threads);
        std::vector<AssignmentWorkspace> workspaces;
        std::vector<int32_t> matching(expected.size());
        std::vector<double> totals(expected_totals.size()), duals(expected_duals.size());
        solve_assignments(values.data(), count, rows, columns, {}, workspaces, matching.data(),
                          totals.data(), warm ? duals.data() : nullptr);
        EXPECT_EQ(matching, expected);
        EXPECT_EQ(totals, expected_totals);
        EXPECT_EQ(duals, expected_duals);
      }
      set_thread_count(0);
    }
  }
}

}  // namespace
}  // namespace ata
