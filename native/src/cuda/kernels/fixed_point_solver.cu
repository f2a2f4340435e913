// Shortest augmenting paths on integer costs, after Jonker and Volgenant, as in
// assignment/fixed_point_solver.h: column reduction, reduction transfer and, when many rows stay
// free, a bounded number of augmenting row reductions; then one Dijkstra search per free row. Costs
// are computed from the values each time they are read.
//
// Words used below: a row's reduced cost in a column is cost - row dual - column dual, at least 0
// everywhere and 0 on matched pairs. Costs are shifted left so that the low bits of a distance are
// free to carry which of its thread's columns it belongs to, so that the minimum tells its own
// place, and above these whether the column is assigned, so that among equal distances a free
// column wins and ends the search. Both are subtracted from the stored column duals once and then
// appear in every distance at no cost. (The bounds that keep sums in 32 bits are those of
// assignment/fixed_point_start-inl.h: shifted costs have 28 bits.)
#include "cuda/kernels/assignment_group.cuh"

namespace ata::cuda {
namespace {

constexpr int kNothing = 0x7fffffff;

template <int kWarps, int kColumns>
struct alignas(16) FixedPointShared {
  static constexpr int kCapacity = 32 * kWarps * kColumns;
  struct Slot {
    int key;
    int thread;
  };
  int row_dual[kCapacity];  // and scratch of the start
  short column_of_row[kCapacity];
  short row_of_column[kCapacity];
  short predecessor[kCapacity];  // by column; of the start, by row
  short free_rows[kCapacity];
  Slot slots[2][kWarps];
  int free_count;
};

template <int kWarps, int kColumns, bool kInShared>
class FixedPointSolver {
 public:
  using Shared = FixedPointShared<kWarps, kColumns>;

  __device__ __forceinline__ FixedPointSolver(const Problems& problems, int64_t index,
                                              Shared& shared, float* room)
      : problems_(problems),
        index_(index),
        shared_(shared),
        rows_(problems.rows),
        columns_(problems.columns),
        stride_(kInShared ? problems.columns : problems.stride),
        thread_(static_cast<int>(threadIdx.x)),
        quantiser_(problems.ranges[index], problems.maximize) {
    values_ = problems.problem(index);
    if (kInShared) {
      for (int i = 0; i < rows_; ++i) {
        for (int j = thread_; j < columns_; j += kThreads) {
          room[i * columns_ + j] = values_[i * problems.stride + j];
        }
      }
      values_ = room;
    }
    values_ += thread_;
    padding_ = 0;
#pragma unroll
    for (int k = 0; k < kColumns; ++k) {
      if (column(k) >= columns_) padding_ |= 1U << k;
    }
    for (int j = thread_; j < columns_; j += kThreads) {
      if (j < rows_) shared_.column_of_row[j] = -1;
      shared_.row_of_column[j] = -1;
      shared_.row_dual[j] = 0;
    }
    sync_group<kWarps>();
  }

  __device__ __forceinline__ void solve() {
    if (rows_ == columns_ && !(problems_.warm && set_initial_duals())) {
      reduce_columns();
    } else {
      if (rows_ != columns_) clear_duals();
      mark_places();
      take_best_columns();
      list_free_rows();
    }
    if (free_count_ > rows_ / 5) reduce_rows();
    find_row_duals();
    for (int f = 0; f < free_count_; ++f) augment(shared_.free_rows[f]);
    write();
  }

 private:
  static constexpr int kThreads = 32 * kWarps;
  static constexpr int kPlaceBits = kColumns <= 8 ? 3 : 4;
  static constexpr int kPlace = (1 << kPlaceBits) - 1;
  static constexpr int kAssigned = 1 << kPlaceBits;
  static constexpr int kShift = kPlaceBits + 1;
  static constexpr int kLowBits = 2 * kAssigned - 1;

  // The least key among all threads, and whose it is.
  struct Choice {
    int key;
    int thread;
    __device__ int place() const { return key & kPlace; }
    __device__ int column() const { return thread + kThreads * place(); }
    __device__ int value() const { return key & ~kLowBits; }
  };

