#include "passes.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <utility>
#include <vector>

#include "model/session.h"
#include "train/trainer.h"

namespace ata::bench {
namespace {

constexpr int64_t kBatches[] = {1, 16};
constexpr size_t kCount = std::size(kBatches);

struct Pass {
  std::vector<Tally> tallies;
  /// Of the whole, without waits between its parts; 0 where nothing is timed.
  double seconds = 0;
};

using Run = std::function<void()>;

// Counts one run, and times the parts of another. What has run so is recorded no more.
std::vector<Tally> take_apart(const Setting& setting, const Run& run) {
  setting.device.begin(/*timed=*/false);
  run();
  if (setting.emulated) return setting.device.end();
  setting.device.end();
  setting.device.begin(/*timed=*/true);
  run();
  return setting.device.end();
}

double whole_seconds(const Setting& setting, const Context& context, const Run& run) {
  return setting.emulated ? 0 : time_calls(context, run, /*each=*/true).median;
}

Pass forward(const Setting& setting, int64_t batch) {
  ModelOptions options;
  options.precision = ATA_PRECISION_BF16;
  const std::shared_ptr<const Model> model = inference_model(setting, options);
  const Context context = make_context(setting.device);
  const Tensor clips = clips_on(context, model->config(), batch);
  context.synchronize();  // for the sessions' streams
  Session parts(model), whole(model);
  Pass pass;
  pass.tallies = take_apart(setting, [&] { parts.forward(clips); });
  pass.seconds = whole_seconds(setting, context, [&] { whole.forward(clips); });
  return pass;
}

/// Bytes that a training step needs, by part.
struct StepMemory {
  int64_t weights = 0;
  int64_t moments = 0;
  int64_t gradients = 0;
  /// All else that is held at the end of a step, which the next one uses again: activations and
  /// their gradients, and temporary memory of entries.
  int64_t workspace = 0;
  /// Of that, the most that one call of an entry takes for itself, and which.
  int64_t temporary = 0;
  std::string temporary_of;
};

Pass step(const Setting& setting, const std::shared_ptr<Model>& model, int64_t batch,
          bool recompute, StepMemory& memory) {
  const Context context = make_context(setting.device);
  const ModelConfig& config = model->config();
  const Tensor clips = clips_on(context, config, batch);
  context.synchronize();  // for the trainer's stream
  const Tensor labels = Tensor::zeros({batch}, DType::kI64);
  for (const ParameterInfo& parameter : model->parameter_list()) {
    memory.weights += parameter.shape.count() * int64_t{sizeof(float)};
  }
  TrainOptions options;
  options.precision = ATA_PRECISION_BF16;
  options.recompute = recompute;
  int64_t before = setting.device.memory_statistics().live_bytes;
  const auto grown = [&] {
    const int64_t now = setting.device.memory_statistics().live_bytes;
    return now - std::exchange(before, now);
  };
  const auto run = [&](Trainer& trainer) {
    trainer.accumulate(clips, labels, 1.0f);
    trainer.update(1e-5);
  };
  Pass pass;
  {
    Trainer trainer(model, options);
    memory.moments = grown();
    pass.tallies = take_apart(setting, [&] { run(trainer); });
    // One f32 tensor holds all gradients, but for paddings.
    memory.gradients = memory.weights;
    memory.workspace = grown() - memory.gradients;
  }
  Trainer trainer(model, options);
  pass.seconds = whole_seconds(setting, context, [&] { run(trainer); });
  for (const Tally& tally : pass.tallies) {
    if (tally.temporary_bytes <= memory.temporary) continue;
    memory.temporary = tally.temporary_bytes;
    memory.temporary_of = tally.name;
  }
  return pass;
}

std::string number(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

// Three digits, or what is left of them above 100.
std::string rounded(double value) {
  if (value == 0) return "0";
  return number(value, value < 0.995 ? 3 : value < 9.95 ? 2 : value < 99.5 ? 1 : 0);
}

struct Row {
  int64_t calls[kCount] = {};
  Work work[kCount];
  /// 0 where there is none.
  double bound[kCount] = {};
  double seconds[kCount] = {};
};

std::string row_text(const std::string& name, const Row& row, const Setting& setting) {
  std::string calls = std::to_string(row.calls[0]);
  if (row.calls[1] != row.calls[0]) calls += concat(" / ", row.calls[1]);
  std::string text = concat("| ", name, " | ", row.calls[0] > 0 ? calls : "", " |");
  for (size_t i = 0; i < kCount; ++i) {
    text += concat(" ", rounded(row.work[i].bytes * 1e-6), " | ",
                   rounded(row.work[i].operations() * 1e-9), " | ",
                   row.bound[i] > 0 ? rounded(row.bound[i] * 1e6) : "", " |");
  }
  if (setting.emulated) return text + " not measured |";
  for (size_t i = 0; i < kCount; ++i) {
    text += concat(i == 0 ? " " : " / ", rounded(row.seconds[i] * 1e6));
    if (row.bound[i] > 0) {
      text += concat(" (", number(100 * row.bound[i] / row.seconds[i], 0), " %)");
    }
  }
  return text + " |";
}

void print_table(const Setting& setting, const Pass (&passes)[kCount]) {
  std::map<std::string, Row> rows;
  Row total;
  for (size_t i = 0; i < kCount; ++i) {
    for (const Tally& tally : passes[i].tallies) {
      Row& row = rows[tally.name];
      row.calls[i] = tally.calls;
      row.work[i] = tally.work;
      row.bound[i] = tally.is_of_host() ? 0 : tally.bound_seconds;
      row.seconds[i] = tally.seconds;
      total.work[i] += tally.work;
      total.bound[i] += row.bound[i];
    }
    total.seconds[i] = passes[i].seconds;
  }
  std::vector<std::pair<std::string, Row>> sorted(rows.begin(), rows.end());
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) {
    return a.second.bound[kCount - 1] > b.second.bound[kCount - 1];
  });
  std::printf("| | calls |");
  for (const int64_t batch : kBatches) {
    std::printf(" batch %d: MB | GFLOP | bound, us |", static_cast<int>(batch));
  }
  std::printf(" measured, us |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
  for (const auto& [name, row] : sorted) {
    std::printf("%s\n", row_text(concat("`", name, "`"), row, setting).c_str());
  }
  std::printf("%s\n", row_text("**all**", total, setting).c_str());
}

void print_memory(const std::vector<std::pair<std::string, StepMemory>>& steps) {
  const auto print = [&](const char* part, auto field) {
    std::printf("| %s |", part);
    for (const auto& [name, memory] : steps) {
      std::printf(" %s |", rounded(static_cast<double>(field(memory)) * 1e-6).c_str());
    }
    std::printf("\n");
  };
  std::printf("| MB |");
  for (const auto& step : steps) std::printf(" %s |", step.first.c_str());
  std::printf("\n|");
  for (size_t i = 0; i <= steps.size(); ++i) std::printf(" --- |");
  std::printf("\n");
  print("weights, f32", [](const StepMemory& m) { return m.weights; });
  print("moments of AdamW, f32", [](const StepMemory& m) { return m.moments; });
  print("gradients, f32", [](const StepMemory& m) { return m.gradients; });
  print("activations and their gradients",
        [](const StepMemory& m) { return m.workspace - m.temporary; });
  print("temporary memory of kernels, bf16 copies of weights included",
        [](const StepMemory& m) { return m.temporary; });
  print("**all**",
        [](const StepMemory& m) { return m.weights + m.moments + m.gradients + m.workspace; });
  std::printf("\nMost temporary memory is that of");
  for (const auto& [name, memory] : steps) {
    std::printf(" `%s`%s", memory.temporary_of.c_str(), &name == &steps.back().first ? "" : ",");
  }
  std::printf(".\n");
}

}  // namespace

void print_passes(const Setting& setting) {
  const char* const title = setting.small ? "A small model" : "ViT-B/16, 8 x 224";
  std::printf("%s, bf16, exact alignment; bounds from %s TB/s, %s TFLOP/s in bf16, %s in f32%s.\n",
              title, rounded(setting.device.ceilings().bytes * 1e-12).c_str(),
              rounded(setting.device.ceilings().bf16_operations * 1e-12).c_str(),
              rounded(setting.device.ceilings().f32_operations * 1e-12).c_str(),
              setting.emulated ? " (an H200's); NOTHING WAS MEASURED: the GPU is emulated" : "");
  Pass passes[kCount];
  for (size_t i = 0; i < kCount; ++i) passes[i] = forward(setting, kBatches[i]);
  std::printf("\nForward pass:\n\n");
  print_table(setting, passes);
  const std::shared_ptr<Model> model =
      Model::create(model_config(setting.small), 1, setting.device);
  std::vector<std::pair<std::string, StepMemory>> memory;
  for (const bool recompute : {false, true}) {
    for (size_t i = 0; i < kCount; ++i) {
      StepMemory needed;
      Pass pass = step(setting, model, kBatches[i], recompute, needed);
      memory.emplace_back(concat("batch ", kBatches[i], recompute ? ", recomputation" : ""),
                          needed);
      if (!recompute) passes[i] = std::move(pass);
    }
  }
  std::printf("\nTraining step (forward, backward, AdamW):\n\n");
  print_table(setting, passes);
  std::printf("\nMemory of a training step:\n\n");
  print_memory(memory);
  std::fflush(stdout);
}

}  // namespace ata::bench
