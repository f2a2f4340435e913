// Alignment: similarity, assignment by kind of matrix, and whole clips by method.

#include <benchmark/benchmark.h>
#include <hwy/detect_targets.h>
#include <hwy/targets.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "alignment/alignment.h"
#include "base/random.h"
#include "base/threads.h"
#include "ops/cpu_device.h"
#include "ops/online_aligner.h"

namespace ata {
namespace {

// Frames of random features that move by one patch a frame, with noise.
std::vector<float> moving_features(const ClipLayout& shape, int64_t channels, float noise) {
  Random random(1);
  std::vector<float> base(static_cast<size_t>(shape.patches * channels));
  for (float& x : base) x = random.normal();
  std::vector<float> out;
  for (int64_t frame = 0; frame < shape.clips * shape.frames; ++frame) {
    for (int64_t n = 0; n < shape.patches; ++n) {
      const int64_t from = (n + frame) % shape.patches;
      for (int64_t d = 0; d < channels; ++d) {
        out.push_back(base[static_cast<size_t>(from * channels + d)] + noise * random.normal());
      }
    }
  }
  return out;
}

// The second argument is 1 for the fastest product that the processor has.
void BM_Similarity(benchmark::State& state) {
  const auto product = static_cast<SimilarityProduct>(state.range(1));
  const ClipLayout shape = {1, 2, state.range(0)};
  const int64_t channels = 768;
  const std::vector<float> features = moving_features(shape, channels, 0.5F);
  NormalizedFrame now;
  NormalizedFrame next;
  now.assign(features.data(), shape.patches, channels, channels, 0, product);
  const float* second = features.data() + shape.patches * channels;
  std::vector<float> out(static_cast<size_t>(shape.patches * shape.patches));
  for (auto _ : state) {
    next.assign(second, shape.patches, channels, channels, 1, product);
    cosine_similarity(now, 0, shape.patches, next, out.data());
    benchmark::DoNotOptimize(out.data());
  }
  const double operations =
      2.0 * static_cast<double>(shape.patches * shape.patches) * static_cast<double>(channels);
  state.counters["FLOP/s"] = benchmark::Counter(
      operations, benchmark::Counter::kIsIterationInvariantRate, benchmark::Counter::kIs1000);
}
BENCHMARK(BM_Similarity)->ArgsProduct({{49, 196, 784}, {0, 1}});

// Uniform values: the second argument is 1 to polish.
void BM_Assignment(benchmark::State& state) {
  const int size = static_cast<int>(state.range(0));
  Random random(2);
  std::vector<float> values(static_cast<size_t>(size) * static_cast<size_t>(size));
  for (float& x : values) x = random.uniform();
  AssignmentWorkspace workspace;
  std::vector<int32_t> matching(static_cast<size_t>(size));
  const AssignmentOptions options{.polish = state.range(1) != 0};
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        solve_assignment(values.data(), size, size, options, workspace, matching.data()));
  }
}
BENCHMARK(BM_Assignment)->ArgsProduct({{49, 196, 784}, {0, 1}});

// What older processors reach: the same on each instruction set of this one, which the label names.
void BM_AssignmentOn(benchmark::State& state) {
  hwy::SetSupportedTargetsForTest(state.range(0));
  state.SetLabel(hwy::TargetName(state.range(0)));
  const ClipLayout shape = {1, 2, state.range(1)};
  const int64_t channels = 768;
  const int size = static_cast<int>(shape.patches);
  const std::vector<float> features = moving_features(shape, channels, 1.0F);
  NormalizedFrame now;
  NormalizedFrame next;
  now.assign(features.data(), shape.patches, channels, channels, 0);
  next.assign(features.data() + shape.patches * channels, shape.patches, channels, channels, 1);
  std::vector<float> similarity(static_cast<size_t>(shape.patches * shape.patches));
  cosine_similarity(now, 0, shape.patches, next, similarity.data());
  AssignmentWorkspace workspace;
  std::vector<int32_t> matching(static_cast<size_t>(size));
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        solve_assignment(similarity.data(), size, size, {}, workspace, matching.data()));
  }
  hwy::SetSupportedTargetsForTest(0);
}
BENCHMARK(BM_AssignmentOn)
    ->ArgNames({"target", "patches"})
    ->Apply([](benchmark::internal::Benchmark* benchmark) {
      const int64_t all = hwy::SupportedTargets() & HWY_TARGETS;
      for (int64_t left = all; left != 0; left &= left - 1) {
        for (const int patches : {49, 196, 784}) benchmark->Args({left & -left, patches});
      }
    });