  __device__ __forceinline__ int column(int k) const {
    return thread_ + kThreads * k;
  }
  __device__ __forceinline__ bool is_open(unsigned closed, int k) const {
    return (closed >> k & 1) == 0;
  }

  // This thread's costs in row i; those of closed columns are undefined.
  __device__ __forceinline__ void load_costs(int i, unsigned closed, int (&costs)[kColumns]) const {
    const float* row = values_ + i * stride_;
    float x[kColumns];
#pragma unroll
    for (int k = 0; k < kColumns; ++k) x[k] = is_open(closed, k) ? row[kThreads * k] : 0;
#pragma unroll
    for (int k = 0; k < kColumns; ++k) costs[k] = quantiser_.template cost<kShift>(x[k]);
  }

  __device__ __forceinline__ Choice choose(int key) {
    const int best = reduce_min(kAllLanes, key);
    const int owner = __ffs(static_cast<int>(__ballot_sync(kAllLanes, key == best))) - 1;
    if constexpr (kWarps == 1) return {best, owner};
    auto* slots = shared_.slots[turn_];
    turn_ = 1 - turn_;
    if (thread_ % 32 == 0) slots[thread_ / 32] = {best, thread_ + owner};
    __syncthreads();
    Choice choice = {slots[0].key, slots[0].thread};
#pragma unroll
    for (int w = 1; w < kWarps; ++w) {
      if (slots[w].key < choice.key) choice = {slots[w].key, slots[w].thread};
    }
    return choice;
  }

  // Each column's dual becomes its least cost and the column takes the (first) row that has it;
  // rows wanted by several take the first.
  __device__ __forceinline__ void reduce_columns() {
    int row_of[kColumns];
#pragma unroll
    for (int k = 0; k < kColumns; ++k) {
      dual_[k] = is_open(padding_, k) ? kNothing : 0;
      row_of[k] = 0;
    }
#pragma unroll 4
    for (int i = 0; i < rows_; ++i) {
      int costs[kColumns];
      load_costs(i, padding_, costs);
#pragma unroll
      for (int k = 0; k < kColumns; ++k) {
        row_of[k] = costs[k] < dual_[k] ? i : row_of[k];
        dual_[k] = costs[k] < dual_[k] ? costs[k] : dual_[k];
      }
    }
    int* wanted = shared_.row_dual;  // 0
#pragma unroll
    for (int k = 0; k < kColumns; ++k) {
      if (is_open(padding_, k)) atomicAdd(wanted + row_of[k], 1);
    }
    sync_group<kWarps>();
    unsigned once = 0;
#pragma unroll
    for (int k = 0; k < kColumns; ++k) {
      if (is_open(padding_, k) && wanted[row_of[k]] == 1) once |= 1U << k;
    }
    for (int i = thread_; i < rows_; i += kThreads) {
      shared_.predecessor[i] = wanted[i] == 1 ? 1 : 0;
    }
    sync_group<kWarps>();
#pragma unroll
    for (int k = 0; k < kColumns; ++k) {
      // Greater than any count: the first column.
      if (is_open(padding_, k)) atomicMax(wanted + row_of[k], 2 * Shared::kCapacity - column(k));
    }
    sync_group<kWarps>();
#pragma unroll
    for (int k = 0; k < kColumns; ++k) {
      if (!is_open(padding_, k) || wanted[row_of[k]] != 2 * Shared::kCapacity - column(k)) continue;
      shared_.column_of_row[row_of[k]] = static_cast<short>(column(k));
      shared_.row_of_column[column(k)] = static_cast<short>(row_of[k]);
    }
    sync_group<kWarps>();
    list_free_rows();
    if (free_count_ > 0) pass_on_slack(row_of, once);
    mark_places();
  }

