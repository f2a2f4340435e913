#include "assignment/float64_solver.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "assignment/float64_solver.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace ata {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// Narrow enough that as many floats fill at least half a vector on every target.
using Tag = hn::CappedTag<double, 8>;
using Doubles = hn::Vec<Tag>;
constexpr int kLanes = static_cast<int>(hn::MaxLanes(Tag()));
using FloatTag = hn::Rebind<float, Tag>;
using IndexTag = hn::Rebind<int64_t, Tag>;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

HWY_INLINE Doubles load_costs(const float* values, double sign) {
  const Tag tag;
  return hn::Mul(hn::PromoteTo(tag, hn::LoadU(FloatTag(), values)), hn::Set(tag, sign));
}

// Keeps the least of what it is shown, with its place.
class ArgMin {
 public:
  // Not implicit: compilers build implicit constructors for the baseline instruction set.
  HWY_INLINE ArgMin() : least_(hn::Set(Tag(), kInfinity)), where_(hn::Zero(IndexTag())) {}
  HWY_INLINE void add(Doubles x, int64_t first) {
    where_ = hn::IfThenElse(hn::RebindMask(IndexTag(), hn::Lt(x, least_)),
                            hn::Set(IndexTag(), first), where_);
    least_ = hn::Min(x, least_);
  }
  HWY_INLINE void merge(const ArgMin& other) {
    const auto earlier =
        hn::And(hn::Eq(other.least_, least_), hn::RebindMask(Tag(), hn::Lt(other.where_, where_)));
    const auto better = hn::Or(hn::Lt(other.least_, least_), earlier);
    where_ = hn::IfThenElse(hn::RebindMask(IndexTag(), better), other.where_, where_);
    least_ = hn::Min(other.least_, least_);
  }
  double reduce(int* column) const {
    alignas(64) double value[kLanes];
    alignas(64) int64_t first[kLanes];
    hn::Store(least_, Tag(), value);
    hn::Store(where_, IndexTag(), first);
    int best = 0;
    for (int lane = 1; lane < kLanes; ++lane) {
      if (value[lane] < value[best] ||
          (value[lane] == value[best] && first[lane] + lane < first[best] + best)) {
        best = lane;
      }
    }
    *column = value[best] < kInfinity ? static_cast<int>(first[best]) + best : -1;
    return value[best];
  }

 private:
  Doubles least_;
  hn::Vec<IndexTag> where_;
};

double reduced_cost(const Float64Problem& problem, int i, int j, double dual) {
  return static_cast<double>(problem.sign) *
             problem.values[static_cast<int64_t>(i) * problem.columns + j] -
         dual;
}

// Least of cost - dual over a row; `*column` is -1 when all pairs of the row are forbidden.
double least_reduced_cost(const float* values, double sign, const double* dual, int columns,
                          int* column) {
  // Two, as each waits for what it was shown before.
  ArgMin minimum;
  ArgMin other;
  int j = 0;
  for (; j + 2 * kLanes <= columns; j += 2 * kLanes) {
    minimum.add(hn::Sub(load_costs(values + j, sign), hn::Load(Tag(), dual + j)), j);
    const int next = j + kLanes;
    other.add(hn::Sub(load_costs(values + next, sign), hn::Load(Tag(), dual + next)), next);
  }
  minimum.merge(other);
  for (; j + kLanes <= columns; j += kLanes) {
    minimum.add(hn::Sub(load_costs(values + j, sign), hn::Load(Tag(), dual + j)), j);
  }
  double least = minimum.reduce(column);
  for (; j < columns; ++j) {
    const double x = sign * values[j] - dual[j];
    if (x < least) {
      least = x;
      *column = j;
    }
  }
  return least;
}

// One step of Dijkstra: offers every column the path through `row`, and returns the nearest column
// that is not final. Final columns have a dual of -infinity, so that no offer improves theirs.
double relax(const float* values, double sign, double offset, int64_t row, const double* dual,
             double* distance, int64_t* predecessor, int columns, int* column) {
  const Tag tag;
  const Doubles shift = hn::Set(tag, offset);
  ArgMin minimum;
  int j = 0;
  for (; j + kLanes <= columns; j += kLanes) {
    const Doubles x =
        hn::Sub(hn::Sub(load_costs(values + j, sign), hn::Load(tag, dual + j)), shift);
    const Doubles old = hn::Load(tag, distance + j);
    const auto better = hn::Lt(x, old);
    const Doubles d = hn::Min(x, old);
    hn::Store(d, tag, distance + j);
    const IndexTag indices;
    hn::Store(hn::IfThenElse(hn::RebindMask(indices, better), hn::Set(indices, row),
                             hn::Load(indices, predecessor + j)),
              indices, predecessor + j);
    minimum.add(d, j);
  }
  double least = minimum.reduce(column);
  for (; j < columns; ++j) {
    const double x = sign * values[j] - dual[j] - offset;
    if (x < distance[j]) {
      distance[j] = x;
      predecessor[j] = row;
    }
    if (distance[j] < least) {
      least = distance[j];
      *column = j;
    }
  }
  return least;
}

