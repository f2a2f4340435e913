// Integer costs, and the matching and duals that the searches of the fixed-point solver start from.
// Compiled once per instruction set: fixed_point_solver.cc includes it under foreach_target.h.
//
// Words used below: a row's reduced cost in a column is cost - row dual - column dual, at least 0
// everywhere and 0 on matched pairs. The costs are shifted left so that the low bits of a distance
// are free to carry (a) whether its column is assigned, so that among equal distances a free column
// wins and ends the search, and (b) in the variant for few columns, which vector the column is in,
// so that the minimum tells its own place. Both are subtracted from the stored column duals once
// and then appear in every distance at no cost: (b) before the row reduction, (a) before the
// searches.

#if defined(ATA_ASSIGNMENT_FIXED_POINT_START_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ATA_ASSIGNMENT_FIXED_POINT_START_INL_H_
#undef ATA_ASSIGNMENT_FIXED_POINT_START_INL_H_
#else
#define ATA_ASSIGNMENT_FIXED_POINT_START_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstddef>
#include <limits>

#include "assignment/fixed_point_solver.h"

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

// Few columns: a distance's low bits have room for the place of its column. The first `kFullCount`
// vectors of a row have no lanes past its end.
template <int kVectorCount, int kFullCount>
struct FewColumns {
  static constexpr int kVectors = kVectorCount;
  static constexpr int kFullVectors = kFullCount;
  static constexpr int kPlaceBits = kVectorCount <= 16 ? 4 : 5;
  static constexpr int kShift = kPlaceBits + 1;
  static constexpr int32_t kAssigned = 1 << kPlaceBits;
  static constexpr int32_t kLowBits = 2 * kAssigned - 1;
  static int32_t place(int column) { return column / kLanes; }
  // Rounds by letting the sum fill up the mantissa, whose bits are then the integer. Values out of
  // range and NaN come out beyond the cost limit when seen as unsigned.
  static constexpr float kRounding = 0x1p+23F;
  static HWY_INLINE Ints to_integer(Floats x) {
    const IntTag tag;
    return hn::Sub(hn::BitCast(tag, x), hn::Set(tag, 0x4B000000));
  }
};

// Any number of columns.
struct AnyColumns {
  static constexpr int kVectors = 0;
  static constexpr int kFullVectors = 0;
  static constexpr int kShift = 1;
  static constexpr int32_t kAssigned = 1;
  static constexpr int32_t kLowBits = 1;
  static int32_t place(int) { return 0; }
  static constexpr float kRounding = 0;
  // What NaN is converted to depends on the machine.
  static HWY_INLINE Ints to_integer(Floats x) {
    const IntTag tag;
    return hn::IfThenElse(hn::RebindMask(tag, hn::Eq(x, x)), hn::NearestInt(x), hn::Set(tag, -1));
  }
};

template <class Layout>
constexpr int32_t kCostLimit = (1 << (kCostRangeBits - Layout::kShift)) - 1;

// Distance of two rows of costs: columns that are whole vectors.
template <class Layout>
int stride(int columns) {
  return (Layout::kVectors > 0 ? Layout::kVectors : (columns + kLanes - 1) / kLanes) * kLanes;
}

// A matrix that fills much of the second cache would drive the present one out of it.
constexpr size_t kPrefetchedBytes = 256 << 10;
constexpr int kLineBytes = 64;

// Into the second cache: the first is full of what is being read.
HWY_INLINE void prefetch_line(const char* address) {
#if HWY_COMPILER_MSVC
  hwy::Prefetch(address);
#else
  __builtin_prefetch(address, 0, 2);
#endif
}

template <class Mask>
HWY_INLINE int first_lane(Mask mask) {
  return static_cast<int>(hn::FindFirstTrue(IntTag(), mask));
}

