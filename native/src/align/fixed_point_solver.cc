#include "align/fixed_point_solver.h"

#include <algorithm>
#include <limits>

#include "align/simd.h"
#include "base/error.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "align/fixed_point_solver.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

// Words used below: a row's reduced cost in a column is cost - row dual - column dual, at least 0
// everywhere and 0 on matched pairs. The costs are shifted left so that the low bits of a distance
// are free to carry (a) whether its column is assigned, so that among equal distances a free column
// wins and ends the search, and (b) in the variant for few columns, which vector the column is in,
// so that the minimum tells its own place. Both are subtracted from the stored column duals once,
// before the searches, and then appear in every distance at no cost.

HWY_BEFORE_NAMESPACE();
namespace ata {
namespace HWY_NAMESPACE {

namespace {

namespace hn = hwy::HWY_NAMESPACE;

using IntTag = hn::CappedTag<int32_t, 16>;
using FloatTag = hn::Rebind<float, IntTag>;
using Ints = hn::Vec<IntTag>;
using Floats = hn::Vec<FloatTag>;
using UnsignedTag = hn::Rebind<uint32_t, IntTag>;
using Unsigned = hn::Vec<UnsignedTag>;
constexpr int kLanes = static_cast<int>(hn::MaxLanes(IntTag()));

// Bounds. Let R be the range of the shifted costs. A matched pair is the least reduced cost of its
// row, so while a column is free all column duals lie in [-1.5R, R], row duals less distance in
// [-2R, 2R], and the distance at which a search ends is at most 1.5R. Costs of padding and duals of
// final columns put those out of reach, at 2R or more, and nothing leaves [-8R, 8R).
constexpr int kCostRangeBits = 28;
constexpr int32_t kBlocked = 1 << 30;
constexpr int32_t kNothing = std::numeric_limits<int32_t>::max();

// The least lane, in all lanes. (Unqualified calls: not every target has these functions.)
template <class V>
HWY_INLINE V all_min(V v) {
  if constexpr (kLanes >= 16) v = Min(v, ReverseBlocks(hn::DFromV<V>(), v));
  if constexpr (kLanes >= 8) v = Min(v, SwapAdjacentBlocks(v));
  if constexpr (kLanes >= 4) {
    v = Min(v, Shuffle1032(v));
    v = Min(v, Shuffle2301(v));
  }
  return v;
}

// Few columns: all distances of a search stay in registers.
template <int kVectorCount>
struct InRegisters {
  static constexpr int kVectors = kVectorCount;
  static constexpr int kShift = 5;
  static constexpr int32_t kAssigned = 16;
  static constexpr int32_t kLowBits = 31;
  static int32_t place(int column) { return column / kLanes; }
  // Rounds by letting the sum fill up the mantissa, whose bits are then the integer. Values out of
  // range and NaN come out beyond the cost limit when seen as unsigned.
  static constexpr float kRounding = 0x1p+23F;
  static HWY_INLINE Ints to_integer(Floats x) {
    const IntTag tag;
    return hn::Sub(hn::BitCast(tag, x), hn::Set(tag, 0x4B000000));
  }
};

// Any number of columns: distances in memory.
struct InMemory {
  static constexpr int kVectors = 0;
  static constexpr int kShift = 1;
  static constexpr int32_t kAssigned = 1;
  static constexpr int32_t kLowBits = 1;
  static int32_t place(int) { return 0; }
  static constexpr float kRounding = 0;
  static HWY_INLINE Ints to_integer(Floats x) { return hn::NearestInt(x); }
};

template <class Layout>
constexpr int32_t kCostLimit = (1 << (kCostRangeBits - Layout::kShift)) - 1;

template <class Layout>
class Solver {
 public:
  Solver(const FixedPointProblem& problem, FixedPointWorkspace& workspace)
      : problem_(problem), rows_(problem.rows), columns_(problem.columns) {
    vectors_ = Layout::kVectors > 0 ? Layout::kVectors : (columns_ + kLanes - 1) / kLanes;
    stride_ = vectors_ * kLanes;
    workspace.reserve(rows_, columns_, stride_);
    costs_ = workspace.costs.data();
    dual_ = workspace.column_dual.data();
    distance_ = workspace.distance.data();
    row_dual_ = workspace.row_dual.data();
    row_of_ = workspace.row_of_column.data();
    column_of_ = workspace.column_of_row.data();
    free_rows_ = workspace.free_rows.data();
    scratch_ = workspace.scratch.data();
    scanned_column_ = workspace.scanned_column.data();
    scanned_key_ = workspace.scanned_key.data();
    scanned_dual_ = workspace.scanned_dual.data();
    scanned_row_ = workspace.scanned_row.data();
    scanned_offset_ = workspace.scanned_offset.data();
  }

