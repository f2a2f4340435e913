#include "ops/soft_alignment.h"

#include <gtest/gtest.h>

#include <cmath>

#include "op_check.h"

namespace ata::testing {
namespace {

constexpr ClipLayout kLayout = {2, 3, 4};
constexpr int64_t kChannels = 5;
constexpr float kTemperature = 0.3f;

size_t at(int64_t row, int64_t column, int64_t columns) {
  return static_cast<size_t>(row * columns + column);
}

// C of every frame, from the definition.
Doubles oracle_trajectories(const Doubles& x) {
  const int64_t n = kLayout.patches;
  Doubles c(static_cast<size_t>(kLayout.patch_rows() * n));
  const auto cosine = [&](int64_t a, int64_t b) {
    double dot = 0, aa = 0, bb = 0;
    for (int64_t k = 0; k < kChannels; ++k) {
      const double u = x[at(a, k, kChannels)], v = x[at(b, k, kChannels)];
      dot += u * v;
      aa += u * u;
      bb += v * v;
    }
    return dot / std::sqrt(aa * bb);
  };
  for (int64_t clip = 0; clip < kLayout.clips; ++clip) {
    for (int64_t t = 0; t < kLayout.frames; ++t) {
      const int64_t base = (clip * kLayout.frames + t) * n;
      for (int64_t i = 0; i < n; ++i) {
        if (t == 0) {
          c[at(base + i, i, n)] = 1;
          continue;
        }
        for (int64_t j = 0; j < n; ++j) {
          double sum = 0;
          for (int64_t k = 0; k < n; ++k) {
            double total = 0;
            for (int64_t l = 0; l < n; ++l) {
              total += std::exp(cosine(base - n + k, base + l) / kTemperature);
            }
            sum += c[at(base - n + i, k, n)] *
                   std::exp(cosine(base - n + k, base + j) / kTemperature) / total;
          }
          c[at(base + i, j, n)] = sum;
        }
      }
    }
  }
  return c;
}

Doubles oracle_gather(const Doubles& c, const Doubles& x) {
  const int64_t n = kLayout.patches;
  Doubles y(x.size());
  for (int64_t row = 0; row < kLayout.patch_rows(); ++row) {
    for (int64_t j = 0; j < n; ++j) {
      for (int64_t k = 0; k < kChannels; ++k) {
        y[at(row, k, kChannels)] += c[at(row, j, n)] * x[at(row / n * n + j, k, kChannels)];
      }
    }
  }
  return y;
}

Doubles oracle_scatter(const Doubles& c, const Doubles& x, const Doubles& residual,
                       const std::vector<float>& scale) {
  const int64_t n = kLayout.patches;
  Doubles y = residual;
  for (int64_t row = 0; row < kLayout.patch_rows(); ++row) {
    const int64_t base = row / n * n;
    double through = 0;
    for (int64_t i = 0; i < n; ++i) through += c[at(base + i, row - base, n)];
    for (int64_t i = 0; i < n; ++i) {
      const double weight =
          scale[static_cast<size_t>(row)] * c[at(base + i, row - base, n)] / through;
      for (int64_t k = 0; k < kChannels; ++k) {
        y[at(row, k, kChannels)] += weight * x[at(base + i, k, kChannels)];
      }
    }
  }
  return y;
}

Tensor random_stochastic(uint64_t seed) {
  return mapped(
      random_tensor({kLayout.clips, kLayout.frames, kLayout.patches, kLayout.patches}, seed),
      [](float value) { return std::abs(value) + 0.1f; });
}

std::vector<float> row_scales() {
  std::vector<float> scale;
  for (int64_t row = 0; row < kLayout.patch_rows(); ++row) {
    scale.push_back(static_cast<float>(row % 3) * 0.75f);
  }
  return scale;
}

TEST(SoftTrajectories, AgreeWithTheOracle) {
  OpCase op_case;
  op_case.inputs = {random_tensor({kLayout.patch_rows(), kChannels}, 1)};
  op_case.op = [](const Context& context, const std::vector<Variable>& in) {
    return soft_trajectories(context, in[0], kLayout, kTemperature);
  };
  op_case.oracle = [](const std::vector<Doubles>& in) { return oracle_trajectories(in[0]); };
  check_op(op_case, tolerance_of(DType::kF32));
}

TEST(SoftTrajectories, RowsSumToOne) {
  const Variable x(random_tensor({kLayout.patch_rows(), kChannels}, 3));
  const Doubles c = doubles(soft_trajectories(test_context(), x, kLayout, 0.01f).value());
  for (int64_t row = 0; row < kLayout.patch_rows(); ++row) {
    double sum = 0;
    for (int64_t j = 0; j < kLayout.patches; ++j) {
      sum += c[static_cast<size_t>(row * kLayout.patches + j)];
    }
    EXPECT_NEAR(sum, 1, 1e-5);
  }
}

TEST(SoftGather, AgreesWithTheOracle) {
  OpCase op_case;
  op_case.inputs = {random_stochastic(1), random_tensor({kLayout.patch_rows(), kChannels}, 2)};
  op_case.op = [](const Context& context, const std::vector<Variable>& in) {
    return soft_gather(context, in[0], in[1], kLayout);
  };
  op_case.oracle = [](const std::vector<Doubles>& in) { return oracle_gather(in[0], in[1]); };
  check_op(op_case, tolerance_of(DType::kF32));
}

TEST(SoftScatter, AgreesWithTheOracle) {
  const std::vector<float> scale = row_scales();
  OpCase op_case;
  op_case.inputs = {random_stochastic(1), random_tensor({kLayout.patch_rows(), kChannels}, 2),
                    random_tensor({kLayout.patch_rows(), kChannels}, 3)};
  op_case.op = [&scale](const Context& context, const std::vector<Variable>& in) {
    // The result may be written over the residual; the checker compares inputs afterwards.
    const Variable residual = context.tape ? in[2] : Variable(context.copy(in[2].value()), false);
    return soft_scatter(context, in[0], in[1], residual, tensor_of({kLayout.patch_rows()}, scale),
                        kLayout);
  };
  op_case.oracle = [&scale](const std::vector<Doubles>& in) {
    return oracle_scatter(in[0], in[1], in[2], scale);
  };
  check_op(op_case, tolerance_of(DType::kF32));
}

TEST(SoftAlignment, WholeStepAgreesWithTheOracle) {
  const std::vector<float> ones(static_cast<size_t>(kLayout.patch_rows()), 1.0f);
  OpCase op_case;
  op_case.inputs = {random_tensor({kLayout.patch_rows(), kChannels}, 7)};
  op_case.op = [](const Context& context, const std::vector<Variable>& in) {
    const Variable c = soft_trajectories(context, in[0], kLayout, kTemperature);
    const Variable along = soft_gather(context, c, in[0], kLayout);
    const Variable residual = context.tape ? in[0] : Variable(context.copy(in[0].value()), false);
    return soft_scatter(context, c, along, residual, Tensor(), kLayout);
  };
  op_case.oracle = [&ones](const std::vector<Doubles>& in) {
    const Doubles c = oracle_trajectories(in[0]);
    return oracle_scatter(c, oracle_gather(c, in[0]), in[0], ones);
  };
  check_op(op_case, tolerance_of(DType::kF32));
}

TEST(SoftAlignment, RejectsWhatDoesNotFit) {
  const Variable x(random_tensor({kLayout.patch_rows() - 1, kChannels}, 1));
  expect_error(ATA_INVALID_ARGUMENT, "rows",
               [&] { soft_trajectories(test_context(), x, kLayout, kTemperature); });
  const Variable fits(random_tensor({kLayout.patch_rows(), kChannels}, 1));
  expect_error(ATA_INVALID_ARGUMENT, "temperature",
               [&] { soft_trajectories(test_context(), fits, kLayout, 0.0f); });
  expect_error(ATA_INVALID_ARGUMENT, "trajectories have shape", [&] {
    soft_gather(test_context(), Variable(random_tensor({1, 2}, 1)), fits, kLayout);
  });
}

}  // namespace
}  // namespace ata::testing
