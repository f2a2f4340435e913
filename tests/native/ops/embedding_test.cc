#include "ops/embedding.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "op_check.h"

namespace ata::testing {
namespace {

OpCase embed_case(int64_t batch, int64_t frames, int64_t patches, int64_t dim, int64_t class_rows,
                  bool times) {
  OpCase op_case;
  op_case.inputs = {random_tensor({batch * frames * patches, dim}, 1),
                    random_tensor({1, 1, dim}, 2), random_tensor({1, patches + 1, dim}, 3)};
  if (times) op_case.inputs.push_back(random_tensor({1, frames, dim}, 4));
  op_case.op = [=](const Context& context, const std::vector<Variable>& in) {
    return embed_tokens(context, in[0], in[1], in[2], times ? in[3] : Variable(),
                        {batch, frames, patches}, class_rows);
  };
  op_case.oracle = [=](const std::vector<Doubles>& in) {
    Doubles y;
    const auto at = [dim](const Doubles& matrix, int64_t row, int64_t column) {
      return matrix[static_cast<size_t>(row * dim + column)];
    };
    for (int64_t b = 0; b < batch; ++b) {
      for (int64_t t = 0; t < frames; ++t) {
        for (int64_t n = 0; n < patches; ++n) {
          for (int64_t c = 0; c < dim; ++c) {
            y.push_back(at(in[0], (b * frames + t) * patches + n, c) + at(in[2], 1 + n, c) +
                        (times ? at(in[3], t, c) : 0.0));
          }
        }
      }
    }
    for (int64_t row = 0; row < class_rows; ++row) {
      for (int64_t c = 0; c < dim; ++c) y.push_back(at(in[1], 0, c) + at(in[2], 0, c));
    }
    return y;
  };
  return op_case;
}

TEST(EmbedTokens, AgreesWithTheOracle) {
  check_op(embed_case(2, 3, 4, 5, 2, true), tolerance_of(DType::kF32));
  check_op(embed_case(1, 2, 3, 16, 2, false), tolerance_of(DType::kF32));
  check_op(embed_case(1, 1, 1, 1, 0, true), tolerance_of(DType::kF32));
}

TEST(EmbedTokens, RejectsWhatDoesNotFit) {
  const Variable patches(random_tensor({6, 4}, 1)), token(random_tensor({1, 1, 4}, 2));
  const Variable positions(random_tensor({1, 4, 4}, 3));
  expect_error(ATA_INVALID_ARGUMENT, "time_embed must be f32 of shape [1, 2, 4]", [&] {
    embed_tokens(test_context(), patches, token, positions, Variable(random_tensor({1, 3, 4}, 4)),
                 {1, 2, 3}, 1);
  });
  expect_error(ATA_INVALID_ARGUMENT, "are not 4 clips", [&] {
    embed_tokens(test_context(), patches, token, positions, Variable(), {4, 1, 3}, 1);
  });
}

// The weight of input i for output o of one axis, straight from the definitions.
double nearest_weight(int64_t i, int64_t o, int64_t from, int64_t to) {
  return i == o * from / to ? 1.0 : 0.0;
}

double cubic_weight(int64_t i, int64_t o, int64_t from, int64_t to) {
  const double step = static_cast<double>(from) / static_cast<double>(to);
  const auto kernel = [&](int64_t k) {
    const double a = -0.5;
    const double centre = (static_cast<double>(o) + 0.5) * step;
    const double d = std::abs(static_cast<double>(k) + 0.5 - centre) / (step > 1 ? step : 1.0);
    if (d <= 1) return (a + 2) * d * d * d - (a + 3) * d * d + 1;
    if (d < 2) return a * d * d * d - 5 * a * d * d + 8 * a * d - 4 * a;
    return 0.0;
  };
  double sum = 0.0;
  for (int64_t k = 0; k < from; ++k) sum += kernel(k);
  return kernel(i) / sum;
}

OpCase resample_case(int64_t h0, int64_t w0, int64_t h1, int64_t w1, Resampling resampling) {
  constexpr int64_t kDim = 3;
  OpCase op_case;
  op_case.inputs = {random_tensor({1, 1 + h0 * w0, kDim}, 1)};
  op_case.op = [=](const Context& context, const std::vector<Variable>& in) {
    return resample_positions(context, in[0], h0, w0, h1, w1, resampling);
  };
  op_case.oracle = [=](const std::vector<Doubles>& in) {
    const auto weight = resampling == Resampling::kNearest ? nearest_weight : cubic_weight;
    Doubles y(in[0].begin(), in[0].begin() + kDim);
    for (int64_t o = 0; o < h1 * w1; ++o) {
      for (int64_t c = 0; c < kDim; ++c) {
        double sum = 0.0;
        for (int64_t i = 0; i < h0 * w0; ++i) {
          sum += weight(i / w0, o / w1, h0, h1) * weight(i % w0, o % w1, w0, w1) *
                 in[0][static_cast<size_t>((1 + i) * kDim + c)];
        }
        y.push_back(sum);
      }
    }
    return y;
  };
  return op_case;
}

TEST(ResamplePositions, AgreesWithTheOracle) {
  for (const Resampling resampling : {Resampling::kNearest, Resampling::kBicubic}) {
    for (const auto& [h0, w0, h1, w1] : {std::array<int64_t, 4>{2, 3, 4, 5},
                                         {4, 4, 3, 2},
                                         {1, 1, 3, 2},
                                         {5, 2, 2, 7},
                                         {12, 9, 3, 4}}) {
      SCOPED_TRACE(concat(h0, "x", w0, " to ", h1, "x", w1));
      check_op(resample_case(h0, w0, h1, w1, resampling), tolerance_of(DType::kF32));
    }
  }
}

// One row of 5, then of 2, as timm 1.0 resamples the row 0, 1, 4, 9 (resample_abs_pos_embed).
TEST(ResamplePositions, IsTimmsBicubic) {
  const Tensor row = tensor_of({1, 5, 1}, {7, 0, 1, 4, 9});
  const std::pair<int64_t, std::vector<float>> expected[] = {
      {5, {-0.043269f, 0.505575f, 2.250000f, 5.617063f, 9.216347f}},
      {2, {0.603306f, 6.082644f}},
      {3, {0.075515f, 2.359195f, 7.935927f}},
      {9,
       {-0.094477f, 0.080962f, 0.401131f, 1.114198f, 2.250000f, 3.780864f, 6.161436f, 8.463895f,
        9.472384f}}};
  for (const auto& [width, values] : expected) {
    const Variable y =
        resample_positions(test_context(), Variable(row), 1, 4, 1, width, Resampling::kBicubic);
    const Tensor resampled = test_context().download(y.value());
    EXPECT_EQ(resampled.data<float>()[0], 7.0f);
    for (size_t i = 0; i < values.size(); ++i) {
      EXPECT_NEAR(resampled.data<float>()[i + 1], values[i], 1e-5);
    }
  }
}

TEST(ResamplePositions, ReturnsTheSameVariableWhenNothingChanges) {
  const Variable x(random_tensor({1, 7, 4}, 1), true);
  const Variable y = resample_positions(test_context(), x, 2, 3, 2, 3, Resampling::kBicubic);
  EXPECT_EQ(x.value().address(), y.value().address());
  expect_error(ATA_INVALID_ARGUMENT, "need 10",
               [&] { resample_positions(test_context(), x, 3, 3, 2, 3, Resampling::kNearest); });
}

TEST(ResampleTimes, AgreesWithTheOracle) {
  for (const int64_t to : {1, 2, 5, 8, 11}) {
    OpCase op_case;
    op_case.inputs = {random_tensor({1, 5, 4}, 1)};
    op_case.op = [to](const Context& context, const std::vector<Variable>& in) {
      return resample_times(context, in[0], to);
    };
    op_case.oracle = [to](const std::vector<Doubles>& in) {
      Doubles y;
      for (int64_t t = 0; t < to; ++t) {
        for (int64_t c = 0; c < 4; ++c) y.push_back(in[0][static_cast<size_t>(t * 5 / to * 4 + c)]);
      }
      return y;
    };
    check_op(op_case, tolerance_of(DType::kF32));
  }
}

}  // namespace
}  // namespace ata::testing