  bool solve() {
    if (rows_ == columns_ && problem_.initial_duals == nullptr) {
      if (!quantise_with_column_minima()) return false;
      reduce_columns();
      transfer_reductions();
    } else {
      if (!start_from_duals()) return false;
    }
    // The row reduction pays when many rows are free; bounded, because on near-ties it can crawl.
    if (free_count_ > rows_ / 5) reduce_rows();
    mark_assigned_columns();
    for (int k = 0; k < free_count_; ++k) {
      if constexpr (Layout::kVectors > 0) {
        augment_in_registers(free_rows_[k]);
      } else {
        augment_in_memory(free_rows_[k]);
      }
    }
    for (int j = 0; j < columns_; ++j) dual_[j] = true_dual(j) / (1 << Layout::kShift);
    return true;
  }

 private:
  static constexpr IntTag kTag{};
  struct Minimum {
    int32_t value;
    int column;
    int32_t second;
  };

  const int32_t* row(int i) const { return costs_ + static_cast<int64_t>(i) * stride_; }
  int32_t true_dual(int j) const {
    return (dual_[j] + Layout::place(j) + (row_of_[j] >= 0 ? Layout::kAssigned : 0));
  }

  // Integer costs of vector `k` of a row, not yet shifted; 0 past the last column. `worst` keeps
  // the greatest, as unsigned.
  HWY_INLINE Ints quantise(const float* values, int k, Floats scale, Floats offset,
                           Unsigned& worst) const {
    const FloatTag floats;
    const int left = columns_ - k * kLanes;
    Floats x;
    if (HWY_LIKELY(left >= kLanes)) {
      x = hn::LoadU(floats, values + k * kLanes);
    } else {
      alignas(64) float tail[kLanes] = {};
      if (left > 0) std::copy_n(values + k * kLanes, left, tail);
      x = hn::Load(floats, tail);
    }
    Ints cost = Layout::to_integer(hn::MulAdd(x, scale, offset));
    if (HWY_UNLIKELY(left < kLanes)) {
      cost = hn::IfThenElseZero(hn::FirstN(kTag, static_cast<size_t>(std::max(left, 0))), cost);
    }
    worst = hn::Max(worst, hn::BitCast(UnsignedTag(), cost));
    return cost;
  }

  // The shifted costs; lanes past the last column blocked.
  HWY_INLINE Ints shift_costs(Ints cost, int k) const {
    const Ints shifted = hn::ShiftLeft<Layout::kShift>(cost);
    const int left = columns_ - k * kLanes;
    if (HWY_LIKELY(left >= kLanes)) return shifted;
    return hn::IfThenElse(hn::FirstN(kTag, static_cast<size_t>(std::max(left, 0))), shifted,
                          hn::Set(kTag, kBlocked));
  }

  static bool in_range(Unsigned worst) {
    const Unsigned limit = hn::Set(UnsignedTag(), static_cast<uint32_t>(kCostLimit<Layout>));
    return hn::AllTrue(UnsignedTag(), hn::Eq(hn::Max(worst, limit), limit));
  }