  // Rows wanted by one column alone pass on their slack: the dual of that column falls until the
  // row's second best ties, which makes the column available to others at its true price.
  __device__ __forceinline__ void pass_on_slack(const int (&row_of)[kColumns], unsigned once) {
    // Applied at the end, so that all rows see the same duals.
    int* slack = shared_.row_dual;
    for (int i = 0; i < rows_; ++i) {
      if (shared_.predecessor[i] == 0) continue;
      const int own = shared_.column_of_row[i];
      int costs[kColumns];
      load_costs(i, padding_, costs);
      int least = kNothing;
#pragma unroll
      for (int k = 0; k < kColumns; ++k) {
        const int x = costs[k] - dual_[k];
        if (is_open(padding_, k) && column(k) != own && x < least) least = x;
      }
      const int key = choose(least).key;
      if (thread_ == 0) slack[i] = key;
    }
    sync_group<kWarps>();
#pragma unroll
    for (int k = 0; k < kColumns; ++k) {
      if (once >> k & 1) dual_[k] -= slack[row_of[k]];
    }
    sync_group<kWarps>();
  }

  __device__ __forceinline__ void clear_duals() {
#pragma unroll
    for (int k = 0; k < kColumns; ++k) dual_[k] = 0;
  }

  // Prices become duals; false when they are all the same, and tell nothing.
  __device__ __forceinline__ bool set_initial_duals() {
    const double* prices = problems_.column_duals + index_ * columns_;
    const double sign = problems_.maximize ? -1 : 1;
    double greatest = sign * prices[0], least = greatest;
    for (int j = thread_ % 32; j < columns_; j += 32) {
      greatest = fmax(greatest, sign * prices[j]);
      least = fmin(least, sign * prices[j]);
    }
    for (int step = 16; step > 0; step /= 2) {
      greatest = fmax(greatest, __shfl_xor_sync(kAllLanes, greatest, step));
      least = fmin(least, __shfl_xor_sync(kAllLanes, least, step));
    }
    if (least == greatest) return false;
    // Adding a constant to all duals changes nothing. (Differences may be infinite.)
    constexpr double kLeast = -Quantiser::kCostLimit / 2;
#pragma unroll
    for (int k = 0; k < kColumns; ++k) {
      dual_[k] = 0;
      if (!is_open(padding_, k)) continue;
      const double dual = (sign * prices[column(k)] - greatest) / quantiser_.unit;
      dual_[k] = static_cast<int>(rint(dual > kLeast ? dual : kLeast)) * (1 << kShift);
    }
    return true;
  }

  // From here on the low bits of cost - dual tell the place of the column.
  __device__ __forceinline__ void mark_places() {
#pragma unroll
    for (int k = 0; k < kColumns; ++k) dual_[k] -= k;
  }

  // Each row takes its best column, if no row before it does.
  __device__ __forceinline__ void take_best_columns() {
    for (int i = 0; i < rows_; ++i) {
      int costs[kColumns];
      load_costs(i, padding_, costs);
      int least = kNothing;
#pragma unroll
      for (int k = 0; k < kColumns; ++k) {
        const int x = costs[k] - dual_[k];
        if (is_open(padding_, k) && x < least) least = x;
      }
      const int best = choose(least).column();
      if (thread_ == 0) shared_.predecessor[i] = static_cast<short>(best);
    }
    sync_group<kWarps>();
    int* taken = shared_.row_dual;  // 0
    for (int i = thread_; i < rows_; i += kThreads) {
      atomicMax(taken + shared_.predecessor[i], Shared::kCapacity - i);
    }
    sync_group<kWarps>();
    for (int i = thread_; i < rows_; i += kThreads) {
      const int j = shared_.predecessor[i];
      if (taken[j] != Shared::kCapacity - i) continue;
      shared_.column_of_row[i] = static_cast<short>(j);
      shared_.row_of_column[j] = static_cast<short>(i);
    }
    sync_group<kWarps>();
  }

  __device__ __forceinline__ void list_free_rows() {
    if (thread_ < 32) {
      int count = 0;
      for (int first = 0; first < rows_; first += 32) {
        const int i = first + thread_;
        const bool free = i < rows_ && shared_.column_of_row[i] < 0;
        const unsigned found = __ballot_sync(kAllLanes, free);
        const int before = __popc(found & ((1U << thread_) - 1));
        if (free) shared_.free_rows[count + before] = static_cast<short>(i);
        count += __popc(found);
      }
      if (thread_ == 0) shared_.free_count = count;
    }
    sync_group<kWarps>();
    free_count_ = shared_.free_count;
  }