// Matches `free_row` along a shortest path; false if no free column can be reached.
bool augment(const Float64Problem& problem, Float64Workspace& w, int free_row) {
  const int columns = problem.columns;
  double* dual = w.column_dual.data();
  double* distance = w.distance.data();
  std::fill_n(distance, columns, kInfinity);
  int count = 0;
  int i = free_row;
  double reached = 0;
  int column = -1;
  bool found = false;
  while (true) {
    // Distances are reduced costs from the free row; row_dual of the free row is its least.
    reached =
        relax(problem.values + static_cast<int64_t>(i) * columns, problem.sign,
              w.row_dual[i] - reached, i, dual, distance, w.predecessor.data(), columns, &column);
    if (column < 0) break;
    if (w.row_of_column[column] < 0) {
      found = true;
      break;
    }
    w.scanned[count] = column;
    w.scanned_distance[count] = reached;
    w.scanned_dual[count] = dual[column];
    ++count;
    dual[column] = -kInfinity;
    distance[column] = kInfinity;
    i = w.row_of_column[column];
  }
  for (int s = 0; s < count; ++s) dual[w.scanned[s]] = w.scanned_dual[s];
  if (!found) return false;
  w.row_dual[free_row] += reached;
  for (int s = 0; s < count; ++s) {
    const int j = w.scanned[s];
    const double change = reached - w.scanned_distance[s];
    dual[j] -= change;
    w.row_dual[w.row_of_column[j]] += change;
  }
  while (true) {
    const int row = static_cast<int>(w.predecessor[column]);
    const int next = w.column_of_row[row];
    w.row_of_column[column] = row;
    w.column_of_row[row] = column;
    if (row == free_row) return true;
    column = next;
  }
}

bool solve_from_duals(const Float64Problem& problem, Float64Workspace& w, bool keep_matching) {
  std::fill_n(w.row_of_column.data(), problem.columns, -1);
  int32_t* best = w.scanned.data();
  for (int i = 0; i < problem.rows; ++i) {
    const float* values = problem.values + static_cast<int64_t>(i) * problem.columns;
    w.row_dual[i] =
        least_reduced_cost(values, problem.sign, w.column_dual.data(), problem.columns, &best[i]);
    if (best[i] < 0) return false;
    const int j = keep_matching ? w.column_of_row[i] : -1;
    const bool tight = j >= 0 && reduced_cost(problem, i, j, w.column_dual[j]) <= w.row_dual[i];
    w.column_of_row[i] = tight ? j : -1;
    if (tight) w.row_of_column[j] = i;
  }
  for (int i = 0; i < problem.rows; ++i) {
    if (w.column_of_row[i] >= 0 || w.row_of_column[best[i]] >= 0) continue;
    w.row_of_column[best[i]] = i;
    w.column_of_row[i] = best[i];
  }
  for (int i = 0; i < problem.rows; ++i) {
    if (w.column_of_row[i] < 0 && !augment(problem, w, i)) return false;
  }
  return true;
}

double gap(const Float64Problem& problem, Float64Workspace& w) {
  double sum = 0;
  double magnitude = 0;  // of what was subtracted
  for (int i = 0; i < problem.rows; ++i) {
    const float* values = problem.values + static_cast<int64_t>(i) * problem.columns;
    int best = -1;
    const double least =
        least_reduced_cost(values, problem.sign, w.column_dual.data(), problem.columns, &best);
    const int j = w.column_of_row[i];
    const double own = reduced_cost(problem, i, j, w.column_dual[j]);
    sum += own - least;
    magnitude += std::fabs(own) + std::fabs(least);
    w.row_dual[i] = least;
  }
  if (problem.rows < problem.columns) {
    // Other matchings may have other columns: what they can gain on the duals of these.
    std::fill_n(w.row_of_column.data(), problem.columns, -1);
    for (int i = 0; i < problem.rows; ++i) w.row_of_column[w.column_of_row[i]] = i;
    for (int j = 0; j < problem.columns; ++j) {
      sum += std::max(w.row_of_column[j] < 0 ? -w.column_dual[j] : w.column_dual[j], 0.0);
    }
  }
  // Each reduced cost was rounded by at most 2^-53 of itself, each of the sums of what is not
  // negative by that for every term.
  constexpr double kRounding = 0x1p-52;
  return sum * (1 + kRounding * (problem.rows + problem.columns + 4)) + kRounding * magnitude;
}