  // Computes the costs, each column's least cost as its dual, and the (first) row that has it, in
  // scratch_. False when a cost is out of range.
  bool quantise_with_column_minima() {
    const FloatTag floats;
    const Floats scale = hn::Set(floats, problem_.scale);
    const Floats offset = hn::Set(floats, problem_.offset + Layout::kRounding);
    Unsigned worst = hn::Zero(UnsignedTag());
    if constexpr (Layout::kVectors > 0) {
      Ints least[Layout::kVectors];
      Ints where[Layout::kVectors];
      HWY_UNROLL(16)
      for (int k = 0; k < Layout::kVectors; ++k) {
        least[k] = hn::Set(kTag, kNothing);
        where[k] = hn::Zero(kTag);
      }
      for (int i = 0; i < rows_; ++i) {
        const float* values = problem_.values + static_cast<int64_t>(i) * columns_;
        int32_t* costs = costs_ + static_cast<int64_t>(i) * stride_;
        HWY_UNROLL(16)
        for (int k = 0; k < Layout::kVectors; ++k) {
          const Ints cost = shift_costs(quantise(values, k, scale, offset, worst), k);
          hn::Store(cost, kTag, costs + k * kLanes);
          where[k] = hn::IfThenElse(hn::Lt(cost, least[k]), hn::Set(kTag, i), where[k]);
          least[k] = hn::Min(least[k], cost);
        }
      }
      HWY_UNROLL(16)
      for (int k = 0; k < Layout::kVectors; ++k) {
        hn::Store(least[k], kTag, dual_ + k * kLanes);
        hn::Store(where[k], kTag, scratch_ + k * kLanes);
      }
    } else {
      std::fill_n(dual_, stride_, kNothing);
      int i = 0;
      for (; i + 8 <= rows_; i += 8) worst = quantise_rows<8>(i, scale, offset, worst);
      for (; i < rows_; ++i) worst = quantise_rows<1>(i, scale, offset, worst);
    }
    std::fill(dual_ + columns_, dual_ + stride_, 0);
    return in_range(worst);
  }

  template <int kRows>
  HWY_INLINE Unsigned quantise_rows(int first, Floats scale, Floats offset, Unsigned worst) {
    for (int k = 0; k < vectors_; ++k) {
      Ints least = hn::Load(kTag, dual_ + k * kLanes);
      Ints where = hn::Load(kTag, scratch_ + k * kLanes);
      HWY_UNROLL(8)
      for (int r = 0; r < kRows; ++r) {
        const int64_t i = first + r;
        const Ints cost =
            shift_costs(quantise(problem_.values + i * columns_, k, scale, offset, worst), k);
        hn::Store(cost, kTag, costs_ + i * stride_ + k * kLanes);
        where = hn::IfThenElse(hn::Lt(cost, least), hn::Set(kTag, first + r), where);
        least = hn::Min(least, cost);
      }
      hn::Store(least, kTag, dual_ + k * kLanes);
      hn::Store(where, kTag, scratch_ + k * kLanes);
    }
    return worst;
  }

  // Assigns each column to the row of its least cost; rows wanted by several columns take the
  // first. scratch_ comes in holding the rows and leaves holding how many columns want each row.
  void reduce_columns() {
    for (int i = 0; i < rows_; ++i) {
      column_of_[i] = -1;
      free_rows_[i] = 0;  // wanted by so many columns
    }
    for (int j = columns_ - 1; j >= 0; --j) {
      const int i = scratch_[j];
      row_of_[j] = -1;
      if (free_rows_[i]++ == 0) {
        column_of_[i] = j;
        row_of_[j] = i;
      }
    }
    // Rows wanted once can pass on their slack; the others keep it, or are free.
    for (int i = 0; i < rows_; ++i) scratch_[i] = free_rows_[i];
    free_count_ = 0;
    for (int i = 0; i < rows_; ++i) {
      if (column_of_[i] < 0) free_rows_[free_count_++] = i;
    }
  }

  // For rows that one column alone wants: lowers that column's dual until the row's second best
  // column ties, which makes the column available to others at its true price.
  void transfer_reductions() {
    for (int i = 0; i < rows_; ++i) {
      if (scratch_[i] != 1) continue;
      // The column itself is at 0, the least. Applied below, so that all rows see the same duals.
      distance_[i] = row_minimum(row(i)).second;
    }
    for (int i = 0; i < rows_; ++i) {
      if (scratch_[i] == 1) dual_[column_of_[i]] -= distance_[i];
    }
  }

