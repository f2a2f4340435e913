#include "assignment/fixed_point_solver.h"

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "base/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "assignment/fixed_point_solver.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "assignment/fixed_point_start-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ata {
namespace HWY_NAMESPACE {
namespace {

// Completes the initial matching by one search per free row.
template <class Layout>
class Solver : private InitialMatching<Layout> {
 public:
  Solver(const FixedPointProblem& problem, FixedPointWorkspace& workspace)
      : Start(problem, workspace) {
    row_dual_ = workspace.row_dual.data();
    row_begin_ = workspace.row_begin.data();
    scanned_column_ = workspace.scanned_column.data();
    scanned_key_ = workspace.scanned_key.data();
    scanned_dual_ = workspace.scanned_dual.data();
    scanned_begin_ = workspace.scanned_begin.data();
    scanned_offset_ = workspace.scanned_offset.data();
  }

  // Matches the rows that are still free.
  void search() {
    if constexpr (Layout::kVectors > 0) {
      for (Ints least = begin_search(); !is_done();) least = continue_search(least);
    } else {
      for (int k = 0; k < free_count_; ++k) augment_any_columns(free_rows_[k]);
    }
    end();
  }

  // A pass over a row waits for the one before it to say which row that is. Two problems in turns
  // fill each other's waits. Both have begun; few columns.
  HWY_NOINLINE static void search_in_turns(Solver& a, Solver& b) {
    Ints least_a = a.begin_search();
    Ints least_b = b.begin_search();
    while (!a.is_done() && !b.is_done()) {
      least_a = a.continue_search(least_a);
      least_b = b.continue_search(least_b);
    }
    while (!a.is_done()) least_a = a.continue_search(least_a);
    while (!b.is_done()) least_b = b.continue_search(least_b);
    a.end();
    b.end();
  }

  // The initial matching. False when a cost is out of range.
  bool begin() {
    if (!start()) return false;
    mark_assigned_columns();
    return true;
  }

 private:
  using Start = InitialMatching<Layout>;
  using Start::after_store;
  using Start::column_of_;
  using Start::columns_;
  using Start::costs_;
  using Start::distance_;
  using Start::dual_;
  using Start::free_count_;
  using Start::free_rows_;
  using Start::kTag;
  using Start::prefetch_next;
  using Start::reduced_costs;
  using Start::row_of_;
  using Start::start;
  using Start::stride_;
  using Start::vectors_;

  // Makes the column duals those of the costs.
  void end() {
    for (int j = 0; j < columns_; ++j) dual_[j] = true_dual(j) / (1 << Layout::kShift);
  }

  int32_t true_dual(int j) const {
    return (dual_[j] + Layout::place(j) + (row_of_[j] >= 0 ? Layout::kAssigned : 0));
  }

  void mark_assigned_columns() {
    for (int j = 0; j < columns_; ++j) {
      if (row_of_[j] < 0) continue;
      row_begin_[j] = row_of_[j] * stride_;
      row_dual_[j] = costs_[row_begin_[j] + j] - dual_[j] - Layout::place(j);
      dual_[j] -= Layout::kAssigned;
    }
  }

  // Whether every row has been matched.
  bool is_done() const { return searches_ > free_count_; }

  // Dijkstra from one free row over reduced costs; ends at the first free column. A distance is
  // kept without its column's dual, which is subtracted in each pass anyway: a dual out of reach
  // then takes a final column out of the search. (Here `distance` is cost less offset.)
  //
  // Begins the search from the next free row, if there is one. Returns each lane's least distance.
  HWY_INLINE Ints begin_search() {
    const Ints nothing = hn::Set(kTag, kNothing);
    if (++searches_ > free_count_) return nothing;
    before_ = begin_history(free_rows_[searches_ - 1]);
    scanned_count_ = 0;
    Ints even = nothing;
    Ints odd = nothing;
    HWY_UNROLL(16)
    for (int k = 0; k < Layout::kVectors; ++k) {
      const Ints key = reduced_costs(before_, dual_, k);
      (k % 2 ? odd : even) = hn::Min(k % 2 ? odd : even, key);
    }
    return hn::Min(even, odd);
  }

