// What follows the integer solution, in float64 and on the values themselves: its total and whether
// that is as good as promised; where it is not, or where pairs are forbidden, shortest augmenting
// paths as in assignment/float64_solver.h.
#include <cmath>

#include "assignment/assignment.h"
#include "cuda/kernels/assignment_group.cuh"

namespace ata::cuda {
namespace {

// Sizes in powers of two; values that differ by kLeap are at least kLeapLevels apart, and 0 is that
// far from all others.
constexpr int kLeapLevels = 9;
constexpr int kLeastExponent = -149;
constexpr int kLevels = kLeapLevels + 128 - kLeastExponent;
static_assert(AssignmentOptions::kLeap >= 1 << kLeapLevels);

__device__ int level_of(float value) {
  return value == 0 ? 0 : kLeapLevels + ilogbf(value) - kLeastExponent;
}

template <int kWarps, int kColumns>
struct alignas(16) Float64Shared {
  static constexpr int kCapacity = 32 * kWarps * kColumns;
  struct Slot {
    double value;
    int column;
  };
  double row_dual[kCapacity];
  short column_of_row[kCapacity];
  short row_of_column[kCapacity];
  short predecessor[kCapacity];  // by column; the best column of a row to begin with
  Slot slots[2][kWarps];
  int levels[(kLevels + 31) / 32];
};

// The sum of two numbers, rounded, and the rounding error.
__device__ __forceinline__ void add_exactly(double& high, double& low, double x) {
  const double sum = high + x;
  const double part = sum - high;
  low += (high - (sum - part)) + (x - part);
  high = sum;
}

struct MatchedSum {
  double total;
  double magnitude;  // of the absolute values that count; see AssignmentOptions
  bool is_exact;     // to 1e-12 of the total
};

template <int kWarps, int kColumns>
class Float64Solver {
 public:
  using Shared = Float64Shared<kWarps, kColumns>;

  __device__ __forceinline__ Float64Solver(const Problems& problems, int64_t index, Shared& shared)
      : problems_(problems),
        index_(index),
        shared_(shared),
        rows_(problems.rows),
        columns_(problems.columns),
        thread_(static_cast<int>(threadIdx.x)),
        sign_(problems.maximize ? -1 : 1),
        range_(problems.ranges[index]),
        greatest_(fmaxf(fabsf(range_.low), fabsf(range_.high))),
        values_(problems.problem(index)) {
    padding_ = 0;
#pragma unroll
    for (int k = 0; k < kColumns; ++k) {
      if (column(k) >= columns_) padding_ |= 1U << k;
    }
  }

  // Returns whether the problem is solved as well as its options ask for. (Each of the parts is
  // called in one place, so that the compiler expands it once.)
  __device__ __forceinline__ bool conclude() {
    const bool is_solved = range_.forbidden == 0;  // in integers
    if (is_solved) load_solution();
    double greatest_dual = 0;
    bool keep_matching = false;
    MatchedSum sum = {};
    bool done = false;
    for (int round = is_solved ? 0 : 1; round < 2 && !done; ++round) {
      if (round == 1) {
        greatest_dual = is_solved ? prepare_repair(sum.magnitude, &keep_matching) : clear_duals();
        if (!solve_from_duals(keep_matching)) return false;
      }
      sum = sum_matched();
      const double allowed = tolerance(sum);
      bool needs_proof = false;
      if (round == 0) {
        // Of two matchings, the one found and the optimal one.
        const double error = 2 * rows_ * Quantiser(range_, problems_.maximize).unit;
        const bool is_flat = range_.low == range_.high;
        needs_proof = !is_flat && !problems_.polish && (problems_.certify || error > allowed);
        done = is_flat || (!problems_.polish && !needs_proof);
      } else {
        needs_proof = problems_.unfinished != nullptr && may_be_rounded(greatest_dual);
        done = !needs_proof;
        write();
      }
      if (needs_proof) done = gap() <= allowed;
    }
    if (problems_.totals == nullptr) return done;
    if (thread_ == 0) problems_.totals[index_] = sum.total;
    return done && sum.is_exact;
  }

 private:
  static constexpr int kThreads = 32 * kWarps;
  static constexpr double kInfinity = INFINITY;