  // Least and second least of cost - dual in a row, and the first column that has the least.
  HWY_INLINE Minimum row_minimum(const int32_t* costs) const {
    Ints least = hn::Set(kTag, kNothing);
    Ints second = least;
    Ints where = hn::Zero(kTag);
    int k = 0;
    for (; k + 2 <= vectors_; k += 2) {
      const Ints x0 =
          hn::Sub(hn::Load(kTag, costs + k * kLanes), hn::Load(kTag, dual_ + k * kLanes));
      const Ints x1 = hn::Sub(hn::Load(kTag, costs + (k + 1) * kLanes),
                              hn::Load(kTag, dual_ + (k + 1) * kLanes));
      const Ints low = hn::Min(x0, x1);
      second = hn::Min(hn::Min(second, hn::Max(x0, x1)), hn::Max(least, low));
      where = hn::IfThenElse(hn::Lt(low, least), hn::Set(kTag, k), where);
      least = hn::Min(least, low);
    }
    if (k < vectors_) {
      const Ints x =
          hn::Sub(hn::Load(kTag, costs + k * kLanes), hn::Load(kTag, dual_ + k * kLanes));
      second = hn::Min(second, hn::Max(least, x));
      where = hn::IfThenElse(hn::Lt(x, least), hn::Set(kTag, k), where);
      least = hn::Min(least, x);
    }
    Minimum result;
    const Ints best = all_min(least);
    const int lane = first_lane(hn::Eq(least, best));
    const auto chosen = hn::Eq(hn::Iota(kTag, 0), hn::Set(kTag, lane));
    result.value = hn::GetLane(best);
    result.second = hn::GetLane(all_min(hn::IfThenElse(chosen, second, least)));
    alignas(64) int32_t vector[kLanes];
    hn::Store(where, kTag, vector);
    result.column = vector[lane] * kLanes + lane;
    if (costs[result.column] - dual_[result.column] != result.value) result.column += kLanes;
    return result;
  }

  // The first column other than `skip` whose cost - dual is `value`, or -1.
  int find_column(const int32_t* costs, int32_t value, int skip) const {
    for (int j = 0; j < columns_; ++j) {
      if (j != skip && costs[j] - dual_[j] == value) return j;
    }
    return -1;
  }

  template <class Mask>
  static HWY_INLINE int first_lane(Mask mask) {
    return static_cast<int>(hn::FindFirstTrue(kTag, mask));
  }

  // Warm or rectangular start: given duals (zero if none); each row takes its best column if that
  // is still free.
  bool start_from_duals() {
    for (int j = 0; j < stride_; ++j) {
      dual_[j] = 0;
      row_of_[j] = -1;
    }
    if (problem_.initial_duals != nullptr) {
      for (int j = 0; j < columns_; ++j) {
        dual_[j] = problem_.initial_duals[j] * (1 << Layout::kShift);
      }
    }
    const FloatTag floats;
    const Floats scale = hn::Set(floats, problem_.scale);
    const Floats offset = hn::Set(floats, problem_.offset + Layout::kRounding);
    Unsigned worst = hn::Zero(UnsignedTag());
    free_count_ = 0;
    for (int i = 0; i < rows_; ++i) {
      int32_t* costs = costs_ + static_cast<int64_t>(i) * stride_;
      const float* values = problem_.values + static_cast<int64_t>(i) * columns_;
      Ints least = hn::Set(kTag, kNothing);
      Ints where = hn::Zero(kTag);
      for (int k = 0; k < vectors_; ++k) {
        const Ints cost = shift_costs(quantise(values, k, scale, offset, worst), k);
        hn::Store(cost, kTag, costs + k * kLanes);
        const Ints x = hn::Sub(cost, hn::Load(kTag, dual_ + k * kLanes));
        where = hn::IfThenElse(hn::Lt(x, least), hn::Set(kTag, k), where);
        least = hn::Min(least, x);
      }
      const int lane = first_lane(hn::Eq(least, all_min(least)));
      alignas(64) int32_t vector[kLanes];
      hn::Store(where, kTag, vector);
      const int j = vector[lane] * kLanes + lane;
      if (row_of_[j] < 0) {
        row_of_[j] = i;
        column_of_[i] = j;
      } else {
        column_of_[i] = -1;
        free_rows_[free_count_++] = i;
      }
    }
    return in_range(worst);
  }

