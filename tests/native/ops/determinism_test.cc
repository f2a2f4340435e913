#include <gtest/gtest.h>

#include <thread>

#include "base/threads.h"
#include "op_check.h"
#include "ops/attention.h"
#include "ops/layer_norm.h"
#include "ops/linear.h"
#include "ops/temporal_attention.h"

namespace ata::testing {
namespace {

constexpr int64_t kFrames = 4, kPatches = 49, kDim = 96;
constexpr int kHeads = 3;
constexpr ClipLayout kLayout{1, kFrames, kPatches};

struct Weights {
  explicit Weights(DType dtype)
      : compute(dtype),
        gamma(random_tensor({kDim}, 1)),
        beta(random_tensor({kDim}, 2)),
        qkv(layer(3 * kDim, kDim, 3)),
        proj(layer(kDim, kDim, 4)),
        fc1(layer(4 * kDim, kDim, 5)),
        fc2(layer(kDim, 4 * kDim, 6)) {}

  LinearWeights layer(int64_t out, int64_t in, uint64_t seed) const {
    LinearWeights result;
    result.in_features = in;
    result.out_features = out;
    result.weight = Variable(
        mapped(random_tensor({out, in}, seed), [](float value) { return value * 0.1f; }), true);
    result.bias = Variable(random_tensor({out}, seed + 10), true);
    result.packed =
        make_context(test_device()).run(&Kernels::pack_linear, result.weight.value(), compute);
    return result;
  }

  DType compute;
  Variable gamma, beta;
  LinearWeights qkv, proj, fc1, fc2;
};

// A transformer block: every costly operation once.
Variable block(const Context& context, const Variable& x, const Weights& w) {
  LinearOptions half;
  half.out_dtype = w.compute;
  LinearOptions residual;
  residual.residual = x;
  const Variable h = layer_norm(context, x, w.gamma, w.beta, w.compute);
  const Variable attended = attention(context, linear(context, h, w.qkv, half), kLayout, kHeads);
  const Variable y = linear(context, attended, w.proj, residual);
  LinearOptions gelu = half;
  gelu.activation = Activation::kGelu;
  LinearOptions second;
  second.residual = y;
  return linear(context,
                linear(context, layer_norm(context, y, w.gamma, w.beta, w.compute), w.fc1, gelu),
                w.fc2, second);
}

Tensor infer(const Weights& weights, uint64_t seed) {
  return block(test_context(), Variable(random_tensor({kLayout.token_rows(), kDim}, seed)), weights)
      .value();
}

class Determinism : public ::testing::TestWithParam<DType> {
 protected:
  ~Determinism() override { set_thread_count(0); }
};

TEST_P(Determinism, ConcurrentSessionsGiveTheSameBits) {
  const Weights weights(GetParam());
  set_thread_count(2);
  std::vector<Tensor> expected;
  for (uint64_t seed = 0; seed < 4; ++seed) expected.push_back(infer(weights, 100 + seed));
  std::vector<int> failures(4);
  std::vector<std::thread> threads;
  for (uint64_t seed = 0; seed < 4; ++seed) {
    threads.emplace_back([&, seed] {
      for (int run = 0; run < 20; ++run) {
        if (!same_bits(infer(weights, 100 + seed), expected[seed])) ++failures[seed];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, std::vector<int>(4));
}

// oneDNN may split sums by the number of threads on some processors, so that a whole block agrees
// within rounding; the library's own operations agree in every bit.
TEST_P(Determinism, TheNumberOfThreadsMattersToRoundingAtMost) {
  const Weights weights(GetParam());
  const auto run = [&](int count) {
    set_thread_count(count);
    Tape tape;
    const Context context = test_context(&tape);
    const Variable x(random_tensor({kLayout.token_rows(), kDim}, 5), true);
    const Variable y = block(context, x, weights);
    tape.backward(y, random_tensor(y.value().shape(), 6));
    std::vector<Tensor> result = {y.value(), x.gradient(), infer(weights, 7)};
    for (const LinearWeights* layer : {&weights.qkv, &weights.fc2}) {
      result.push_back(layer->weight.gradient());
      result.push_back(layer->bias.gradient());
    }
    for (const LinearWeights* layer : {&weights.qkv, &weights.proj, &weights.fc1, &weights.fc2}) {
      layer->weight.clear_gradient();
      layer->bias.clear_gradient();
    }
    return result;
  };
  const std::vector<Tensor> one = run(1);
  for (const int count : {2, 3, 5}) {
    const std::vector<Tensor> many = run(count);
    for (size_t i = 0; i < one.size(); ++i) {
      EXPECT_LE(relative_error(doubles(many[i]), doubles(one[i])),
                tolerance_of(GetParam()).gradient)
          << "result " << i << " with " << count << " threads";
    }
  }
}

TEST_P(Determinism, OwnOperationsDoNotDependOnTheNumberOfThreads) {
  const DType dtype = GetParam();
  Tensor meeting({1, kFrames, kPatches}, DType::kI32);
  for (int64_t i = 0; i < meeting.count(); ++i) {
    meeting.data<int32_t>()[i] = static_cast<int32_t>(i * 7 % kPatches / 2);
  }
  const Trajectories along = trajectories_along(make_context(test_device()), meeting);
  const auto temporal = [dtype](const Trajectories& trajectories) {
    return OpCase{
        {random_tensor({kFrames * kPatches, 3 * kDim}, 1, dtype)},
        [trajectories](const Context& context, const std::vector<Variable>& in) {
          return temporal_attention(context, in[0], {1, kFrames, kPatches}, kHeads, trajectories);
        },
        nullptr};
  };
  const std::vector<OpCase> cases = {
      temporal({}), temporal(along),
      OpCase{{random_tensor({kLayout.token_rows(), 3 * kDim}, 1, dtype)},
             [](const Context& context, const std::vector<Variable>& in) {
               return attention(context, in[0], kLayout, kHeads);
             },
             nullptr},
      OpCase{{random_tensor({kLayout.token_rows(), kDim}, 1), random_tensor({kDim}, 2),
              random_tensor({kDim}, 3)},
             [dtype](const Context& context, const std::vector<Variable>& in) {
               return layer_norm(context, in[0], in[1], in[2], dtype);
             },
             nullptr}};
  for (size_t i = 0; i < cases.size(); ++i) {
    const auto run = [&](int count) {
      set_thread_count(count);
      std::vector<Variable> inputs;
      for (const Tensor& input : cases[i].inputs) inputs.emplace_back(input);
      const Tensor y = cases[i].op(test_context(), inputs).value();
      std::vector<Tensor> results = gradients(cases[i], random_tensor(y.shape(), 9));
      results.push_back(y);
      return results;
    };
    const std::vector<Tensor> one = run(1);
    for (const int count : {2, 3, 5}) {
      const std::vector<Tensor> many = run(count);
      for (size_t r = 0; r < one.size(); ++r) {
        EXPECT_TRUE(same_bits(one[r], many[r]))
            << "result " << r << " of case " << i << " with " << count << " threads";
      }
    }
  }
}

std::string type_name(const ::testing::TestParamInfo<DType>& type) {
  return dtype_name(type.param);
}

INSTANTIATE_TEST_SUITE_P(Types, Determinism, ::testing::Values(DType::kF32, DType::kBF16),
                         type_name);

}  // namespace
}  // namespace ata::testing