  struct Least {
    double value;
    int column;  // -1: there is none
  };

  __device__ __forceinline__ int column(int k) const {
    return thread_ + kThreads * k;
  }
  __device__ __forceinline__ bool is_open(unsigned closed, int k) const {
    return (closed >> k & 1) == 0;
  }
  __device__ __forceinline__ double cost(int i, int j) const {
    return sign_ * static_cast<double>(values_[i * problems_.stride + j]);
  }
  __device__ __forceinline__ double reduced(int i, int k) const {
    return cost(i, column(k)) - dual_[k];
  }

  // The least of what the threads have, the first among equals of a thread's.
  __device__ __forceinline__ Least choose(double value, int j) {
    double best = j >= 0 ? value : kInfinity;
    for (int step = 16; step > 0; step /= 2) {
      best = fmin(best, __shfl_xor_sync(kAllLanes, best, step));
    }
    const unsigned holders = __ballot_sync(kAllLanes, j >= 0 && value == best);
    const int owner = holders != 0 ? __ffs(static_cast<int>(holders)) - 1 : 0;
    const int there = __shfl_sync(kAllLanes, j, owner);
    Least least = {best, holders != 0 ? there : -1};
    if constexpr (kWarps > 1) {
      auto* slots = shared_.slots[turn_];
      turn_ = 1 - turn_;
      if (thread_ % 32 == 0) slots[thread_ / 32] = {least.value, least.column};
      __syncthreads();
      least = {kInfinity, -1};
#pragma unroll
      for (int w = 0; w < kWarps; ++w) {
        if (slots[w].column >= 0 && (least.column < 0 || slots[w].value < least.value)) {
          least = {slots[w].value, slots[w].column};
        }
      }
    }
    return least;
  }

  __device__ __forceinline__ double sum_all(double value) {
    value = warp_sum(value);
    if constexpr (kWarps == 1) return value;
    auto* slots = shared_.slots[turn_];
    turn_ = 1 - turn_;
    if (thread_ % 32 == 0) slots[thread_ / 32] = {value, 0};
    __syncthreads();
    value = 0;
    for (int w = 0; w < kWarps; ++w) value += slots[w].value;
    return value;
  }

  __device__ __forceinline__ float matched(int i) const {
    return values_[i * problems_.stride + shared_.column_of_row[i]];
  }

  __device__ __forceinline__ MatchedSum sum_matched() {
    double high = 0, low = 0, magnitude = 0, least = kInfinity, greatest = 0;
    for (int i = thread_; i < rows_; i += kThreads) {
      const double value = matched(i);
      add_exactly(high, low, value);
      magnitude += fabs(value);
      least = fmin(least, fabs(value));
      greatest = fmax(greatest, fabs(value));
    }
    for (int step = 16; step > 0; step /= 2) {
      const double other = __shfl_xor_sync(kAllLanes, high, step);
      const double rest = __shfl_xor_sync(kAllLanes, low, step);
      // The same in both lanes: in the order of the lanes.
      const bool lower = (thread_ & step) == 0;
      double first = lower ? high : other;
      double error = low + rest;
      add_exactly(first, error, lower ? other : high);
      high = first;
      low = error;
    }
    if constexpr (kWarps > 1) {
      auto* slots = shared_.slots[turn_];
      turn_ = 1 - turn_;
      if (thread_ % 32 == 0) slots[thread_ / 32] = {high, 0};
      __syncthreads();
      high = 0;
      double error = 0;
      for (int w = 0; w < kWarps; ++w) add_exactly(high, error, slots[w].value);
      low = sum_all(thread_ % 32 == 0 ? low : 0) + error;
    }
    MatchedSum sum;
    sum.total = high + low;
    sum.magnitude = sum_all(magnitude);
    sum.is_exact = rows_ * sum.magnitude * 0x1p-100 <= 0x1p-42 * fabs(sum.total);
    least = choose(least, 0).value;
    greatest = -choose(-greatest, 0).value;
    if (greatest >= AssignmentOptions::kLeap * least) {
      sum.magnitude = magnitude_below_leap(sum.magnitude);
    }
    return sum;
  }