  // Augmenting row reduction: a free row takes its best column, lowering the column's dual to the
  // row's second best, and the row that had the column becomes free. At most two passes and twice
  // as many steps as there are free rows.
  void reduce_rows() {
    int budget = 2 * free_count_;
    for (int pass = 0; pass < 2 && free_count_ > 0 && budget > 0; ++pass) {
      const int count = free_count_;
      free_count_ = 0;
      int next = 0;
      while (next < count) {
        const int i = free_rows_[next++];
        const int32_t* costs = row(i);
        const Minimum minimum = row_minimum(costs);
        int j = minimum.column;
        int previous = row_of_[j];
        const bool lowered = minimum.second > minimum.value;
        if (lowered) {
          dual_[j] -= minimum.second - minimum.value;
        } else if (previous >= 0) {
          const int other = find_column(costs, minimum.second, j);
          if (other >= 0) {
            j = other;
            previous = row_of_[j];
          }
        }
        column_of_[i] = j;
        row_of_[j] = i;
        if (previous < 0) continue;
        column_of_[previous] = -1;
        // The list of the next pass never overtakes the reading position.
        if (lowered && --budget > 0) {
          free_rows_[--next] = previous;
        } else {
          free_rows_[free_count_++] = previous;
        }
      }
    }
  }

  void mark_assigned_columns() {
    for (int j = 0; j < stride_; ++j) scratch_[j] = j;
    for (int j = 0; j < stride_; ++j) {
      int32_t mark = Layout::place(j);
      if (j < columns_ && row_of_[j] >= 0) {
        row_dual_[j] = row(row_of_[j])[j] - dual_[j];
        mark += Layout::kAssigned;
      }
      dual_[j] -= mark;
    }
  }

