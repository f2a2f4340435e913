#include "assignment/assignment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>

#include "cuda_device.h"
#include "ops/assigner.h"
#include "ops/cpu_device.h"
#include "support/errors.h"
#include "support/matrices.h"

// Exact assignment on the GPU against the CPU's solver, whose own tests compare
// that with textbooks.
namespace ata {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Similarities of patches as alignment meets them, and what is hostile to
// solvers.
enum class Case {
  kUniform,
  kShifted,    // blurred features and their shift by one patch, with noise of 0.5
  kLowRank,    // features of rank 4
  kClusters,   // 8 prototypes and noise of 1e-3: near-ties
  kVit,        // a common mean, rank 32 and noise
  kIntegers,   // ties
  kConstant,   //
  kNearTies,   // differences of the last bits
  kMonge,      // long augmenting paths
  kOffset,     // around 1000
  kDenormal,   //
  kHuge,       //
  kSentinels,  // "not this pair" by a huge value
  kWideRange,  // magnitudes from 1e-20 to 1e20
  kLast = kWideRange
};

// Features of two frames: a common mean, factors of low rank of which each
// frame has its own share, and noise.
Matrix factors(int n, int rank, float mean, float own, float noise, std::mt19937& random) {
  constexpr int kChannels = 48;
  std::normal_distribution<float> normal;
  const std::vector<float> base = random_features(rank, kChannels, random);
  const std::vector<float> offset = random_features(1, kChannels, random);
  const std::vector<float> shared = random_features(n, rank, random);
  const auto features = [&](int shift) {
    std::vector<float> out(static_cast<size_t>(n) * kChannels);
    for (int i = 0; i < n; ++i) {
      float* const row = out.data() + static_cast<size_t>(i) * kChannels;
      for (int c = 0; c < kChannels; ++c) {
        row[c] = mean * offset[static_cast<size_t>(c)] + noise * normal(random);
      }
      for (int r = 0; r < rank; ++r) {
        const float weight =
            shared[static_cast<size_t>((i + shift) % n * rank + r)] + own * normal(random);
        for (int c = 0; c < kChannels; ++c) {
          row[c] += weight * base[static_cast<size_t>(r * kChannels + c)];
        }
      }
    }
    return out;
  };
  const std::vector<float> a = features(0);
  return cosines(a, features(1), kChannels);
}

// Features that are means of nine neighbours in a grid, and their shift.
Matrix blurred_shift(int n, std::mt19937& random) {
  constexpr int kChannels = 24;
  std::normal_distribution<float> normal;
  const int width = static_cast<int>(std::ceil(std::sqrt(n)));
  const std::vector<float> sharp = random_features(n, kChannels, random);
  std::vector<float> a(sharp.size()), b(sharp.size());
  for (int i = 0; i < n; ++i) {
    for (int c = 0; c < kChannels; ++c) {
      float sum = 0;
      for (const int by : {0, 1, width, width + 1, width - 1}) {
        for (const int at : {i + by, i - by}) {
          sum += sharp[static_cast<size_t>((at + 2 * n) % n * kChannels + c)];
        }
      }
      a[static_cast<size_t>(i * kChannels + c)] = sum / 9;
    }
  }
  for (size_t k = 0; k < sharp.size(); ++k) {
    b[k] = a[(k + kChannels) % sharp.size()] + 0.5F * normal(random);
  }
  return cosines(a, b, kChannels);
}

Matrix clusters(int n, std::mt19937& random) {
  constexpr int kChannels = 32;
  std::normal_distribution<float> normal;
  const std::vector<float> prototypes = random_features(8, kChannels, random);
  const auto features = [&] {
    std::vector<float> out(static_cast<size_t>(n) * kChannels);
    for (size_t k = 0; k < out.size(); ++k) {
      const size_t patch = k / kChannels;
      out[k] = prototypes[patch % 8 * kChannels + k % kChannels] + 1e-3F * normal(random);
    }
    return out;
  };
  const std::vector<float> a = features();
  return cosines(a, features(), kChannels);
}

Matrix make_case(Case which, int rows, int columns, std::mt19937& random) {
  const auto plain = [&](Kind kind) { return make_matrix(kind, rows, columns, random); };
  std::uniform_real_distribution<float> uniform(0, 1);
  const bool is_square = rows == columns;
  switch (which) {
    case Case::kUniform:
      return plain(Kind::kUniform);
    case Case::kShifted:
      return is_square ? blurred_shift(rows, random) : plain(Kind::kShifted);
    case Case::kLowRank:
      return is_square ? factors(rows, 4, 0, 1, 0.01F, random) : plain(Kind::kLowRank);
    case Case::kClusters:
      return is_square ? clusters(rows, random) : plain(Kind::kClustered);
    case Case::kVit:
      return is_square ? factors(rows, 32, 3, 0.5F, 0.5F, random) : plain(Kind::kShifted);
    case Case::kIntegers:
      return plain(Kind::kIntegers);
    case Case::kConstant:
      return plain(Kind::kConstant);
    case Case::kNearTies:
      return plain(Kind::kClustered);
    case Case::kMonge:
      return plain(Kind::kMonge);
    case Case::kOffset:
      return plain(Kind::kOffset);
    case Case::kDenormal:
      return plain(Kind::kDenormal);
    case Case::kHuge:
      return plain(Kind::kHuge);
    case Case::kSentinels: {
      Matrix matrix = plain(Kind::kUniform);
      for (float& x : matrix.values) {
        if (uniform(random) < 0.3F) x = uniform(random) < 0.5F ? -1e9F : -1e6F;
      }
      // Some rows have nothing else.
      for (int j = 0; j < columns; ++j) matrix(rows / 2, j) = -1e9F;
      return matrix;
    }
    case Case::kWideRange: {
      Matrix matrix = plain(Kind::kUniform);
      for (float& x : matrix.values) x *= std::pow(10.0F, 40 * uniform(random) - 20);
      return matrix;
    }
  }
  return {};
}

struct Batch {
  std::vector<Matrix> matrices;
  Tensor values;
};

Batch make_batch(Case which, int count, int rows, int columns, std::mt19937& random) {
  Batch batch{{}, Tensor({count, rows, columns}, DType::kF32)};
  float* to = batch.values.data<float>();
  for (int k = 0; k < count; ++k) {
    batch.matrices.push_back(make_case(which, rows, columns, random));
    to = std::copy(batch.matrices.back().values.begin(), batch.matrices.back().values.end(), to);
  }
  return batch;
}

// The sum of the absolute values matched, of those below the first leap; see
// AssignmentOptions.
double sum_below_leap(const Matrix& matrix, const int32_t* matching) {
  std::vector<double> sizes;
  for (int i = 0; i < matrix.rows; ++i) {
    if (matching[i] >= 0) sizes.push_back(std::fabs(matrix(i, matching[i])));
  }
  std::sort(sizes.begin(), sizes.end());
  double sum = 0;
  for (size_t k = 0; k < sizes.size(); ++k) {
    if (k > 0 && sizes[k] >= AssignmentOptions::kLeap * sizes[k - 1]) break;
    sum += sizes[k];
  }
  return sum;
}

// A complete matching whose pairs add up to the total.
void expect_complete(const Matrix& matrix, const int32_t* matching, double total) {
  std::vector<int> uses(static_cast<size_t>(matrix.columns));
  double sum = 0, magnitude = 0;
  int matched = 0;
  for (int i = 0; i < matrix.rows; ++i) {
    if (matching[i] < 0) continue;
    ASSERT_LT(matching[i], matrix.columns);
    EXPECT_EQ(++uses[static_cast<size_t>(matching[i])], 1);
    ++matched;
    sum += matrix(i, matching[i]);
    magnitude += std::fabs(matrix(i, matching[i]));
  }
  EXPECT_EQ(matched, std::min(matrix.rows, matrix.columns));
  EXPECT_NEAR(total, sum, 1e-12 * std::fabs(sum) + 1e-14 * magnitude);
}

// In integers: what the solver takes for the costs, and the duals in its unit.
// Whether each row's reduced cost is least where it is matched; false when the
// duals are no multiples of the unit, as where float64 had to repair the
// solution.
bool expect_integer_certificate(const Matrix& matrix, bool maximize, const int32_t* matching,
                                const double* duals) {
  const auto [low, high] = std::minmax_element(matrix.values.begin(), matrix.values.end());
  const double spread = static_cast<double>(*high) - *low;
  if (spread == 0) return false;
  const float scale = spread > 0x1p60 ? 0x1p-60F : spread < 0x1p-60 ? 0x1p60F : 1.0F;
  const float reference = (maximize ? *high : *low) * scale;
  constexpr double kLimit = (1 << 23) - 1024;
  const auto factor = static_cast<float>((maximize ? -kLimit : kLimit) / (spread * scale));
  const double unit = 1 / (std::fabs(static_cast<double>(factor)) * scale);
  std::vector<int64_t> dual(static_cast<size_t>(matrix.columns));
  for (size_t j = 0; j < dual.size(); ++j) {
    const double x = (maximize ? -1 : 1) * duals[j] / unit;
    if (std::fabs(x - std::rint(x)) > 1e-6) return false;
    dual[j] = std::llrint(x);
  }
  const auto reduced = [&](int i, int j) {
    const float x = std::fma(std::fma(matrix(i, j), scale, -reference), factor, 0x1p23F) - 0x1p23F;
    return static_cast<int64_t>(x) - dual[static_cast<size_t>(j)];
  };
  for (int i = 0; i < matrix.rows; ++i) {
    const int64_t own = reduced(i, matching[i]);
    for (int j = 0; j < matrix.columns; ++j) EXPECT_LE(own, reduced(i, j)) << i << ", " << j;
  }
  return true;
}

// In the values: each row prefers its column, at those prices, up to `slack`.
void expect_feasible(const Matrix& matrix, bool maximize, const int32_t* matching,
                     const double* duals, double slack) {
  for (int i = 0; i < matrix.rows; ++i) {
    const auto preference = [&](int j) {
      const double x = static_cast<double>(matrix(i, j)) - duals[j];
      return maximize ? x : -x;
    };
    const double own = preference(matching[i]);
    for (int j = 0; j < matrix.columns; ++j)
      ASSERT_GE(own + slack, preference(j)) << i << ", " << j;
  }
}

double best_of(const Matrix& matrix, bool maximize) {
  static AssignmentWorkspace workspace;
  std::vector<int32_t> matching(static_cast<size_t>(matrix.rows));
  return solve_assignment(matrix.values.data(), matrix.rows, matrix.columns,
                          {.maximize = maximize, .polish = true}, workspace, matching.data());
}

struct Solved {
  std::vector<int32_t> matching;
  std::vector<double> totals;
  std::vector<double> duals;
};

Solved solve(const Batch& batch, const AssignmentOptions& options, bool with_duals) {
  const auto count = static_cast<size_t>(batch.values.dim(0));
  Solved solved;
  solved.matching.resize(count * static_cast<size_t>(batch.values.dim(1)));
  solved.totals.resize(count);
  if (with_duals) solved.duals.resize(count * static_cast<size_t>(batch.values.dim(2)));
  Assigner assigner(cuda_device(), options);
  assigner.solve(batch.values, solved.matching.data(), solved.totals.data(),
                 with_duals ? solved.duals.data() : nullptr);
  return solved;
}

// Solves a batch and checks all there is to check. Returns how many had the
// integer certificate.
int check(const Batch& batch, const AssignmentOptions& options) {
  const int64_t rows = batch.values.dim(1), columns = batch.values.dim(2);
  const bool with_duals = rows == columns;
  const Solved solved = solve(batch, options, with_duals);
  int certified = 0;
  for (size_t k = 0; k < batch.matrices.size(); ++k) {
    const Matrix& matrix = batch.matrices[k];
    const int32_t* matching = solved.matching.data() + static_cast<int64_t>(k) * rows;
    const double total = solved.totals[k];
    expect_complete(matrix, matching, total);
    const double best = best_of(matrix, options.maximize);
    const double magnitude = sum_below_leap(matrix, matching);
    const double scale = options.polish    ? 1e-6 * magnitude
                         : options.certify ? std::min(magnitude, std::fabs(best))
                                           : magnitude;
    EXPECT_NEAR(total, best, 1e-6 * scale + 1e-13 * std::fabs(best)) << "problem " << k;
    if (!with_duals) continue;
    const double* duals = solved.duals.data() + static_cast<int64_t>(k) * columns;
    const auto [low, high] = std::minmax_element(matrix.values.begin(), matrix.values.end());
    const double spread = static_cast<double>(*high) - *low;
    const double greatest = std::abs(*std::max_element(
        duals, duals + columns, [](double a, double b) { return std::abs(a) < std::abs(b); }));
    expect_feasible(matrix, options.maximize, matching, duals,
                    spread * 0x1p-21 + greatest * 0x1p-50);
    const bool in_integers = expect_integer_certificate(matrix, options.maximize, matching, duals);
    certified += in_integers ? 1 : 0;
  }
  return certified;
}

// Problems of a case: all 2,000 with ATA_CUDA_PROBLEMS=2000.
int problem_count() {
  const char* text = std::getenv("ATA_CUDA_PROBLEMS");
  return text != nullptr ? std::atoi(text) : 40;
}

class CudaAssignment : public ::testing::TestWithParam<int> {
 protected:
  Case which() const { return static_cast<Case>(GetParam()); }
  std::mt19937 random_{static_cast<uint32_t>(GetParam()) + 1};
};
INSTANTIATE_TEST_SUITE_P(, CudaAssignment, ::testing::Range(0, static_cast<int>(Case::kLast) + 1));

TEST_P(CudaAssignment, IsOptimal) {
  constexpr int kTogether = 4;
  std::uniform_real_distribution<double> uniform(0, 1);
  int certified = 0, solved = 0;
  for (int done = 0; done < problem_count(); done += kTogether) {
    // 1 to 300, small ones more often than great ones; the ends of the solver's
    // shapes first.
    constexpr int kEnds[] = {1, 2, 31, 32, 33, 49, 64, 65, 196, 225};
    const double u = uniform(random_);
    if (which() == Case::kMonge && problem_count() < 2000 && done / kTogether > 7) break;
    const int n =
        done / kTogether < 10 ? kEnds[done / kTogether] : 1 + static_cast<int>(300 * u * u);
    const bool maximize = (done / kTogether) % 3 != 2 || which() == Case::kSentinels;
    SCOPED_TRACE(::testing::Message() << "size " << n << ", maximize " << maximize);
    certified += check(make_batch(which(), kTogether, n, n, random_), {.maximize = maximize});
    solved += kTogether;
  }
  RecordProperty("solved", solved);
  RecordProperty("certified_in_integers", certified);
  // Where float32's range is not wasted, integers do.
  if (which() <= Case::kVit) {
    EXPECT_GE(certified, solved / 2);
  }
}

TEST_P(CudaAssignment, OfManyPatchesIsOptimal) {
  const bool all = problem_count() >= 2000;
  if (which() == Case::kMonge && !all) GTEST_SKIP() << "slow on the emulator";
  for (const int n : {257, all ? 1024 : 300}) {
    SCOPED_TRACE(::testing::Message() << "size " << n);
    check(make_batch(which(), 1, n, n, random_), {});
  }
}

TEST_P(CudaAssignment, OfRectanglesIsOptimal) {
  for (const auto& [rows, columns] :
       std::vector<std::pair<int, int>>{{1, 7}, {7, 1}, {3, 4}, {20, 50}, {50, 20}, {70, 260}}) {
    if (columns > 50 && which() == Case::kMonge) continue;  // slow on the emulator
    for (const bool maximize : {true, false}) {
      if (!maximize && which() == Case::kSentinels) continue;
      SCOPED_TRACE(::testing::Message() << rows << " x " << columns << ", maximize " << maximize);
      check(make_batch(which(), 2, rows, columns, random_), {.maximize = maximize});
    }
  }
}

TEST_P(CudaAssignment, PolishesAndCertifies) {
  for (const int n : {5, 33, 70}) {
    for (const bool maximize : {true, false}) {
      SCOPED_TRACE(::testing::Message() << "size " << n << ", maximize " << maximize);
      const Batch batch = make_batch(which(), 3, n, n, random_);
      check(batch, {.maximize = maximize, .polish = true});
      check(batch, {.maximize = maximize, .certify = true});
    }
  }
}

TEST_P(CudaAssignment, DoesNotDependOnHowManyThereAre) {
  const Batch one = make_batch(which(), 1, 49, 49, random_);
  const Solved alone = solve(one, {}, true);
  // More than are solved in shared memory.
  Batch many = make_batch(Case::kUniform, 120, 49, 49, random_);
  std::copy_n(one.values.data<float>(), 49 * 49, many.values.data<float>() + 70 * 49 * 49);
  const Solved together = solve(many, {}, true);
  EXPECT_TRUE(std::equal(alone.matching.begin(), alone.matching.end(),
                         together.matching.begin() + 70 * 49));
  EXPECT_TRUE(std::equal(alone.duals.begin(), alone.duals.end(), together.duals.begin() + 70 * 49));
  EXPECT_EQ(alone.totals[0], together.totals[70]);
}

TEST_P(CudaAssignment, AnyDualsLeadToTheOptimum) {
  std::normal_distribution<double> normal;
  for (const int n : {5, 49, 260}) {
    if (n > 49 && which() > Case::kVit && problem_count() < 2000) continue;
    Batch batch = make_batch(which(), 1, n, n, random_);
    Solved solved = solve(batch, {}, true);
    Assigner assigner(cuda_device(), {});
    for (const double noise : {0.0, 1e-3, 1e3, 1e300}) {
      for (double& x : solved.duals) x += noise * normal(random_);
      assigner.solve(batch.values, solved.matching.data(), solved.totals.data(),
                     solved.duals.data());
      const Matrix& matrix = batch.matrices[0];
      expect_complete(matrix, solved.matching.data(), solved.totals[0]);
      const double best = best_of(matrix, true);
      EXPECT_NEAR(solved.totals[0], best,
                  1e-6 * sum_below_leap(matrix, solved.matching.data()) + 1e-13 * std::fabs(best))
          << "size " << n << ", noise " << noise;
    }
  }
}

TEST(CudaAssignmentErrors, AreThoseOfTheCpu) {
  std::mt19937 random(1);
  const auto expect_same = [](const Batch& batch, const AssignmentOptions& options,
                              std::vector<double> duals) {
    const auto message = [&](Device& device) {
      std::vector<int32_t> matching(static_cast<size_t>(batch.values.dim(0) * batch.values.dim(1)));
      std::vector<double> prices = duals;
      try {
        Assigner(device, options)
            .solve(batch.values, matching.data(), nullptr,
                   prices.empty() ? nullptr : prices.data());
      } catch (const Error& error) {
        return std::to_string(error.status()) + error.what();
      }
      return std::string();
    };
    const std::string expected = message(cpu_device());
    EXPECT_FALSE(expected.empty());
    EXPECT_EQ(message(cuda_device()), expected);
  };
  for (const auto& [rows, columns] : {std::pair{9, 9}, {40, 35}, {35, 300}}) {
    for (const float bad : {std::nanf(""), kInfinity, -kInfinity}) {
      Batch batch = make_batch(Case::kUniform, 3, rows, columns, random);
      batch.values.data<float>()[rows * columns + columns + 2] = bad;
      if (bad != -kInfinity) expect_same(batch, {.maximize = true}, {});
      if (bad != kInfinity) expect_same(batch, {.maximize = false}, {});
      // Two lines that may only have one partner.
      for (const bool maximize : {false, true}) {
        Batch few = make_batch(Case::kUniform, 3, rows, columns, random);
        for (int i = 0; i < rows; ++i) {
          for (int j = 0; j < columns; ++j) {
            const bool only = rows <= columns ? i < 2 && j > 0 : j < 2 && i > 0;
            if (only) {
              few.values.data<float>()[(2 * rows + i) * columns + j] =
                  maximize ? -kInfinity : kInfinity;
            }
          }
        }
        expect_same(few, {.maximize = maximize}, {});
      }
    }
  }
  Batch square = make_batch(Case::kUniform, 2, 6, 6, random);
  std::vector<double> duals(12);
  duals[8] = std::nan("");
  expect_same(square, {}, duals);
}

TEST(CudaAssignmentForbidden, PairsAreAvoided) {
  std::mt19937 random(5);
  std::bernoulli_distribution forbid(0.7);
  for (const auto& [rows, columns] :
       std::vector<std::pair<int, int>>{{10, 10}, {49, 49}, {60, 100}, {100, 60}, {270, 270}}) {
    const bool is_slow = rows > 100;
    for (const bool maximize : {false, true}) {
      for (const bool polish : {false, true}) {
        if (is_slow && (maximize || polish)) continue;
        Batch batch = make_batch(Case::kUniform, 2, rows, columns, random);
        float* to = batch.values.data<float>();
        for (Matrix& matrix : batch.matrices) {
          for (int i = 0; i < rows; ++i) {
            for (int j = 0; j < columns; ++j) {
              if (i != j && forbid(random)) matrix(i, j) = maximize ? -kInfinity : kInfinity;
            }
          }
          to = std::copy(matrix.values.begin(), matrix.values.end(), to);
        }
        const Solved solved = solve(batch, {.maximize = maximize, .polish = polish}, false);
        for (size_t k = 0; k < 2; ++k) {
          expect_complete(batch.matrices[k], solved.matching.data() + static_cast<int>(k) * rows,
                          solved.totals[k]);
          EXPECT_NEAR(solved.totals[k], best_of(batch.matrices[k], maximize), 1e-9);
        }
      }
    }
  }
}

}  // namespace
}  // namespace ata
