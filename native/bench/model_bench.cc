// Speed and memory of whole forward passes of ViT-B/16, beside oneDNN's own product rate.
//
//   model_bench                      speed of every mode, 8 frames; long clips; peak memory
//   model_bench --benchmark_filter=sessions_of_one_thread
//                                    clips a second of 1, 2, 4, ... of them beside each other
//   model_bench --benchmark_filter=  as for any Google Benchmark program; temporal_block/ is the
//                                    plug-in on the features of the first block
//
// Counters: `GFLOP/s` counts the arithmetic of the network as trained (temporal_attn.proj and
// temporal_fc as two products, though inference runs them as one, and all rows of the last block,
// though only the class rows leave its attention); `of_product` is that rate over
// the rate of ReferenceProduct, timed between the passes; `executed_of_product` counts what is
// executed; `align` is the share of alignment in the time.
#include <benchmark/benchmark.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <numeric>
#include <thread>

#include "alignment/alignment.h"
#include "base/threads.h"
#include "model/backbones/vit_config.h"
#include "model/session.h"
#include "model/temporal_block.h"
#include "moving_clip.h"
#include "reference_product.h"

extern char** environ;

namespace ata {
namespace {

using bench::moving_clip;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// Created once: half a gigabyte of weights, removed at exit.
const std::string& checkpoint_path() {
  static const struct Checkpoint {
    Checkpoint()
        : path((std::filesystem::temp_directory_path() /
                ("ata_model_bench_" + std::to_string(getpid()) + ".safetensors"))
                   .string()) {
      Model::create(ModelConfig::named("vit-base"), 1)->save(path);
    }
    ~Checkpoint() { std::filesystem::remove(path); }
    std::string path;
  } checkpoint;
  return checkpoint.path;
}

// Floating-point operations of one clip's products. `executed`: temporal_attn.proj and temporal_fc
// as one, and the last block's patch rows only as far as its attention.
double flop(const ModelConfig& config, bool executed) {
  const VitConfig& vit = vit_config(config);
  const double dim = config.dim(), patches = static_cast<double>(config.patches());
  const double frames = config.frames, rows = patches * frames;
  const bool joint = config.temporal == ATA_TEMPORAL_JOINT;
  const bool temporal = has_temporal_step(config.temporal);
  double block = 2 * (rows + 1) * dim * (4 * dim + 2.0 * static_cast<double>(vit.hidden_dim()));
  block +=
      joint ? 4 * (rows + 1) * (rows + 1) * dim : 4 * frames * (patches + 1) * (patches + 1) * dim;
  if (temporal) block += 2 * rows * dim * dim * (executed ? 4 : 5) + 4 * rows * frames * dim;
  const double unread = 2 * rows * dim * (dim + 2.0 * static_cast<double>(vit.hidden_dim()));
  return config.depth() * block + 2 * rows * dim * 3 * vit.patch_size * vit.patch_size -
         (executed ? unread : 0.0);
}

double align_seconds(Session& session, const Tensor& clip) {
  const ModelConfig& config = session.model().config();
  if (config.temporal != ATA_TEMPORAL_ATA) return 0;
  const ClipLayout shape = {1, config.frames, config.patches()};
  const int64_t channels = config.dim();
  AlignmentWorkspace workspace;
  std::vector<double> duals(static_cast<size_t>(shape.pairs() * shape.patches));
  std::vector<int32_t> trajectories(static_cast<size_t>(config.frames * config.patches()));
  const AlignmentOptions options = alignment_options(config, session.model().precision());
  double total = 0;
  for (int64_t block = 0; block < config.depth(); ++block) {
    const Tensor features = session.features(clip, block);
    const std::vector<double> initial = duals;
    double best = INFINITY;
    for (int repeat = 0; repeat < 3; ++repeat) {
      duals = initial;
      const auto begin = Clock::now();
      align_features(features.data<float>(), shape, channels, options, workspace,
                     trajectories.data(), nullptr, duals.data());
      best = std::min(best, seconds_since(begin));
    }
    total += best;
  }
  return total;
}

void forward(benchmark::State& state, ata_temporal_mode mode, ata_precision precision,
             int32_t frames) {
  ModelOptions options;
  options.temporal = mode;
  options.precision = precision;
  options.frames = frames;
  Session session(Model::load(checkpoint_path(), options));
  const ModelConfig& config = session.model().config();
  const Tensor clip = moving_clip(config);
  bench::ReferenceProduct product(precision == ATA_PRECISION_BF16 ? dnnl::memory::data_type::bf16
                                                                  : dnnl::memory::data_type::f32);
  session.forward(clip);
  // Fractions come from the fastest of either: what disturbs one run seldom disturbs all.
  double fastest = INFINITY, fastest_product = INFINITY;
  for (auto _ : state) {
    for (int i = 0; i < 5; ++i) fastest_product = std::min(fastest_product, product.seconds());
    const auto begin = Clock::now();
    benchmark::DoNotOptimize(session.forward(clip));
    const double seconds = seconds_since(begin);
    state.SetIterationTime(seconds);
    fastest = std::min(fastest, seconds);
  }
  const double product_rate = bench::ReferenceProduct::kFlop / fastest_product;
  state.counters["best_ms"] = fastest * 1e3;
  state.counters["GFLOP"] = flop(config, false) * 1e-9;
  state.counters["GFLOP/s"] = flop(config, false) / fastest * 1e-9;
  state.counters["product_GFLOP/s"] = product_rate * 1e-9;
  state.counters["of_product"] = flop(config, false) / fastest / product_rate;
  state.counters["executed_of_product"] = flop(config, true) / fastest / product_rate;
  state.counters["align"] = align_seconds(session, clip) / fastest;
}

// As servers have it: each of several host threads has a session of one thread, all of one model.
void sessions_of_one_thread(benchmark::State& state) {
  static const std::shared_ptr<const Model> model = Model::load(checkpoint_path(), {});
  const ThreadLimit limit(1);
  Session session(model);
  const Tensor clip = moving_clip(model->config());
  session.forward(clip);
  for (auto _ : state) benchmark::DoNotOptimize(session.forward(clip));
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()));
}