  // The sum of the absolute values matched below their first leap; `sum` where there is none.
  __device__ __forceinline__ double magnitude_below_leap(double sum) {
    constexpr int kWords = (kLevels + 31) / 32;
    sync_group<kWarps>();
    for (int w = thread_; w < kWords; w += kThreads) shared_.levels[w] = 0;
    sync_group<kWarps>();
    for (int i = thread_; i < rows_; i += kThreads) {
      const int level = level_of(matched(i));
      atomicOr(&shared_.levels[level / 32], static_cast<int>(1U << (level % 32)));
    }
    sync_group<kWarps>();
    int last = kLevels;
    for (int level = 0; level < kLevels; ++level) {
      if ((static_cast<unsigned>(shared_.levels[level / 32]) >> (level % 32) & 1) == 0) continue;
      if (level - last < kLeapLevels) {
        last = level;
        continue;
      }
      double below = 0;
      for (int i = thread_; i < rows_; i += kThreads) {
        const float value = matched(i);
        if (level_of(value) <= last) below += fabs(static_cast<double>(value));
      }
      return sum_all(below);
    }
    return sum;
  }

  // How far from the optimum the matching may be.
  __device__ __forceinline__ double tolerance(const MatchedSum& sum) const {
    if (problems_.polish) return 0;
    const double scale = problems_.certify ? fmin(fabs(sum.total), sum.magnitude) : sum.magnitude;
    return AssignmentOptions::kTolerance * scale;
  }

  __device__ __forceinline__ void load_solution() {
    const int32_t* matching = problems_.matching + index_ * rows_;
    for (int i = thread_; i < rows_; i += kThreads) {
      shared_.column_of_row[i] = static_cast<short>(matching[i]);
    }
    const double* prices = problems_.column_duals + index_ * columns_;
#pragma unroll
    for (int k = 0; k < kColumns; ++k) {
      dual_[k] = is_open(padding_, k) ? sign_ * prices[column(k)] : 0;
    }
    sync_group<kWarps>();
  }

  // The least reduced cost in a row.
  __device__ __forceinline__ Least least_of_row(int i) {
    Least least = {kInfinity, -1};
#pragma unroll
    for (int k = 0; k < kColumns; ++k) {
      if (!is_open(padding_, k)) continue;
      const double x = reduced(i, k);
      if (x < least.value) least = {x, column(k)};
    }
    return choose(least.value, least.column);
  }

  // Of the thread that owns column j, in all threads.
  __device__ __forceinline__ double dual_of(int j) {
    double mine = 0;
#pragma unroll
    for (int k = 0; k < kColumns; ++k) {
      if (column(k) == j) mine = dual_[k];
    }
    return sum_all(mine);
  }

  // As dual_gap() in assignment/float64_solver.h.
  __device__ __forceinline__ double gap() {
    double sum = 0, magnitude = 0;
    for (int i = 0; i < rows_; ++i) {
      const double least = least_of_row(i).value;
      const int j = shared_.column_of_row[i];
      const double own = cost(i, j) - dual_of(j);
      sum += own - least;
      magnitude += fabs(own) + fabs(least);
    }
    if (rows_ < columns_) {
      // Other matchings may have other columns: what they can gain on the duals of these.
      index_columns();
      double gain = 0;
#pragma unroll
      for (int k = 0; k < kColumns; ++k) {
        if (!is_open(padding_, k)) continue;
        const double dual = dual_[k];
        gain += fmax(shared_.row_of_column[column(k)] < 0 ? -dual : dual, 0.0);
      }
      sum += sum_all(gain);
    }
    constexpr double kRounding = 0x1p-52;
    return sum * (1 + kRounding * (rows_ + columns_ + 4)) + kRounding * magnitude;
  }

  // row_of_column from column_of_row.
  __device__ __forceinline__ void index_columns() {
    sync_group<kWarps>();
    for (int j = thread_; j < columns_; j += kThreads) shared_.row_of_column[j] = -1;
    sync_group<kWarps>();
    for (int i = thread_; i < rows_; i += kThreads) {
      const int j = shared_.column_of_row[i];
      if (j >= 0) shared_.row_of_column[j] = static_cast<short>(i);
    }
    sync_group<kWarps>();
  }

