#include "ops/dropout.h"

#include <gtest/gtest.h>

#include <cstring>

#include "base/error.h"
#include "base/random.h"
#include "base/threads.h"
#include "support/devices.h"

namespace ata {
namespace {

Tensor normal_matrix(int64_t rows, int64_t columns, uint64_t seed) {
  Tensor tensor({rows, columns}, DType::kF32);
  Random random(seed);
  for (int64_t i = 0; i < tensor.count(); ++i) tensor.data<float>()[i] = random.normal();
  return tensor;
}

Tensor host(const Variable& variable) {
  return on_host(variable.value());
}

// The factor of element i: the definition, drawn one by one.
std::vector<float> factors(int64_t count, float probability, uint64_t seed, uint64_t stream) {
  std::vector<float> result;
  Random random(seed, stream);
  for (int64_t i = 0; i < count; ++i) {
    result.push_back(random.uniform() < probability ? 0.0f : 1.0f / (1.0f - probability));
  }
  return result;
}

TEST(Dropout, FollowsItsDefinition) {
  for (int64_t columns : {1, 3, 17, 64, 333}) {
    for (float probability : {0.1f, 0.5f, 0.99f}) {
      const uint64_t seed = 0x123456789abcdef0u, stream = 0xfedcba9876543210u;
      const Tensor x = normal_matrix(5, columns, 1);
      const Tensor y = host(dropout(test_context(), Variable(on_device(x)),
                                    {.probability = probability, .seed = seed, .stream = stream}));
      const auto expected = factors(x.count(), probability, seed, stream);
      for (int64_t i = 0; i < x.count(); ++i) {
        ASSERT_FLOAT_EQ(y.data<float>()[i], x.data<float>()[i] * expected[static_cast<size_t>(i)]);
      }
    }
  }
}

TEST(Dropout, RoundsBf16AndKeepsTheSameElements) {
  const Tensor x = normal_matrix(7, 50, 1);
  Tensor rounded(x.shape(), DType::kBF16);
  for (int64_t i = 0; i < x.count(); ++i) {
    rounded.data<BFloat16>()[i] = to_bfloat16(x.data<float>()[i]);
  }
  const Tensor y =
      host(dropout(test_context(), Variable(on_device(rounded)), {.probability = 0.25f}));
  ASSERT_EQ(y.dtype(), DType::kBF16);
  const auto expected = factors(x.count(), 0.25f, 0, 0);
  for (int64_t i = 0; i < x.count(); ++i) {
    const float value = to_float(rounded.data<BFloat16>()[i]) * expected[static_cast<size_t>(i)];
    ASSERT_EQ(to_float(y.data<BFloat16>()[i]), to_float(to_bfloat16(value)));
  }
}

TEST(Dropout, TheSameBitsOnAnyNumberOfThreads) {
  const Tensor x = normal_matrix(301, 333, 1);
  Tensor results[3];
  for (int threads = 1; threads <= 3; ++threads) {
    set_thread_count(threads);
    results[threads - 1] =
        host(dropout(test_context(), Variable(on_device(x)), {.probability = 0.3f, .seed = 5}));
  }
  set_thread_count(0);
  EXPECT_EQ(std::memcmp(results[0].raw(), results[1].raw(), x.bytes()), 0);
  EXPECT_EQ(std::memcmp(results[0].raw(), results[2].raw(), x.bytes()), 0);
}

// The operation is linear in x and in the residual, so that its gradients are known exactly.
TEST(Dropout, GradientsOfInputAndResidual) {
  const int64_t rows = 6, columns = 21;
  const Tensor dy = normal_matrix(rows, columns, 3);
  for (bool scaled : {false, true}) {
    const Variable x(on_device(normal_matrix(rows, columns, 1)), true);
    const Variable residual(on_device(normal_matrix(rows, columns, 2)), true);
    DropoutOptions options = {.probability = 0.4f, .seed = 9, .stream = 4, .residual = residual};
    if (scaled) {
      Tensor scale({rows}, DType::kF32);
      for (int64_t r = 0; r < rows; ++r) scale.data<float>()[r] = 0.5f * float(r);
      options.row_scale = on_device(scale);
    }
    Tape tape;
    const Variable y = dropout(test_context(&tape), x, options);
    tape.backward(y, on_device(dy));
    const Tensor in = host(x), out = host(y), added = host(residual);
    const Tensor dx = on_host(x.gradient());
    const Tensor dresidual = on_host(residual.gradient());
    const auto mask = factors(x.value().count(), 0.4f, 9, 4);
    for (int64_t i = 0; i < x.value().count(); ++i) {
      const float row = scaled ? 0.5f * float(i / columns) : 1.0f;
      const float factor = row * mask[static_cast<size_t>(i)];
      ASSERT_NEAR(out.data<float>()[i], added.data<float>()[i] + factor * in.data<float>()[i],
                  1e-6f);
      ASSERT_NEAR(dx.data<float>()[i], factor * dy.data<float>()[i], 1e-6f);
      ASSERT_EQ(dresidual.data<float>()[i], dy.data<float>()[i]);
    }
    EXPECT_TRUE(tape.empty());
  }
}

TEST(Dropout, RejectsBadArguments) {
  const Context context = test_context();
  const Variable x(normal_matrix(2, 3, 1));
  EXPECT_THROW(dropout(context, Variable(), {}), Error);
  EXPECT_THROW(dropout(context, x, {.probability = 0.0f}), Error);
  EXPECT_THROW(dropout(context, x, {.probability = 1.0f}), Error);
  EXPECT_THROW(dropout(context, x, {.residual = Variable(normal_matrix(3, 2, 1))}), Error);
  EXPECT_THROW(dropout(context, x, {.row_scale = Tensor::zeros({3}, DType::kF32)}), Error);
}

}  // namespace
}  // namespace ata
