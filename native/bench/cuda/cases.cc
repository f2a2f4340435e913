#include "cases.h"

#include <benchmark/benchmark.h>

namespace ata::bench {
namespace {

void measure(benchmark::State& state, const Setting& setting, const Prepare& prepare) {
  try {
    Context context = make_context(setting.device);
    context.stream->allocator = make_workspace(setting.device.memory());
    const Prepared prepared = prepare(setting, context);
    setting.device.begin(/*timed=*/false);
    prepared.run();
    Work work;
    double bound_seconds = 0;
    for (const Tally& tally : setting.device.end()) {
      if (tally.is_of_host()) continue;
      work += tally.work;
      bound_seconds += tally.bound_seconds;
    }
    context.synchronize();
    if (prepared.check) prepared.check();
    Times times = {};
    if (!setting.emulated) times = time_calls(context, prepared.run, prepared.waits);
    if (prepared.check) prepared.check();
    for (auto _ : state) state.SetIterationTime(times.median);
    state.counters["bytes"] = work.bytes;
    state.counters["operations"] = work.operations();
    state.counters["bound_ms"] = bound_seconds * 1e3;
    if (setting.emulated) {
      state.SetLabel("emulated: nothing was measured");
      return;
    }
    state.counters["median_ms"] = times.median * 1e3;
    state.counters["best_ms"] = times.best * 1e3;
    state.counters["of_bound"] = bound_seconds / times.median;
    state.counters["of_bandwidth"] = work.bytes / times.median / setting.device.ceilings().bytes;
  } catch (const Error& error) {
    state.SkipWithError(error.what());
  }
}

}  // namespace

void register_case(const std::string& name, const Setting& setting, Prepare prepare) {
  benchmark::RegisterBenchmark(name.c_str(),
                               [&setting, prepare = std::move(prepare)](benchmark::State& state) {
                                 measure(state, setting, prepare);
                               })
      ->UseManualTime()
      ->Iterations(1)
      ->Unit(benchmark::kMillisecond);
}

}  // namespace ata::bench