template <class Layout>
class InitialMatching {
 public:
  InitialMatching(const FixedPointProblem& problem, FixedPointWorkspace& workspace)
      : problem_(problem), rows_(problem.rows), columns_(problem.columns) {
    stride_ = stride<Layout>(columns_);
    vectors_ = stride_ / kLanes;
    workspace.reserve(rows_, columns_, stride_);
    costs_ = workspace.costs.data();
    dual_ = workspace.column_dual.data();
    distance_ = workspace.distance.data();
    row_of_ = workspace.row_of_column.data();
    column_of_ = workspace.column_of_row.data();
    free_rows_ = workspace.free_rows.data();
    scratch_ = workspace.scratch.data();
    const size_t bytes = sizeof(float) * static_cast<size_t>(rows_) * static_cast<size_t>(columns_);
    if (problem.next_values != nullptr && bytes <= kPrefetchedBytes) {
      next_ = reinterpret_cast<const char*>(problem.next_values);
      next_end_ = next_ + bytes;
    }
  }

  // Leaves the rows that are not matched yet in free_rows_. False when a cost is out of range.
  bool start() {
    if (rows_ == columns_ && problem_.initial_duals == nullptr) {
      if (!quantise_with_column_minima()) return false;
      reduce_columns();
      transfer_reductions();
    } else {
      if (!start_from_duals()) return false;
    }
    mark_places();
    // The row reduction pays when many rows are free; bounded, because on near-ties it can crawl.
    if (free_count_ > rows_ / 5) reduce_rows();
    return true;
  }

 protected:
  // The stages are not inlined: each needs all the registers for itself.
  static constexpr IntTag kTag{};
  struct Minimum {
    int32_t value;
    int column;
    int32_t second;
    int second_column;  // -1: not known
  };

  // Fetches some more of the next problem into the cache, to be called once for each row that is
  // read: solving takes long enough to hide that its values come from far away.
  HWY_INLINE void prefetch_next(int lines) {
    if (next_ >= next_end_) return;
    HWY_UNROLL(8)
    for (int k = 0; k < lines; ++k) prefetch_line(next_ + k * kLineBytes);
    next_ += lines * kLineBytes;
  }

  const int32_t* row(int i) const { return costs_ + static_cast<int64_t>(i) * stride_; }
  // One vector of values, of which `left` remain in the row; 0 past its end.
  static HWY_INLINE Floats load_values(const float* values, int left) {
    const FloatTag floats;
    if (HWY_LIKELY(left >= kLanes)) return hn::LoadU(floats, values);
    const auto count = static_cast<size_t>(std::max(left, 0));
    if constexpr (kLanes >= 8) {
      return hn::MaskedLoad(hn::FirstN(floats, count), floats, values);
    } else {
      // Shorter vectors' masked loads may touch memory past the end. Slow: the load waits for the
      // copy to leave the processor's store queue.
      alignas(64) float tail[kLanes] = {};
      std::copy_n(values, count, tail);
      return hn::Load(floats, tail);
    }
  }

  // Integer costs of one vector of values, not yet shifted, of which `left` remain in the row; 0
  // past its end. `worst` keeps the greatest, as unsigned.
  static HWY_INLINE Ints quantise(const float* values, int left, Floats scale, Floats offset,
                                  Unsigned& worst) {
    const Floats x = load_values(values, left);
    Ints cost = Layout::to_integer(hn::MulAdd(x, scale, offset));
    if (HWY_UNLIKELY(left < kLanes)) {
      cost = hn::IfThenElseZero(hn::FirstN(kTag, static_cast<size_t>(std::max(left, 0))), cost);
    }
    worst = hn::Max(worst, hn::BitCast(UnsignedTag(), cost));
    return cost;
  }

