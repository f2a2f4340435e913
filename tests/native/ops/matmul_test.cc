// Products that are cut into tiles: each element beside the sum that it is, and the same bits for
// every number of threads.

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>

#include "base/threads.h"
#include "ops/matmul_cpu.h"
#include "support/compare.h"

namespace ata {
namespace {

struct Case {
  const char* name;
  int64_t m, n, k;
  bool a_transposed, b_transposed, packed;
  DType factors = DType::kF32, result = DType::kF32;
  bool bias = false, accumulate = false;
  Activation activation = Activation::kNone;
};

double value_at(const Tensor& tensor, int64_t index) {
  return tensor.dtype() == DType::kF32 ? tensor.data<float>()[index]
                                       : to_float(tensor.data<BFloat16>()[index]);
}

void set_at(Tensor& tensor, int64_t index, float value) {
  if (tensor.dtype() == DType::kF32) {
    tensor.data<float>()[index] = value;
  } else {
    tensor.data<BFloat16>()[index] = to_bfloat16(value);
  }
}

Tensor filled(Shape shape, DType dtype, int64_t seed) {
  Tensor result(shape, dtype);
  for (int64_t i = 0; i < result.count(); ++i) {
    set_at(result, i, std::sin(static_cast<float>(i % 10007) * 0.7f + static_cast<float>(seed)));
  }
  return result;
}

double activated(double x, Activation activation) {
  return activation == Activation::kGelu ? 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))) : x;
}

class Products : public testing::TestWithParam<Case> {};

TEST_P(Products, AreRightForEveryNumberOfThreads) {
  const Case& c = GetParam();
  if (c.factors == DType::kBF16 && !cpu::has_bf16_matmul()) GTEST_SKIP() << "no bf16 products here";
  const Tensor a = filled(c.a_transposed ? Shape{c.k, c.m} : Shape{c.m, c.k}, c.factors, 1);
  const Tensor b = filled(c.b_transposed ? Shape{c.n, c.k} : Shape{c.k, c.n}, c.factors, 2);
  const Tensor before = filled({c.m, c.n}, c.result, 3);
  cpu::MatmulOptions options;
  if (c.bias) options.bias = filled({c.n}, DType::kF32, 4);
  options.activation = c.activation;
  options.accumulate = c.accumulate;
  const auto product = [&](int threads) {
    set_thread_count(threads);
    Tensor result({c.m, c.n}, c.result);
    std::memcpy(result.raw(), before.raw(), result.bytes());
    if (c.packed) {
      const auto packed = cpu::pack_factor({b, c.b_transposed}, c.factors, heap_allocator());
      cpu::matmul({a, c.a_transposed}, *packed, options, result, heap_allocator());
    } else {
      cpu::matmul({a, c.a_transposed}, {b, c.b_transposed}, options, result, heap_allocator());
    }
    set_thread_count(0);
    return result;
  };
  const Tensor single = product(1);
  for (const int threads : {2, 3, 8}) EXPECT_TRUE(same_bits(product(threads), single)) << threads;
  const double tolerance = c.result == DType::kBF16 ? 1e-2 : 1e-5;
  int wrong = 0;
  // Some elements of every row and of every column, among them those at the edges of tiles.
  for (int64_t row = 0; row < c.m; ++row) {
    for (int64_t column = row % 29; column < c.n; column += 29) {
      double sum = 0;
      double size = 1;
      for (int64_t i = 0; i < c.k; ++i) {
        const double term = value_at(a, c.a_transposed ? i * c.m + row : row * c.k + i) *
                            value_at(b, c.b_transposed ? column * c.k + i : i * c.n + column);
        sum += term;
        size += std::abs(term);
      }
      if (c.bias) sum += value_at(options.bias, column);
      sum = activated(sum, c.activation);
      if (c.accumulate) sum += value_at(before, row * c.n + column);
      const double found = value_at(single, row * c.n + column);
      if (!(std::abs(found - sum) <= tolerance * size) && ++wrong <= 3) {
        ADD_FAILURE() << "element " << row << ", " << column << " is " << found << ", not " << sum;
      }
    }
  }
  EXPECT_EQ(wrong, 0);
}

constexpr DType kHalf = DType::kBF16;
INSTANTIATE_TEST_SUITE_P(
    Cases, Products,
    testing::Values(
        Case{"Small", 7, 9, 11, false, false, false},
        Case{"OneRow", 1, 1200, 300, false, true, false},
        Case{"FewRows", 20, 850, 201, false, true, false, DType::kF32, DType::kF32, true},
        Case{"FewRowsOfPacked", 20, 850, 201, false, true, true, DType::kF32, DType::kF32, true},
        Case{"Plain", 430, 850, 201, false, false, false},
        Case{"PlainTransposed", 430, 850, 201, false, true, false, DType::kF32, DType::kF32, true},
        Case{"Packed", 430, 850, 201, false, true, true, DType::kF32, DType::kF32, true, false,
             Activation::kGelu},
        Case{"PackedInOnePart", 1000, 100, 97, false, true, true},
        Case{"Accumulated", 430, 850, 201, false, false, true, DType::kF32, DType::kF32, false,
             true},
        Case{"LeftTransposed", 430, 850, 201, true, false, false, DType::kF32, DType::kF32, false,
             true},
        Case{"TallLeftTransposed", 1601, 1700, 101, true, false, false, DType::kF32, DType::kF32,
             false, true},
        Case{"Half", 430, 850, 202, false, true, true, kHalf, kHalf, true, false,
             Activation::kGelu},
        Case{"HalfOfOddDepth", 430, 850, 201, false, true, true, kHalf, DType::kF32},
        Case{"HalfPlain", 430, 850, 202, false, false, false, kHalf, DType::kF32},
        Case{"HalfFewRows", 20, 850, 202, false, true, false, kHalf, kHalf, true},
        Case{"HalfLeftTransposed", 430, 850, 203, true, false, false, kHalf, DType::kF32, false,
             true}),
    [](const auto& made) { return std::string(made.param.name); });

}  // namespace
}  // namespace ata