// A batch of problems by the number of threads.
void BM_AssignmentBatch(benchmark::State& state) {
  constexpr int kSize = 196;
  constexpr int kCount = 64;
  Random random(3);
  std::vector<float> values(size_t{kCount} * kSize * kSize);
  for (float& x : values) x = random.uniform();
  std::vector<AssignmentWorkspace> workspaces;
  std::vector<int32_t> matching(size_t{kCount} * kSize);
  set_thread_count(static_cast<int>(state.range(0)));
  for (auto _ : state) {
    solve_assignments(values.data(), kCount, kSize, kSize, {}, workspaces, matching.data(),
                      nullptr);
  }
  set_thread_count(0);
  state.SetItemsProcessed(state.iterations() * kCount);
}
BENCHMARK(BM_AssignmentBatch)->Arg(1)->Arg(2)->UseRealTime();

// Two frames seen by eight layers, each of which keeps 0.95 of the features of the one before (made
// up: features of a trained model may change more or less). The argument is 1 to start each layer
// from the duals of the one before.
void BM_AssignmentOfLayers(benchmark::State& state) {
  constexpr int kLayers = 8;
  constexpr float kKept = 0.95F;
  const ClipLayout shape = {1, 2, 196};
  const int64_t channels = 768;
  const int size = static_cast<int>(shape.patches);
  const auto elements = static_cast<size_t>(shape.patches * shape.patches);
  std::vector<float> features = moving_features(shape, channels, 1.0F);
  std::vector<float> similarity(kLayers * elements);
  Random random(4);
  NormalizedFrame now;
  NormalizedFrame next;
  for (size_t layer = 0; layer < kLayers; ++layer) {
    now.assign(features.data(), shape.patches, channels, channels, 0);
    next.assign(features.data() + shape.patches * channels, shape.patches, channels, channels, 1);
    cosine_similarity(now, 0, shape.patches, next, similarity.data() + layer * elements);
    for (float& x : features) x = kKept * x + std::sqrt(1 - kKept * kKept) * random.normal();
  }
  AssignmentWorkspace workspace;
  std::vector<int32_t> matching(static_cast<size_t>(size));
  std::vector<double> duals(static_cast<size_t>(size));
  double* start = state.range(0) != 0 ? duals.data() : nullptr;
  for (auto _ : state) {
    std::fill(duals.begin(), duals.end(), 0.0);
    for (size_t layer = 0; layer < kLayers; ++layer) {
      benchmark::DoNotOptimize(solve_assignment(similarity.data() + layer * elements, size, size,
                                                {}, workspace, matching.data(), start));
    }
  }
  state.SetItemsProcessed(state.iterations() * kLayers);
}
BENCHMARK(BM_AssignmentOfLayers)->ArgName("warm")->Arg(0)->Arg(1);

// An 8-frame clip of 14 x 14 patches of 768 channels, by method.
void BM_AlignClip(benchmark::State& state) {
  const ClipLayout shape = {1, 8, 196};
  const int64_t channels = 768;
  const std::vector<float> features = moving_features(shape, channels, 1.0F);
  AlignmentWorkspace workspace;
  std::vector<int32_t> trajectories(static_cast<size_t>(shape.frames * shape.patches));
  AlignmentOptions options;
  options.method = static_cast<AlignmentMethod>(state.range(0));
  options.product = static_cast<SimilarityProduct>(state.range(1));
  for (auto _ : state) {
    align_features(features.data(), shape, channels, options, workspace, trajectories.data());
    benchmark::DoNotOptimize(trajectories.data());
  }
}
BENCHMARK(BM_AlignClip)
    ->ArgNames({"method", "fastest_product"})
    ->ArgsProduct({{ATA_ALIGNMENT_EXACT, ATA_ALIGNMENT_NEAREST, ATA_ALIGNMENT_WINDOW,
                    ATA_ALIGNMENT_SINKHORN},
                   {0, 1}})
    ->UseRealTime();

void BM_OnlineFrame(benchmark::State& state) {
  const ClipLayout shape = {1, 8, 196};
  const int64_t channels = 768;
  std::vector<float> features = moving_features(shape, channels, 1.0F);
  const Tensor frames =
      Tensor::wrap(features.data(), {shape.frames, shape.patches, channels}, DType::kF32, nullptr);
  OnlineAligner aligner(cpu_device(), {}, shape.patches, channels);
  int64_t frame = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        aligner.push(frames.slice(frame, frame + 1).reshape({shape.patches, channels})).data());
    frame = (frame + 1) % shape.frames;
  }
}
BENCHMARK(BM_OnlineFrame)->UseRealTime();

}  // namespace
}  // namespace ata

BENCHMARK_MAIN();