  // Augmenting row reduction: a free row takes its best column, lowering the column's dual to the
  // row's second best, and the row that had the column becomes free. At most two passes and twice
  // as many steps as there are free rows: on near-ties it can crawl.
  __device__ __forceinline__ void reduce_rows() {
    int budget = 2 * free_count_;
    for (int pass = 0; pass < 2 && free_count_ > 0 && budget > 0; ++pass) {
      const int count = free_count_;
      free_count_ = 0;
      int next = 0;
      int freed = -1;  // and to be matched at once
      while (next < count || freed >= 0) {
        const int i = freed >= 0 ? freed : shared_.free_rows[next++];
        int costs[kColumns];
        load_costs(i, padding_, costs);
        int least = kNothing, second = kNothing;
#pragma unroll
        for (int k = 0; k < kColumns; ++k) {
          const int x = is_open(padding_, k) ? costs[k] - dual_[k] : kNothing;
          const int greater = x > least ? x : least;
          second = greater < second ? greater : second;
          least = x < least ? x : least;
        }
        const Choice best = choose(least);
        const Choice other = choose(thread_ == best.thread ? second : least);
        sync_group<kWarps>();
        int j = best.column();
        int previous = shared_.row_of_column[j];
        const bool lowered = other.value() > best.value();
        if (lowered) {
          const int by = thread_ == best.thread ? other.value() - best.value() : 0;
#pragma unroll
          for (int k = 0; k < kColumns; ++k) dual_[k] -= k == best.place() ? by : 0;
        } else if (previous >= 0) {
          j = other.column();
          previous = shared_.row_of_column[j];
        }
        sync_group<kWarps>();
        freed = -1;
        const bool at_once = previous >= 0 && lowered && --budget > 0;
        if (at_once) freed = previous;
        if (thread_ == 0) {
          shared_.column_of_row[i] = static_cast<short>(j);
          shared_.row_of_column[j] = static_cast<short>(i);
          if (previous >= 0) shared_.column_of_row[previous] = -1;
          // The list of the next pass never overtakes the reading position.
          if (previous >= 0 && !at_once) {
            shared_.free_rows[free_count_] = static_cast<short>(previous);
          }
        }
        if (previous >= 0 && !at_once) ++free_count_;
      }
      sync_group<kWarps>();
    }
  }

  // Duals of the matched rows.
  __device__ __forceinline__ void find_row_duals() {
#pragma unroll
    for (int k = 0; k < kColumns; ++k) {
      const int i = is_open(padding_, k) ? shared_.row_of_column[column(k)] : -1;
      if (i < 0) continue;
      const int cost = quantiser_.template cost<kShift>(values_[i * stride_ + kThreads * k]);
      shared_.row_dual[i] = cost - dual_[k] - k;
      dual_[k] -= kAssigned;
    }
    sync_group<kWarps>();
  }

  // Dijkstra from a free row over reduced costs to the nearest free column.
  __device__ __forceinline__ void augment(int free_row) {
    int distance[kColumns];
    int from[kColumns];
    unsigned closed = padding_;
    int least = kNothing;
    {
      int costs[kColumns];
      load_costs(free_row, closed, costs);
#pragma unroll
      for (int k = 0; k < kColumns; ++k) {
        distance[k] = costs[k] - dual_[k];
        from[k] = free_row;
        if (is_open(closed, k) && distance[k] < least) least = distance[k];
      }
    }
    Choice choice = choose(least);
    while ((choice.key & kAssigned) != 0) {
      if (thread_ == choice.thread) closed |= 1U << choice.place();
      const int i = shared_.row_of_column[choice.column()];
      const int offset = shared_.row_dual[i] - choice.value();
      int costs[kColumns];
      load_costs(i, closed, costs);
      least = kNothing;
#pragma unroll
      for (int k = 0; k < kColumns; ++k) {
        if (!is_open(closed, k)) continue;
        const int x = costs[k] - dual_[k] - offset;
        from[k] = x < distance[k] ? i : from[k];
        distance[k] = x < distance[k] ? x : distance[k];
        least = distance[k] < least ? distance[k] : least;
      }
      choice = choose(least);
    }
    // A final column's dual falls by what its distance lacks to the path's length, its row's rises.
    const int length = choice.value();
    const int last = choice.column();
    sync_group<kWarps>();
#pragma unroll
    for (int k = 0; k < kColumns; ++k) {
      if (!is_open(padding_, k)) continue;
      if (!is_open(closed, k)) {
        const int fall = length - (distance[k] & ~kLowBits);
        dual_[k] -= fall;
        shared_.row_dual[shared_.row_of_column[column(k)]] += fall;
        shared_.predecessor[column(k)] = static_cast<short>(from[k]);
      } else if (column(k) == last) {
        dual_[k] -= kAssigned;
        shared_.predecessor[column(k)] = static_cast<short>(from[k]);
      }
    }
    sync_group<kWarps>();
    if (thread_ == 0) {
      shared_.row_dual[free_row] = length;
      int j = last;
      while (true) {
        const int i = shared_.predecessor[j];
        const int before = shared_.column_of_row[i];
        shared_.row_of_column[j] = static_cast<short>(i);
        shared_.column_of_row[i] = static_cast<short>(j);
        if (i == free_row) break;
        j = before;
      }
    }
    sync_group<kWarps>();
  }

