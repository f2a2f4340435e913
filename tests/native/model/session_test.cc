#include "model/session.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <thread>

#include "base/threads.h"
#include "fixture.h"
#include "support/fenced_device.h"

namespace ata {
namespace {

class FixtureTest : public ModelFileTest, public testing::WithParamInterface<const char*> {
 protected:
  FixtureTest() : fixture_(GetParam()) {}

  std::shared_ptr<Model> load(bool trainable, ata_precision precision = ATA_PRECISION_F32) {
    ModelOptions options;
    options.trainable = trainable;
    options.precision = precision;
    return load_model(checkpoint(fixture_), options);
  }

  void expect_trajectories(const Session& session) {
    if (fixture_.config.temporal != ATA_TEMPORAL_ATA) return;
    for (int64_t block = 0; block < fixture_.config.depth(); ++block) {
      const Tensor expected = fixture_.get("trajectories/" + std::to_string(block));
      const Tensor actual = session.trajectories(block);
      ASSERT_EQ(actual.shape(), expected.shape());
      for (int64_t i = 0; i < actual.count(); ++i) {
        ASSERT_EQ(actual.data<int32_t>()[i], expected.data<int64_t>()[i])
            << "block " << block << ", position " << i;
      }
    }
  }

  Fixture fixture_;
};

INSTANTIATE_TEST_SUITE_P(All, FixtureTest,
                         testing::Values("tiny-space_only", "tiny-joint", "tiny-divided",
                                         "tiny-ata", "small-ata"),
                         [](const auto& test) {
                           std::string name = test.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST_P(FixtureTest, LogitsOfPackedWeights) {
  Session session(load(/*trainable=*/false));
  for (int run = 0; run < 2; ++run) {
    EXPECT_LT(largest_difference(session.forward(fixture_.get("clip")), fixture_.get("logits")),
              1e-4);
    expect_trajectories(session);
  }
}

TEST_P(FixtureTest, LogitsLossAndGradients) {
  Session session(load(/*trainable=*/true));
  EXPECT_LT(largest_difference(session.forward(fixture_.get("clip")), fixture_.get("logits")),
            1e-4);
  const Session::Loss result = session.gradients(fixture_.get("clip"), fixture_.get("labels"));
  EXPECT_LT(largest_difference(result.logits, fixture_.get("logits")), 1e-4);
  EXPECT_NEAR(result.loss, fixture_.get("loss").data<float>()[0], 1e-5);
  expect_trajectories(session);
  for (size_t i = 0; i < fixture_.parameters.count(); ++i) {
    const std::string& name = fixture_.parameters.name(i);
    ASSERT_TRUE(fixture_.file.contains("grad/" + name)) << name;
    EXPECT_LT(relative_error(session.gradient(name), fixture_.get("grad/" + name)), 1e-4) << name;
  }
}

TEST_P(FixtureTest, Bf16) {
  const Tensor expected = fixture_.get("logits");
  Session packed(load(/*trainable=*/false, ATA_PRECISION_BF16));
  EXPECT_LT(relative_error(packed.forward(fixture_.get("clip")), expected), 2e-2);
  Session trainable(load(/*trainable=*/true, ATA_PRECISION_BF16));
  const Session::Loss result = trainable.gradients(fixture_.get("clip"), fixture_.get("labels"));
  EXPECT_LT(relative_error(result.logits, expected), 2e-2);
  // All gradients together: those of single biases may be tiny sums of large terms.
  double difference = 0, norm = 0;
  for (size_t i = 0; i < fixture_.parameters.count(); ++i) {
    const std::string& name = fixture_.parameters.name(i);
    const Tensor gradient = trainable.gradient(name), reference = fixture_.get("grad/" + name);
    for (int64_t k = 0; k < gradient.count(); ++k) {
      const double delta = gradient.data<float>()[k] - reference.data<float>()[k];
      difference += delta * delta;
      norm += static_cast<double>(reference.data<float>()[k]) * reference.data<float>()[k];
    }
  }
  EXPECT_LT(std::sqrt(difference / norm), 5e-2);
}

TEST_P(FixtureTest, SecondRunOfAShapeAllocatesNothing) {
  // How many workers hold scratch at the same moment is a matter of timing.
  set_thread_count(1);
  Session session(load(/*trainable=*/false));
  session.forward(fixture_.get("clip"));
  const int64_t live = test_device().memory_statistics().live_bytes;
  session.forward(fixture_.get("clip"));
  EXPECT_EQ(test_device().memory_statistics().live_bytes, live);
  set_thread_count(0);
}

TEST_P(FixtureTest, BatchesOfAlternatingSizesAllocateNothing) {
  // What alignment keeps between runs is of one shape, and no part of the workspace.
  if (fixture_.config.temporal == ATA_TEMPORAL_ATA) GTEST_SKIP() << "aligns";
  set_thread_count(1);
  Session session(load(/*trainable=*/false));
  const Tensor one = fixture_.get("clip").slice(0, 1);
  Tensor five({5, one.dim(1), one.dim(2), one.dim(3), one.dim(4)}, DType::kF32);
  for (int64_t i = 0; i < 5; ++i) {
    std::memcpy(five.slice(i, i + 1).raw(), one.raw(), one.bytes());
  }
  const Tensor alone = session.forward(one);
  const Tensor among = session.forward(five);
  for (int i = 0; i < 2; ++i) {
    session.forward(one);
    session.forward(five);
  }
  const int64_t live = test_device().memory_statistics().live_bytes;
  for (int i = 0; i < 3; ++i) {
    // What the smaller batch leaves alone is kept for the larger one.
    EXPECT_TRUE(same_bits(session.forward(one), alone));
    EXPECT_EQ(test_device().memory_statistics().live_bytes, live);
    EXPECT_TRUE(same_bits(session.forward(five), among));
    EXPECT_EQ(test_device().memory_statistics().live_bytes, live);
  }
  set_thread_count(0);
}

// Directional derivatives of the loss along random directions, one for every parameter tensor.
void expect_gradients_match_differences(const ModelConfig& config, uint64_t seed) {
  // Hundreds of tiny passes: starting threads would be most of the work.
  set_thread_count(1);
  const std::shared_ptr<Model> model = create_model(config, seed);
  // Weights far from their small initial values, so that every path matters.
  ParameterSet parameters = model->parameters();
  const Context device = test_context();
  for (size_t i = 0; i < parameters.count(); ++i) {
    Tensor moved = random_tensor(parameters.tensor(i).shape(), seed + i, 0.15f);
    const Tensor initial = on_host(parameters.tensor(i));
    for (int64_t k = 0; k < moved.count(); ++k) moved.data<float>()[k] += initial.data<float>()[k];
    device.assign(parameters.tensor(i), moved);
  }
  device.synchronize();
  const Tensor clip = random_clip(config, 2, seed);
  Tensor labels({2}, DType::kI64);
  labels.data<int64_t>()[0] = 1;
  labels.data<int64_t>()[1] = 0;
  Session session(model);
  session.gradients(clip, labels);
  const auto trajectories = [&] {
    std::vector<Tensor> result;
    const bool indexed =
        config.temporal == ATA_TEMPORAL_ATA && config.alignment != ATA_ALIGNMENT_SOFT;
    for (int64_t i = 0; indexed && i < config.depth(); ++i) {
      result.push_back(session.trajectories(i));
    }
    return result;
  };
  const std::vector<Tensor> index = trajectories();
  size_t jumps = 0;
  std::vector<Tensor> gradients;
  for (size_t i = 0; i < parameters.count(); ++i) {
    gradients.push_back(session.gradient(parameters.name(i)));
  }
  for (size_t i = 0; i < parameters.count(); ++i) {
    // The parameters' memory is the model's: moving them moves the model.
    Tensor& tensor = parameters.tensor(i);
    const Tensor original = on_host(tensor);
    Tensor direction = random_tensor(tensor.shape(), seed + 1000 + i);
    // Half along the gradient, so that the derivative stands out of the rounding of the loss.
    double gradient_norm = 0, direction_norm = 0;
    for (int64_t k = 0; k < tensor.count(); ++k) {
      gradient_norm += std::pow(gradients[i].data<float>()[k], 2);
      direction_norm += std::pow(direction.data<float>()[k], 2);
    }
    ASSERT_GT(gradient_norm, 0) << parameters.name(i);
    double expected = 0;
    for (int64_t k = 0; k < tensor.count(); ++k) {
      float& d = direction.data<float>()[k];
      const double g = gradients[i].data<float>()[k];
      d = static_cast<float>(d / std::sqrt(direction_norm) + g / std::sqrt(gradient_norm));
      expected += g * d;
    }
    bool jumped = false;
    const auto loss_at = [&](double step) {
      Tensor moved_weights(tensor.shape(), DType::kF32);
      for (int64_t k = 0; k < tensor.count(); ++k) {
        moved_weights.data<float>()[k] =
            static_cast<float>(original.data<float>()[k] + step * direction.data<float>()[k]);
      }
      device.assign(tensor, moved_weights);
      device.synchronize();
      const double loss = session.gradients(clip, labels).loss;
      device.assign(tensor, original);
      device.synchronize();
      const std::vector<Tensor> moved = trajectories();
      for (size_t k = 0; k < index.size(); ++k) jumped |= !same_bits(moved[k], index[k]);
      return loss;
    };
    // A step that moves the loss by about 6e-4: far above its rounding, small against curvature.
    const double step = std::min(3e-4 / std::abs(expected), 2e-2);
    const double measured = (loss_at(step) - loss_at(-step)) / (2 * step);
    // The index is a constant for the gradient: where a step changes it, the loss jumps.
    if (jumped) {
      ++jumps;
      continue;
    }
    EXPECT_NEAR(measured, expected, 0.02 * std::abs(expected) + 2e-7 / step) << parameters.name(i);
  }
  EXPECT_LT(jumps, parameters.count() / 3) << "too few parameters could be checked";
  set_thread_count(0);
}

ModelConfig tiny_config(ata_temporal_mode temporal, ata_alignment alignment) {
  ModelConfig config;
  config.image_size = 16;
  change_vit(config, [](VitConfig& vit) {
    vit.patch_size = 4;
    vit.width = 24;
    vit.blocks = 2;
    vit.heads = 2;
    vit.mlp_ratio = 2;
  });
  config.frames = 3;
  config.classes = 5;
  config.temporal = temporal;
  config.alignment = alignment;
  return config;
}

TEST(SessionTest, GradientsMatchFiniteDifferencesInEveryMode) {
  for (ata_temporal_mode mode :
       {ATA_TEMPORAL_ATA, ATA_TEMPORAL_DIVIDED, ATA_TEMPORAL_JOINT, ATA_TEMPORAL_SPACE_ONLY}) {
    SCOPED_TRACE(temporal_mode_name(mode));
    expect_gradients_match_differences(tiny_config(mode, ATA_ALIGNMENT_EXACT), 5);
  }
}

TEST(SessionTest, GradientsMatchFiniteDifferencesUnderEveryAlignment) {
  for (ata_alignment alignment : {ATA_ALIGNMENT_NONE, ATA_ALIGNMENT_NEAREST, ATA_ALIGNMENT_WINDOW,
                                  ATA_ALIGNMENT_SINKHORN, ATA_ALIGNMENT_SOFT}) {
    SCOPED_TRACE(alignment_name(alignment));
    expect_gradients_match_differences(tiny_config(ATA_TEMPORAL_ATA, alignment), 17);
  }
}

class SessionFileTest : public ModelFileTest {};

TEST_F(SessionFileTest, AlignmentNoneIsDividedBitForBit) {
  const Fixture fixture("tiny-ata");
  ModelOptions options;
  options.alignment = ATA_ALIGNMENT_NONE;
  Session none(load_model(checkpoint(fixture), options));
  options = {};
  options.temporal = ATA_TEMPORAL_DIVIDED;
  Session divided(load_model(path(), options));
  const Tensor clip = fixture.get("clip");
  EXPECT_TRUE(same_bits(none.forward(clip), divided.forward(clip)));
  const Tensor identity = none.trajectories(1);
  ASSERT_EQ(identity.shape(), (Shape{2, 4, 16}));
  for (int64_t i = 0; i < identity.count(); ++i) EXPECT_EQ(identity.data<int32_t>()[i], i % 16);
}

TEST_F(SessionFileTest, OneCheckpointRunsInEveryMode) {
  const Fixture fixture("tiny-ata");
  checkpoint(fixture);
  std::vector<Tensor> logits;
  for (ata_temporal_mode mode :
       {ATA_TEMPORAL_ATA, ATA_TEMPORAL_DIVIDED, ATA_TEMPORAL_JOINT, ATA_TEMPORAL_SPACE_ONLY}) {
    ModelOptions options;
    options.temporal = mode;
    logits.push_back(Session(load_model(path(), options)).forward(fixture.get("clip")));
    for (size_t other = 0; other + 1 < logits.size(); ++other) {
      EXPECT_GT(largest_difference(logits.back(), logits[other]), 1e-4) << "modes " << other;
    }
  }
}

TEST_F(SessionFileTest, FeaturesAreWhatAlignmentSees) {
  const Fixture fixture("tiny-ata");
  Session session(load_model(checkpoint(fixture)));
  const Tensor clip = fixture.get("clip");
  for (int32_t block = 0; block < 2; ++block) {
    const Tensor features = session.features(clip, block);
    ASSERT_EQ(features.shape(), (Shape{2, 4, 16, 48}));
    AlignmentState state;
    const Tensor expected = align(make_context(cpu_device()), features.reshape({2 * 4 * 16, 48}),
                                  {2, 4, 16}, AlignmentOptions(), state)
                                .index;
    session.forward(clip);
    EXPECT_TRUE(same_bits(session.trajectories(block), expected));
  }
  EXPECT_EQ(session.features(clip, 2).shape(), (Shape{2, 4, 16, 48}));
  error_of(ATA_INVALID_ARGUMENT, [&] { session.features(clip, 3); });
  session.features(clip, 1);
  EXPECT_EQ(session.trajectories(0).shape(), (Shape{2, 4, 16}));
  EXPECT_MENTIONS(error_of(ATA_INVALID_STATE, [&] { session.trajectories(1); }), "reached block 1");
}

// Every combination of what can be asked for has the bits of each thing asked for alone.
TEST_P(FixtureTest, OneRunGivesTheBitsOfSingleOnes) {
  for (const ata_precision precision : {ATA_PRECISION_F32, ATA_PRECISION_BF16}) {
    const std::shared_ptr<Model> model = load(/*trainable=*/false, precision);
    const int32_t depth = model->config().depth();
    const bool aligns = model->config().temporal == ATA_TEMPORAL_ATA;
    const Tensor clip = fixture_.get("clip");
    Session single(model);
    const Tensor logits = single.forward(clip);
    const Tensor class_token = single.run(clip, {.class_token = true}).class_token;
    std::vector<Tensor> trajectories, features;
    for (int32_t block = 0; block < depth && aligns; ++block) {
      trajectories.push_back(single.trajectories(block));
    }
    for (int32_t block = 0; block <= depth; ++block) {
      features.push_back(single.features(clip, block));
    }
    EXPECT_EQ(class_token.shape(), (Shape{clip.dim(0), model->config().dim()}));

    std::vector<int32_t> feature_blocks(static_cast<size_t>(depth) + 1);
    std::iota(feature_blocks.rbegin(), feature_blocks.rend(), 0);
    std::vector<int32_t> blocks(aligns ? static_cast<size_t>(depth) : 0);
    std::iota(blocks.rbegin(), blocks.rend(), 0);
    Session session(model);
    for (int combination = 1; combination < 16; ++combination) {
      SCOPED_TRACE(concat("combination ", combination, ", precision ", precision));
      Session::Request request = {.logits = (combination & 1) != 0,
                                  .class_token = (combination & 2) != 0};
      if (combination & 4) request.features = feature_blocks;
      if (combination & 8) request.trajectories = blocks;
      const Session::Outputs outputs = session.run(clip, request);
      EXPECT_EQ(outputs.logits.defined(), request.logits);
      if (request.logits) {
        EXPECT_TRUE(same_bits(outputs.logits, logits));
      }
      EXPECT_EQ(outputs.class_token.defined(), request.class_token);
      if (request.class_token) {
        EXPECT_TRUE(same_bits(outputs.class_token, class_token));
      }
      ASSERT_EQ(outputs.features.size(), request.features.size());
      for (size_t i = 0; i < outputs.features.size(); ++i) {
        EXPECT_TRUE(
            same_bits(outputs.features[i], features[static_cast<size_t>(request.features[i])]));
      }
      ASSERT_EQ(outputs.trajectories.size(), request.trajectories.size());
      for (size_t i = 0; i < outputs.trajectories.size(); ++i) {
        EXPECT_TRUE(same_bits(outputs.trajectories[i],
                              trajectories[static_cast<size_t>(request.trajectories[i])]));
      }
    }
  }
}

#if !defined(_WIN32)
// All of it takes hardly more work than the logits alone: it is one pass. Fetched one by one, the
// features of these blocks are seven passes.
TEST(Session, AllOutputsTakeOnePass) {
  ModelConfig config = ModelConfig::named("vit-tiny");
  config.image_size = 64;
  config.frames = 4;
  config.classes = 5;
  const Tensor clip = random_clip(config, 1, 5);
  std::vector<int32_t> blocks(static_cast<size_t>(config.depth()));
  std::iota(blocks.begin(), blocks.end(), 0);
  // The fenced device counts its work.
  Session session(Model::create(config, 1, fenced_device()));
  const auto entries_of = [&](const Session::Request& request) {
    const int64_t before = fenced_entries();
    session.run(clip, request);
    return fenced_entries() - before;
  };
  const int64_t logits = entries_of({.logits = true});
  const int64_t features = entries_of({.features = blocks});
  const int64_t all =
      entries_of({.logits = true, .class_token = true, .features = blocks, .trajectories = blocks});
  EXPECT_GT(features, logits / 2);
  EXPECT_LT(all, logits + config.depth() * 4);
  EXPECT_LT(all, 2 * logits);
}
#endif

TEST_F(SessionFileTest, TrajectoriesAloneGoNoFurtherThanTheyNeed) {
  const Fixture fixture("tiny-ata");
  Session session(load_model(checkpoint(fixture)));
  const Tensor clip = fixture.get("clip");
  session.forward(clip);
  const Tensor expected = session.trajectories(0);
  const int32_t first = 0;
  const Session::Outputs outputs = session.run(clip, {.trajectories = {&first, 1}});
  EXPECT_TRUE(same_bits(outputs.trajectories.front(), expected));
  EXPECT_MENTIONS(error_of(ATA_INVALID_STATE, [&] { session.trajectories(1); }), "reached block 1");
}

TEST_F(SessionFileTest, TrajectoriesAreReusedBetweenAlignments) {
  const Fixture fixture("tiny-ata");
  ModelOptions options;
  options.align_every = 2;
  Session sparse(load_model(checkpoint(fixture), options));
  Session every(load_model(path()));
  const Tensor clip = fixture.get("clip");
  const Tensor logits = sparse.forward(clip);
  EXPECT_GT(largest_difference(logits, every.forward(clip)), 0);
  EXPECT_TRUE(same_bits(sparse.trajectories(0), every.trajectories(0)));
  EXPECT_TRUE(same_bits(sparse.trajectories(1), every.trajectories(0)));
  EXPECT_FALSE(same_bits(every.trajectories(1), every.trajectories(0)));
}

TEST_F(SessionFileTest, BatchIsTheSameAsOneByOne) {
  const Fixture fixture("tiny-ata");
  Session session(load_model(checkpoint(fixture)));
  const Tensor clip = fixture.get("clip");
  const Tensor both = session.forward(clip);
  for (int64_t b = 0; b < 2; ++b) {
    EXPECT_LT(largest_difference(session.forward(clip.slice(b, b + 1)), both.slice(b, b + 1)),
              1e-5);
  }
}

TEST_F(SessionFileTest, ConcurrentSessionsGiveTheSameBits) {
  for (const char* name : {"small-ata", "tiny-joint"}) {
    const Fixture fixture(name);
    const std::shared_ptr<Model> model = load_model(checkpoint(fixture));
    std::vector<Tensor> clips, expected;
    Session alone(model);
    for (int i = 0; i < 4; ++i) {
      clips.push_back(random_clip(fixture.config, 1 + i % 2, static_cast<uint64_t>(i)));
      expected.push_back(alone.forward(clips.back()));
    }
    std::vector<int> wrong(4, 0);
    std::vector<std::thread> threads;
    for (size_t i = 0; i < 4; ++i) {
      threads.emplace_back([&, i] {
        Session session(model);
        for (size_t run = 0; run < 8; ++run) {
          const size_t k = (i + run) % 4;
          wrong[i] += same_bits(session.forward(clips[k]), expected[k]) ? 0 : 1;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(wrong, std::vector<int>(4, 0)) << name;
  }
}

TEST_F(SessionFileTest, ConcurrentGradientsOfOneModel) {
  const Fixture fixture("tiny-ata");
  ModelOptions options;
  options.trainable = true;
  const std::shared_ptr<Model> model = load_model(checkpoint(fixture), options);
  std::vector<double> errors(4, 1.0);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      Session session(model);
      session.gradients(fixture.get("clip"), fixture.get("labels"));
      errors[i] = relative_error(session.gradient("blocks.0.attn.qkv.weight"),
                                 fixture.get("grad/blocks.0.attn.qkv.weight"));
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (double error : errors) EXPECT_LT(error, 1e-4);
}

TEST(SessionTest, LongClipsInEveryMode) {
  for (ata_temporal_mode mode :
       {ATA_TEMPORAL_ATA, ATA_TEMPORAL_DIVIDED, ATA_TEMPORAL_JOINT, ATA_TEMPORAL_SPACE_ONLY}) {
    ModelConfig config = tiny_config(mode, ATA_ALIGNMENT_EXACT);
    config.frames = 96;
    Session session(create_model(config, 3));
    const Tensor logits = session.forward(random_clip(config, 1, 5));
    for (float value : logits.values<float>()) EXPECT_TRUE(std::isfinite(value));
  }
}

TEST(SessionTest, ClipOfASingleFrame) {
  for (ata_temporal_mode mode : {ATA_TEMPORAL_ATA, ATA_TEMPORAL_JOINT, ATA_TEMPORAL_SPACE_ONLY}) {
    ModelConfig config = tiny_config(mode, ATA_ALIGNMENT_EXACT);
    config.frames = 1;
    Session session(create_model(config, 3));
    const Tensor logits = session.forward(random_clip(config, 2, 5));
    for (float value : logits.values<float>()) EXPECT_TRUE(std::isfinite(value));
  }
}

TEST(SessionTest, RejectsClipsThatDoNotFit) {
  const ModelConfig config = tiny_config(ATA_TEMPORAL_ATA, ATA_ALIGNMENT_EXACT);
  Session session(create_model(config, 3));
  const auto message = [&](const Tensor& clip) {
    return error_of(ATA_INVALID_ARGUMENT, [&] { session.forward(clip); });
  };
  EXPECT_MENTIONS(message(Tensor()), "f32");
  EXPECT_MENTIONS(message(Tensor({1, 3, 3, 16, 16}, DType::kU8)), "u8");
  EXPECT_MENTIONS(message(Tensor({1, 3, 2, 16, 16}, DType::kF32)), "[1, 3, 2, 16, 16]");
  EXPECT_MENTIONS(message(Tensor({3, 3, 16, 16}, DType::kF32)), "[B, 3, 3, 16, 16]");
  EXPECT_MENTIONS(message(Tensor({0, 3, 3, 16, 16}, DType::kF32)), "B at least 1");
  EXPECT_MENTIONS(message(Tensor(Shape(), DType::kF32)), "shape");
  Tensor clip = random_clip(config, 1, 1);
  clip.data<float>()[100] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_MENTIONS(message(clip), "NaN");
}

TEST(SessionTest, RejectsLabelsThatDoNotFit) {
  const ModelConfig config = tiny_config(ATA_TEMPORAL_DIVIDED, ATA_ALIGNMENT_EXACT);
  Session session(create_model(config, 3));
  const Tensor clip = random_clip(config, 2, 1);
  error_of(ATA_INVALID_STATE, [&] { session.gradient("norm.weight"); });
  error_of(ATA_INVALID_ARGUMENT, [&] { session.gradients(clip, Tensor()); });
  error_of(ATA_INVALID_ARGUMENT, [&] { session.gradients(clip, Tensor::zeros({1}, DType::kI64)); });
  error_of(ATA_INVALID_ARGUMENT, [&] { session.gradients(clip, Tensor::zeros({2}, DType::kI32)); });
  Tensor labels = Tensor::zeros({2}, DType::kI64);
  labels.data<int64_t>()[1] = config.classes;
  error_of(ATA_INVALID_ARGUMENT, [&] { session.gradients(clip, labels); });
  session.gradients(clip, Tensor::zeros({2}, DType::kI64));
  EXPECT_MENTIONS(error_of(ATA_UNKNOWN_NAME, [&] { session.gradient("nose.weight"); }),
                  "nose.weight");
  EXPECT_MENTIONS(error_of(ATA_UNSUPPORTED, [&] { session.trajectories(0); }), "'divided'");
}

TEST(SessionTest, CancellationStopsBetweenBlocks) {
  const ModelConfig config = tiny_config(ATA_TEMPORAL_ATA, ATA_ALIGNMENT_EXACT);
  Session session(create_model(config, 3));
  const Tensor clip = random_clip(config, 1, 1);
  const std::atomic<bool> cancelled{true};
  error_of(ATA_CANCELLED, [&] { session.forward(clip, &cancelled); });
  error_of(ATA_CANCELLED,
           [&] { session.gradients(clip, Tensor::zeros({1}, DType::kI64), &cancelled); });
  // The session is usable afterwards.
  EXPECT_EQ(session.forward(clip).shape(), (Shape{1, 5}));
}

TEST(SessionTest, ResultDoesNotDependOnEarlierRuns) {
  const ModelConfig config = tiny_config(ATA_TEMPORAL_ATA, ATA_ALIGNMENT_EXACT);
  const std::shared_ptr<Model> model = create_model(config, 3);
  Session used(model), fresh(model);
  for (uint64_t i = 0; i < 5; ++i) used.forward(random_clip(config, 1 + i % 2, i));
  const Tensor clip = random_clip(config, 2, 99);
  EXPECT_TRUE(same_bits(used.forward(clip), fresh.forward(clip)));
}

}  // namespace
}  // namespace ata
