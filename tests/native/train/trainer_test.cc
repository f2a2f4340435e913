#include "train/trainer.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <limits>
#include <thread>

#include "training.h"

namespace ata {
namespace {

// Plain gradient descent at rate 1 without decay or clipping: the weights show the gradient.
TrainOptions plain_options() {
  TrainOptions options;
  options.optimizer = ATA_OPTIMIZER_SGD;
  options.momentum = 0.0f;
  options.weight_decay = 0.0f;
  options.clip_norm = 0.0f;
  return options;
}

// The largest relative difference of a parameter's change since `start`.
double change_error(const Model& a, const Model& b, const ParameterSet& start) {
  double worst = 0;
  for (size_t i = 0; i < start.count(); ++i) {
    double difference = 0, norm = 0;
    const Tensor in_a = weight_of(a, start.name(i)), in_b = weight_of(b, start.name(i));
    for (int64_t k = 0; k < start.tensor(i).count(); ++k) {
      const double s = start.tensor(i).data<float>()[k];
      const double x = in_a.data<float>()[k] - s;
      const double y = in_b.data<float>()[k] - s;
      difference += (x - y) * (x - y);
      norm += y * y;
    }
    worst = std::max(worst, std::sqrt(difference / (norm + 1e-12)));
  }
  return worst;
}

class TrainerTest : public ModelFileTest, OneThread {};
class FixtureTraining : public testing::TestWithParam<const char*>, OneThread {};

TEST_P(FixtureTraining, TenAdamwStepsGiveTheReferenceLosses) {
  const Fixture fixture(GetParam());
  TrainOptions options;
  options.clip_norm = 0.0f;
  Trainer trainer(model_of(fixture), options);
  const Tensor expected = fixture.get("adamw_losses");
  ASSERT_EQ(expected.count(), 10);
  for (int64_t step = 0; step < 10; ++step) {
    const auto batch = trainer.accumulate(fixture.get("clip"), fixture.get("labels"), 1.0f);
    trainer.update(1e-3);
    const float reference = expected.data<float>()[step];
    EXPECT_NEAR(batch.loss, reference, 1e-3 * reference) << "step " << step;
  }
}

TEST_P(FixtureTraining, RecomputationGivesTheSameBits) {
  const Fixture fixture(GetParam());
  // Without dropout the last product of a block is not computed again.
  for (float dropout : {0.0f, 0.2f}) {
    std::shared_ptr<Model> models[2];
    for (int recompute = 0; recompute < 2; ++recompute) {
      TrainOptions options = rich_options();
      options.dropout = dropout;
      options.recompute = recompute == 1;
      models[recompute] = model_of(fixture);
      Trainer trainer(models[recompute], options);
      for (int step = 0; step < 3; ++step) {
        trainer.accumulate(fixture.get("clip"), fixture.get("labels"), 1.0f);
        trainer.update(1e-3);
      }
    }
    EXPECT_TRUE(same_weights(*models[0], *models[1]));
    EXPECT_FALSE(same_weights(*models[0], *model_of(fixture)));
  }
}

TEST_P(FixtureTraining, TheSameBitsOnAnyNumberOfThreads) {
  const Fixture fixture(GetParam());
  std::shared_ptr<Model> models[3];
  for (int threads = 1; threads <= 3; ++threads) {
    set_thread_count(threads);
    models[threads - 1] = model_of(fixture);
    Trainer trainer(models[threads - 1], rich_options());
    for (int step = 0; step < 2; ++step) {
      trainer.accumulate(fixture.get("clip"), fixture.get("labels"), 1.0f);
      trainer.update(1e-3);
    }
  }
  EXPECT_TRUE(same_weights(*models[0], *models[1]));
  EXPECT_TRUE(same_weights(*models[0], *models[2]));
}

TEST_P(FixtureTraining, Bf16StaysCloseToF32) {
  const Fixture fixture(GetParam());
  std::vector<float> losses[2];
  for (int bf16 = 0; bf16 < 2; ++bf16) {
    TrainOptions options;
    options.precision = bf16 ? ATA_PRECISION_BF16 : ATA_PRECISION_F32;
    Trainer trainer(model_of(fixture), options);
    for (int step = 0; step < 10; ++step) {
      losses[bf16].push_back(
          trainer.accumulate(fixture.get("clip"), fixture.get("labels"), 1.0f).loss);
      trainer.update(1e-3);
    }
  }
  // Losses fall by a factor of ten or more; bf16 keeps 8 bits.
  for (size_t step = 0; step < 10; ++step) {
    EXPECT_NEAR(losses[1][step], losses[0][step], 0.02 * losses[0][0]) << "step " << step;
  }
  EXPECT_NE(losses[0][5], losses[1][5]);
}

INSTANTIATE_TEST_SUITE_P(Fixtures, FixtureTraining, testing::ValuesIn(kFixtures), name_of);

TEST_F(TrainerTest, AccumulationEqualsOneBigBatch) {
  const Fixture fixture("tiny-ata");
  const Tensor clip = fixture.get("clip"), labels = fixture.get("labels");
  const auto whole = model_of(fixture), parts = model_of(fixture);
  Trainer one(whole, plain_options()), two(parts, plain_options());
  const auto batch = one.accumulate(clip, labels, 1.0f);
  float loss = 0;
  for (int64_t i = 0; i < 2; ++i) {
    loss += two.accumulate(clip.slice(i, i + 1), labels.slice(i, i + 1), 0.5f).loss / 2;
  }
  EXPECT_NEAR(loss, batch.loss, 1e-5);
  const double norm = one.update(1.0);
  EXPECT_NEAR(two.update(1.0), norm, 1e-4 * norm);
  EXPECT_LT(change_error(*whole, *parts, fixture.parameters), 1e-4);
}

TEST_F(TrainerTest, AFailedBatchChangesNothing) {
  const Fixture fixture("tiny-ata");
  const Tensor clip = fixture.get("clip"), labels = fixture.get("labels");
  const auto clean = model_of(fixture), disturbed = model_of(fixture);
  for (const auto& model : {clean, disturbed}) {
    Trainer trainer(model, rich_options());
    const auto disturb = [&] {
      if (model == clean) return;
      const std::atomic<bool> cancelled = true;
      error_of(ATA_CANCELLED, [&] { trainer.accumulate(clip, labels, 1.0f, &cancelled); });
      error_of(ATA_INVALID_ARGUMENT, [&] { trainer.accumulate(clip, labels_of({0}), 1.0f); });
      // Found by the loss, after the forward pass.
      error_of(ATA_INVALID_ARGUMENT, [&] { trainer.accumulate(clip, labels_of({0, 7}), 1.0f); });
      error_of(ATA_INVALID_ARGUMENT, [&] { trainer.accumulate(clip, labels, -1.0f); });
    };
    disturb();
    trainer.accumulate(clip, labels, 0.5f);
    disturb();
    trainer.accumulate(clip, labels, 0.5f);
    disturb();
    trainer.update(1e-3);
  }
  EXPECT_TRUE(same_weights(*clean, *disturbed));
}

// A flag that is set while a pass runs stops it between two blocks, forward or backward.
TEST_F(TrainerTest, CancelsInTheMiddle) {
  const Fixture fixture("small-ata");
  for (bool recompute : {false, true}) {
    TrainOptions options;
    options.recompute = recompute;
    const auto model = model_of(fixture);
    Trainer trainer(model, options);
    trainer.accumulate(fixture.get("clip"), fixture.get("labels"), 1.0f);
    trainer.update(0.0);
    std::atomic<bool> cancelled = false;
    std::thread canceller([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      cancelled = true;
    });
    bool was_cancelled = false;
    while (!was_cancelled) {
      try {
        trainer.accumulate(fixture.get("clip"), fixture.get("labels"), 1.0f, &cancelled);
        trainer.update(0.0);
      } catch (const Error& error) {
        ASSERT_EQ(error.status(), ATA_CANCELLED);
        was_cancelled = true;
      }
    }
    canceller.join();
    error_of(ATA_INVALID_STATE, [&] { trainer.update(1.0); });
    EXPECT_TRUE(same_weights(*model, *model_of(fixture)));
  }
}

TEST_F(TrainerTest, UpdateNeedsAGradientAndARate) {
  const Fixture fixture("tiny-divided");
  const auto model = model_of(fixture);
  Trainer trainer(model, TrainOptions());
  EXPECT_MENTIONS(error_of(ATA_INVALID_STATE, [&] { trainer.update(1e-3); }), "accumulated");
  trainer.accumulate(fixture.get("clip"), fixture.get("labels"), 1.0f);
  error_of(ATA_INVALID_ARGUMENT, [&] { trainer.update(-1.0); });
  error_of(ATA_INVALID_ARGUMENT, [&] { trainer.update(std::numeric_limits<double>::infinity()); });
  EXPECT_TRUE(same_weights(*model, *model_of(fixture)));
  // A bad rate does not cost the gradient.
  trainer.update(1e-3);
  EXPECT_EQ(trainer.update_count(), 1);
}

TEST_F(TrainerTest, AGradientThatIsNotFiniteIsClearedAndNamed) {
  const Fixture fixture("tiny-divided");
  const auto model = model_of(fixture);
  Trainer trainer(model, TrainOptions());
  // Each batch is finite, and their sum is not.
  for (int i = 0; i < 60; ++i) {
    trainer.accumulate(fixture.get("clip"), fixture.get("labels"), 3e38f);
  }
  EXPECT_MENTIONS(error_of(ATA_NOT_FINITE, [&] { trainer.update(1e-3); }), "not finite");
  EXPECT_TRUE(same_weights(*model, *model_of(fixture)));
  EXPECT_EQ(trainer.update_count(), 0);
  // Training goes on as if nothing had been.
  const float loss = trainer.accumulate(fixture.get("clip"), fixture.get("labels"), 1.0f).loss;
  EXPECT_NEAR(loss, fixture.get("loss").data<float>()[0], 1e-3);
  EXPECT_GT(trainer.update(1e-3), 0.0);
}

TEST_F(TrainerTest, ALossThatIsNotFiniteIsSaidAndNothingIsAccumulated) {
  for (const char* name : {"tiny-ata", "tiny-divided"}) {
    const Fixture fixture(name);
    const auto model = model_of(fixture);
    Trainer trainer(model, TrainOptions());
    Tensor weight = model->parameters().tensor("blocks.0.mlp.fc2.weight");
    const Tensor before = test_context().download(weight);
    Tensor damaged = before.clone();
    damaged.data<float>()[0] = std::numeric_limits<float>::quiet_NaN();
    write_values(weight, damaged);
    error_of(ATA_NOT_FINITE,
             [&] { trainer.accumulate(fixture.get("clip"), fixture.get("labels"), 1.0f); });
    write_values(weight, before);
    error_of(ATA_INVALID_STATE, [&] { trainer.update(1e-3); });
  }
}

TEST_F(TrainerTest, LabelsAndProbabilitiesAgree) {
  const Fixture fixture("tiny-ata");
  const Tensor labels = fixture.get("labels");
  Tensor one_hot = Tensor::zeros({2, fixture.config.classes}, DType::kF32);
  for (int64_t b = 0; b < 2; ++b) {
    one_hot.data<float>()[b * fixture.config.classes + labels.data<int64_t>()[b]] = 1.0f;
  }
  TrainOptions options = plain_options();
  options.label_smoothing = 0.3f;
  const auto a = model_of(fixture), b = model_of(fixture);
  Trainer by_label(a, options), by_probability(b, options);
  const auto batch = by_label.accumulate(fixture.get("clip"), labels, 1.0f);
  by_probability.accumulate(fixture.get("clip"), one_hot, 1.0f);
  by_label.update(1.0);
  by_probability.update(1.0);
  EXPECT_LT(change_error(*a, *b, fixture.parameters), 1e-6);

  double expected = 0;
  const int64_t classes = fixture.config.classes;
  for (int64_t row = 0; row < 2; ++row) {
    const float* logits = batch.logits.data<float>() + row * classes;
    double sum = 0;
    for (int64_t c = 0; c < classes; ++c) sum += std::exp(static_cast<double>(logits[c]));
    for (int64_t c = 0; c < classes; ++c) {
      const double target =
          0.7 * one_hot.data<float>()[row * classes + c] + 0.3 / static_cast<double>(classes);
      expected -= target * (logits[c] - std::log(sum)) / 2;
    }
  }
  EXPECT_NEAR(batch.loss, expected, 1e-5);
}

TEST_F(TrainerTest, RejectsTargetsThatAreNoProbabilities) {
  const Fixture fixture("tiny-ata");
  Trainer trainer(model_of(fixture), TrainOptions());
  const int64_t classes = fixture.config.classes;
  const auto reject = [&](const Tensor& targets) {
    error_of(ATA_INVALID_ARGUMENT, [&] { trainer.accumulate(fixture.get("clip"), targets, 1.0f); });
  };
  Tensor targets = Tensor::zeros({2, classes}, DType::kF32);
  reject(targets);
  std::fill_n(targets.data<float>(), targets.count(), 1.0f / float(classes));
  trainer.accumulate(fixture.get("clip"), targets, 1.0f);
  targets.data<float>()[3] = std::numeric_limits<float>::quiet_NaN();
  reject(targets);
  targets.data<float>()[3] = -1.0f;
  reject(targets);
  reject(Tensor());
  reject(Tensor::zeros({2, classes + 1}, DType::kF32));
  reject(Tensor::zeros({2}, DType::kI32));
}

TEST_F(TrainerTest, FrozenParametersStayAndAreNotDifferentiated) {
  const Fixture fixture("tiny-ata");
  TrainOptions options;
  options.frozen = "*_embed*,cls_token,blocks.0.*";
  options.ema_decay = 0.5f;
  const auto model = model_of(fixture);
  Trainer trainer(model, options);
  trainer.accumulate(fixture.get("clip"), fixture.get("labels"), 1.0f);
  trainer.save(path(), nullptr);
  const TensorFile file(path());
  trainer.update(1e-2);
  for (size_t i = 0; i < fixture.parameters.count(); ++i) {
    const std::string& name = fixture.parameters.name(i);
    const bool frozen = name.starts_with("blocks.0.") || name == "cls_token" ||
                        name.find("_embed") != std::string::npos;
    EXPECT_EQ(same_bits(weight_of(*model, name), fixture.parameters.tensor(i)), frozen) << name;
    EXPECT_EQ(file.contains("gradient/" + name), !frozen) << name;
    EXPECT_EQ(file.contains("moment1/" + name), !frozen) << name;
    EXPECT_TRUE(file.contains("param/" + name)) << name;
  }
  // What is trained is trained as it would be without freezing: same gradient, same first step.
  const auto reference = model_of(fixture);
  options.frozen.clear();
  options.clip_norm = 0.0f;
  Trainer all(reference, options);
  all.accumulate(fixture.get("clip"), fixture.get("labels"), 1.0f);
  all.save(path("all.safetensors"), nullptr);
  const TensorFile everything(path("all.safetensors"));
  EXPECT_LT(relative_error(everything.get("gradient/blocks.1.mlp.fc1.weight"),
                           file.get("gradient/blocks.1.mlp.fc1.weight")),
            1e-5);
}

// Bytes that a pass over a deeper model held at most, its parameters' gradients left out: the
// workspace keeps what it once had.
int64_t activation_bytes(const TrainOptions& options) {
  ModelConfig config = Fixture("tiny-divided").config;
  change_vit(config, [](VitConfig& vit) { vit.blocks = 12; });
  Trainer trainer(create_model(config, 1), options);
  const Tensor clip = random_clip(config, 8, 1);
  const int64_t before = test_device().memory_statistics().live_bytes;
  trainer.accumulate(clip, labels_of({0, 1, 2, 3, 4, 5, 6, 0}), 1.0f);
  const auto& list = trainer.model().parameter_list();
  const auto groups = group_parameters(list, options);
  int64_t gradients = 0;
  for (size_t i = 0; i < list.size(); ++i) {
    if (groups[i].frozen) continue;
    gradients += static_cast<int64_t>(trainer.model().parameters().tensor(i).bytes());
  }
  return test_device().memory_statistics().live_bytes - before - gradients;
}

TEST_F(TrainerTest, FreezingPrunesTheBackwardPass) {
  TrainOptions head_only;
  head_only.frozen = "*_embed*,cls_token,blocks.*";
  EXPECT_LT(activation_bytes(head_only), activation_bytes(TrainOptions()) / 4);
}

TEST_F(TrainerTest, RecomputationKeepsLessInMemory) {
  TrainOptions recompute;
  recompute.recompute = true;
  EXPECT_LT(activation_bytes(recompute), activation_bytes(TrainOptions()) / 4);
}

TEST_F(TrainerTest, BatchesOfAlternatingSizesAllocateNothing) {
  const Fixture fixture("tiny-divided");
  Trainer trainer(model_of(fixture), TrainOptions());
  const auto batch = [&](int64_t clips) {
    trainer.accumulate(fixture.get("clip").slice(0, clips),
                       labels_of(std::vector<int64_t>(static_cast<size_t>(clips), 1)), 1.0f);
    return test_device().memory_statistics().live_bytes;
  };
  // Until every size of block is there, whichever it served before.
  for (int i = 0; i < 6; ++i) {
    batch(1);
    batch(2);
  }
  const int64_t live = batch(1);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(batch(2), live);
    EXPECT_EQ(batch(1), live);
  }
}

TEST_F(TrainerTest, TheAverageFollowsTheWeights) {
  const Fixture fixture("tiny-joint");
  TrainOptions options;
  options.ema_decay = 0.75f;
  const auto model = model_of(fixture);
  Trainer trainer(model, options);
  std::vector<std::vector<double>> expected;
  for (size_t i = 0; i < fixture.parameters.count(); ++i) {
    const auto values = fixture.parameters.tensor(i).values<float>();
    expected.emplace_back(values.begin(), values.end());
  }
  for (int step = 0; step < 5; ++step) {
    trainer.accumulate(fixture.get("clip"), fixture.get("labels"), 1.0f);
    trainer.update(1e-2);
    for (size_t i = 0; i < expected.size(); ++i) {
      const Tensor weights = weight_of(*model, fixture.parameters.name(i));
      const auto values = weights.values<float>();
      for (size_t k = 0; k < values.size(); ++k) {
        expected[i][k] = 0.75 * expected[i][k] + 0.25 * static_cast<double>(values[k]);
      }
    }
  }
  const auto averaged = trainer.averaged_model();
  EXPECT_TRUE(averaged->trainable());
  for (size_t i = 0; i < expected.size(); ++i) {
    const Tensor weights = weight_of(*averaged, fixture.parameters.name(i));
    const auto values = weights.values<float>();
    for (size_t k = 0; k < values.size(); ++k) ASSERT_NEAR(values[k], expected[i][k], 1e-6);
  }
  // A copy: further training leaves it alone.
  const auto before = on_host(averaged->parameters().tensor(0));
  trainer.accumulate(fixture.get("clip"), fixture.get("labels"), 1.0f);
  trainer.update(1e-2);
  EXPECT_TRUE(same_bits(on_host(averaged->parameters().tensor(0)), before));
}

TEST_F(TrainerTest, WithoutAnAverageTheWeightsAreCopied) {
  const Fixture fixture("tiny-joint");
  const auto model = model_of(fixture);
  const Trainer trainer(model, TrainOptions());
  EXPECT_TRUE(same_weights(*trainer.averaged_model(), *model));
}

TEST_F(TrainerTest, TheSeedDecidesTheDraws) {
  const Fixture fixture("tiny-ata");
  const auto losses = [&](uint64_t seed, float dropout, float depth) {
    TrainOptions options;
    options.seed = seed;
    options.dropout = dropout;
    options.stochastic_depth = depth;
    Trainer trainer(model_of(fixture), options);
    std::vector<float> result;
    for (int batch = 0; batch < 4; ++batch) {
      result.push_back(trainer.accumulate(fixture.get("clip"), fixture.get("labels"), 1.0f).loss);
    }
    return result;
  };
  for (auto [dropout, depth] : {std::pair(0.3f, 0.0f), std::pair(0.0f, 0.6f)}) {
    const auto first = losses(1, dropout, depth);
    EXPECT_EQ(first, losses(1, dropout, depth));
    EXPECT_NE(first, losses(2, dropout, depth));
    // The weights do not change between these batches, the draws do.
    EXPECT_NE(std::count(first.begin(), first.end(), first[0]), 4);
  }
  const auto still = losses(1, 0.0f, 0.0f);
  EXPECT_EQ(std::count(still.begin(), still.end(), still[0]), 4);
}

TEST_F(TrainerTest, NeedsATrainableModelAndGoodOptions) {
  const Fixture fixture("tiny-ata");
  const auto packed = load_model(checkpoint(fixture));
  error_of(ATA_UNSUPPORTED, [&] { Trainer trainer(packed, TrainOptions()); });
  TrainOptions options;
  options.frozen = "typo.*";
  EXPECT_MENTIONS(
      error_of(ATA_INVALID_ARGUMENT, [&] { Trainer trainer(model_of(fixture), options); }),
      "typo.*");
  options = TrainOptions();
  options.dropout = 2.0f;
  EXPECT_MENTIONS(
      error_of(ATA_INVALID_ARGUMENT, [&] { Trainer trainer(model_of(fixture), options); }),
      "dropout");
}

}  // namespace
}  // namespace ata
