// ata_assigner_solve(): right answers, all or nothing, warm starts, no allocations.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "allocations.h"
#include "device.h"
#include "support/matrices.h"

namespace {

using ata::Kind;
using ata::make_matrix;
using ata::Matrix;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

ata_assign_options options(bool maximize, bool polish = false, bool certify = false) {
  ata_assign_options result;
  EXPECT_EQ(ata_assign_options_init(&result, sizeof(result)), ATA_OK);
  result.maximize = maximize;
  result.polish = polish;
  result.certify = certify;
  result.device = device_name();
  return result;
}

Handle<ata_assigner> make_assigner(const ata_assign_options& options) {
  ata_assigner* assigner = nullptr;
  EXPECT_EQ(ata_assigner_create(&options, &assigner), ATA_OK) << ata_last_error();
  return Handle<ata_assigner>(assigner);
}

// Problems of equal extents, and arrays of the lengths that a call needs.
struct Batch {
  Batch(int64_t problems, int64_t height, int64_t width)
      : count(problems),
        rows(height),
        columns(width),
        values(static_cast<size_t>(count * rows * columns)),
        matching(static_cast<size_t>(count * rows), -7),
        totals(static_cast<size_t>(count), -7) {}

  explicit Batch(const std::vector<Matrix>& matrices)
      : Batch(static_cast<int64_t>(matrices.size()), matrices[0].rows, matrices[0].columns) {
    auto next = values.begin();
    for (const Matrix& matrix : matrices) {
      next = std::copy(matrix.values.begin(), matrix.values.end(), next);
    }
  }

  ata_status solve(const Handle<ata_assigner>& assigner) {
    return ata_assigner_solve(assigner.get(), values.data(), values.size(), count, rows, columns,
                              matching.data(), matching.size(), totals.data(), totals.size(),
                              duals.empty() ? nullptr : duals.data(), duals.size());
  }

  void start_from_zeros() { duals.assign(static_cast<size_t>(count * columns), 0); }

