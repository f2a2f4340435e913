// Speed and memory of training steps of ViT-B/16 on one clip of 8 x 224 x 224, beside the forward
// pass of inference; and the optimizer's update beside the bandwidth of memory.
//
//   train_bench                      everything
//   train_bench --benchmark_filter=  as for any Google Benchmark program
//
// What is compared is timed in turns, and ratios come from the fastest of each: what disturbs one
// run seldom disturbs all. Counters of `step`: `forward_ms` of inference in f32; `f32_ms`,
// `bf16_ms` and `recompute_ms` of steps (forward, backward, AdamW); `f32_over_forward`,
// `bf16_over_f32`, `recompute_over_f32`; `f32_MB`, `bf16_MB` and `recompute_MB` that a step holds
// besides weights, gradients and moments.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>

#include "base/random.h"
#include "base/threads.h"
#include "model/session.h"
#include "train/trainer.h"

namespace ata {
namespace {

template <typename Body>
double seconds(const Body& body) {
  const auto begin = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

std::shared_ptr<Session> inference_session(const Model& model) {
  const auto path = std::filesystem::temp_directory_path() /
                    ("ata_train_bench_" + std::to_string(getpid()) + ".safetensors");
  model.save(path.string());
  auto session = std::make_shared<Session>(Model::load(path.string()));
  std::filesystem::remove(path);
  return session;
}

struct Variant {
  const char* name;
  ata_precision precision;
  bool recompute;
  std::unique_ptr<Trainer> trainer;
  double best = INFINITY;
  /// What a step holds besides the trainer's lasting tensors and the gradients.
  double activation_bytes = 0;
};

void step(benchmark::State& state, ata_temporal_mode mode) {
  ModelConfig config = ModelConfig::named("vit-base");
  config.temporal = mode;
  const std::shared_ptr<Model> model = Model::create(config, 1);
  const std::shared_ptr<Session> session = inference_session(*model);
  Tensor clip({1, 3, config.frames, config.image_size, config.image_size}, DType::kF32);
  Random random(3);
  for (int64_t i = 0; i < clip.count(); ++i) clip.data<float>()[i] = random.normal();
  Tensor label = Tensor::zeros({1}, DType::kI64);

  int64_t parameter_bytes = 0;
  for (size_t i = 0; i < model->parameters().count(); ++i) {
    parameter_bytes += static_cast<int64_t>(model->parameters().tensor(i).bytes());
  }
  Variant variants[] = {{"f32", ATA_PRECISION_F32, false, nullptr},
                        {"bf16", ATA_PRECISION_BF16, false, nullptr},
                        {"recompute", ATA_PRECISION_F32, true, nullptr}};
  const auto run = [&](Variant& variant) {
    variant.trainer->accumulate(clip, label, 1.0f);
    variant.trainer->update(1e-5);
  };
  for (Variant& variant : variants) {
    TrainOptions options;
    options.precision = variant.precision;
    options.recompute = variant.recompute;
    variant.trainer = std::make_unique<Trainer>(model, options);
    const int64_t before = memory_statistics().live_bytes;
    run(variant);
    // The workspace keeps what it once had: what is live now is the most that the step held.
    variant.activation_bytes =
        static_cast<double>(memory_statistics().live_bytes - before - parameter_bytes);
  }
  double forward = INFINITY;
  session->forward(clip);
  for (auto _ : state) {
    // Three in a row take as long as a step, so that a disturbance is as likely to spoil either.
    constexpr int kPasses = 3;
    const double passes = seconds([&] {
      for (int pass = 0; pass < kPasses; ++pass) session->forward(clip);
    });
    forward = std::min(forward, passes / kPasses);
    for (Variant& variant : variants) {
      variant.best = std::min(variant.best, seconds([&] { run(variant); }));
    }
  }
  state.counters["forward_ms"] = forward * 1e3;
  for (const Variant& variant : variants) {
    state.counters[concat(variant.name, "_ms")] = variant.best * 1e3;
    state.counters[concat(variant.name, "_MB")] = variant.activation_bytes * 1e-6;
  }
  state.counters["f32_over_forward"] = variants[0].best / forward;
  state.counters["bf16_over_f32"] = variants[1].best / variants[0].best;
  state.counters["recompute_over_f32"] = variants[2].best / variants[0].best;
}

// One update of a parameter that no cache holds. `GB/s` counts the tensors that the update must
// read (gradient twice: for its norm, and to apply it) and write; `triad_GB/s` is McCalpin's
// STREAM triad, a = b + s c, on the same threads, counting its two reads and one write.
void optimizer(benchmark::State& state, ata_optimizer rule, float ema_decay) {
  constexpr int64_t kCount = 64 << 20;
  TrainOptions options;
  options.optimizer = rule;
  options.ema_decay = ema_decay;
  TrainedParameter parameter;
  parameter.name = "weight";
  parameter.weights = Tensor::zeros({kCount}, DType::kF32);
  Tensor gradient({kCount}, DType::kF32);
  std::fill_n(gradient.data<float>(), kCount, 1e-3f);
  Optimizer updated(options, {parameter}, make_context(cpu_device()));
  Tensor a = Tensor::zeros({kCount}, DType::kF32), b = gradient.clone();
  const auto triad = [&] {
    float* out = a.data<float>();
    const float *x = b.data<float>(), *y = gradient.data<float>();
    parallel_for(kCount, 1 << 15, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) out[i] = x[i] + 3.0f * y[i];
    });
  };
  const std::vector<Tensor> gradients = {gradient};
  double best = INFINITY, best_triad = INFINITY;
  for (auto _ : state) {
    best_triad = std::min(best_triad, seconds(triad));
    best = std::min(best, seconds([&] { updated.update(1e-3, gradients); }));
  }
  const double moments = rule == ATA_OPTIMIZER_ADAMW ? 2 : 1;
  const double passes = 2 + 2 * (1 + moments + (ema_decay > 0 ? 1 : 0));
  const double rate = passes * kCount * sizeof(float) / best;
  const double triad_rate = 3.0 * kCount * sizeof(float) / best_triad;
  state.counters["best_ms"] = best * 1e3;
  state.counters["GB/s"] = rate * 1e-9;
  state.counters["triad_GB/s"] = triad_rate * 1e-9;
  state.counters["of_triad"] = rate / triad_rate;
}

BENCHMARK_CAPTURE(step, ata, ATA_TEMPORAL_ATA)->Iterations(3)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(step, divided, ATA_TEMPORAL_DIVIDED)
    ->Iterations(3)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(optimizer, adamw, ATA_OPTIMIZER_ADAMW, 0.0f)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(optimizer, adamw_average, ATA_OPTIMIZER_ADAMW, 0.999f)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(optimizer, sgd, ATA_OPTIMIZER_SGD, 0.0f)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace ata

BENCHMARK_MAIN();