  __device__ __forceinline__ void write() const {
    int32_t* matching = problems_.matching + index_ * rows_;
    for (int i = thread_; i < rows_; i += kThreads) matching[i] = shared_.column_of_row[i];
    double* prices = problems_.column_duals + index_ * columns_;
    const double unit = (problems_.maximize ? -1 : 1) * quantiser_.unit;
#pragma unroll
    for (int k = 0; k < kColumns; ++k) {
      if (!is_open(padding_, k)) continue;
      const int assigned = shared_.row_of_column[column(k)] >= 0 ? kAssigned : 0;
      prices[column(k)] = unit * ((dual_[k] + k + assigned) / (1 << kShift));
    }
  }

  const Problems& problems_;
  const int64_t index_;
  Shared& shared_;
  const int rows_;
  const int columns_;
  const int64_t stride_;
  const int thread_;
  const Quantiser quantiser_;
  const float* values_;  // from this thread's first column on
  unsigned padding_;     // places that lie beyond the last column
  int free_count_ = 0;
  int turn_ = 0;
  int dual_[kColumns];
};

template <int kWarps, int kColumns, bool kInShared>
__global__ void __launch_bounds__(32 * kWarps, 1) fixed_point_kernel(Problems problems) {
  using Solver = FixedPointSolver<kWarps, kColumns, kInShared>;
  auto& shared = shared_memory<typename Solver::Shared>();
  const int64_t index = blockIdx.x;
  const ValueRange& range = problems.ranges[index];
  if (range.forbidden != 0 || range.invalid != 0) return;
  Solver(problems, index, shared, reinterpret_cast<float*>(&shared + 1)).solve();
}

}  // namespace

void solve_in_integers(const Stream& stream, const Problems& problems) {
  with_group_shape(problems.columns, [&](auto shape) {
    constexpr int kWarps = decltype(shape)::warps, kColumns = decltype(shape)::columns;
    using Shared = FixedPointShared<kWarps, kColumns>;
    const Properties& gpu = properties(stream);
    // In shared memory a row comes sooner, but fewer problems are under way at once: it gains where
    // all are.
    const size_t matrix =
        sizeof(float) * static_cast<size_t>(problems.rows) * static_cast<size_t>(problems.columns);
    const size_t bytes = sizeof(Shared) + matrix;
    const bool in_shared =
        kWarps == 1 && bytes <= gpu.shared_bytes &&
        problems.count <= gpu.multiprocessors * static_cast<int64_t>(gpu.shared_bytes / bytes);
    const dim3 grid(static_cast<unsigned>(problems.count)), block(32 * kWarps);
    if constexpr (kWarps == 1) {
      if (in_shared) {
        ATA_LAUNCH((fixed_point_kernel<kWarps, kColumns, true>), grid, block, bytes, queue(stream),
                   problems);
        return;
      }
    }
    ATA_LAUNCH((fixed_point_kernel<kWarps, kColumns, false>), grid, block, sizeof(Shared),
               queue(stream), problems);
  });
}

}  // namespace ata::cuda