  // Dijkstra from one free row over reduced costs; ends at the first free column. Columns at equal
  // distance are common (every search runs along pairs of reduced cost 0), so that two of them can
  // become final in one pass over the distances. Here, where a pass is short, that pays only if it
  // is the rule: a branch that goes either way costs more than it saves.
  void augment_in_registers(int free_row) {
    constexpr int kVectors = Layout::kVectors > 0 ? Layout::kVectors : 1;
    const Ints nothing = hn::Set(kTag, kNothing);
    const Ints blocked = hn::Set(kTag, -kBlocked);
    const int32_t* HWY_RESTRICT index = scratch_;
    Ints v[kVectors];
    Ints d[kVectors];
    Ints even = nothing;
    Ints odd = nothing;
    const int32_t* costs = begin_history(free_row);
    HWY_UNROLL(16)
    for (int k = 0; k < kVectors; ++k) {
      v[k] = hn::Load(kTag, dual_ + k * kLanes);
      d[k] = hn::Sub(hn::Load(kTag, costs + k * kLanes), v[k]);
      (k % 2 ? odd : even) = hn::Min(k % 2 ? odd : even, d[k]);
    }
    int count = 0;
    int tie_count = 0;
    while (true) {
      const Ints least = hn::Min(even, odd);
      const Ints best = all_min(least);
      const int lane = first_lane(hn::Eq(least, best));
      const int32_t key = hn::GetLane(best);
      const int j = (key & (Layout::kAssigned - 1)) * kLanes + lane;
      if ((key & Layout::kAssigned) == 0) {
        finish(j, key, count);
        final_total_ += count;
        tie_total_ += tie_count;
        ties_are_common_ = final_total_ > 64 && 10 * tie_total_ > 7 * final_total_;
        return;
      }
      costs = row(row_of_[j]);
      const Ints shift = hn::Set(kTag, scan(count++, j, key, dual_[j]));
      const Ints final = hn::Set(kTag, j);
      even = odd = nothing;
      const auto tied = hn::And(same_cost(least, best), is_not(lane));
      const bool has_tie = !hn::AllFalse(kTag, tied);
      tie_count += has_tie;
      if (!(ties_are_common_ && has_tie)) {
        HWY_UNROLL(16)
        for (int k = 0; k < kVectors; ++k) {
          const Ints x = hn::Sub(hn::Sub(hn::Load(kTag, costs + k * kLanes), v[k]), shift);
          const auto is_final = hn::Eq(hn::Load(kTag, index + k * kLanes), final);
          v[k] = hn::IfThenElse(is_final, blocked, v[k]);
          d[k] = hn::IfThenElse(is_final, nothing, hn::Min(d[k], x));
          (k % 2 ? odd : even) = hn::Min(k % 2 ? odd : even, d[k]);
        }
        continue;
      }
      alignas(64) int32_t keys[kLanes];
      hn::Store(least, kTag, keys);
      const int lane2 = first_lane(tied);
      const int j2 = (keys[lane2] & (Layout::kAssigned - 1)) * kLanes + lane2;
      const int32_t* costs2 = row(row_of_[j2]);
      const Ints shift2 = hn::Set(kTag, scan(count++, j2, keys[lane2], dual_[j2]));
      const Ints final2 = hn::Set(kTag, j2);
      HWY_UNROLL(16)
      for (int k = 0; k < kVectors; ++k) {
        const Ints x = hn::Min(hn::Sub(hn::Load(kTag, costs + k * kLanes), shift),
                               hn::Sub(hn::Load(kTag, costs2 + k * kLanes), shift2));
        const Ints at = hn::Load(kTag, index + k * kLanes);
        const auto is_final = hn::Or(hn::Eq(at, final), hn::Eq(at, final2));
        d[k] = hn::IfThenElse(is_final, nothing, hn::Min(d[k], hn::Sub(x, v[k])));
        v[k] = hn::IfThenElse(is_final, blocked, v[k]);
        (k % 2 ? odd : even) = hn::Min(k % 2 ? odd : even, d[k]);
      }
    }
  }

  // The lanes whose distance, without the low bits, is that of `best`.
  static HWY_INLINE auto same_cost(Ints least, Ints best) {
    return hn::Lt(least, hn::Add(hn::Or(best, hn::Set(kTag, Layout::kLowBits)), hn::Set(kTag, 1)));
  }

  static HWY_INLINE auto is_not(int lane) { return hn::Ne(hn::Iota(kTag, 0), hn::Set(kTag, lane)); }

