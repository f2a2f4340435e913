#include "train/optimizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/random.h"
#include "base/threads.h"
#include "support/compare.h"
#include "support/devices.h"
#include "support/errors.h"

namespace ata {
namespace {

Tensor random_tensor(int64_t count, uint64_t stream, float deviation = 1.0f) {
  Tensor tensor(Shape{count}, DType::kF32);
  Random random(11, stream);
  for (int64_t i = 0; i < count; ++i) tensor.data<float>()[i] = deviation * random.normal();
  return on_device(tensor);
}

// The update rules as their papers write them, in double precision.
struct Oracle {
  TrainOptions options;
  double rate_scale = 1.0;
  double weight_decay = 0.0;
  std::vector<double> w, m, v, average;
  int t = 0;

  void update(double learning_rate, const std::vector<double>& gradient, double scale) {
    ++t;
    const double rate = learning_rate * rate_scale;
    for (size_t i = 0; i < w.size(); ++i) {
      double g = gradient[i] * scale;
      if (options.optimizer == ATA_OPTIMIZER_ADAMW) {
        const double b1 = options.beta1, b2 = options.beta2;
        m[i] = b1 * m[i] + (1 - b1) * g;
        v[i] = b2 * v[i] + (1 - b2) * g * g;
        const double mean = m[i] / (1 - std::pow(b1, t));
        const double root = std::sqrt(v[i] / (1 - std::pow(b2, t)));
        w[i] -= rate * (mean / (root + options.epsilon) + weight_decay * w[i]);
      } else {
        g += weight_decay * w[i];
        m[i] = options.momentum * m[i] + g;
        w[i] -= rate * (options.nesterov ? g + options.momentum * m[i] : m[i]);
      }
      average[i] = options.ema_decay * average[i] + (1 - options.ema_decay) * w[i];
    }
  }
};

std::vector<double> to_double(const Tensor& tensor) {
  const Tensor host = on_host(tensor);
  return {host.values<float>().begin(), host.values<float>().end()};
}

void expect_close(const Tensor& actual, const std::vector<double>& expected, double tolerance) {
  ASSERT_EQ(actual.count(), static_cast<int64_t>(expected.size()));
  const std::vector<double> values = to_double(actual);
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_NEAR(values[i], expected[i], tolerance) << i;
  }
}

TrainedParameter make_parameter(const std::string& name, Tensor weights, double rate_scale,
                                double weight_decay) {
  TrainedParameter parameter;
  parameter.name = name;
  parameter.weights = std::move(weights);
  parameter.group.rate_scale = rate_scale;
  parameter.group.weight_decay = weight_decay;
  return parameter;
}

// Two parameters of awkward sizes over 20 updates against the oracle, clipping included.
void compare_with_oracle(const TrainOptions& options) {
  const int64_t counts[] = {1027, 40};
  const double rate_scales[] = {1.0, 0.25};
  const double decays[] = {0.05, 0.0};
  std::vector<TrainedParameter> parameters;
  std::vector<Oracle> oracles;
  for (size_t p = 0; p < 2; ++p) {
    const Tensor weights = random_tensor(counts[p], 100 + p);
    Oracle oracle;
    oracle.options = options;
    oracle.rate_scale = rate_scales[p];
    oracle.weight_decay = decays[p];
    oracle.w = to_double(weights);
    oracle.m = oracle.v = std::vector<double>(oracle.w.size());
    oracle.average = oracle.w;
    oracles.push_back(oracle);
    parameters.push_back(make_parameter(p ? "b" : "a", weights, rate_scales[p], decays[p]));
  }
  Optimizer optimizer(options, parameters, make_context(test_device()));
  for (int step = 0; step < 20; ++step) {
    const double learning_rate = 0.01 / (1 + step);
    std::vector<Tensor> gradients;
    double squares = 0;
    for (size_t p = 0; p < 2; ++p) {
      gradients.push_back(random_tensor(counts[p], static_cast<uint64_t>(1000 + 2 * step) + p,
                                        step % 2 ? 0.01f : 0.1f));
      for (double g : to_double(gradients.back())) squares += g * g;
    }
    const double norm = optimizer.update(learning_rate, gradients);
    EXPECT_NEAR(norm, std::sqrt(squares), 1e-9 * norm);
    const bool clip = options.clip_norm > 0 && std::sqrt(squares) > options.clip_norm;
    const double scale = clip ? options.clip_norm / std::sqrt(squares) : 1.0;
    for (size_t p = 0; p < 2; ++p) {
      oracles[p].update(learning_rate, to_double(gradients[p]), scale);
    }
  }
  EXPECT_EQ(optimizer.update_count(), 20);
  for (size_t p = 0; p < 2; ++p) {
    const TrainedParameter& parameter = optimizer.parameters()[p];
    expect_close(parameter.weights, oracles[p].w, 2e-6);
    if (options.ema_decay > 0) expect_close(parameter.average, oracles[p].average, 2e-6);
  }
}

TEST(Optimizer, AdamwFollowsTheOracle) {
  TrainOptions options;
  options.clip_norm = 0.0f;
  compare_with_oracle(options);
  options.clip_norm = 0.5f;
  options.ema_decay = 0.9f;
  options.beta1 = 0.8f;
  options.epsilon = 1e-4f;
  compare_with_oracle(options);
}

TEST(Optimizer, SgdFollowsTheOracle) {
  TrainOptions options;
  options.optimizer = ATA_OPTIMIZER_SGD;
  options.clip_norm = 1.0f;
  compare_with_oracle(options);
  options.nesterov = true;
  options.ema_decay = 0.5f;
  compare_with_oracle(options);
  options.nesterov = false;
  options.momentum = 0.0f;
  compare_with_oracle(options);
}

TEST(Optimizer, KeepsNoMomentsThatTheRuleDoesNotRead) {
  TrainOptions options;
  options.optimizer = ATA_OPTIMIZER_SGD;
  options.momentum = 0.0f;
  const Optimizer optimizer(options, {make_parameter("a", random_tensor(8, 1), 1.0, 0.0)},
                            make_context(test_device()));
  EXPECT_FALSE(optimizer.parameters()[0].first_moment);
  EXPECT_FALSE(optimizer.parameters()[0].second_moment);
  EXPECT_FALSE(optimizer.parameters()[0].average);
}

TEST(Optimizer, ParametersWithoutGradientStayAsTheyAre) {
  const Tensor weights = random_tensor(100, 1);
  const Tensor before = on_host(weights);
  Optimizer optimizer(
      TrainOptions(),
      {make_parameter("a", weights, 1.0, 0.5), make_parameter("b", random_tensor(10, 2), 1.0, 0.5)},
      make_context(test_device()));
  optimizer.update(0.1, std::vector<Tensor>{Tensor(), random_tensor(10, 3)});
  EXPECT_TRUE(same_bits(weights, before));
}

TEST(Optimizer, RejectsWhatIsNotFiniteAndChangesNothing) {
  const Tensor weights = random_tensor(100, 1), other = random_tensor(100, 2);
  const Tensor before = on_host(weights);
  Optimizer optimizer(
      TrainOptions(),
      {make_parameter("first", weights, 1.0, 0.0), make_parameter("second", other, 1.0, 0.0)},
      make_context(test_device()));
  for (float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    std::vector<Tensor> gradients = {random_tensor(100, 3), random_tensor(100, 4)};
    Tensor spoilt = on_host(gradients[1]);
    spoilt.data<float>()[99] = bad;
    gradients[1] = on_device(spoilt);
    expect_error(ATA_NOT_FINITE, "'second'", [&] { optimizer.update(0.1, gradients); });
  }
  const std::vector<Tensor> good = {random_tensor(100, 3), random_tensor(100, 4)};
  EXPECT_THROW(optimizer.update(-1.0, good), Error);
  EXPECT_THROW(optimizer.update(std::numeric_limits<double>::quiet_NaN(), good), Error);
  EXPECT_TRUE(same_bits(weights, before));
  EXPECT_EQ(optimizer.update_count(), 0);
}

// Large finite gradients must not overflow on the way to a clipped update.
TEST(Optimizer, ClipsHugeGradients) {
  TrainOptions options;
  options.optimizer = ATA_OPTIMIZER_SGD;
  options.momentum = 0.0f;
  const Tensor weights = on_device(Tensor::zeros(Shape{1000}, DType::kF32));
  Optimizer optimizer(options, {make_parameter("a", weights, 1.0, 0.0)},
                      make_context(test_device()));
  Tensor gradient(Shape{1000}, DType::kF32);
  std::fill_n(gradient.data<float>(), 1000, 3e38f);
  const double norm = optimizer.update(1.0, std::vector<Tensor>{on_device(gradient)});
  EXPECT_NEAR(norm, 3e38 * std::sqrt(1000.0), 1e-6 * norm);
  EXPECT_NEAR(to_double(weights)[7], -1.0 / std::sqrt(1000.0), 1e-6);
}

TEST(Optimizer, TheSameBitsOnAnyNumberOfThreads) {
  TrainOptions options;
  options.ema_decay = 0.99f;
  const int64_t count = 300007;
  Tensor results[3];
  double norms[3];
  for (int threads = 1; threads <= 3; ++threads) {
    set_thread_count(threads);
    Tensor weights = random_tensor(count, 1);
    Optimizer optimizer(options, {make_parameter("a", weights, 1.0, 0.05)},
                        make_context(test_device()));
    for (uint64_t step = 0; step < 3; ++step) {
      norms[threads - 1] =
          optimizer.update(0.01, std::vector<Tensor>{random_tensor(count, 10 + step)});
    }
    results[threads - 1] = weights;
  }
  set_thread_count(0);
  EXPECT_TRUE(same_bits(results[0], results[1]));
  EXPECT_TRUE(same_bits(results[0], results[2]));
  EXPECT_EQ(norms[0], norms[1]);
  EXPECT_EQ(norms[0], norms[2]);
}

TEST(Optimizer, RestoreContinuesBitForBit) {
  TrainOptions options;
  options.ema_decay = 0.9f;
  const auto gradient = [](uint64_t step) {
    return std::vector<Tensor>{random_tensor(500, 50 + step)};
  };
  Tensor straight = random_tensor(500, 1);
  Optimizer first(options, {make_parameter("a", straight, 1.0, 0.05)}, make_context(test_device()));
  for (uint64_t step = 0; step < 5; ++step) first.update(0.01, gradient(step));
  TrainedParameter saved = first.parameters()[0];
  saved.weights = on_host(saved.weights);
  saved.first_moment = on_host(saved.first_moment);
  saved.second_moment = on_host(saved.second_moment);
  saved.average = on_host(saved.average);
  for (uint64_t step = 5; step < 10; ++step) first.update(0.01, gradient(step));

  Tensor resumed = random_tensor(500, 2);
  Optimizer second(options, {make_parameter("a", resumed, 1.0, 0.05)}, make_context(test_device()));
  second.restore(std::vector<TrainedParameter>{saved}, 5);
  for (uint64_t step = 5; step < 10; ++step) second.update(0.01, gradient(step));
  EXPECT_TRUE(same_bits(straight, resumed));
  EXPECT_TRUE(same_bits(first.parameters()[0].average, second.parameters()[0].average));
  EXPECT_EQ(second.update_count(), 10);
}

TEST(OptimizerKernels, ScaledSumsTouchEveryElementOnce) {
  const Context context = test_context();
  for (int64_t count : {0, 1, 15, 16, 17, 1000, 70001}) {
    const Tensor source = random_tensor(count, 1);
    // A sentinel behind the end shows writes out of range.
    Tensor all = random_tensor(count + 1, 2);
    Tensor target = all.slice(0, count);
    const std::vector<double> x = to_double(source), start = to_double(all);
    context.run(&Kernels::scale_by, 0.5f, source, /*accumulate=*/true, target);
    const std::vector<double> sum = to_double(all);
    context.run(&Kernels::scale_by, -2.0f, source, /*accumulate=*/false, target);
    const std::vector<double> product = to_double(all);
    for (size_t i = 0; i < x.size(); ++i) {
      ASSERT_NEAR(sum[i], start[i] + 0.5 * x[i], 1e-6);
      ASSERT_EQ(product[i], -2.0 * x[i]);
    }
    EXPECT_EQ(sum[x.size()], start[x.size()]);
    EXPECT_EQ(product[x.size()], start[x.size()]);
  }
}

}  // namespace
}  // namespace ata
