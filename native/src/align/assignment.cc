#include "align/assignment.h"

#include <algorithm>
#include <cmath>

#include "align/value_survey.h"
#include "base/error.h"
#include "base/threads.h"

namespace ata {
namespace {

// A matching is proven when it is this close to the optimum, relative to its total.
constexpr double kProvenGap = 1e-6;

// A matrix with at least as many columns as rows.
struct Oriented {
  const float* values;
  int rows;
  int columns;
};

void transpose(const float* values, int rows, int columns, float* out) {
  constexpr int kBlock = 16;
  for (int i0 = 0; i0 < rows; i0 += kBlock) {
    for (int j0 = 0; j0 < columns; j0 += kBlock) {
      for (int i = i0; i < std::min(i0 + kBlock, rows); ++i) {
        for (int j = j0; j < std::min(j0 + kBlock, columns); ++j) {
          out[static_cast<int64_t>(j) * rows + i] = values[static_cast<int64_t>(i) * columns + j];
        }
      }
    }
  }
}

// Integer costs are (sign * value - constant) / unit, at least 0.
struct Scaling {
  FixedPointProblem problem;
  double sign;
  double unit;
};

Scaling scale_to_integers(const Oriented& matrix, const ValueSurvey& survey, bool maximize) {
  Scaling scaling;
  FixedPointProblem& problem = scaling.problem;
  problem.values = matrix.values;
  problem.rows = matrix.rows;
  problem.columns = matrix.columns;
  // Powers of two that keep differences finite and the scale a normal number.
  const float magnitude = std::max(std::fabs(survey.min), std::fabs(survey.max));
  if (magnitude > 0x1p+100F) {
    problem.prescale = 0x1p-30F;
  } else if (magnitude < 0x1p-60F) {
    problem.prescale = 0x1p+80F;
  }
  const float low = survey.min * problem.prescale;
  const float high = survey.max * problem.prescale;
  const double range = static_cast<double>(high) - low;
  // The margin keeps rounding from pushing the largest cost over the limit.
  const double limit = fixed_point_cost_limit(matrix.columns) * (1 - 0x1p-20);
  scaling.sign = maximize ? -1 : 1;
  problem.base = maximize ? high : low;
  problem.scale = range > 0 ? static_cast<float>(scaling.sign * limit / range) : 0;
  scaling.unit =
      range > 0 ? scaling.sign / (static_cast<double>(problem.scale) * problem.prescale) : 0;
  return scaling;
}

// Prices in units of the values become duals of the integer costs.
const int32_t* quantise_prices(const double* prices, const Scaling& scaling,
                               AlignedBuffer<int32_t>& duals) {
  const int columns = scaling.problem.columns;
  duals.reserve(static_cast<size_t>(columns));
  const double factor = scaling.unit > 0 ? scaling.sign / scaling.unit : 0;
  const double limit = fixed_point_cost_limit(columns);
  // Adding a constant to all duals changes nothing; the solver wants the greatest at 0.
  double greatest = -HUGE_VAL;
  for (int j = 0; j < columns; ++j) greatest = std::max(greatest, prices[j] * factor);
  for (int j = 0; j < columns; ++j) {
    duals[j] = static_cast<int32_t>(std::lrint(std::max(-limit, prices[j] * factor - greatest)));
  }
  return duals.data();
}

void check_values(const ValueSurvey& survey, bool maximize, int64_t problem) {
  require(!survey.has_nan, "assignment problem ", problem,
          " contains NaN; replace such values before solving");
  require(!(maximize ? survey.has_positive_infinity : survey.has_negative_infinity),
          "assignment problem ", problem, " contains ", maximize ? "+" : "-", "infinity; when ",
          maximize ? "maximising only -infinity" : "minimising only +infinity",
          " (a forbidden pair) is allowed");
}

// Solves in float64 from the start; the way for problems with forbidden pairs.
void solve_with_forbidden_pairs(const Float64Problem& problem, AssignmentWorkspace& workspace,
                                int64_t number) {
  if (!solve_float64(problem, workspace.float64)) {
    fail(ATA_INFEASIBLE, "assignment problem ", number,
         " has no complete matching: too many pairs are forbidden");
  }
}

// Hands the integer solution over to the float64 workspace.
void widen_solution(const Scaling& scaling, AssignmentWorkspace& workspace) {
  Float64Workspace& wide = workspace.float64;
  wide.reserve(scaling.problem.rows, scaling.problem.columns);
  for (int j = 0; j < scaling.problem.columns; ++j) {
    wide.column_dual[j] = workspace.fixed_point.column_dual[j] * scaling.unit;
  }
  std::copy_n(workspace.fixed_point.column_of_row.data(), scaling.problem.rows,
              wide.column_of_row.data());
}

double sum_matched(const Oriented& matrix, const int32_t* column_of_row) {
  double total = 0;
  for (int i = 0; i < matrix.rows; ++i) {
    total += matrix.values[static_cast<int64_t>(i) * matrix.columns + column_of_row[i]];
  }
  return total;
}

}  // namespace

double solve_assignment(const float* values, int rows, int columns,
                        const AssignmentOptions& options, AssignmentWorkspace& workspace,
                        int32_t* matching, double* column_duals, int64_t problem) {
  require(
      rows >= 1 && rows <= kMaxAssignmentExtent && columns >= 1 && columns <= kMaxAssignmentExtent,
      "an assignment problem is ", rows, " x ", columns, "; extents must be 1 to ",
      kMaxAssignmentExtent);
  require(column_duals == nullptr || rows == columns,
          "column duals need a square assignment problem, not ", rows, " x ", columns);
  const ValueSurvey survey = survey_values(values, static_cast<int64_t>(rows) * columns);
  check_values(survey, options.maximize, problem);

  Oriented matrix{values, rows, columns};
  const bool transposed = rows > columns;
  if (transposed) {
    workspace.transposed.reserve(static_cast<size_t>(rows) * static_cast<size_t>(columns));
    transpose(values, rows, columns, workspace.transposed.data());
    matrix = {workspace.transposed.data(), columns, rows};
  }

  const Float64Problem exact{matrix.values, matrix.rows, matrix.columns,
                             options.maximize ? -1.0F : 1.0F};
  const int32_t* column_of_row = nullptr;
  double total = 0;
  if (!survey.finite()) {
    solve_with_forbidden_pairs(exact, workspace, problem);
    column_of_row = workspace.float64.column_of_row.data();
    total = sum_matched(matrix, column_of_row);
  } else {
    Scaling scaling = scale_to_integers(matrix, survey, options.maximize);
    if (column_duals != nullptr) {
      scaling.problem.initial_duals =
          quantise_prices(column_duals, scaling, workspace.initial_duals);
    }
    solve_fixed_point(scaling.problem, workspace.fixed_point);
    column_of_row = workspace.fixed_point.column_of_row.data();
    total = sum_matched(matrix, column_of_row);
    if (options.polish || options.certify || column_duals != nullptr) {
      widen_solution(scaling, workspace);
    }
    if (options.polish ||
        (options.certify && dual_gap(exact, workspace.float64) > kProvenGap * std::fabs(total))) {
      if (matrix.rows == matrix.columns) {
        refine_float64(exact, workspace.float64);
      } else {
        solve_float64(exact, workspace.float64);
      }
      column_of_row = workspace.float64.column_of_row.data();
      total = sum_matched(matrix, column_of_row);
    }
  }

  if (transposed) {
    std::fill_n(matching, rows, -1);
    for (int j = 0; j < columns; ++j) matching[column_of_row[j]] = j;
  } else {
    std::copy_n(column_of_row, rows, matching);
  }
  if (column_duals != nullptr) {
    const double sign = options.maximize ? -1 : 1;
    for (int j = 0; j < columns; ++j) column_duals[j] = sign * workspace.float64.column_dual[j];
  }
  return total;
}

void solve_assignments(const float* values, int64_t count, int rows, int columns,
                       const AssignmentOptions& options,
                       std::vector<AssignmentWorkspace>& workspaces, int32_t* matching,
                       double* totals) {
  workspaces.resize(std::max(workspaces.size(), static_cast<size_t>(thread_count())));
  const int64_t size = static_cast<int64_t>(rows) * columns;
  parallel_for_dynamic(count, [&](int64_t index, int worker) {
    const double total = solve_assignment(values + index * size, rows, columns, options,
                                          workspaces[static_cast<size_t>(worker)],
                                          matching + index * rows, nullptr, index);
    if (totals != nullptr) totals[index] = total;
  });
}

}  // namespace ata
