#ifndef ATA_BENCH_CUDA_CASES_H_
#define ATA_BENCH_CUDA_CASES_H_

#include "setting.h"

namespace ata::bench {

/// Registers with Google Benchmark: `assignment/`, `operation/`, `forward/` and `step/`.
/// `setting` lives as long as they run. Counters:
///   bytes, operations   the least work of a call (work.h)
///   bound_ms            the time that it takes at least by the device's ceilings
///   median_ms, best_ms  the time that it took; without them nothing was measured
///   of_bound            bound_ms / median_ms
///   of_bandwidth        bytes / median_ms over the ceiling of memory
void register_operations(const Setting& setting);
void register_assignments(const Setting& setting);
void register_passes(const Setting& setting);

/// What a benchmark calls, made outside of the timing.
struct Prepared {
  std::function<void()> run;
  /// Throws ata::Error unless the results of the last run are right; or empty.
  std::function<void()> check = {};
  /// `run` waits for its results.
  bool waits = false;
};
using Prepare = std::function<Prepared(const Setting& setting, const Context& context)>;
void register_case(const std::string& name, const Setting& setting, Prepare prepare);

}  // namespace ata::bench

#endif  // ATA_BENCH_CUDA_CASES_H_