  void augment_in_memory(int free_row) {
    const Ints nothing = hn::Set(kTag, kNothing);
    int32_t* HWY_RESTRICT dual = dual_;
    int32_t* HWY_RESTRICT distance = distance_;
    const int vectors = vectors_;
    Ints least = nothing;
    Ints where = hn::Zero(kTag);
    const int32_t* costs = begin_history(free_row);
    for (int k = 0; k < vectors; ++k) {
      const Ints x = hn::Sub(hn::Load(kTag, costs + k * kLanes), hn::Load(kTag, dual + k * kLanes));
      hn::Store(x, kTag, distance + k * kLanes);
      where = hn::IfThenElse(hn::Lt(x, least), hn::Set(kTag, k), where);
      least = hn::Min(least, x);
    }
    int count = 0;
    while (true) {
      alignas(64) int32_t vector_of[kLanes];
      hn::Store(where, kTag, vector_of);
      const Ints best = all_min(least);
      const int lane = first_lane(hn::Eq(least, best));
      const int32_t key = hn::GetLane(best);
      const int j = vector_of[lane] * kLanes + lane;
      if ((key & Layout::kAssigned) == 0) {
        for (int s = 0; s < count; ++s) dual[scanned_column_[s]] = scanned_dual_[s];
        finish(j, key, count);
        return;
      }
      costs = row(row_of_[j]);
      const Ints shift = hn::Set(kTag, scan(count++, j, key, dual[j]));
      block(j - lane, lane, dual, distance);
      const auto tied = hn::And(same_cost(least, best), is_not(lane));
      if (hn::AllFalse(kTag, tied)) {
        least = nothing;
        where = hn::Zero(kTag);
        for (int k = 0; k < vectors; ++k) {
          const Ints x = hn::Sub(
              hn::Sub(hn::Load(kTag, costs + k * kLanes), hn::Load(kTag, dual + k * kLanes)),
              shift);
          const Ints d = hn::Min(hn::Load(kTag, distance + k * kLanes), x);
          hn::Store(d, kTag, distance + k * kLanes);
          where = hn::IfThenElse(hn::Lt(d, least), hn::Set(kTag, k), where);
          least = hn::Min(least, d);
        }
        continue;
      }
      const int lane2 = first_lane(tied);
      const int j2 = vector_of[lane2] * kLanes + lane2;
      const int32_t* costs2 = row(row_of_[j2]);
      const Ints shift2 = hn::Set(kTag, scan(count++, j2, distance[j2], dual[j2]));
      block(j2 - lane2, lane2, dual, distance);
      least = nothing;
      where = hn::Zero(kTag);
      for (int k = 0; k < vectors; ++k) {
        const Ints x = hn::Min(hn::Sub(hn::Load(kTag, costs + k * kLanes), shift),
                               hn::Sub(hn::Load(kTag, costs2 + k * kLanes), shift2));
        const Ints d = hn::Min(hn::Load(kTag, distance + k * kLanes),
                               hn::Sub(x, hn::Load(kTag, dual + k * kLanes)));
        hn::Store(d, kTag, distance + k * kLanes);
        where = hn::IfThenElse(hn::Lt(d, least), hn::Set(kTag, k), where);
        least = hn::Min(least, d);
      }
    }
  }

  // Takes the column at `lane` of the vector at `first` out of the search. Whole-vector stores: the
  // next loads of these vectors can then be forwarded.
  static HWY_INLINE void block(int first, int lane, int32_t* dual, int32_t* distance) {
    const auto others = is_not(lane);
    hn::Store(hn::IfThenElse(others, hn::Load(kTag, dual + first), hn::Set(kTag, -kBlocked)), kTag,
              dual + first);
    hn::Store(hn::IfThenElse(others, hn::Load(kTag, distance + first), hn::Set(kTag, kNothing)),
              kTag, distance + first);
  }

  HWY_INLINE const int32_t* begin_history(int free_row) {
    scanned_row_[0] = free_row;
    scanned_offset_[0] = 0;
    return row(free_row);
  }

  // Records that assigned column j became final as number `at`, at distance `key`. Returns what the
  // search subtracts from the reduced row of its partner: row dual minus distance.
  HWY_INLINE int32_t scan(int at, int j, int32_t key, int32_t stored_dual) {
    const int32_t offset = row_dual_[j] - (key & ~Layout::kLowBits);
    scanned_column_[at] = j;
    scanned_key_[at] = key;
    scanned_dual_[at] = stored_dual;
    scanned_row_[at + 1] = row_of_[j];
    scanned_offset_[at + 1] = offset;
    return offset;
  }

  // Flips the path that ends at free column `last` and updates the duals. Predecessors were not
  // recorded: a column's is the first scanned row that gives its distance exactly.
  void finish(int last, int32_t key, int count) {
    int column = last;
    int32_t distance = key;
    int limit = count;
    while (true) {
      int step = 0;
      while (row(scanned_row_[step])[column] - scanned_offset_[step] - dual_[column] != distance) {
        if (++step > limit) fail(ATA_INTERNAL, "assignment: a shortest path lost its predecessor");
      }
      const int i = scanned_row_[step];
      const int next = column_of_[i];
      row_of_[column] = i;
      column_of_[i] = column;
      if (step == 0) break;
      column = next;
      distance = scanned_key_[step - 1];
      limit = step - 1;
    }
    const int32_t length = key & ~Layout::kLowBits;
    for (int s = 0; s < count; ++s) {
      dual_[scanned_column_[s]] += (scanned_key_[s] & ~Layout::kLowBits) - length;
    }
    dual_[last] -= Layout::kAssigned;
    for (int s = 0; s < count; ++s) update_row_dual(scanned_column_[s]);
    update_row_dual(last);
  }