  // As exact_quantum() in assignment/float64_solver.h.
  __device__ __forceinline__ double quantum(double greatest_dual) const {
    const double path = range_.forbidden != 0 ? rows_ + 1 : 1;
    const double bound = 16 * (path * static_cast<double>(greatest_) + greatest_dual);
    return bound > 0 ? ldexp(1.0, ilogb(bound) + 1 - 53) : 0;
  }

  // Leaves the duals that the repair of the integer solution begins with, and whether also its
  // matching helps. Returns the greatest magnitude of these duals.
  __device__ __forceinline__ double prepare_repair(double magnitude, bool* keep_matching) {
    // Duals of costs far beyond the values matched (1e9 for "rather not") have lost the digits that
    // matter, and columns that must stay free need a dual of 0.
    const double spread = static_cast<double>(range_.high) - range_.low;
    if (rows_ != columns_ || spread * rows_ > 1e9 * magnitude) return clear_duals();
    double greatest = 0;
#pragma unroll
    for (int k = 0; k < kColumns; ++k) {
      if (is_open(padding_, k)) greatest = fmax(greatest, fabs(dual_[k]));
    }
    greatest = -choose(-greatest, 0).value;
    // A sum with this has no room for less than a quantum.
    const double anchor = 0x1.8p+52 * quantum(greatest);
#pragma unroll
    for (int k = 0; k < kColumns; ++k) dual_[k] = (dual_[k] + anchor) - anchor;
    *keep_matching = true;
    return greatest;
  }

  __device__ __forceinline__ double clear_duals() {
#pragma unroll
    for (int k = 0; k < kColumns; ++k) dual_[k] = 0;
    return 0;
  }

  // Whether float64 arithmetic may have rounded a number, from duals of up to that magnitude.
  __device__ __forceinline__ bool may_be_rounded(double greatest_dual) {
    const double anchor = 0x1.8p+52 * quantum(greatest_dual);
    int finer = -1;
    for (int i = 0; i < rows_; ++i) {
#pragma unroll
      for (int k = 0; k < kColumns; ++k) {
        if (!is_open(padding_, k)) continue;
        const double x = cost(i, column(k));
        if (fabs(x) < kInfinity && (x + anchor) - anchor != x) finer = 0;
      }
    }
    return choose(0, finer).column >= 0;
  }

  // Finds the matching of least total cost by shortest augmenting paths, from the duals and, with
  // `keep_matching`, from those matched pairs that are the best of their row. False when every
  // complete matching uses a forbidden pair.
  __device__ __forceinline__ bool solve_from_duals(bool keep_matching) {
    sync_group<kWarps>();
    for (int i = 0; i < rows_; ++i) {
      const Least least = least_of_row(i);
      if (least.column < 0) return false;
      const int j = keep_matching ? shared_.column_of_row[i] : -1;
      const bool tight = j >= 0 && cost(i, j) - dual_of(j) <= least.value;
      sync_group<kWarps>();
      if (thread_ == 0) {
        shared_.row_dual[i] = least.value;
        shared_.predecessor[i] = static_cast<short>(least.column);
        shared_.column_of_row[i] = static_cast<short>(tight ? j : -1);
      }
    }
    index_columns();
    if (thread_ == 0) {
      for (int i = 0; i < rows_; ++i) {
        const int j = shared_.predecessor[i];
        if (shared_.column_of_row[i] >= 0 || shared_.row_of_column[j] >= 0) continue;
        shared_.column_of_row[i] = static_cast<short>(j);
        shared_.row_of_column[j] = static_cast<short>(i);
      }
    }
    sync_group<kWarps>();
    for (int i = 0; i < rows_; ++i) {
      if (shared_.column_of_row[i] < 0 && !augment(i)) return false;
    }
    return true;
  }