  // Makes the column at the least distance final; begins the next search if it is free.
  HWY_INLINE Ints continue_search(Ints least) {
    const Ints best = all_min(least);
    const int lane = first_lane(hn::Eq(least, best));
    const int32_t key = hn::GetLane(best);
    const int first = (key & (Layout::kAssigned - 1)) * kLanes;
    const int j = first + lane;
    if ((key & Layout::kAssigned) == 0) {
      finish(free_rows_[searches_ - 1], j, key, scanned_count_);
      return begin_search();
    }
    prefetch_next(8);
    const int32_t begin = row_begin_[j];
    const int32_t* HWY_RESTRICT costs = costs_ + begin;
    const Ints shift = hn::Set(kTag, scan(scanned_count_++, j, key, dual_[j]));
    block(dual_ + first, lane, -kBlocked);
    const int32_t* dual = after_store(dual_, begin);
    const int32_t* before = before_;
    Ints even = hn::Set(kTag, kNothing);
    Ints odd = even;
    HWY_UNROLL(16)
    for (int k = 0; k < Layout::kVectors; ++k) {
      const Ints d = hn::Min(hn::Load(kTag, before + k * kLanes),
                             hn::Sub(hn::Load(kTag, costs + k * kLanes), shift));
      hn::Store(d, kTag, distance_ + k * kLanes);
      const Ints next = hn::Sub(d, hn::Load(kTag, dual + k * kLanes));
      (k % 2 ? odd : even) = hn::Min(k % 2 ? odd : even, next);
    }
    before_ = distance_;
    return hn::Min(even, odd);
  }

  // The lanes whose distance, without the low bits, is that of `best`.
  static HWY_INLINE auto same_cost(Ints least, Ints best) {
    return hn::Lt(least, hn::Add(hn::Or(best, hn::Set(kTag, Layout::kLowBits)), hn::Set(kTag, 1)));
  }

  static HWY_INLINE auto is_not(int lane) { return hn::Ne(hn::Iota(kTag, 0), hn::Set(kTag, lane)); }

