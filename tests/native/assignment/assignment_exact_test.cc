// What the solver promises holds for all finite values, in exact arithmetic: those that span the
// whole range of float32, "not this pair" of every size, denormal ones, ties, sums that cancel.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <iomanip>
#include <limits>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "assignment/assignment.h"
#include "base/threads.h"
#include "exact_numbers.h"
#include "support/matrices.h"
#include "support/targets.h"

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace ata {
namespace {

constexpr float kGreatest = std::numeric_limits<float>::max();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

class Random {
 public:
  explicit Random(uint32_t seed) : engine_(seed) {}
  double uniform(double low, double high) {
    return std::uniform_real_distribution<double>(low, high)(engine_);
  }
  int integer(int low, int high) { return std::uniform_int_distribution<int>(low, high)(engine_); }
  bool chance(double p) { return uniform(0, 1) < p; }
  double sign() { return chance(0.5) ? 1 : -1; }

 private:
  std::mt19937 engine_;
};

float to_float(double value) {
  return static_cast<float>(std::clamp<double>(value, -kGreatest, kGreatest));
}

double sentinel(Random& random) {
  constexpr double kSizes[] = {kGreatest, 1e5, 1e9, 1e18, 1e32};
  const int which = random.integer(0, 7);
  return which < 5 ? kSizes[which] : std::pow(10.0, random.uniform(2, 38.5));
}

constexpr int kWideKinds = 7;

Matrix make_wide(int kind, int rows, int columns, Random& random) {
  Matrix matrix{rows, columns,
                std::vector<float>(static_cast<size_t>(rows) * static_cast<size_t>(columns))};
  const double reach = random.uniform(0, 38);
  const bool signs = random.chance(0.5);
  const double unit = std::pow(10.0, random.integer(-3, 3));
  const bool rounded = random.chance(0.3);
  const double share = random.uniform(0, 1);
  const double huge = sentinel(random) * (random.chance(0.2) ? -1 : 1);
  const double power = std::ldexp(1.0, random.integer(20, 100));
  const int tiny = random.integer(-140, 100);
  for (float& value : matrix.values) {
    double x = rounded ? random.integer(0, 50) / 50.0 : random.uniform(0, 1);
    switch (kind) {
      case 0:  // all sizes
        x = std::pow(10.0, random.uniform(-reach, reach)) * (signs ? random.sign() : 1);
        break;
      case 1:  // one sentinel
        x = random.chance(share) ? huge : unit * x;
        break;
      case 2:  // many
        x = random.chance(0.4) ? sentinel(random) * random.sign() : unit * x;
        break;
      case 3:  // denormal numbers, some with a sentinel
        x = random.chance(rounded ? 0.2 : 0) ? huge : std::ldexp(random.integer(-99, 99), -149);
        break;
      case 4:  // what cancels, and what remains
        x = power * random.integer(-1, 1) + (rounded ? std::ldexp(power, -24) : x) * random.sign();
        break;
      case 5:  // ties, with zeros of both signs
        x = std::ldexp(random.integer(0, 2), tiny) * random.sign();
        break;
      default:  // three sizes
        x *= std::pow(10.0, random.integer(-1, 1) * reach * 0.9);
        break;
    }
    value = to_float(x);
  }
  if (kind == 1 && random.chance(0.4)) {  // a row that has nothing else
    for (int j = 0; j < columns; ++j) matrix(0, j) = to_float(huge);
  }
  return matrix;
}

// The best total of all matchings, by dynamic programming over sets of columns.
ExactNumber best_of_all(const Matrix& given, bool maximize) {
  const Matrix matrix = given.rows <= given.columns ? given : transpose(given);
  const size_t sets = size_t{1} << matrix.columns;
  std::vector<ExactNumber> best(sets), following(sets);
  std::vector<bool> known(sets), next_known(sets);
  known[0] = true;
  for (int i = 0; i < matrix.rows; ++i) {
    next_known.assign(sets, false);
    for (size_t used = 0; used < sets; ++used) {
      if (!known[used]) continue;
      for (int j = 0; j < matrix.columns; ++j) {
        const size_t with = used | size_t{1} << j;
        if (with == used || std::isinf(matrix(i, j))) continue;
        const ExactNumber total = best[used] + ExactNumber(matrix(i, j));
        const bool better =
            !next_known[with] || (maximize ? following[with] < total : total < following[with]);
        if (better) following[with] = total;
        next_known[with] = true;
      }
    }
    best.swap(following);
    known.swap(next_known);
  }
  const ExactNumber* winner = nullptr;
  for (size_t used = 0; used < sets; ++used) {
    if (!known[used]) continue;
    if (winner == nullptr || (maximize ? *winner < best[used] : best[used] < *winner)) {
      winner = &best[used];
    }
  }
  return *winner;
}

// The sum of magnitudes below the first leap of a factor of 1000.
ExactNumber sum_below_leap(std::vector<double> magnitudes) {
  std::sort(magnitudes.begin(), magnitudes.end());
  ExactNumber sum;
  double last = magnitudes.front();
  for (const double x : magnitudes) {
    if (x > last && x >= 1000 * last) break;
    sum += ExactNumber(x);
    last = x;
  }
  return sum;
}

// Checks a solution against the best total.
void expect_as_promised(const Matrix& matrix, const AssignmentOptions& options,
                        const ExactNumber& best, const int32_t* matching, double total) {
  ExactNumber sum;
  std::vector<double> magnitudes;
  std::set<int32_t> columns;
  for (int i = 0; i < matrix.rows; ++i) {
    if (matching[i] < 0) continue;
    columns.insert(matching[i]);
    sum += ExactNumber(matrix(i, matching[i]));
    magnitudes.push_back(std::abs(matrix(i, matching[i])));
  }
  ASSERT_EQ(columns.size(), static_cast<size_t>(std::min(matrix.rows, matrix.columns)));
  ASSERT_EQ(columns.size(), magnitudes.size());
  const ExactNumber lost = options.maximize ? best - sum : sum - best;
  EXPECT_TRUE(ExactNumber() <= lost) << "better than the best";
  if (options.polish) {
    EXPECT_TRUE(sum == best) << "not optimal";
  } else {
    EXPECT_TRUE(lost * 1000000 <= sum_below_leap(magnitudes)) << "too far from the optimum";
    if (options.certify) {
      EXPECT_TRUE(lost * 1000000 <= sum.magnitude()) << "wrongly certified";
    }
  }
  const ExactNumber error = (ExactNumber(total) - sum).magnitude();
  EXPECT_TRUE(error * 1000000 * 1000000 <= sum.magnitude()) << "total " << total;
}

const std::vector<AssignmentOptions>& all_modes(bool maximize) {
  static const std::vector<AssignmentOptions> modes[2] = {
      {{false, false, false}, {false, false, true}, {false, true, false}, {false, true, true}},
      {{true, false, false}, {true, false, true}, {true, true, false}, {true, true, true}}};
  return modes[maximize ? 1 : 0];
}

std::string text_of(const Matrix& matrix) {
  std::ostringstream text;
  text << std::setprecision(9);
  for (int i = 0; i < matrix.rows; ++i) {
    for (int j = 0; j < matrix.columns; ++j) text << matrix(i, j) << ", ";
    text << '\n';
  }
  return text.str();
}

class ExactTargets : public EveryTarget {};
INSTANTIATE_TEST_SUITE_P(, ExactTargets, ::testing::ValuesIn(machine_targets()), target_name);

TEST_P(ExactTargets, EveryFiniteProblemIsSolvedAsPromised) {
  Random random(1);
  AssignmentWorkspace workspace;
  for (int k = 0; k < 1500 && !HasFailure(); ++k) {
    const int rows = random.integer(1, 6);
    const int columns = random.chance(0.5) ? rows : random.integer(1, 6);
    Matrix matrix = make_wide(k % kWideKinds, rows, columns, random);
    const bool maximize = random.chance(0.5);
    if (random.chance(0.1)) {  // and forbidden pairs beside them
      for (int i = 0; i < rows; ++i) {
        for (int j = 0; j < columns; ++j) {
          if (i != j && random.chance(0.3)) matrix(i, j) = maximize ? -kInfinity : kInfinity;
        }
      }
    }
    const ExactNumber best = best_of_all(matrix, maximize);
    for (const AssignmentOptions& options : all_modes(maximize)) {
      for (const bool warm : {false, true}) {
        if (warm && rows != columns) continue;
        SCOPED_TRACE(::testing::Message() << "problem " << k << ", maximize " << maximize
                                          << ", polish " << options.polish << ", certify "
                                          << options.certify << ", duals " << warm << "\n"
                                          << text_of(matrix));
        std::vector<double> duals(static_cast<size_t>(columns));
        const double size = std::pow(10.0, random.uniform(-45, 308));
        for (double& x : duals) x = random.uniform(-1, 1) * size;
        std::vector<int32_t> matching(static_cast<size_t>(rows));
        const double total =
            solve_assignment(matrix.values.data(), rows, columns, options, workspace,
                             matching.data(), warm ? duals.data() : nullptr);
        expect_as_promised(matrix, options, best, matching.data(), total);
        for (const double x : duals) EXPECT_TRUE(std::isfinite(x));
      }
    }
  }
}

TEST_P(ExactTargets, SoAreBatches) {
  Random random(2);
  set_thread_count(2);
  for (int k = 0; k < 6 && !HasFailure(); ++k) {
    const int rows = random.integer(2, 5);
    const int columns = random.integer(2, 5);
    const bool maximize = k % 2 != 0;
    constexpr int kCount = 7;
    std::vector<Matrix> matrices;
    std::vector<float> values;
    for (int p = 0; p < kCount; ++p) {
      matrices.push_back(make_wide(p, rows, columns, random));
      values.insert(values.end(), matrices[p].values.begin(), matrices[p].values.end());
    }
    for (const AssignmentOptions& options : all_modes(maximize)) {
      std::vector<AssignmentWorkspace> workspaces;
      std::vector<int32_t> matching(static_cast<size_t>(kCount * rows));
      std::vector<double> totals(kCount);
      solve_assignments(values.data(), kCount, rows, columns, options, workspaces, matching.data(),
                        totals.data());
      for (int p = 0; p < kCount; ++p) {
        expect_as_promised(matrices[p], options, best_of_all(matrices[p], maximize),
                           &matching[static_cast<size_t>(p * rows)], totals[p]);
      }
    }
  }
  set_thread_count(0);
}

// What a tracker has: costs of moves, and one cost for "not this pair", which must be paid where
// there are more tracks than detections near them. The rest is as if that were not there.
TEST_P(ExactTargets, PairsThatMustBeMatchedInSpiteOfAHugeCostLeaveTheOthersTheirDigits) {
  std::mt19937 random(3);
  std::uniform_real_distribution<float> uniform(0, 1);
  for (const int size : {6, 60, 120}) {
    for (const float huge : {1e5F, 1e18F, 1e32F, kGreatest}) {
      // Rows from `kept` on have no pair at all.
      const int kept = size - size / 3;
      Matrix matrix{size, size, std::vector<float>(static_cast<size_t>(size * size), huge)};
      Matrix ordinary{kept, size, std::vector<float>(static_cast<size_t>(kept * size), 1e4F)};
      for (int i = 0; i < kept; ++i) {
        for (int j = 0; j < size; ++j) {
          if (j == i || uniform(random) < 0.3F) matrix(i, j) = ordinary(i, j) = uniform(random);
        }
      }
      const double best = best_total(ordinary, false);
      AssignmentWorkspace workspace;
      std::vector<int32_t> matching(static_cast<size_t>(size));
      for (const AssignmentOptions& options : all_modes(false)) {
        solve_assignment(matrix.values.data(), size, size, options, workspace, matching.data());
        double total = 0;
        for (int i = 0; i < kept; ++i) total += matrix(i, matching[static_cast<size_t>(i)]);
        EXPECT_NEAR(total, best, 1e-6 * best) << size << ", " << huge;
      }
    }
  }
}

TEST(AssignmentExact, KnownProblems) {
  const std::pair<std::vector<float>, double> problems[] = {
      {{0, 0, 0, 0, 1e20F, 1, 1, 42, 0}, 0.0},
      {{0, 0, 0, 5e-7F, 1e20F, 5e11F, 4e-3F, 42, 2e-11F}, 5e-7F + double{2e-11F}},
  };
  for (const auto& [values, best] : problems) {
    for (const AssignmentOptions& options : all_modes(false)) {
      AssignmentWorkspace workspace;
      int32_t matching[3];
      EXPECT_EQ(solve_assignment(values.data(), 3, 3, options, workspace, matching), best);
    }
  }
}

#if defined(__SSE2__)

// Denormal numbers read and computed as 0, sums rounded upward.
constexpr unsigned kOddMode = 0x8040 | 0x4000;

class FloatMode {
 public:
  explicit FloatMode(unsigned bits) : saved_(_mm_getcsr()) { _mm_setcsr(saved_ | bits); }
  ~FloatMode() { _mm_setcsr(saved_); }

 private:
  unsigned saved_;
};

// Runs `body` once on each of `count` threads that the library uses.
template <class Body>
void on_each_thread(int count, const Body& body) {
  std::atomic<int> here = 0;
  parallel_for_dynamic(count, count, [&](int64_t, int) {
    body();
    ++here;
    while (here < count) std::this_thread::yield();
  });
}

TEST(AssignmentExact, TheFloatingPointModeOfThreadsChangesNothing) {
  constexpr int kThreads = 3;
  constexpr int kCount = 40;
  constexpr int kSize = 6;
  Random random(4);
  std::vector<Matrix> matrices;
  std::vector<float> values;
  for (int k = 0; k < kCount; ++k) {
    matrices.push_back(make_wide(k % kWideKinds, kSize, kSize, random));
    values.insert(values.end(), matrices.back().values.begin(), matrices.back().values.end());
  }
  set_thread_count(kThreads);
  struct Result {
    std::vector<int32_t> matching = std::vector<int32_t>(kCount * kSize);
    std::vector<double> totals = std::vector<double>(kCount);
  };
  const auto solve = [&](const AssignmentOptions& options) {
    Result result;
    std::vector<AssignmentWorkspace> workspaces;
    solve_assignments(values.data(), kCount, kSize, kSize, options, workspaces,
                      result.matching.data(), result.totals.data());
    return result;
  };
  for (const AssignmentOptions& options : all_modes(false)) {
    const Result expected = solve(options);
    unsigned before = 0;
    unsigned after = 0;
    Result result;
    Result single;
    on_each_thread(kThreads, [] { _mm_setcsr(_mm_getcsr() | kOddMode); });
    {
      const FloatMode mode(kOddMode);
      before = _mm_getcsr();
      result = solve(options);
      for (int k = 0; k < kCount; ++k) {
        AssignmentWorkspace workspace;
        single.totals[static_cast<size_t>(k)] =
            solve_assignment(&values[static_cast<size_t>(k * kSize * kSize)], kSize, kSize, options,
                             workspace, &single.matching[static_cast<size_t>(k * kSize)]);
      }
      after = _mm_getcsr();
    }
    on_each_thread(kThreads, [] { _mm_setcsr(_mm_getcsr() & ~kOddMode); });
    EXPECT_EQ(after, before) << "the mode was not restored";
    EXPECT_EQ(result.matching, expected.matching);
    EXPECT_EQ(result.totals, expected.totals);
    EXPECT_EQ(single.matching, expected.matching);
    EXPECT_EQ(single.totals, expected.totals);
    for (int k = 0; k < kCount; ++k) {
      expect_as_promised(matrices[static_cast<size_t>(k)], options,
                         best_of_all(matrices[static_cast<size_t>(k)], false),
                         &result.matching[static_cast<size_t>(k * kSize)],
                         result.totals[static_cast<size_t>(k)]);
    }
  }
  set_thread_count(0);
}

#endif

}  // namespace
}  // namespace ata
