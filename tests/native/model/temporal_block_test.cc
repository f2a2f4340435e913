#include "model/temporal_block.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "../ops/op_check.h"
#include "base/error.h"

namespace ata {
namespace {

constexpr int64_t kClips = 2, kFrames = 3, kHeight = 2, kWidth = 3, kChannels = 8;
constexpr AlignmentMethod kMethods[] = {AlignmentMethod::kExact,    AlignmentMethod::kNone,
                                        AlignmentMethod::kNearest,  AlignmentMethod::kWindow,
                                        AlignmentMethod::kSinkhorn, AlignmentMethod::kSoft};

// Features and gradients come from the host.
Tensor random_tensor(Shape shape, uint64_t seed) {
  return on_host(testing::random_tensor(shape, seed));
}

TemporalBlockOptions options_of(AlignmentMethod method) {
  TemporalBlockOptions options;
  options.device = &test_device();
  options.channels = kChannels;
  options.heads = 2;
  options.alignment.method = method;
  options.alignment.window_radius = 1;
  options.alignment.temperature = 0.5F;
  options.alignment.grid_height = kHeight;
  options.alignment.grid_width = kWidth;
  return options;
}

Tensor some_features() {
  return random_tensor({kClips, kFrames, kHeight * kWidth, kChannels}, 11);
}

// Features [B, T, N, D] as maps [B, T, D, H, W].
Tensor as_maps(const Tensor& features) {
  Tensor maps({kClips, kFrames, kChannels, kHeight, kWidth}, DType::kF32);
  const int64_t patches = kHeight * kWidth;
  for (int64_t i = 0; i < features.count(); ++i) {
    const int64_t channel = i % kChannels, patch = i / kChannels % patches,
                  frame = i / kChannels / patches;
    maps.data<float>()[(frame * kChannels + channel) * patches + patch] = features.data<float>()[i];
  }
  return maps;
}

// Gives `temporal_fc` values, without which attention changes nothing.
void wake(TemporalBlock& block) {
  for (const char* name : {"temporal_fc.weight", "temporal_fc.bias", "temporal_attn.qkv.bias"}) {
    Tensor parameter = block.parameters().tensor(name);
    const Tensor values = random_tensor(parameter.shape(), 12);
    write_values(parameter, values);
  }
}

double dot(const Tensor& a, const Tensor& b) {
  double sum = 0.0;
  for (int64_t i = 0; i < a.count(); ++i) {
    sum += static_cast<double>(a.data<float>()[i]) * b.data<float>()[i];
  }
  return sum;
}

TEST(TemporalBlock, NewBlockChangesNothing) {
  const Tensor features = some_features();
  for (const AlignmentMethod method : kMethods) {
    for (const ata_precision precision : {ATA_PRECISION_F32, ATA_PRECISION_BF16}) {
      SCOPED_TRACE(concat(static_cast<int>(method), " in precision ", precision));
      TemporalBlockOptions options = options_of(method);
      options.precision = precision;
      TemporalBlock block(options);
      for (const Tensor& input : {features, as_maps(features)}) {
        for (const bool for_backward : {false, true}) {
          EXPECT_EQ(doubles(block.forward(input, for_backward)), doubles(input));
        }
      }
    }
  }
}

TEST(TemporalBlock, RunsAlongTheTrajectoriesOfItsFeatures) {
  const Tensor features = some_features();
  for (const AlignmentMethod method : kMethods) {
    if (method == AlignmentMethod::kSoft) continue;
    SCOPED_TRACE(static_cast<int>(method));
    const TemporalBlockOptions options = options_of(method);
    TemporalBlock block(options);
    const Tensor output = block.forward(features, false);
    const ClipLayout layout = {kClips, kFrames, kHeight * kWidth};
    AlignmentState state;
    const Tensor rows = features.reshape({layout.patch_rows(), kChannels});
    const Tensor index =
        align(make_context(cpu_device()), rows, layout, options.alignment, state).index;
    EXPECT_TRUE(same_bits(block.trajectories(), index ? index : identity_trajectories(layout)));
  }
}

TEST(TemporalBlock, AlongItsOwnTrajectoriesIsTheSame) {
  const Tensor features = some_features();
  const Tensor gradient = random_tensor(features.shape(), 13);
  for (const AlignmentMethod method : kMethods) {
    if (method == AlignmentMethod::kSoft) continue;
    SCOPED_TRACE(static_cast<int>(method));
    TemporalBlock block(options_of(method));
    wake(block);
    const Tensor output = block.forward(features, true);
    const Tensor trajectories = block.trajectories();
    const Tensor back = block.backward(gradient);
    const Tensor weight = block.gradient("temporal_attn.qkv.weight");
    // Whatever the block's own alignment is.
    for (const AlignmentMethod other : {method, AlignmentMethod::kSoft, AlignmentMethod::kNone}) {
      TemporalBlock along(options_of(other));
      wake(along);
      EXPECT_TRUE(same_bits(along.forward_along(features, trajectories, true), output));
      EXPECT_TRUE(same_bits(along.trajectories(), trajectories));
      EXPECT_TRUE(same_bits(along.backward(gradient), back));
      EXPECT_TRUE(same_bits(along.gradient("temporal_attn.qkv.weight"), weight));
    }
    EXPECT_TRUE(
        same_bits(block.forward_along(as_maps(features), trajectories, false), as_maps(output)));
  }
}

TEST(TemporalBlock, GivenTrajectoriesAreKeptAndChecked) {
  TemporalBlock block(options_of(AlignmentMethod::kExact));
  wake(block);
  const Tensor features = some_features();
  Tensor trajectories = identity_trajectories({kClips, kFrames, kHeight * kWidth});
  const Tensor expected = block.forward_along(features, trajectories, true);
  const Tensor back = block.backward(features);
  block.forward_along(features, trajectories, true);
  // The caller's memory is the caller's again.
  std::fill_n(trajectories.data<int32_t>(), trajectories.count(), 0);
  EXPECT_TRUE(same_bits(block.backward(features), back));

  const auto rejects = [&](const char* text, const Tensor& given) {
    expect_error(ATA_INVALID_ARGUMENT, text, [&] { block.forward_along(features, given, false); });
  };
  for (const int32_t outside : {-1, 6, std::numeric_limits<int32_t>::max()}) {
    trajectories.data<int32_t>()[7] = outside;
    rejects("a frame has the patches 0 to 5", trajectories);
  }
  rejects("i32 [2, 3, 6]", identity_trajectories({kClips, kFrames, 5}));
  rejects("i32 [2, 3, 6]", Tensor::zeros({kClips, kFrames, 6}, DType::kI64));
  // Trajectories that meet leave patches out, which keep their value.
  trajectories = Tensor::zeros({kClips, kFrames, 6}, DType::kI32);
  const Tensor met = block.forward_along(features, trajectories, false);
  for (int64_t row = 0; row < kClips * kFrames * 6; ++row) {
    const auto* before = features.data<float>() + row * kChannels;
    const auto* after = met.data<float>() + row * kChannels;
    EXPECT_EQ(std::equal(before, before + kChannels, after), row % 6 != 0) << row;
  }
}

TEST(TemporalBlock, MapsAreFeaturesInAnotherOrder) {
  const Tensor features = some_features();
  const Tensor gradient = random_tensor(features.shape(), 13);
  for (const AlignmentMethod method : kMethods) {
    SCOPED_TRACE(static_cast<int>(method));
    TemporalBlock block(options_of(method));
    wake(block);
    const Tensor output = block.forward(features, true);
    EXPECT_GT(relative_error(doubles(output), doubles(features)), 0.1);
    const Tensor back = block.backward(gradient);
    const Tensor weight = block.gradient("temporal_attn.qkv.weight");
    EXPECT_TRUE(same_bits(block.forward(as_maps(features), true), as_maps(output)));
    EXPECT_TRUE(same_bits(block.backward(as_maps(gradient)), as_maps(back)));
    EXPECT_TRUE(same_bits(block.gradient("temporal_attn.qkv.weight"), weight));
  }
}

// The step itself is compared with an oracle, element by element; this is what the block adds.
TEST(TemporalBlock, GradientsAreThoseOfTheForward) {
  const Tensor features = some_features();
  const Tensor weights = random_tensor(features.shape(), 13);
  const float step = 1e-2F;
  for (const AlignmentMethod method : kMethods) {
    TemporalBlock block(options_of(method));
    wake(block);
    block.forward(features, true);
    const Tensor back = block.backward(weights);
    // `forward_with` runs the block with other values of what is differentiated by.
    const auto check = [&](const Tensor& before, const Tensor& gradient, const std::string& name,
                           const auto& forward_with) {
      SCOPED_TRACE(concat(name, " by method ", static_cast<int>(method)));
      const Tensor direction = random_tensor(before.shape(), 14);
      double values[2];
      for (int side = 0; side < 2; ++side) {
        Tensor changed = before.clone();
        for (int64_t i = 0; i < changed.count(); ++i) {
          changed.data<float>()[i] += (side ? -step : step) * direction.data<float>()[i];
        }
        values[side] = dot(forward_with(changed), weights);
      }
      const double expected = (values[0] - values[1]) / (2.0 * static_cast<double>(step));
      EXPECT_NEAR(dot(gradient, direction), expected, 2e-2 * (1.0 + std::abs(expected)));
    };
    for (size_t i = 0; i < block.parameters().count(); ++i) {
      const std::string& name = block.parameters().name(i);
      Tensor parameter = block.parameters().tensor(i);
      const Tensor original = on_host(parameter);
      check(original, block.gradient(name), name, [&](const Tensor& changed) {
        write_values(parameter, changed);
        const Tensor result = block.forward(features, false);
        write_values(parameter, original);
        return result;
      });
    }
    // Trajectories are constants for the gradient: only where none depends on the features.
    if (method == AlignmentMethod::kNone || method == AlignmentMethod::kSoft) {
      check(features, back, "features",
            [&](const Tensor& changed) { return block.forward(changed, false); });
    }
  }
}

TEST(TemporalBlock, CallerMayOverwriteFeaturesBeforeBackward) {
  const Tensor gradient = random_tensor(some_features().shape(), 13);
  TemporalBlock block(options_of(AlignmentMethod::kExact));
  wake(block);
  block.forward(some_features(), true);
  const Tensor expected = block.backward(gradient);
  Tensor features = some_features();
  block.forward(features, true);
  std::fill_n(features.data<float>(), features.count(), 0.0F);
  EXPECT_TRUE(same_bits(block.backward(gradient), expected));
}

TEST(TemporalBlock, SaysWhatIsWrong) {
  TemporalBlockOptions options = options_of(AlignmentMethod::kExact);
  options.channels = 0;
  expect_error(ATA_INVALID_ARGUMENT, "channels is 0", [&] { TemporalBlock{options}; });
  options.channels = 48;
  options.heads = 0;
  expect_error(ATA_INVALID_ARGUMENT, "say how many heads", [&] { TemporalBlock{options}; });
  options.heads = 5;
  expect_error(ATA_INVALID_ARGUMENT, "5 heads do not divide", [&] { TemporalBlock{options}; });
  options = options_of(AlignmentMethod::kSinkhorn);
  options.alignment.temperature = 0.0F;
  expect_error(ATA_INVALID_ARGUMENT, "temperature", [&] { TemporalBlock{options}; });

  TemporalBlock block(options_of(AlignmentMethod::kExact));
  const auto fails = [&](const std::string& text, const Tensor& features) {
    expect_error(ATA_INVALID_ARGUMENT, text, [&] { block.forward(features, true); });
  };
  expect_error(ATA_INVALID_STATE, "run forward first", [&] { block.trajectories(); });
  expect_error(ATA_INVALID_STATE, "no forward", [&] { block.backward(some_features()); });
  fails("f32 [B, T, N, D]", Tensor::zeros({2, 3, 4}, DType::kF32));
  fails("f32 [B, T, N, D]", Tensor::zeros({1, 1, 1, kChannels}, DType::kI32));
  fails("have 9 channels", Tensor::zeros({1, 2, 3, 9}, DType::kF32));
  fails("at least 1", Tensor::zeros({1, 0, 3, kChannels}, DType::kF32));
  Tensor broken = some_features();
  broken.data<float>()[5] = NAN;
  fails("NaN", broken);

  block.forward(some_features(), true);
  expect_error(ATA_INVALID_STATE, "no gradient yet", [&] { block.gradient("temporal_fc.weight"); });
  expect_error(ATA_INVALID_ARGUMENT, "the gradient is",
               [&] { block.backward(as_maps(some_features())); });
  block.backward(some_features());
  expect_error(ATA_INVALID_STATE, "no forward", [&] { block.backward(some_features()); });
  expect_error(ATA_UNKNOWN_NAME, "no parameter 'x'", [&] { block.parameters().tensor("x"); });
  TemporalBlock soft(options_of(AlignmentMethod::kSoft));
  soft.forward(some_features(), false);
  expect_error(ATA_UNSUPPORTED, "soft", [&] { soft.trajectories(); });
}

}  // namespace
}  // namespace ata