  void update_row_dual(int j) { row_dual_[j] = row(row_of_[j])[j] - true_dual(j); }

  const FixedPointProblem& problem_;
  const int rows_;
  const int columns_;
  int vectors_ = 0;
  int stride_ = 0;
  int free_count_ = 0;
  int64_t final_total_ = 0;  // columns that became final in all searches, and passes with a tie
  int64_t tie_total_ = 0;
  bool ties_are_common_ = false;
  int32_t* HWY_RESTRICT costs_;
  int32_t* HWY_RESTRICT dual_;
  int32_t* HWY_RESTRICT distance_;
  int32_t* HWY_RESTRICT row_dual_;
  int32_t* HWY_RESTRICT row_of_;
  int32_t* HWY_RESTRICT column_of_;
  int32_t* HWY_RESTRICT free_rows_;
  int32_t* HWY_RESTRICT scratch_;
  int32_t* HWY_RESTRICT scanned_column_;
  int32_t* HWY_RESTRICT scanned_key_;
  int32_t* HWY_RESTRICT scanned_dual_;
  int32_t* HWY_RESTRICT scanned_row_;
  int32_t* HWY_RESTRICT scanned_offset_;
};

// How many vectors of distances the registers of this instruction set hold; 0: use memory.
constexpr int kRegisterVectors = HWY_MAX_BYTES >= 64 && kLanes == 16 ? 16 : 0;

bool fits_registers(int columns) {
  return columns <= kRegisterVectors * kLanes;
}

int32_t cost_limit(int columns) {
  return fits_registers(columns) ? kCostLimit<InRegisters<16>> : kCostLimit<InMemory>;
}

bool solve(const FixedPointProblem& problem, FixedPointWorkspace& workspace) {
  if constexpr (kRegisterVectors > 0) {
    const int vectors = (problem.columns + kLanes - 1) / kLanes;
    if (vectors <= 2) return Solver<InRegisters<2>>(problem, workspace).solve();
    if (vectors <= 4) return Solver<InRegisters<4>>(problem, workspace).solve();
    if (vectors <= 7) return Solver<InRegisters<7>>(problem, workspace).solve();
    if (vectors <= 10) return Solver<InRegisters<10>>(problem, workspace).solve();
    if (vectors <= 13) return Solver<InRegisters<13>>(problem, workspace).solve();
    if (vectors <= 16) return Solver<InRegisters<16>>(problem, workspace).solve();
  }
  return Solver<InMemory>(problem, workspace).solve();
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace ata
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ata {

HWY_EXPORT(solve);
HWY_EXPORT(cost_limit);

int32_t fixed_point_cost_limit(int columns) {
  return HWY_DYNAMIC_DISPATCH(cost_limit)(columns);
}

bool solve_fixed_point(const FixedPointProblem& problem, FixedPointWorkspace& workspace) {
  return HWY_DYNAMIC_DISPATCH(solve)(problem, workspace);
}

void FixedPointWorkspace::reserve(int rows, int columns, int stride) {
  const size_t column_size = static_cast<size_t>(stride);
  const size_t row_size = static_cast<size_t>(rows) + 1;
  costs.reserve(static_cast<size_t>(rows) * column_size);
  for (AlignedBuffer<int32_t>* buffer :
       {&column_dual, &distance, &row_dual, &row_of_column, &scratch}) {
    buffer->reserve(std::max(column_size, static_cast<size_t>(columns)));
  }
  for (AlignedBuffer<int32_t>* buffer : {&column_of_row, &free_rows, &scanned_column, &scanned_key,
                                         &scanned_dual, &scanned_row, &scanned_offset}) {
    buffer->reserve(row_size);
  }
}

}  // namespace ata
#endif  // HWY_ONCE