// The plug-in over the features that a model's first block gets; `training` goes back as well.
void temporal_block(benchmark::State& state, ata_precision precision, bool training) {
  ModelOptions options;
  options.frames = 8;
  Session session(Model::load(checkpoint_path(), options));
  const Tensor features = session.features(moving_clip(session.model().config()), 0);
  TemporalBlockOptions block_options;
  block_options.channels = features.dim(3);
  block_options.precision = precision;
  TemporalBlock block(block_options);
  const auto run = [&] {
    const Tensor output = block.forward(features, training);
    benchmark::DoNotOptimize(training ? block.backward(output) : output);
  };
  run();
  for (auto _ : state) run();
}

// Loads the model in a process of its own, runs it once, and reads what the process needed.
void peak_memory(benchmark::State& state, ata_temporal_mode mode, ata_precision precision,
                 int32_t frames) {
  const std::string mode_text = std::to_string(mode), precision_text = std::to_string(precision),
                    frames_text = std::to_string(frames), path = checkpoint_path();
  std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
  const char* arguments[] = {
      program.c_str(),        "--predict",         path.c_str(), mode_text.c_str(),
      precision_text.c_str(), frames_text.c_str(), nullptr};
  double peak = 0;
  for (auto _ : state) {
    pid_t child = 0;
    if (posix_spawn(&child, program.c_str(), nullptr, nullptr, const_cast<char**>(arguments),
                    environ) != 0) {
      state.SkipWithError("cannot start the measuring process");
      return;
    }
    int status = 0;
    rusage usage = {};
    wait4(child, &status, 0, &usage);
    if (status != 0) {
      state.SkipWithError("the measuring process failed");
      return;
    }
    peak = std::max(peak, static_cast<double>(usage.ru_maxrss) * 1024);
  }
  state.counters["peak_MB"] = peak * 1e-6;
  state.counters["above_file_MB"] =
      (peak - static_cast<double>(std::filesystem::file_size(path))) * 1e-6;
}

int predict(char** arguments) {
  ModelOptions options;
  options.temporal = static_cast<ata_temporal_mode>(std::atoi(arguments[1]));
  options.precision = static_cast<ata_precision>(std::atoi(arguments[2]));
  options.frames = std::atoi(arguments[3]);
  Session session(Model::load(arguments[0], options));
  session.forward(moving_clip(session.model().config()));
  return 0;
}

void register_benchmarks() {
  benchmark::RegisterBenchmark("sessions_of_one_thread", sessions_of_one_thread)
      ->ThreadRange(1, static_cast<int>(std::thread::hardware_concurrency()))
      ->UseRealTime()
      ->Unit(benchmark::kMillisecond);
  const std::pair<const char*, ata_precision> precisions[] = {{"f32", ATA_PRECISION_F32},
                                                              {"bf16", ATA_PRECISION_BF16}};
  for (const auto& [name, precision] : precisions) {
    for (const bool training : {false, true}) {
      benchmark::RegisterBenchmark(
          concat("temporal_block/", training ? "training/" : "forward/", name).c_str(),
          [=, p = precision](benchmark::State& state) { temporal_block(state, p, training); })
          ->UseRealTime()
          ->Unit(benchmark::kMillisecond);
    }
    for (ata_temporal_mode mode :
         {ATA_TEMPORAL_ATA, ATA_TEMPORAL_DIVIDED, ATA_TEMPORAL_JOINT, ATA_TEMPORAL_SPACE_ONLY}) {
      for (int32_t frames : {8, 32, 96}) {
        const std::string label =
            concat(temporal_mode_name(mode), "/", name, "/", frames, "_frames");
        benchmark::RegisterBenchmark(
            ("forward/" + label).c_str(),
            [=, p = precision](benchmark::State& state) { forward(state, mode, p, frames); })
            ->UseManualTime()
            ->Unit(benchmark::kMillisecond)
            ->MinTime(frames == 8 ? 5.0 : 1.0);
        if (frames == 32) continue;
        benchmark::RegisterBenchmark(
            ("memory/" + label).c_str(),
            [=, p = precision](benchmark::State& state) { peak_memory(state, mode, p, frames); })
            ->Iterations(1)
            ->Unit(benchmark::kMillisecond);
      }
    }
  }
}

}  // namespace
}  // namespace ata

int main(int argc, char** argv) {
  if (argc == 6 && std::strcmp(argv[1], "--predict") == 0) return ata::predict(argv + 2);
  ata::register_benchmarks();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