  // The shifted costs; lanes past the end of the row blocked.
  static HWY_INLINE Ints shift_costs(Ints cost, int left) {
    const Ints shifted = hn::ShiftLeft<Layout::kShift>(cost);
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
  HWY_NOINLINE bool quantise_with_column_minima() {
    const FloatTag floats;
    const Floats scale = hn::Set(floats, problem_.scale);
    const Floats offset = hn::Set(floats, problem_.offset + Layout::kRounding);
    Unsigned worst = hn::Zero(UnsignedTag());
    if constexpr (Layout::kVectors > 0) {
      // As many columns at a time as registers can hold the least costs of: 32 all, 16 a few.
      constexpr int kStep = kLanes == 16 ? Layout::kVectors : std::min(4, Layout::kVectors);
      int first = 0;
      for (; first + kStep <= Layout::kVectors; first += kStep) {
        worst = quantise_columns<kStep>(first, scale, offset, worst);
      }
      worst = quantise_columns<Layout::kVectors % kStep>(first, scale, offset, worst);
    } else {
      std::fill_n(dual_, stride_, kNothing);
      int i = 0;
      for (; i + 8 <= rows_; i += 8) worst = quantise_rows<8>(i, scale, offset, worst);
      for (; i < rows_; ++i) worst = quantise_rows<1>(i, scale, offset, worst);
    }
    std::fill(dual_ + columns_, dual_ + stride_, 0);
    return in_range(worst);
  }

  // Of `kCount` vectors of columns from vector `first`: costs, least costs and where they are.
  template <int kCount>
  HWY_INLINE Unsigned quantise_columns(int first, Floats scale, Floats offset, Unsigned worst) {
    if constexpr (kCount > 0) {
      Ints least[kCount];
      Ints where[kCount];
      HWY_UNROLL(16)
      for (int k = 0; k < kCount; ++k) {
        least[k] = hn::Set(kTag, kNothing);
        where[k] = hn::Zero(kTag);
      }
      const int begin = first * kLanes;
      const int columns = columns_;
      for (int i = 0; i < rows_; ++i) {
        const float* values = problem_.values + static_cast<int64_t>(i) * columns + begin;
        int32_t* costs = costs_ + static_cast<int64_t>(i) * stride_ + begin;
        HWY_UNROLL(16)
        for (int k = 0; k < kCount; ++k) {
          const int left = first + k < Layout::kFullVectors ? kLanes : columns - begin - k * kLanes;
          const Ints cost =
              shift_costs(quantise(values + k * kLanes, left, scale, offset, worst), left);
          hn::Store(cost, kTag, costs + k * kLanes);
          where[k] = hn::IfThenElse(hn::Lt(cost, least[k]), hn::Set(kTag, i), where[k]);
          least[k] = hn::Min(least[k], cost);
        }
      }
      HWY_UNROLL(16)
      for (int k = 0; k < kCount; ++k) {
        hn::Store(least[k], kTag, dual_ + begin + k * kLanes);
        hn::Store(where[k], kTag, scratch_ + begin + k * kLanes);
      }
    }
    return worst;
  }

  template <int kRows>
  HWY_INLINE Unsigned quantise_rows(int first, Floats scale, Floats offset, Unsigned worst) {
    for (int k = 0; k < vectors_; ++k) {
      Ints least = hn::Load(kTag, dual_ + k * kLanes);
      Ints where = hn::Load(kTag, scratch_ + k * kLanes);
      HWY_UNROLL(8)
      for (int r = 0; r < kRows; ++r) {
        const int64_t i = first + r;
        const int left = columns_ - k * kLanes;
        const Ints cost = shift_costs(
            quantise(problem_.values + i * columns_ + k * kLanes, left, scale, offset, worst),
            left);
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
    // Without branches: they would go either way.
    std::fill_n(free_rows_, rows_, 0);  // wanted by so many columns
    for (int j = columns_ - 1; j >= 0; --j) {
      const int i = scratch_[j];
      row_of_[j] = -1;
      ++free_rows_[i];
      column_of_[i] = j;
    }
    // Rows wanted once can pass on their slack; the others keep it, or are free.
    free_count_ = 0;
    for (int i = 0; i < rows_; ++i) {
      const int wanted = free_rows_[i];
      scratch_[i] = wanted;
      const int j = wanted > 0 ? column_of_[i] : columns_;  // one element more than columns
      column_of_[i] = wanted > 0 ? j : -1;
      row_of_[j] = i;
      free_rows_[free_count_] = i;
      free_count_ += wanted == 0;
    }
  }

  // For rows that one column alone wants: lowers that column's dual until the row's second best
  // column ties, which makes the column available to others at its true price.
  HWY_NOINLINE void transfer_reductions() {
    for (int i = 0; i < rows_; ++i) {
      if (scratch_[i] != 1) continue;
      prefetch_next(4);
      // Applied below, so that all rows see the same duals.
      distance_[i] = least_beside(i, column_of_[i]);
    }
    for (int i = 0; i < rows_; ++i) {
      if (scratch_[i] == 1) dual_[column_of_[i]] -= distance_[i];
    }
  }

  // Least cost - dual in a row, not counting one column, whose cost is out of reach meanwhile.
  HWY_INLINE int32_t least_beside(int i, int column) {
    const int lane = column % kLanes;
    int32_t* costs = costs_ + static_cast<int64_t>(i) * stride_;
    int32_t* vector = costs + (column - lane);
    const Ints kept = hn::Load(kTag, vector);
    const auto is_lane = hn::Eq(hn::Iota(kTag, 0), hn::Set(kTag, lane));
    hn::Store(hn::IfThenElse(is_lane, hn::Set(kTag, kBlocked), kept), kTag, vector);
    const int32_t* others = after_store(costs, column);
    const int vectors = Layout::kVectors > 0 ? Layout::kVectors : vectors_;
    Ints even = hn::Set(kTag, kNothing);
    Ints odd = even;
    HWY_UNROLL(16)
    for (int k = 0; k < vectors; ++k) {
      const Ints x = reduced_costs(others, dual_, k);
      (k % 2 ? odd : even) = hn::Min(k % 2 ? odd : even, x);
    }
    hn::Store(kept, kTag, vector);
    return hn::GetLane(all_min(hn::Min(even, odd)));
  }

  // The address of `array`, known only once row i is. A vector was just stored in the array at a
  // place that came with i. Processors run loads ahead of stores whose place they do not know yet,
  // and start over when they guessed wrong; this makes the next loads wait those few cycles.
  static HWY_INLINE const int32_t* after_store(const int32_t* array, int i) {
    return array + (i >> 31);  // i is not negative
  }

  // From here on the low bits of cost - dual tell the place of the column.
  void mark_places() {
    if constexpr (Layout::kVectors > 0) {
      for (int j = 0; j < stride_; ++j) dual_[j] -= Layout::place(j);
    }
  }

  static HWY_INLINE Ints reduced_costs(const int32_t* costs, const int32_t* dual, int k) {
    return hn::Sub(hn::Load(kTag, costs + k * kLanes), hn::Load(kTag, dual + k * kLanes));
  }

  // Least and second least of cost - dual in a row, and their columns: by their places where low
  // bits tell them, else only the first column that has the least.
  HWY_INLINE Minimum row_minimum(const int32_t* costs, const int32_t* dual) const {
    constexpr bool kHasPlaces = Layout::kVectors > 0;
    Ints least = hn::Set(kTag, kNothing);
    Ints second = least;
    Ints where = hn::Zero(kTag);
    const int vectors = kHasPlaces ? Layout::kVectors : vectors_;
    const int pairs = vectors / 2;
    HWY_UNROLL(8)
    for (int p = 0; p < pairs; ++p) {
      const int k = 2 * p;
      const Ints x0 = reduced_costs(costs, dual, k);
      const Ints x1 = reduced_costs(costs, dual, k + 1);
      const Ints low = hn::Min(x0, x1);
      second = hn::Min(hn::Min(second, hn::Max(x0, x1)), hn::Max(least, low));
      if (!kHasPlaces) where = hn::IfThenElse(hn::Lt(low, least), hn::Set(kTag, k), where);
      least = hn::Min(least, low);
    }
    if (vectors % 2 != 0) {
      const int k = vectors - 1;
      const Ints x = reduced_costs(costs, dual, k);
      second = hn::Min(second, hn::Max(least, x));
      if (!kHasPlaces) where = hn::IfThenElse(hn::Lt(x, least), hn::Set(kTag, k), where);
      least = hn::Min(least, x);
    }
    const Ints best = all_min(least);
    const int lane = first_lane(hn::Eq(least, best));
    const auto chosen = hn::Eq(hn::Iota(kTag, 0), hn::Set(kTag, lane));
    const Ints others = hn::IfThenElse(chosen, second, least);
    const Ints next = all_min(others);
    const int32_t key = hn::GetLane(best);
    const int32_t next_key = hn::GetLane(next);
    if constexpr (kHasPlaces) {
      constexpr int32_t kPlace = Layout::kLowBits;
      return {key & ~kPlace, (key & kPlace) * kLanes + lane, next_key & ~kPlace,
              (next_key & kPlace) * kLanes + first_lane(hn::Eq(others, next))};
    } else {
      alignas(64) int32_t vector[kLanes];
      hn::Store(where, kTag, vector);
      int column = vector[lane] * kLanes + lane;
      if (costs[column] - dual[column] != key) column += kLanes;
      return {key, column, next_key, -1};
    }
  }

  // A whole-vector store: the next load of the vector can then be forwarded.
  HWY_INLINE void lower_dual(int column, int32_t by) {
    const int lane = column % kLanes;
    int32_t* vector = dual_ + (column - lane);
    const auto is_lane = hn::Eq(hn::Iota(kTag, 0), hn::Set(kTag, lane));
    hn::Store(hn::Sub(hn::Load(kTag, vector), hn::IfThenElseZero(is_lane, hn::Set(kTag, by))), kTag,
              vector);
  }

  // The first column other than `skip` whose cost - dual is `value`, or -1.
  int find_column(const int32_t* costs, int32_t value, int skip) const {
    for (int j = 0; j < columns_; ++j) {
      if (j != skip && costs[j] - dual_[j] == value) return j;
    }
    return -1;
  }

  // Warm or rectangular start: given duals (zero if none); each row takes its best column if that
  // is still free.
  HWY_NOINLINE bool start_from_duals() {
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
        const int left = columns_ - k * kLanes;
        const Ints cost =
            shift_costs(quantise(values + k * kLanes, left, scale, offset, worst), left);
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
  HWY_NOINLINE void reduce_rows() {
    int budget = 2 * free_count_;
    for (int pass = 0; pass < 2 && free_count_ > 0 && budget > 0; ++pass) {
      const int count = free_count_;
      free_count_ = 0;
      int next = 0;
      while (next < count) {
        const int i = free_rows_[next++];
        const int32_t* costs = row(i);
        prefetch_next(8);
        const Minimum minimum = row_minimum(costs, after_store(dual_, i));
        int j = minimum.column;
        int previous = row_of_[j];
        const bool lowered = minimum.second > minimum.value;
        if (lowered) {
          lower_dual(j, minimum.second - minimum.value);
        } else if (previous >= 0) {
          const int other =
              Layout::kVectors > 0 ? minimum.second_column : find_column(costs, minimum.second, j);
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

  const FixedPointProblem& problem_;
  const int rows_;
  const int columns_;
  int vectors_ = 0;
  int stride_ = 0;
  int free_count_ = 0;
  int32_t* HWY_RESTRICT costs_;
  int32_t* HWY_RESTRICT dual_;
  int32_t* HWY_RESTRICT distance_;
  int32_t* HWY_RESTRICT row_of_;
  int32_t* HWY_RESTRICT column_of_;
  int32_t* HWY_RESTRICT free_rows_;
  int32_t* HWY_RESTRICT scratch_;
  const char* next_ = nullptr;  // what of the next problem is not in the cache yet
  const char* next_end_ = nullptr;
};

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace ata
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