void mark(const Float64Problem& problem, double gap, const Float64Workspace& w,
          uint64_t* candidates) {
  const Tag tag;
  const int words = candidate_words(problem.columns);
  for (int i = 0; i < problem.rows; ++i, candidates += words) {
    const float* values = problem.values + static_cast<int64_t>(i) * problem.columns;
    const double least = w.row_dual[i];
    // Not less than the exact sum, with the rounding of `least` and of what it is compared to.
    const double limit = least + gap + 0x1p-51 * (std::fabs(least) + gap);
    const double* dual = w.column_dual.data();
    const Doubles limits = hn::Set(tag, limit);
    std::fill_n(candidates, words, 0);
    int j = 0;
    for (; j + kLanes <= problem.columns; j += kLanes) {
      const Doubles x = hn::Sub(load_costs(values + j, problem.sign), hn::Load(tag, dual + j));
      uint8_t bits[8] = {};
      hn::StoreMaskBits(tag, hn::Le(x, limits), bits);
      candidates[j / 64] |= uint64_t{bits[0]} << (j % 64);
    }
    for (; j < problem.columns; ++j) {
      if (reduced_cost(problem, i, j, dual[j]) <= limit)
        candidates[j / 64] |= uint64_t{1} << (j % 64);
    }
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace ata
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ata {

HWY_EXPORT(solve_from_duals);
HWY_EXPORT(gap);
HWY_EXPORT(mark);

bool solve_float64(const Float64Problem& problem, Float64Workspace& workspace) {
  workspace.reserve(problem.rows, problem.columns);
  std::fill_n(workspace.column_dual.data(), problem.columns, 0.0);
  return HWY_DYNAMIC_DISPATCH(solve_from_duals)(problem, workspace, false);
}

bool refine_float64(const Float64Problem& problem, double quantum, Float64Workspace& workspace) {
  // A sum with this has no room for less than a quantum.
  const double anchor = 0x1.8p+52 * quantum;
  double* dual = workspace.column_dual.data();
  for (int j = 0; j < problem.columns; ++j) dual[j] = (dual[j] + anchor) - anchor;
  return HWY_DYNAMIC_DISPATCH(solve_from_duals)(problem, workspace, true);
}

double dual_gap(const Float64Problem& problem, Float64Workspace& workspace) {
  return HWY_DYNAMIC_DISPATCH(gap)(problem, workspace);
}

int candidate_words(int columns) {
  return (columns + 63) / 64;
}

void mark_candidates(const Float64Problem& problem, double gap, const Float64Workspace& workspace,
                     uint64_t* candidates) {
  HWY_DYNAMIC_DISPATCH(mark)(problem, gap, workspace, candidates);
}

double exact_quantum(const Float64Problem& problem, double greatest, double greatest_dual,
                     bool has_forbidden_pairs) {
  // Duals and distances are differences of two costs and a dual to begin with, or where pairs are
  // forbidden of the costs of a path; sums of a few of them stay below 16 times that.
  const double path = has_forbidden_pairs ? problem.rows + 1 : 1;
  const double bound = 16 * (path * greatest + greatest_dual);
  return bound > 0 ? std::ldexp(1.0, std::ilogb(bound) + 1 - 53) : 0;
}

void Float64Workspace::reserve(int rows, int columns) {
  const size_t column_size = static_cast<size_t>(columns);
  const size_t row_size = static_cast<size_t>(rows) + 1;
  column_dual.reserve(column_size);
  row_dual.reserve(row_size);
  column_of_row.reserve(row_size);
  row_of_column.reserve(column_size);
  distance.reserve(column_size);
  predecessor.reserve(column_size);
  scanned.reserve(row_size);
  scanned_distance.reserve(row_size);
  scanned_dual.reserve(row_size);
}

}  // namespace ata
#endif  // HWY_ONCE