  void augment_any_columns(int free_row) {
    const Ints nothing = hn::Set(kTag, kNothing);
    int32_t* HWY_RESTRICT distance = distance_;
    const int vectors = vectors_;
    Ints least = nothing;
    Ints where = hn::Zero(kTag);
    const int32_t* costs = begin_history(free_row);
    for (int k = 0; k < vectors; ++k) {
      const Ints x = reduced_costs(costs, dual_, k);
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
        finish(free_row, j, key, count);
        return;
      }
      prefetch_next(8);
      const int32_t begin = row_begin_[j];
      costs = costs_ + begin;
      const Ints shift = hn::Set(kTag, scan(count++, j, key, dual_[j]));
      block(dual_ + j - lane, lane, -kBlocked);
      block(distance + j - lane, lane, kNothing);
      const int32_t* HWY_RESTRICT dual = after_store(dual_, begin);
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
      const int32_t* costs2 = costs_ + row_begin_[j2];
      const Ints shift2 = hn::Set(kTag, scan(count++, j2, distance[j2], dual_[j2]));
      block(dual_ + j2 - lane2, lane2, -kBlocked);
      block(distance + j2 - lane2, lane2, kNothing);
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

  // Sets one lane of a vector. A whole-vector store: the next load of the vector can then be
  // forwarded.
  static HWY_INLINE void block(int32_t* vector, int lane, int32_t value) {
    hn::Store(hn::IfThenElse(is_not(lane), hn::Load(kTag, vector), hn::Set(kTag, value)), kTag,
              vector);
  }

  HWY_INLINE const int32_t* begin_history(int free_row) {
    scanned_begin_[0] = free_row * stride_;
    scanned_offset_[0] = 0;
    return costs_ + scanned_begin_[0];
  }

  // Records that assigned column j became final as number `at`, at distance `key`. Returns what the
  // search subtracts from the reduced row of its partner: row dual minus distance.
  HWY_INLINE int32_t scan(int at, int j, int32_t key, int32_t stored_dual) {
    const int32_t offset = row_dual_[j] - (key & ~Layout::kLowBits);
    scanned_column_[at] = j;
    scanned_key_[at] = key;
    scanned_dual_[at] = stored_dual;
    scanned_begin_[at + 1] = row_begin_[j];
    scanned_offset_[at + 1] = offset;
    return offset;
  }

  // Flips the path that ends at free column `last` and updates the duals. Predecessors were not
  // recorded: a column's is any row, scanned before it, that gives its distance exactly.
  void finish(int free_row, int last, int32_t key, int count) {
    const int32_t length = key & ~Layout::kLowBits;
    // A column's dual falls by what its distance lacks to the path's length, its row's rises.
    for (int s = 0; s < count; ++s) {
      const int j = scanned_column_[s];
      const int32_t fall = length - (scanned_key_[s] & ~Layout::kLowBits);
      row_dual_[j] += fall;
      dual_[j] = scanned_dual_[s] - fall;
    }
    int column = last;
    int32_t cost = key + dual_[last];  // of the path's edge into the column, less the row's offset
    int limit = count + 1;
    dual_[last] -= Layout::kAssigned;
    while (true) {
      const int step = find_predecessor(column, cost, limit);
      const int next = step > 0 ? scanned_column_[step - 1] : -1;
      const int i = step > 0 ? row_of_[next] : free_row;
      row_of_[column] = i;
      column_of_[i] = column;
      row_begin_[column] = scanned_begin_[step];
      row_dual_[column] = costs_[row_begin_[column] + column] - true_dual(column);
      if (step == 0) break;
      column = next;
      limit = step;
      cost = scanned_key_[step - 1] + scanned_dual_[step - 1];
    }
  }

  // The first of the `limit` first scanned rows whose cost less offset is `cost` in a column.
  int find_predecessor(int column, int32_t cost, int limit) const {
    const Ints wanted = hn::Set(kTag, cost);
    const int32_t* base = costs_ + column;
    for (int step = 0; step < limit; step += kLanes) {
      const auto valid = hn::FirstN(kTag, static_cast<size_t>(limit - step));
      const Ints at = hn::IfThenElseZero(valid, hn::LoadU(kTag, scanned_begin_ + step));
      const Ints x =
          hn::Sub(hn::GatherIndex(kTag, base, at), hn::LoadU(kTag, scanned_offset_ + step));
      const auto found = hn::And(valid, hn::Eq(x, wanted));
      if (!hn::AllFalse(kTag, found)) return step + first_lane(found);
    }
    fail(ATA_INTERNAL, "assignment: a shortest path lost its predecessor");
  }

  int searches_ = 0;                 // begun
  const int32_t* before_ = nullptr;  // the search's distances before a pass: a row, then distance_
  int scanned_count_ = 0;
  int32_t* HWY_RESTRICT row_dual_;
  int32_t* HWY_RESTRICT row_begin_;
  int32_t* HWY_RESTRICT scanned_column_;
  int32_t* HWY_RESTRICT scanned_key_;
  int32_t* HWY_RESTRICT scanned_dual_;
  int32_t* HWY_RESTRICT scanned_begin_;
  int32_t* HWY_RESTRICT scanned_offset_;
};

// Calls `use` with the layout of that many columns.
template <class Use>
auto with_layout(int columns, const Use& use) {
  const int vectors = (columns + kLanes - 1) / kLanes;
  if constexpr (kLanes == 16) {
    if (vectors <= 2) return use(FewColumns<2, 0>());
    if (vectors <= 4) return use(FewColumns<4, 2>());
    if (vectors <= 7) return use(FewColumns<7, 4>());
    if (vectors <= 10) return use(FewColumns<10, 7>());
    if (vectors <= 13) return use(FewColumns<13, 10>());
    if (vectors <= 16) return use(FewColumns<16, 13>());
  }
  if constexpr (kLanes == 8) {
    if (vectors <= 4) return use(FewColumns<4, 0>());
    if (vectors <= 7) return use(FewColumns<7, 4>());
    if (vectors <= 13) return use(FewColumns<13, 7>());
    if (vectors <= 19) return use(FewColumns<19, 13>());
    if (vectors <= 25) return use(FewColumns<25, 19>());
    if (vectors <= 32) return use(FewColumns<32, 25>());
  }
  return use(AnyColumns());
}

int32_t cost_limit(int columns) {
  return with_layout(columns, [](auto layout) { return kCostLimit<decltype(layout)>; });
}

// Whether MulAdd() rounds once: products are exact.
#if defined(HWY_DISABLE_BMI2_FMA)
constexpr bool kFusesProducts = HWY_ARCH_ARM_A64;
#else
constexpr bool kFusesProducts = HWY_ARCH_ARM_A64 || (HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2);
#endif

double rounding(int columns, double product) {
  // To an integer, or where float32 is coarser to half the last of the 24 bits of the greatest
  // cost.
  const double sum = std::max(0.5, cost_limit(columns) * 0x1p-25);
  return kFusesProducts ? sum : sum + product * 0x1p-24;
}

bool solve(const FixedPointProblem& problem, FixedPointWorkspace& workspace) {
  return with_layout(problem.columns, [&](auto layout) {
    Solver<decltype(layout)> solver(problem, workspace);
    if (!solver.begin()) return false;
    solver.search();
    return true;
  });
}

bool gain_in_turns(int columns) {
  return with_layout(columns, [](auto layout) { return decltype(layout)::kVectors > 0; });
}

FixedPointPairResult solve_pair(const FixedPointProblem& first, FixedPointWorkspace& first_memory,
                                const FixedPointProblem& second,
                                FixedPointWorkspace& second_memory) {
  return with_layout(first.columns, [&](auto layout) {
    using LayoutSolver = Solver<decltype(layout)>;
    LayoutSolver a(first, first_memory);
    LayoutSolver b(second, second_memory);
    const FixedPointPairResult begun = {a.begin(), b.begin()};
    if constexpr (decltype(layout)::kVectors > 0) {
      if (begun.first && begun.second) {
        LayoutSolver::search_in_turns(a, b);
        return begun;
      }
    }
    if (begun.first) a.search();
    if (begun.second) b.search();
    return begun;
  });
}

int stride_of(int columns) {
  return with_layout(columns, [&](auto layout) { return stride<decltype(layout)>(columns); });
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace ata
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ata {

HWY_EXPORT(solve);
HWY_EXPORT(solve_pair);
HWY_EXPORT(gain_in_turns);
HWY_EXPORT(cost_limit);
HWY_EXPORT(rounding);
HWY_EXPORT(stride_of);

int32_t fixed_point_cost_limit(int columns) {
  return HWY_DYNAMIC_DISPATCH(cost_limit)(columns);
}

double fixed_point_rounding(int columns, double product) {
  return HWY_DYNAMIC_DISPATCH(rounding)(columns, product);
}

bool solve_fixed_point(const FixedPointProblem& problem, FixedPointWorkspace& workspace) {
  return HWY_DYNAMIC_DISPATCH(solve)(problem, workspace);
}

FixedPointPairResult solve_fixed_point_pair(const FixedPointProblem& first,
                                            FixedPointWorkspace& first_memory,
                                            const FixedPointProblem& second,
                                            FixedPointWorkspace& second_memory) {
  return HWY_DYNAMIC_DISPATCH(solve_pair)(first, first_memory, second, second_memory);
}

bool fixed_point_pairs_gain(int columns) {
  return HWY_DYNAMIC_DISPATCH(gain_in_turns)(columns);
}

void FixedPointWorkspace::reserve(int rows, int columns) {
  reserve(rows, columns, HWY_DYNAMIC_DISPATCH(stride_of)(columns));
}

void FixedPointWorkspace::reserve(int rows, int columns, int stride) {
  const size_t column_size = static_cast<size_t>(stride);
  constexpr size_t kLongestVector = 16;  // the history is read in whole vectors
  const size_t row_size = static_cast<size_t>(rows) + 1 + kLongestVector;
  costs.reserve(static_cast<size_t>(rows) * column_size);
  for (AlignedBuffer<int32_t>* buffer :
       {&column_dual, &distance, &row_dual, &row_begin, &row_of_column, &scratch}) {
    buffer->reserve(std::max(column_size, static_cast<size_t>(columns)) + 1);
  }
  for (AlignedBuffer<int32_t>* buffer : {&column_of_row, &free_rows, &scanned_column, &scanned_key,
                                         &scanned_dual, &scanned_begin, &scanned_offset}) {
    buffer->reserve(row_size);
  }
}

}  // namespace ata
#endif  // HWY_ONCE
