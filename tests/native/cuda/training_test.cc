// Training on a GPU: what a step costs, and that recorded passes give the bits of those that are
// not.
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "calls.h"
#include "cuda_device.h"
#include "emulated_gpu.h"
#include "ops/context.h"
#include "small_model.h"
#include "support/errors.h"
#include "support/scratch.h"
#include "train/trainer.h"

namespace ata {
namespace {

constexpr int kPixels = 16;
constexpr int64_t kClasses = 5;

Tensor labels(int64_t batch) {
  Tensor result({batch}, DType::kI64);
  for (int64_t b = 0; b < batch; ++b) result.data<int64_t>()[b] = (2 * b + 1) % kClasses;
  return result;
}

Tensor probabilities(int64_t batch) {
  Tensor result({batch, kClasses}, DType::kF32);
  for (int64_t i = 0; i < result.count(); ++i) {
    const float at[] = {0.5f, 0.0f, 0.25f, 0.25f, 0.0f};
    result.data<float>()[i] = at[(i + i / kClasses) % kClasses];
  }
  return result;
}

Tensor clip_of_step(int64_t batch, int step) {
  return small_clip(batch, static_cast<uint64_t>(step), kPixels);
}

// Everything at once that draws, averages or clips.
TrainOptions rich_options() {
  TrainOptions options;
  options.clip_norm = 0.01f;
  options.label_smoothing = 0.1f;
  options.stochastic_depth = 0.4f;
  options.dropout = 0.2f;
  options.ema_decay = 0.9f;
  options.seed = 77;
  return options;
}

void expect_same_weights(const Model& a, const Model& b) {
  const Context context = make_context(a.device());
  for (size_t i = 0; i < a.parameters().count(); ++i) {
    EXPECT_TRUE(same_bits(context.download(a.parameters().tensor(i)),
                          context.download(b.parameters().tensor(i))))
        << a.parameters().name(i);
  }
}

TEST(TrainingStep, IsOneLaunchThatAllocatesNothingAndWaitsTwice) {
  Trainer trainer(trainable_small({.pixels = kPixels}, cuda_device()), rich_options());
  const Context context = make_context(cuda_device());
  const Tensor clips = context.copy(clip_of_step(2, 1));
  context.synchronize();
  const auto step = [&] {
    trainer.accumulate(clips, labels(2), 1.0f);
    trainer.update(1e-3);
  };
  step();
  const Calls records("cudaStreamBeginCapture");
  step();
  EXPECT_EQ(records.count(), 1);
  const Calls graphs("cudaGraphLaunch"), launches("cudaLaunchKernel");
  const Calls copies("cudaMemcpyAsync"), waits("cudaStreamSynchronize");
  const char* const none[] = {
      "cublasLtMatmul",       "cudaMallocFromPoolAsync", "cudaMalloc",
      "cudaMallocHost",       "cudaFreeAsync",           "cudaMemsetAsync",
      "cudaEventSynchronize", "cudaDeviceSynchronize",   "cudaStreamBeginCapture"};
  std::vector<Calls> absent;
  for (const char* const function : none) absent.emplace_back(function);
  trainer.accumulate(clips, labels(2), 1.0f);
  EXPECT_EQ(graphs.count(), 1);
  EXPECT_EQ(launches.count(), 0);
  EXPECT_EQ(waits.count(), 1);
  // There: clips, labels, the number of the batch. Back: logits, loss, status, whether the clips
  // are finite.
  EXPECT_EQ(copies.count(), 7);
  trainer.update(1e-3);
  EXPECT_EQ(graphs.count(), 1);
  // Squares of up to 120 parameters, their sums, the factor of clipping, the update.
  EXPECT_EQ(launches.count(), 4);
  EXPECT_EQ(waits.count(), 2);
  // The table of the update; the sums of squares.
  EXPECT_EQ(copies.count(), 9);
  for (const Calls& calls : absent) EXPECT_EQ(calls.count(), 0);
}

TEST(TrainingStep, RecordedGivesTheBitsOfUnrecorded) {
  struct Case {
    const char* name;
    SmallModel model;
    bool soft_targets = false;
    bool recompute = false;
    bool bf16 = false;
    int accumulate = 1;
    bool sgd = false;
  };
  const Case cases[] = {
      {"exact", {}},
      {"probabilities, twice", {}, true, false, false, 2},
      {"recompute", {}, false, true},
      {"bf16, recompute", {ATA_TEMPORAL_ATA, ATA_ALIGNMENT_NEAREST}, false, true, true},
      {"divided by SGD", {ATA_TEMPORAL_DIVIDED}, false, false, false, 2, true},
      {"joint", {ATA_TEMPORAL_JOINT}},
      {"soft", {ATA_TEMPORAL_ATA, ATA_ALIGNMENT_SOFT}, false, true},
  };
  const Scratch scratch;
  for (Case what : cases) {
    SCOPED_TRACE(what.name);
    what.model.pixels = kPixels;
    TrainOptions options = rich_options();
    options.recompute = what.recompute;
    if (what.bf16) options.precision = ATA_PRECISION_BF16;
    if (what.sgd) options.optimizer = ATA_OPTIMIZER_SGD;
    const Tensor targets = what.soft_targets ? probabilities(2) : labels(2);
    const float weight = 1.0f / static_cast<float>(what.accumulate);
    const auto recorded = trainable_small(what.model, cuda_device());
    const auto fresh = trainable_small(what.model, cuda_device());
    Trainer trainer(recorded, options);
    // A trainer records its second batch: this one has one after the other, and each has one batch.
    auto other = std::make_unique<Trainer>(fresh, options);
    const auto renew = [&] {
      const std::string state = scratch.path("state");
      other->save(state, nullptr);
      other = std::make_unique<Trainer>(fresh, options);
      other->load(state);
    };
    const Calls graphs("cudaGraphLaunch");
    for (int batch = 0; batch < 4; ++batch) {
      const Tensor clips = clip_of_step(2, batch);
      const auto a = trainer.accumulate(clips, targets, weight);
      const auto b = other->accumulate(clips, targets, weight);
      EXPECT_TRUE(same_bits(a.logits, b.logits)) << batch;
      EXPECT_EQ(a.loss, b.loss) << batch;
      renew();
      if ((batch + 1) % what.accumulate != 0) continue;
      EXPECT_EQ(trainer.update(1e-3), other->update(1e-3));
      renew();
    }
    expect_same_weights(*recorded, *fresh);
    // Soft weights take a matrix from the host.
    EXPECT_EQ(graphs.count(), what.model.alignment == ATA_ALIGNMENT_SOFT ? 0 : 3);
  }
}

TEST(TrainingStep, OtherShapesAndUnweightedSumsBetween) {
  const SmallModel what = {.pixels = kPixels};
  const auto model = trainable_small(what, cuda_device());
  const auto fresh = trainable_small(what, cuda_device());
  const Scratch scratch;
  const std::string state = scratch.path("state");
  Trainer trainer(model, rich_options());
  auto other = std::make_unique<Trainer>(fresh, rich_options());
  const int64_t batches[] = {2, 2, 2, 1, 1, 1, 2, 2};
  const Calls graphs("cudaGraphLaunch");
  for (int i = 0; i < 8; ++i) {
    const Tensor clips = clip_of_step(batches[i], i);
    const Tensor targets = i == 5 ? probabilities(batches[i]) : labels(batches[i]);
    trainer.accumulate(clips, targets, 1.0f);
    other->accumulate(clips, targets, 1.0f);
    other->save(state, nullptr);
    other = std::make_unique<Trainer>(fresh, rich_options());
    other->load(state);
    if (i % 3 == 2) {
      EXPECT_EQ(trainer.update(1e-3), other->update(1e-3));
    }
  }
  expect_same_weights(*model, *fresh);
  EXPECT_EQ(graphs.count(), 4);
}

TEST(TrainingStep, TheOrderOfThreadsDoesNotShow) {
  std::string first;
  for (const char* const order :
       {"order=ascending", "order=descending", "order=random,seed=5", "order=random,seed=6"}) {
    SCOPED_TRACE(order);
    ON_EMULATOR(ata_emulator_set_options)(order);
    TrainOptions options = rich_options();
    options.recompute = true;
    const auto model = trainable_small({.pixels = kPixels}, cuda_device());
    Trainer trainer(model, options);
    for (int step = 0; step < 3; ++step) {
      trainer.accumulate(clip_of_step(2, step), labels(2), 1.0f);
      trainer.update(1e-3);
    }
    const Context context = make_context(cuda_device());
    std::string weights;
    for (size_t i = 0; i < model->parameters().count(); ++i) {
      const Tensor tensor = context.download(model->parameters().tensor(i));
      weights.append(static_cast<const char*>(tensor.raw()), tensor.bytes());
    }
    if (first.empty()) first = weights;
    EXPECT_TRUE(weights == first);
  }
  ON_EMULATOR(ata_emulator_set_options)("order=ascending");
}

// In every state of the trainer: the first pass, the recorded one, a repeated one.
TEST(TrainingStep, BatchesThatFailOrAreCancelledLeaveWhatWasAccumulated) {
  const Context context = make_context(cuda_device());
  Tensor bad = clip_of_step(2, 9);
  bad.data<float>()[17] = std::numeric_limits<float>::quiet_NaN();
  bad = context.copy(bad);
  context.synchronize();
  const std::atomic<bool> cancelled = true;
  const SmallModel what = {.pixels = kPixels};
  const auto clean = trainable_small(what, cuda_device());
  const auto disturbed = trainable_small(what, cuda_device());
  for (const auto& model : {clean, disturbed}) {
    Trainer trainer(model, rich_options());
    const auto disturb = [&] {
      if (model == clean) return;
      EXPECT_MENTIONS(
          error_of(ATA_INVALID_ARGUMENT, [&] { trainer.accumulate(bad, labels(2), 1.0f); }),
          "the clip holds a NaN");
      error_of(ATA_CANCELLED,
               [&] { trainer.accumulate(clip_of_step(2, 8), labels(2), 1.0f, &cancelled); });
    };
    disturb();
    for (int step = 0; step < 4; ++step) {
      trainer.accumulate(clip_of_step(2, step), labels(2), 1.0f);
      disturb();
      trainer.accumulate(clip_of_step(2, step + 10), labels(2), 1.0f);
      disturb();
      trainer.update(1e-3);
    }
  }
  expect_same_weights(*clean, *disturbed);
}

}  // namespace
}  // namespace ata