  // Dijkstra from a free row over reduced costs to the nearest free column; false when there is
  // none.
  __device__ __forceinline__ bool augment(int free_row) {
    double distance[kColumns];
    int from[kColumns];
    unsigned closed = padding_;
#pragma unroll
    for (int k = 0; k < kColumns; ++k) {
      distance[k] = kInfinity;
      from[k] = free_row;
    }
    int i = free_row;
    double reached = 0;
    int last = -1;
    while (true) {
      const double offset = shared_.row_dual[i] - reached;
      Least least = {kInfinity, -1};
#pragma unroll
      for (int k = 0; k < kColumns; ++k) {
        if (!is_open(closed, k)) continue;
        const double x = reduced(i, k) - offset;
        if (x < distance[k]) {
          distance[k] = x;
          from[k] = i;
        }
        if (distance[k] < least.value) least = {distance[k], column(k)};
      }
      least = choose(least.value, least.column);
      if (least.column < 0) return false;
      reached = least.value;
      last = least.column;
      if (shared_.row_of_column[last] < 0) break;
      i = shared_.row_of_column[last];
#pragma unroll
      for (int k = 0; k < kColumns; ++k) {
        if (column(k) == last) closed |= 1U << k;
      }
    }
    sync_group<kWarps>();
#pragma unroll
    for (int k = 0; k < kColumns; ++k) {
      if (!is_open(padding_, k)) continue;
      if (!is_open(closed, k)) {
        const double fall = reached - distance[k];
        dual_[k] -= fall;
        shared_.row_dual[shared_.row_of_column[column(k)]] += fall;
      }
      if (!is_open(closed, k) || column(k) == last) {
        shared_.predecessor[column(k)] = static_cast<short>(from[k]);
      }
    }
    sync_group<kWarps>();
    if (thread_ == 0) {
      shared_.row_dual[free_row] += reached;
      int j = last;
      while (true) {
        const int row = shared_.predecessor[j];
        const int before = shared_.column_of_row[row];
        shared_.row_of_column[j] = static_cast<short>(row);
        shared_.column_of_row[row] = static_cast<short>(j);
        if (row == free_row) break;
        j = before;
      }
    }
    sync_group<kWarps>();
    return true;
  }

  __device__ __forceinline__ void write() const {
    int32_t* matching = problems_.matching + index_ * rows_;
    for (int i = thread_; i < rows_; i += kThreads) matching[i] = shared_.column_of_row[i];
    double* prices = problems_.column_duals + index_ * columns_;
#pragma unroll
    for (int k = 0; k < kColumns; ++k) {
      if (is_open(padding_, k)) prices[column(k)] = sign_ * dual_[k];
    }
  }

  const Problems& problems_;
  const int64_t index_;
  Shared& shared_;
  const int rows_;
  const int columns_;
  const int thread_;
  const double sign_;
  const ValueRange range_;
  const float greatest_;  // magnitude of a finite value
  const float* values_;
  unsigned padding_;  // places that lie beyond the last column
  int turn_ = 0;
  double dual_[kColumns] = {};
};

template <int kWarps, int kColumns>
__global__ void __launch_bounds__(32 * kWarps, 1) float64_kernel(Problems problems) {
  using Solver = Float64Solver<kWarps, kColumns>;
  auto& shared = shared_memory<typename Solver::Shared>();
  const int64_t index = blockIdx.x;
  bool done = false;
  if (problems.ranges[index].invalid == 0) {
    Solver solver(problems, index, shared);
    done = solver.conclude();
  }
  if (problems.unfinished != nullptr) {
    if (threadIdx.x == 0) problems.unfinished[index] = done ? 0 : 1;
  } else if (problems.ranges[index].invalid != 0) {
    // Nobody is told: at least the indices are such.
    for (int i = static_cast<int>(threadIdx.x); i < problems.rows; i += 32 * kWarps) {
      problems.matching[index * problems.rows + i] = i;
    }
  }
}

}  // namespace

void conclude_in_float64(const Stream& stream, const Problems& problems) {
  with_group_shape(problems.columns, [&](auto shape) {
    constexpr int kWarps = decltype(shape)::warps, kColumns = decltype(shape)::columns;
    ATA_LAUNCH((float64_kernel<kWarps, kColumns>), dim3(static_cast<unsigned>(problems.count)),
               dim3(32 * kWarps), sizeof(Float64Shared<kWarps, kColumns>), queue(stream), problems);
  });
}

}  // namespace ata::cuda
