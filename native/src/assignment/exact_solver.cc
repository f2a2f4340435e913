#include "assignment/exact_solver.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "base/error.h"

namespace ata {
namespace {

// What a search knows of a column.
enum : uint8_t { kUnreached, kOpen, kFinal };

// The costs of all candidates are multiples of 2^exponent, and less than 2^greatest in magnitude.
struct CostRange {
  int exponent = 0;
  int greatest = 0;
};

// Rows of bits, one for each pair.
class Candidates {
 public:
  Candidates(const uint64_t* bits, int columns) : bits_(bits), words_(candidate_words(columns)) {}

  template <class Use>
  void for_each(int row, const Use& use) const {
    const uint64_t* words = bits_ + static_cast<int64_t>(row) * words_;
    for (int k = 0; k < words_; ++k) {
      for (uint64_t left = words[k]; left != 0; left &= left - 1) {
        use(64 * k + std::countr_zero(left));
      }
    }
  }

 private:
  const uint64_t* bits_;
  const int words_;
};

CostRange survey_costs(const Float64Problem& problem, const Candidates& candidates) {
  int least = std::numeric_limits<int>::max();
  int greatest = std::numeric_limits<int>::min();
  for (int i = 0; i < problem.rows; ++i) {
    const float* values = problem.values + static_cast<int64_t>(i) * problem.columns;
    candidates.for_each(i, [&](int j) {
      const FloatParts parts = float_parts(values[j]);
      if (parts.mantissa == 0) return;
      least = std::min(least, parts.exponent);
      greatest = std::max(greatest, parts.exponent + 24);
    });
  }
  return least <= greatest ? CostRange{least, greatest} : CostRange{};
}

// Shortest augmenting paths, as in the float64 solver, along candidates alone.
template <int kLimbs>
class Search {
 public:
  Search(const Float64Problem& problem, const Candidates& candidates, CostRange range,
         ExactNumbers<kLimbs>& numbers, Float64Workspace& solution, ExactWorkspace& workspace)
      : problem_(problem),
        candidates_(candidates),
        exponent_(range.exponent),
        negate_(problem.sign < 0),
        column_dual_(numbers.column_dual.data()),
        row_dual_(numbers.row_dual.data()),
        distance_(numbers.distance.data()),
        column_of_(solution.column_of_row.data()),
        row_of_(solution.row_of_column.data()),
        predecessor_(solution.predecessor.data()),
        scanned_(solution.scanned.data()),
        open_(workspace.open.data()),
        state_(workspace.state.data()) {
    // A column that stays free must have a dual of 0, and which ones do is not known.
    const bool warm = problem.rows == problem.columns;
    const double limit = std::ldexp(1.0, range.greatest + 2);
    for (int j = 0; j < problem.columns; ++j) {
      const double dual = warm ? std::clamp(solution.column_dual[j], -limit, limit) : 0;
      column_dual_[j] = Number(dual, exponent_);
    }
  }

  void run() {
    begin();
    for (int i = 0; i < problem_.rows; ++i) {
      if (column_of_[i] < 0) augment(i);
    }
  }

 private:
  using Number = WideInteger<kLimbs>;

  Number cost(int i, int j) const {
    const float value = problem_.values[static_cast<int64_t>(i) * problem_.columns + j];
    return Number(negate_ ? -value : value, exponent_);
  }

  // Keeps what is tight of the matching, and gives other rows their best column if that is free.
  void begin() {
    std::fill_n(row_of_, problem_.columns, -1);
    for (int i = 0; i < problem_.rows; ++i) {
      int best = -1;
      candidates_.for_each(i, [&](int j) {
        const Number reduced = cost(i, j) - column_dual_[j];
        if (best >= 0 && !(reduced < row_dual_[i])) return;
        row_dual_[i] = reduced;
        best = j;
      });
      const int own = column_of_[i];
      const bool tight = own >= 0 && cost(i, own) - column_dual_[own] == row_dual_[i];
      if (tight) row_of_[own] = i;
      column_of_[i] = tight ? own : -1;
      scanned_[i] = best;
    }
    for (int i = 0; i < problem_.rows; ++i) {
      if (column_of_[i] >= 0 || row_of_[scanned_[i]] >= 0) continue;
      row_of_[scanned_[i]] = i;
      column_of_[i] = scanned_[i];
    }
  }

