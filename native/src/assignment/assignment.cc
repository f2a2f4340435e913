#include "assignment/assignment.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>

#include "base/error.h"
#include "base/float_environment.h"
#include "base/threads.h"
#include "tensor/transpose.h"
#include "tensor/value_survey.h"

namespace ata {
namespace {

// A matrix with at least as many columns as rows.
struct Oriented {
  const float* values;
  int rows;
  int columns;
  bool transposed;                     // the caller's rows are its columns
  const float* next_values = nullptr;  // of the problem after this one
};

// Integer costs are sign * value / unit plus a constant.
struct Scaling {
  FixedPointProblem problem;
  double sign;
  double unit;
  double error;  // of an integer cost, at most, in units of the values
};

// The greatest magnitude of values that became integers when scaled from `low` to `high`, which
// leave a little room at both ends.
double greatest_within(double low, double high) {
  return std::max(std::fabs(low), std::fabs(high)) + (high - low) / 256;
}

// Spreads values from `low` to `high` over the integers.
Scaling scale_to_integers(const Oriented& matrix, double low, double high, bool maximize) {
  // Some integers at both ends stay free for rounding of the offset.
  constexpr double kMargin = 1 << 12;
  const double range = high - low;
  const double limit = fixed_point_cost_limit(matrix.columns) - 2 * kMargin;
  Scaling scaling;
  scaling.sign = maximize ? -1 : 1;
  scaling.unit = range > 0 ? range / limit : 1;
  FixedPointProblem& problem = scaling.problem;
  problem.values = matrix.values;
  problem.rows = matrix.rows;
  problem.columns = matrix.columns;
  problem.next_values = matrix.next_values;
  problem.scale = static_cast<float>(scaling.sign / scaling.unit);
  problem.offset = static_cast<float>(kMargin - problem.scale * (maximize ? high : low));
  scaling.unit = scaling.sign / problem.scale;
  scaling.error = scaling.unit * fixed_point_rounding(matrix.columns, greatest_within(low, high) *
                                                                          std::fabs(problem.scale));
  return scaling;
}

// Whether float32 arithmetic can scale a matrix of that range: the offset must not swallow the
// differences, and neither range nor scale leave the normal numbers.
bool is_well_scaled(double low, double high) {
  const double range = high - low;
  return range > 0x1p-80 && range < 0x1p+80 &&
         std::max(std::fabs(low), std::fabs(high)) < 64 * range;
}

// The range of a few rows, widened by half: most matrices keep to it, and the solver notices when
// one does not. Saves a pass over the matrix.
bool guess_range(const Oriented& matrix, double* low, double* high) {
  float least = std::numeric_limits<float>::max();
  float greatest = std::numeric_limits<float>::lowest();
  for (int k = 0; k < 4; ++k) {
    const int64_t row = int64_t{matrix.rows - 1} * k / 3;
    const ValueSurvey survey = survey_values(matrix.values + row * matrix.columns, matrix.columns);
    if (!survey.finite()) return false;
    least = std::min(least, survey.min);
    greatest = std::max(greatest, survey.max);
  }
  const double margin = (static_cast<double>(greatest) - least) / 4;
  *low = least - margin;
  *high = greatest + margin;
  return true;
}

// Prices in units of the values become duals of the integer costs.
const int32_t* quantise_prices(const double* prices, const Scaling& scaling,
                               AlignedBuffer<int32_t>& duals) {
  const int columns = scaling.problem.columns;
  duals.reserve(static_cast<size_t>(columns));
  const double limit = fixed_point_cost_limit(columns) / 2;
  // Adding a constant to all duals changes nothing; the solver wants the greatest at 0.
  // (Differences may be infinite, but not undefined.)
  double greatest = -HUGE_VAL;
  for (int j = 0; j < columns; ++j) greatest = std::max(greatest, prices[j] * scaling.sign);
  for (int j = 0; j < columns; ++j) {
    const double dual = (prices[j] * scaling.sign - greatest) / scaling.unit;
    duals[j] = static_cast<int32_t>(std::lrint(std::max(-limit, dual)));
  }
  return duals.data();
}

// Throws when the matrix holds a value that no problem may, and names one.
void check_values(const Oriented& matrix, bool maximize, int64_t problem) {
  const float unbounded = maximize ? HUGE_VALF : -HUGE_VALF;
  const int64_t count = static_cast<int64_t>(matrix.rows) * matrix.columns;
  const float* end = matrix.values + count;
  const float* bad = std::find_if(matrix.values, end, [unbounded](float value) {
    return std::isnan(value) || value == unbounded;
  });
  if (bad == end) return;
  int64_t row = (bad - matrix.values) / matrix.columns;
  int64_t column = (bad - matrix.values) % matrix.columns;
  if (matrix.transposed) std::swap(row, column);
  if (std::isnan(*bad)) {
    fail(ATA_INVALID_ARGUMENT, "assignment problem ", problem, " has NaN in row ", row, ", column ",
         column, "; replace such values before solving");
  }
  fail(ATA_INVALID_ARGUMENT, "assignment problem ", problem, " has ", maximize ? "+" : "-",
       "infinity in row ", row, ", column ", column, "; when ",
       maximize ? "maximising only -infinity" : "minimising only +infinity",
       " (a forbidden pair) is allowed");
}

void check_prices(const double* column_duals, int columns, int64_t problem) {
  for (int j = 0; j < columns; ++j) {
    require(std::isfinite(column_duals[j]), "assignment problem ", problem, ": the dual of column ",
            j, " is ", column_duals[j],
            "; duals to start from are finite, and zeros when there are none");
  }
}

// Solves in float64 from the start; the way for problems with forbidden pairs.
void solve_with_forbidden_pairs(const Float64Problem& problem, AssignmentWorkspace& workspace,
                                int64_t number) {
  if (!solve_float64(problem, workspace.float64)) {
    fail(ATA_INFEASIBLE, "assignment problem ", number,
         " has no complete matching: too many pairs are forbidden");
  }
}

// A problem on its way: what the caller gave, and how its values become integers.
struct Job {
  Oriented matrix;
  const AssignmentOptions& options;
  AssignmentWorkspace& workspace;
  int32_t* matching;
  double* column_duals;
  int64_t number;
  Scaling scaling = {};
  double greatest = 0;  // magnitude of a finite value, or more
};

void scale(Job& job, const Oriented& matrix, double low, double high, double range) {
  job.scaling = scale_to_integers(matrix, low, high, job.options.maximize);
  job.scaling.unit *= range;
  job.scaling.error *= range;
  if (job.column_duals != nullptr) {
    job.scaling.problem.initial_duals =
        quantise_prices(job.column_duals, job.scaling, job.workspace.initial_duals);
  }
}

// Scales by a guess of the range of the values; false when there is none that will do.
bool scale_by_guess(Job& job) {
  double low = 0;
  double high = 0;
  if (!guess_range(job.matrix, &low, &high) || !is_well_scaled(low, high)) return false;
  scale(job, job.matrix, low, high, 1);
  job.greatest = greatest_within(low, high);
  return true;
}

// Solves with integer costs when the guess was wrong; false when pairs are forbidden. Throws when a
// value is not allowed.
bool solve_by_survey(Job& job) {
  const Oriented& matrix = job.matrix;
  const int64_t count = static_cast<int64_t>(matrix.rows) * matrix.columns;
  const ValueSurvey survey = survey_values(matrix.values, count);
  job.greatest = std::max(std::fabs(survey.min), std::fabs(survey.max));
  if (!survey.finite()) {
    check_values(matrix, job.options.maximize, job.number);
    return false;
  }
  const double low = survey.min;
  const double high = survey.max;
  if (is_well_scaled(low, high)) {
    scale(job, matrix, low, high, 1);
  } else {
    // From 0 to 1, rounded to float32 once (and hardly in float64 before).
    const double range = high > low ? high - low : 1;
    job.workspace.normalized.reserve(static_cast<size_t>(count));
    float* normalized = job.workspace.normalized.data();
    for (int64_t k = 0; k < count; ++k) {
      normalized[k] = static_cast<float>((matrix.values[k] - low) / range);
    }
    scale(job, {normalized, matrix.rows, matrix.columns, matrix.transposed}, 0, 1, range);
    job.scaling.error += 0x1p-24 * range;
  }
  if (solve_fixed_point(job.scaling.problem, job.workspace.fixed_point)) return true;
  fail(ATA_INTERNAL, "assignment problem ", job.number, ": a cost left the range of the integers");
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

struct MatchedSum {
  double total = 0;
  double magnitude = 0;  // of the absolute values that count; see AssignmentOptions
};

float matched_value(const Float64Problem& problem, const int32_t* column_of_row, int row) {
  return problem.values[static_cast<int64_t>(row) * problem.columns + column_of_row[row]];
}

// Sizes in powers of two; values that differ by kLeap are at least kLeapLevels apart, and 0 is that
// far from all others.
constexpr int kLeapLevels = 9;
constexpr int kLevels = kLeapLevels + 128 - kLeastFloatExponent;
static_assert(AssignmentOptions::kLeap >= 1 << kLeapLevels);

int level_of(float value) {
  const FloatParts parts = float_parts(value);
  if (parts.mantissa == 0) return 0;
  return kLeapLevels + parts.exponent - kLeastFloatExponent +
         static_cast<int>(std::bit_width(parts.mantissa)) - 1;
}

// The sum of the absolute values matched below their first leap; `sum` where there is none.
double magnitude_below_leap(const Float64Problem& problem, const int32_t* column_of_row,
                            double sum) {
  std::array<uint64_t, (kLevels + 63) / 64> seen = {};
  for (int i = 0; i < problem.rows; ++i) {
    const auto level = static_cast<size_t>(level_of(matched_value(problem, column_of_row, i)));
    seen[level / 64] |= uint64_t{1} << (level % 64);
  }
  int last = kLevels;
  for (size_t k = 0; k < seen.size(); ++k) {
    for (uint64_t left = seen[k]; left != 0; left &= left - 1) {
      const int level = static_cast<int>(64 * k) + std::countr_zero(left);
      if (level - last < kLeapLevels) {
        last = level;
        continue;
      }
      sum = 0;
      for (int i = 0; i < problem.rows; ++i) {
        const float value = matched_value(problem, column_of_row, i);
        if (level_of(value) <= last) sum += std::fabs(static_cast<double>(value));
      }
      return sum;
    }
  }
  return sum;
}

MatchedSum sum_matched(const Float64Problem& problem, const int32_t* column_of_row) {
  // Several at once: each addition waits for the one before.
  struct Part {
    double total = 0;
    double magnitude = 0;
    float least = HUGE_VALF;
    float greatest = 0;
  };
  constexpr int kParts = 4;
  Part parts[kParts];
  const auto add = [&](Part& part, int i) {
    const float value = matched_value(problem, column_of_row, i);
    const float magnitude = std::fabs(value);
    part.total += value;
    part.magnitude += magnitude;
    part.least = std::min(part.least, magnitude);
    part.greatest = std::max(part.greatest, magnitude);
  };
  int i = 0;
  for (; i + kParts <= problem.rows; i += kParts) {
    for (int k = 0; k < kParts; ++k) add(parts[k], i + k);
  }
  for (; i < problem.rows; ++i) add(parts[0], i);
  MatchedSum sum;
  double least = HUGE_VAL;
  double greatest = 0;
  for (const Part& part : parts) {
    sum.total += part.total;
    sum.magnitude += part.magnitude;
    least = std::min<double>(least, part.least);
    greatest = std::max<double>(greatest, part.greatest);
  }
  // What remains where most cancels out may be rounding alone.
  if (problem.rows * sum.magnitude * 0x1p-53 > 0x1p-40 * std::fabs(sum.total)) {
    sum.total = exact_sum(problem, column_of_row);
  }
  if (greatest >= AssignmentOptions::kLeap * least) {
    sum.magnitude = magnitude_below_leap(problem, column_of_row, sum.magnitude);
  }
  return sum;
}

// How far from the optimum the matching may be.
double tolerance(const AssignmentOptions& options, const MatchedSum& sum) {
  if (options.polish) return 0;
  const double scale =
      options.certify ? std::min(std::fabs(sum.total), sum.magnitude) : sum.magnitude;
  return AssignmentOptions::kTolerance * scale;
}

// Repairs the integer solution, which is in the float64 workspace. Returns the greatest magnitude
// of the duals that it began with.
double refine(const Job& job, const Float64Problem& problem, double magnitude,
              Float64Workspace& workspace) {
  // Duals of costs far beyond the values matched (1e9 for "rather not") have lost the digits that
  // matter, and columns that must stay free need a dual of 0.
  const double range = job.scaling.unit * fixed_point_cost_limit(problem.columns);
  const bool duals_are_usable =
      problem.rows == problem.columns && range * problem.rows <= 1e9 * magnitude;
  if (!duals_are_usable) {
    solve_float64(problem, workspace);
    return 0;
  }
  double greatest_dual = 0;
  for (int j = 0; j < problem.columns; ++j) {
    greatest_dual = std::max(greatest_dual, std::fabs(workspace.column_dual[j]));
  }
  refine_float64(problem, exact_quantum(problem, job.greatest, greatest_dual, false), workspace);
  return greatest_dual;
}

// Makes sure of the solution that float64 arithmetic found from duals of up to `greatest_dual`:
// where it may be too far from the optimum, solves in integers as wide as it takes.
void ensure(const Job& job, const Float64Problem& problem, double greatest_dual,
            bool has_forbidden_pairs) {
  AssignmentWorkspace& workspace = job.workspace;
  const double quantum = exact_quantum(problem, job.greatest, greatest_dual, has_forbidden_pairs);
  const int64_t count = static_cast<int64_t>(problem.rows) * problem.columns;
  if (are_multiples(problem.values, count, quantum)) return;
  const double gap = dual_gap(problem, workspace.float64);
  const MatchedSum sum = sum_matched(problem, workspace.float64.column_of_row.data());
  if (gap <= tolerance(job.options, sum)) return;
  solve_exactly(problem, gap, workspace.float64, workspace.exact);
}

// Checks the problem and lays it out with at least as many columns as rows.
Job make_job(const float* values, int rows, int columns, const AssignmentOptions& options,
             AssignmentWorkspace& workspace, int32_t* matching, double* column_duals,
             int64_t problem, const float* next_values) {
  require(
      rows >= 1 && rows <= kMaxAssignmentExtent && columns >= 1 && columns <= kMaxAssignmentExtent,
      "an assignment problem is ", rows, " x ", columns, "; extents must be 1 to ",
      kMaxAssignmentExtent);
  require(column_duals == nullptr || rows == columns,
          "column duals need a square assignment problem, not ", rows, " x ", columns);
  if (column_duals != nullptr) check_prices(column_duals, columns, problem);

  Oriented matrix{values, rows, columns, false, next_values};
  if (rows > columns) {
    workspace.transposed.reserve(static_cast<size_t>(rows) * static_cast<size_t>(columns));
    transpose(values, rows, columns, workspace.transposed.data());
    matrix = {workspace.transposed.data(), columns, rows, true, next_values};
  }
  return {matrix, options, workspace, matching, column_duals, problem};
}

// Gives the solution out, proven or refined where that is asked for or needed. `in_integers`: it is
// in the fixed-point workspace; else the problem is still to be solved, in float64. Returns the
// total.
double conclude(Job& job, bool in_integers) {
  const Oriented& matrix = job.matrix;
  const Scaling& scaling = job.scaling;
  const AssignmentOptions& options = job.options;
  AssignmentWorkspace& workspace = job.workspace;
  const Float64Problem exact{matrix.values, matrix.rows, matrix.columns,
                             options.maximize ? -1.0F : 1.0F};
  const int32_t* column_of_row = nullptr;
  MatchedSum sum;
  if (in_integers) {
    column_of_row = workspace.fixed_point.column_of_row.data();
    sum = sum_matched(exact, column_of_row);
    // Of two matchings, the one found and the optimal one.
    const double error = 2 * matrix.rows * scaling.error;
    const double allowed = tolerance(options, sum);
    const bool is_coarse = error > allowed;
    if (options.certify || is_coarse || job.column_duals != nullptr) {
      widen_solution(scaling, workspace);
    }
    if (options.polish ||
        ((options.certify || is_coarse) && dual_gap(exact, workspace.float64) > allowed)) {
      const double greatest_dual = refine(job, exact, sum.magnitude, workspace.float64);
      ensure(job, exact, greatest_dual, false);
      column_of_row = workspace.float64.column_of_row.data();
      sum = sum_matched(exact, column_of_row);
    }
  } else {
    solve_with_forbidden_pairs(exact, workspace, job.number);
    ensure(job, exact, 0, true);
    column_of_row = workspace.float64.column_of_row.data();
    sum = sum_matched(exact, column_of_row);
  }

  if (matrix.transposed) {
    std::fill_n(job.matching, matrix.columns, -1);
    for (int j = 0; j < matrix.rows; ++j) job.matching[column_of_row[j]] = j;
  } else {
    std::copy_n(column_of_row, matrix.rows, job.matching);
  }
  if (job.column_duals != nullptr) {
    const double sign = options.maximize ? -1 : 1;
    for (int j = 0; j < matrix.columns; ++j) {
      job.column_duals[j] = sign * workspace.float64.column_dual[j];
    }
  }
  return sum.total;
}

double solve(Job& job) {
  const bool solved =
      scale_by_guess(job) && solve_fixed_point(job.scaling.problem, job.workspace.fixed_point);
  return conclude(job, solved || solve_by_survey(job));
}

// Two problems of equal extents, in turns.
void solve_pair(Job& first, Job& second, double totals[2]) {
  if (!scale_by_guess(first) || !scale_by_guess(second)) {
    totals[0] = solve(first);
    totals[1] = solve(second);
    return;
  }
  const FixedPointPairResult solved =
      solve_fixed_point_pair(first.scaling.problem, first.workspace.fixed_point,
                             second.scaling.problem, second.workspace.fixed_point);
  totals[0] = conclude(first, solved.first || solve_by_survey(first));
  totals[1] = conclude(second, solved.second || solve_by_survey(second));
}

}  // namespace

void AssignmentWorkspace::reserve(int rows, int columns) {
  const int smaller = std::min(rows, columns);
  const int greater = std::max(rows, columns);
  fixed_point.reserve(smaller, greater);
  float64.reserve(smaller, greater);
  exact.reserve(smaller, greater);
  const size_t count = static_cast<size_t>(rows) * static_cast<size_t>(columns);
  transposed.reserve(count);
  normalized.reserve(count);
  initial_duals.reserve(static_cast<size_t>(columns));
}

double solve_assignment(const float* values, int rows, int columns,
                        const AssignmentOptions& options, AssignmentWorkspace& workspace,
                        int32_t* matching, double* column_duals, int64_t problem) {
  const DefaultFloatEnvironment environment;
  Job job =
      make_job(values, rows, columns, options, workspace, matching, column_duals, problem, nullptr);
  return solve(job);
}

int64_t assignment_workspaces(int64_t workers, int rows, int columns) {
  return fixed_point_pairs_gain(std::max(rows, columns)) ? 2 * workers : workers;
}

void solve_assignments(const float* values, int64_t count, int rows, int columns,
                       const AssignmentOptions& options,
                       std::vector<AssignmentWorkspace>& workspaces, int32_t* matching,
                       double* totals, double* column_duals) {
  // Read once: another thread may change it at any time.
  const int workers = thread_count();
  const int64_t needed = assignment_workspaces(workers, rows, columns);
  workspaces.resize(std::max(workspaces.size(), static_cast<size_t>(needed)));
  // In turns as long as that leaves no worker without a problem.
  const int64_t rest = count % (2 * workers);
  const int64_t paired = needed == workers ? 0 : count - (rest <= workers ? rest : rest % 2);
  const int64_t pairs = paired / 2;
  const int64_t size = static_cast<int64_t>(rows) * columns;
  const auto job = [&](int64_t index, int64_t workspace, int64_t next) {
    return make_job(values + index * size, rows, columns, options,
                    workspaces[static_cast<size_t>(workspace)], matching + index * rows,
                    column_duals != nullptr ? column_duals + index * columns : nullptr, index,
                    next < count ? values + next * size : nullptr);
  };
  const auto solve_item = [&](int64_t item, int worker) {
    // What comes next: workers keep step, more or less.
    if (item < pairs) {
      const int64_t index = 2 * item;
      const int64_t next = index + 2 * int64_t{workers};
      Job first = job(index, 2 * worker, next);
      Job second = job(index + 1, 2 * worker + 1, next + 1);
      double sums[2];
      solve_pair(first, second, sums);
      if (totals != nullptr) std::copy_n(sums, 2, totals + index);
    } else {
      const int64_t index = paired + (item - pairs);
      Job single = job(index, needed == workers ? worker : 2 * worker, index + workers);
      const double total = solve(single);
      if (totals != nullptr) totals[index] = total;
    }
  };
  // By reference: a copy of what it captures would be allocated.
  parallel_for_dynamic(pairs + count - paired, workers, std::cref(solve_item));
}

}  // namespace ata