  int64_t count;
  int64_t rows;
  int64_t columns;
  std::vector<float> values;
  std::vector<int32_t> matching;
  std::vector<double> totals;
  std::vector<double> duals;
};

// The matching is complete and its pairs add up to the total, which is the best there is.
void expect_optimal(const Matrix& matrix, const int32_t* matching, double total, bool maximize) {
  std::vector<int> uses(static_cast<size_t>(matrix.columns));
  double sum = 0;
  double magnitude = 0;
  int matched = 0;
  for (int i = 0; i < matrix.rows; ++i) {
    const int32_t j = matching[i];
    ASSERT_GE(j, -1);
    ASSERT_LT(j, matrix.columns);
    if (j < 0) continue;
    ++matched;
    EXPECT_EQ(++uses[static_cast<size_t>(j)], 1) << "column " << j;
    sum += matrix(i, j);
    magnitude += std::abs(matrix(i, j));
  }
  EXPECT_EQ(matched, std::min(matrix.rows, matrix.columns));
  EXPECT_NEAR(total, sum, 1e-12 * magnitude);
  EXPECT_NEAR(total, best_total(matrix, maximize), 1e-6 * magnitude);
}

TEST(Assigner, SolvesEveryKindOfEveryShape) {
  std::mt19937 random(1);
  for (const bool maximize : {false, true}) {
    const auto assigner = make_assigner(options(maximize));
    for (const auto& [rows, columns] : std::vector<std::pair<int, int>>{
             {1, 1}, {1, 9}, {9, 1}, {2, 2}, {16, 16}, {49, 49}, {20, 50}, {50, 20}, {130, 130}}) {
      std::vector<Matrix> matrices;
      for (const Kind kind : ata::all_kinds()) {
        matrices.push_back(make_matrix(kind, rows, columns, random));
      }
      Batch batch(matrices);
      ASSERT_EQ(batch.solve(assigner), ATA_OK) << ata_last_error();
      for (size_t k = 0; k < matrices.size(); ++k) {
        SCOPED_TRACE(::testing::Message() << "kind " << k << ", " << rows << " x " << columns
                                          << ", maximize " << maximize);
        expect_optimal(matrices[k], batch.matching.data() + k * static_cast<size_t>(rows),
                       batch.totals[k], maximize);
      }
    }
  }
}

TEST(Assigner, GivesWhatAssignGives) {
  std::mt19937 random(2);
  const ata_assign_options polished = options(false, true, true);
  const auto assigner = make_assigner(polished);
  Batch batch(
      {make_matrix(Kind::kUniform, 40, 60, random), make_matrix(Kind::kClustered, 40, 60, random)});
  ASSERT_EQ(batch.solve(assigner), ATA_OK);

  ata_tensor* made = nullptr;
  const Handle<ata_tensor> values =
      wrap(batch.values.data(), batch.values.size() * sizeof(float), ATA_F32, {2, 40, 60});
  double totals[2];
  ASSERT_EQ(ata_assign(values.get(), &polished, &made, totals, 2), ATA_OK);
  const Handle<ata_tensor> matching(made);
  const ata_tensor_info info = info_of(matching.get());
  EXPECT_TRUE(std::equal(batch.matching.begin(), batch.matching.end(),
                         static_cast<const int32_t*>(info.data)));
  EXPECT_EQ(batch.totals, std::vector<double>(totals, totals + 2));
}

TEST(Assigner, ValuesOfAnotherDeviceAreRefused) {
  std::vector<float> values = {1, 2, 3, 5};
  const auto host = wrap(values.data(), 16, ATA_F32, {2, 2});
  ata_assign_options given = options(true);
  ata_tensor* made = nullptr;
  double total = 0;
  ASSERT_EQ(ata_assign(on_device(host).get(), &given, &made, &total, 1), ATA_OK)
      << ata_last_error();
  const Handle<ata_tensor> matching(made);
  EXPECT_STREQ(info_of(made).device, "cpu");
  EXPECT_EQ(total, 6);
  if (!runs_on_cpu()) {
    // Nobody said that it should be solved there.
    EXPECT_EQ(ata_assign(on_device(host).get(), nullptr, &made, &total, 1), ATA_INVALID_ARGUMENT);
    ata::expect_mentions(ata_last_error(), {"values", device_name(), "'cpu'"});
  }
  if (third_device() != nullptr) {
    const auto elsewhere = copied(host.get(), third_device());
    expect_third_device_refused(ata_assign(elsewhere.get(), &given, &made, &total, 1), "values");
  }
  for (const char* absent : {"tpu", "", "cuda:999"}) {
    given.device = absent;
    ata_assigner* assigner = nullptr;
    EXPECT_EQ(ata_assign(host.get(), &given, &made, &total, 1), ATA_DEVICE_UNAVAILABLE);
    EXPECT_EQ(ata_assigner_create(&given, &assigner), ATA_DEVICE_UNAVAILABLE);
    EXPECT_MENTIONS(ata_last_error(), "'cpu'");
    EXPECT_EQ(assigner, nullptr);
  }
  EXPECT_EQ(made, matching.get());
}

TEST(Assigner, TakesExtentsUpTo4096) {
  const auto assigner = make_assigner(options(true));
  for (const auto& [rows, columns] :
       std::vector<std::pair<int64_t, int64_t>>{{1, 4096}, {4096, 1}, {4096, 4096}}) {
    Batch batch(1, rows, columns);
    for (size_t k = 0; k < batch.values.size(); ++k) {
      batch.values[k] = static_cast<float>(k % 1021) * 1e-4F;
    }
    // One pair of each row is far better than the others, and no two want the same column.
    const auto place = [columns = columns](int64_t row) {
      return static_cast<size_t>(row * columns + (row * 1025 + 7) % columns);
    };
    const int64_t matched = std::min(rows, columns);
    for (int64_t row = 0; row < matched; ++row) batch.values[place(row)] = 2;
    ASSERT_EQ(batch.solve(assigner), ATA_OK) << ata_last_error();
    EXPECT_EQ(batch.totals[0], 2.0 * static_cast<double>(matched));
    for (int64_t row = 0; row < matched; ++row) {
      EXPECT_EQ(batch.matching[static_cast<size_t>(row)], (row * 1025 + 7) % columns);
    }
  }
  for (const auto& [rows, columns] : std::vector<std::pair<int64_t, int64_t>>{
           {1, 4097}, {4097, 1}, {0, 1}, {1, 0}, {-1, -1}, {INT64_MAX, INT64_MAX}}) {
    float value = 0;
    int32_t column = 0;
    EXPECT_EQ(ata_assigner_solve(assigner.get(), &value, 1, 1, rows, columns, &column, 1, nullptr,
                                 0, nullptr, 0),
              ATA_INVALID_ARGUMENT);
    EXPECT_MENTIONS(ata_last_error(), "1 to 4096");
  }
}

TEST(Assigner, AnEmptyBatchIsSolved) {
  const auto assigner = make_assigner(options(true));
  EXPECT_EQ(
      ata_assigner_solve(assigner.get(), nullptr, 0, 0, 5, 5, nullptr, 0, nullptr, 0, nullptr, 0),
      ATA_OK)
      << ata_last_error();
}

TEST(Assigner, ForbiddenPairsAreAvoided) {
  std::mt19937 random(3);
  std::bernoulli_distribution forbid(0.6);
  for (const bool maximize : {false, true}) {
    const auto assigner = make_assigner(options(maximize));
    for (const auto& [rows, columns] :
         std::vector<std::pair<int, int>>{{30, 30}, {20, 40}, {40, 20}}) {
      Matrix matrix = make_matrix(Kind::kUniform, rows, columns, random);
      for (int i = 0; i < rows; ++i) {
        for (int j = 0; j < columns; ++j) {
          if (i != j && forbid(random)) matrix(i, j) = maximize ? -kInfinity : kInfinity;
        }
      }
      Batch batch({matrix});
      ASSERT_EQ(batch.solve(assigner), ATA_OK) << ata_last_error();
      EXPECT_TRUE(std::isfinite(batch.totals[0]));
      expect_optimal(matrix, batch.matching.data(), batch.totals[0], maximize);
    }
  }
}

// What makes one problem of a batch fail, with the status and the words of the message.
struct Defect {
  const char* name;
  std::function<void(Batch&)> inject;
  ata_status status;
  std::vector<const char*> words;
};

TEST(Assigner, WhenOneProblemFailsNothingIsWritten) {
  constexpr int64_t kSize = 6;
  const auto at = [](int64_t problem, int64_t row, int64_t column) {
    return static_cast<size_t>((problem * kSize + row) * kSize + column);
  };
  const std::vector<Defect> defects = {
      {"NaN",
       [&](Batch& batch) { batch.values[at(7, 2, 1)] = kNaN; },
       ATA_INVALID_ARGUMENT,
       {"problem 7", "NaN in row 2, column 1"}},
      {"the opposite infinity",
       [&](Batch& batch) { batch.values[at(7, 5, 0)] = kInfinity; },
       ATA_INVALID_ARGUMENT,
       {"problem 7", "+infinity in row 5, column 0", "-infinity"}},
      {"no complete matching",
       [&](Batch& batch) {
         // Rows 1 and 3 may have column 4 alone.
         for (const int64_t row : {1, 3}) {
           for (const int64_t column : {0, 1, 2, 3, 5}) {
             batch.values[at(7, row, column)] = -kInfinity;
           }
         }
       },
       ATA_INFEASIBLE,
       {"problem 7", "forbidden"}},
      {"a dual that is not a number",
       [](Batch& batch) { batch.duals[7 * kSize + 3] = std::nan(""); },
       ATA_INVALID_ARGUMENT,
       {"problem 7", "dual of column 3", "finite"}},
      {"an infinite dual",
       [](Batch& batch) { batch.duals[7 * kSize + 3] = -HUGE_VAL; },
       ATA_INVALID_ARGUMENT,
       {"problem 7", "dual of column 3 is -inf", "finite"}},
  };
  std::mt19937 random(4);
  std::vector<Matrix> matrices;
  for (int k = 0; k < 12; ++k)
    matrices.push_back(make_matrix(Kind::kUniform, kSize, kSize, random));
  for (const int threads : {1, 3}) {
    ASSERT_EQ(ata_thread_set_count(threads), ATA_OK);
    const auto assigner = make_assigner(options(true));
    for (const Defect& defect : defects) {
      SCOPED_TRACE(::testing::Message() << defect.name << ", " << threads << " threads");
      Batch batch(matrices);
      batch.start_from_zeros();
      Batch before = batch;
      defect.inject(batch);
      const std::vector<double> duals = batch.duals;
      EXPECT_EQ(batch.solve(assigner), defect.status);
      for (const char* word : defect.words) EXPECT_MENTIONS(ata_last_error(), word);
      EXPECT_EQ(batch.matching, before.matching);
      EXPECT_EQ(batch.totals, before.totals);
      // Compared by their bytes: one may be NaN.
      EXPECT_EQ(std::memcmp(batch.duals.data(), duals.data(), duals.size() * sizeof(double)), 0);
      // The assigner is as good as new.
      EXPECT_EQ(before.solve(assigner), ATA_OK) << ata_last_error();
    }
  }
  ASSERT_EQ(ata_thread_set_count(0), ATA_OK);
}

TEST(Assigner, NamesThePlaceInATallProblemToo) {
  const auto assigner = make_assigner(options(true));
  Batch batch(1, 8, 3);
  batch.values[6 * 3 + 2] = kNaN;
  EXPECT_EQ(batch.solve(assigner), ATA_INVALID_ARGUMENT);
  EXPECT_MENTIONS(ata_last_error(), "NaN in row 6, column 2");
}

TEST(Assigner, AWarmStartChangesNoTotal) {
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  const std::vector<Kind> kinds = {Kind::kUniform,  Kind::kShifted,  Kind::kClustered,
                                   Kind::kIntegers, Kind::kConstant, Kind::kDenormal};
  for (const bool maximize : {false, true}) {
    const auto assigner = make_assigner(options(maximize, true));
    for (const int size : {1, 5, 49, 196, 300}) {
      std::vector<Matrix> matrices;
      for (const Kind kind : kinds) matrices.push_back(make_matrix(kind, size, size, random));
      Batch warm(matrices);
      warm.start_from_zeros();
      const auto expect_cold_totals = [&](const char* start) {
        SCOPED_TRACE(::testing::Message() << start << ", size " << size);
        Batch cold = warm;
        cold.duals.clear();
        ASSERT_EQ(cold.solve(assigner), ATA_OK);
        ASSERT_EQ(warm.solve(assigner), ATA_OK) << ata_last_error();
        for (size_t k = 0; k < kinds.size(); ++k) {
          EXPECT_NEAR(warm.totals[k], cold.totals[k], 1e-12 * std::abs(cold.totals[k]))
              << "kind " << static_cast<int>(kinds[k]);
        }
      };
      expect_cold_totals("zeros");
      // What came out are optimal prices: each row prefers its column.
      for (size_t k = 0; k < kinds.size(); ++k) {
        const double* duals = warm.duals.data() + k * static_cast<size_t>(size);
        const auto preference = [&](int i, int j) {
          return (maximize ? 1 : -1) * (matrices[k](i, j) - duals[j]);
        };
        const double range = kinds[k] == Kind::kDenormal ? 1e-39 : 4;
        for (int i = 0; i < size; ++i) {
          const int own = warm.matching[k * static_cast<size_t>(size) + static_cast<size_t>(i)];
          for (int j = 0; j < size; ++j) {
            ASSERT_GE(preference(i, own) + 1e-12 * range, preference(i, j))
                << "kind " << static_cast<int>(kinds[k]);
          }
        }
      }
      expect_cold_totals("the optimum");
      for (float& value : warm.values) value += 0.01F * normal(random);
      expect_cold_totals("a similar problem");
      for (double& price : warm.duals) price = normal(random) < 0 ? 1e300 : -1e300;
      expect_cold_totals("nonsense");
    }
  }
}

TEST(Assigner, RefusesDualsOfRectangularProblems) {
  const auto assigner = make_assigner(options(true));
  Batch batch(1, 3, 4);
  batch.start_from_zeros();
  EXPECT_EQ(batch.solve(assigner), ATA_INVALID_ARGUMENT);
  EXPECT_MENTIONS(ata_last_error(), "column_duals need square problems, and these are 3 x 4");
}

TEST(Assigner, NamesWhatIsMissingOrTooSmall) {
  const auto assigner = make_assigner(options(true));
  std::vector<float> values(18);
  std::vector<int32_t> matching(6, -7);
  std::vector<double> totals(2, -7);
  std::vector<double> duals(6, 0.5);
  const auto expect_refused = [&](const char* word, size_t values_length, int64_t count,
                                  size_t matching_capacity, size_t totals_capacity,
                                  size_t duals_capacity) {
    EXPECT_EQ(ata_assigner_solve(assigner.get(), values.data(), values_length, count, 3, 3,
                                 matching.data(), matching_capacity, totals.data(), totals_capacity,
                                 duals.data(), duals_capacity),
              ATA_INVALID_ARGUMENT);
    EXPECT_MENTIONS(ata_last_error(), word);
  };
  expect_refused("values_length is 17", 17, 2, 6, 2, 6);
  expect_refused("values_length is 9", 9, 2, 6, 2, 6);
  expect_refused("count is -1", 18, -1, 6, 2, 6);
  // 2 and this many problems of 9 values have as many bytes modulo 2^64.
  expect_refused("values_length is 18", 18, int64_t{1} << 62, 6, 2, 6);
  expect_refused("matching has room for 5", 18, 2, 5, 2, 6);
  expect_refused("totals has room for 1", 18, 2, 6, 1, 6);
  expect_refused("column_duals has room for 5", 18, 2, 6, 2, 5);
  EXPECT_EQ(matching, std::vector<int32_t>(6, -7));
  EXPECT_EQ(totals, std::vector<double>(2, -7));
  EXPECT_EQ(duals, std::vector<double>(6, 0.5));

  EXPECT_EQ(ata_assigner_solve(assigner.get(), nullptr, 18, 2, 3, 3, matching.data(), 6, nullptr, 0,
                               nullptr, 0),
            ATA_INVALID_ARGUMENT);
  EXPECT_MENTIONS(ata_last_error(), "values is NULL");
  EXPECT_EQ(ata_assigner_solve(assigner.get(), values.data(), 18, 2, 3, 3, nullptr, 6, nullptr, 0,
                               nullptr, 0),
            ATA_INVALID_ARGUMENT);
  EXPECT_MENTIONS(ata_last_error(), "matching is NULL");
  EXPECT_EQ(ata_assigner_solve(nullptr, values.data(), 18, 2, 3, 3, matching.data(), 6, nullptr, 0,
                               nullptr, 0),
            ATA_INVALID_ARGUMENT);
  EXPECT_MENTIONS(ata_last_error(), "assigner is NULL");
  // The results that were not asked for.
  EXPECT_EQ(ata_assigner_solve(assigner.get(), values.data(), 18, 2, 3, 3, matching.data(), 6,
                               nullptr, 0, nullptr, 0),
            ATA_OK)
      << ata_last_error();
}

TEST(Assigner, CreationIsChecked) {
  EXPECT_EQ(ata_assigner_create(nullptr, nullptr), ATA_INVALID_ARGUMENT);
  EXPECT_MENTIONS(ata_last_error(), "assigner is NULL");
  ata_assign_options unknown = options(true);
  unknown.struct_size = 3;
  ata_assigner* assigner = nullptr;
  EXPECT_EQ(ata_assigner_create(&unknown, &assigner), ATA_INVALID_ARGUMENT);
  EXPECT_MENTIONS(ata_last_error(), "ata_assign_options.struct_size is 3");
  EXPECT_EQ(assigner, nullptr);
  ata_assigner_release(nullptr);
}

TEST(Assigner, AllocatesNothingOnceItHasSeenItsLargestBatch) {
  if (!kAllocationsAreCounted) GTEST_SKIP() << "AddressSanitizer keeps its own operators";
  if (!runs_on_cpu()) return;  // Promised of the CPU alone.
  std::mt19937 random(6);
  constexpr int kCount = 8;
  // Values that take every way through the solver.
  const auto batch_of = [&](int count, int rows, int columns, bool forbid) {
    std::vector<Matrix> matrices;
    for (int k = 0; k < count; ++k) {
      const auto kind = static_cast<size_t>(k) % ata::all_kinds().size();
      matrices.push_back(make_matrix(ata::all_kinds()[kind], rows, columns, random));
      if (forbid) matrices.back()(0, columns - 1) = -kInfinity;
    }
    return Batch(matrices);
  };
  for (const int threads : {1, 4}) {
    ASSERT_EQ(ata_thread_set_count(threads), ATA_OK);
    for (const bool precise : {false, true}) {
      const auto assigner = make_assigner(options(true, precise, precise));
      Batch largest(kCount, 70, 90);
      const int64_t before_largest = allocation_count();
      ASSERT_EQ(largest.solve(assigner), ATA_OK) << ata_last_error();
      EXPECT_GT(allocation_count(), before_largest) << "nothing is counted";
      for (const auto& [rows, columns] : std::vector<std::pair<int, int>>{
               {70, 90}, {70, 70}, {70, 3}, {1, 1}, {17, 16}, {64, 65}, {33, 90}}) {
        for (const bool forbid : {false, true}) {
          if (forbid && columns < 2) continue;
          for (const bool with_duals : {false, true}) {
            if (with_duals && rows != columns) continue;
            Batch batch = batch_of(kCount, rows, columns, forbid);
            if (with_duals) batch.start_from_zeros();
            const int64_t before = allocation_count();
            const ata_status status = batch.solve(assigner);
            EXPECT_EQ(allocation_count(), before)
                << rows << " x " << columns << ", forbid " << forbid << ", duals " << with_duals
                << ", " << threads << " threads";
            ASSERT_EQ(status, ATA_OK) << ata_last_error();
          }
        }
      }
    }
  }
  ASSERT_EQ(ata_thread_set_count(0), ATA_OK);
}

TEST(Assigner, SeveralWorkOnTheirThreadsAtOnce) {
  std::mt19937 random(7);
  const Batch problems(
      {make_matrix(Kind::kUniform, 80, 80, random), make_matrix(Kind::kShifted, 80, 80, random)});
  Batch expected = problems;
  ASSERT_EQ(expected.solve(make_assigner(options(true))), ATA_OK);
  std::vector<Batch> results(3, problems);
  std::vector<std::thread> threads;
  for (Batch& result : results) {
    threads.emplace_back([&result] {
      const auto assigner = make_assigner(options(true));
      for (int repetition = 0; repetition < 20; ++repetition) {
        EXPECT_EQ(result.solve(assigner), ATA_OK);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const Batch& result : results) {
    EXPECT_EQ(result.matching, expected.matching);
    EXPECT_EQ(result.totals, expected.totals);
  }
}

}  // namespace