  // Takes the nearest of the open columns, a free one among equals; -1 when there is none.
  int take_nearest(int* open_count) {
    if (*open_count == 0) return -1;
    int best = 0;
    for (int k = 1; k < *open_count; ++k) {
      const Number& distance = distance_[open_[k]];
      const Number& least = distance_[open_[best]];
      if (distance < least || (row_of_[open_[k]] < 0 && distance == least)) best = k;
    }
    const int column = open_[best];
    open_[best] = open_[--*open_count];
    return column;
  }

  void augment(int free_row) {
    std::fill_n(state_, problem_.columns, kUnreached);
    int open_count = 0;
    int scanned_count = 0;
    int i = free_row;
    Number reached;
    int column = -1;
    while (true) {
      const Number shift = row_dual_[i] - reached;
      candidates_.for_each(i, [&](int j) {
        if (state_[j] == kFinal) return;
        const Number x = cost(i, j) - column_dual_[j] - shift;
        if (state_[j] == kUnreached) {
          state_[j] = kOpen;
          open_[open_count++] = j;
        } else if (!(x < distance_[j])) {
          return;
        }
        distance_[j] = x;
        predecessor_[j] = i;
      });
      column = take_nearest(&open_count);
      if (column < 0) {
        fail(ATA_INTERNAL, "assignment: a matching that was there was not found again");
      }
      reached = distance_[column];
      if (row_of_[column] < 0) break;
      state_[column] = kFinal;
      scanned_[scanned_count++] = column;
      i = row_of_[column];
    }
    row_dual_[free_row] += reached;
    for (int s = 0; s < scanned_count; ++s) {
      const int j = scanned_[s];
      const Number change = reached - distance_[j];
      column_dual_[j] -= change;
      row_dual_[row_of_[j]] += change;
    }
    while (true) {
      const int row = static_cast<int>(predecessor_[column]);
      const int next = column_of_[row];
      row_of_[column] = row;
      column_of_[row] = column;
      if (row == free_row) return;
      column = next;
    }
  }

  const Float64Problem& problem_;
  const Candidates& candidates_;
  const int exponent_;
  const bool negate_;
  Number* column_dual_;
  Number* row_dual_;
  Number* distance_;
  int32_t* column_of_;
  int32_t* row_of_;
  int64_t* predecessor_;
  int32_t* scanned_;
  int32_t* open_;
  uint8_t* state_;
};

}  // namespace

void solve_exactly(const Float64Problem& problem, double gap, Float64Workspace& solution,
                   ExactWorkspace& workspace) {
  workspace.reserve(problem.rows, problem.columns);
  mark_candidates(problem, gap, solution, workspace.candidates.data());
  const Candidates candidates(workspace.candidates.data(), problem.columns);
  const CostRange range = survey_costs(problem, candidates);
  const auto solve = [&](auto& numbers) {
    Search(problem, candidates, range, numbers, solution, workspace).run();
    for (int j = 0; j < problem.columns; ++j) {
      solution.column_dual[j] = numbers.column_dual[j].to_double(range.exponent);
    }
  };
  // Let A be the greatest magnitude of a cost and V that of a dual to begin with, at most 4A. Rows
  // and columns that a search reaches are joined to a free column by a path of costs, or were in
  // the search that reached them last, so that duals and distances stay below 6 (rows + 1) A + 4V,
  // and sums of a few of them below 32 (rows + 1) A. And a sign.
  const int bits =
      range.greatest - range.exponent + 6 + std::bit_width(static_cast<unsigned>(problem.rows) + 1);
  if (bits <= 2 * 64) {
    solve(workspace.two);
  } else if (bits <= 3 * 64) {
    solve(workspace.three);
  } else {
    solve(workspace.five);
  }
}

double exact_sum(const Float64Problem& problem, const int32_t* column_of_row) {
  WideInteger<5> sum;
  for (int i = 0; i < problem.rows; ++i) {
    const float value =
        problem.values[static_cast<int64_t>(i) * problem.columns + column_of_row[i]];
    sum += WideInteger<5>(value, kLeastFloatExponent);
  }
  return sum.to_double(kLeastFloatExponent);
}

void ExactWorkspace::reserve(int rows, int columns) {
  const auto row_size = static_cast<size_t>(rows);
  const auto column_size = static_cast<size_t>(columns);
  candidates.reserve(row_size * static_cast<size_t>(candidate_words(columns)));
  const auto reserve_numbers = [&](auto& numbers) {
    numbers.column_dual.reserve(column_size);
    numbers.row_dual.reserve(row_size);
    numbers.distance.reserve(column_size);
  };
  reserve_numbers(two);
  reserve_numbers(three);
  reserve_numbers(five);
  open.reserve(column_size);
  state.reserve(column_size);
}

}  // namespace ata
