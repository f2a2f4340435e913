// Speed of a GPU, beside what its memory and its products allow.
//
//   cuda_bench                      everything; --benchmark_filter= and so on as for any Google
//                                   Benchmark program
//   cuda_bench --passes             a forward pass and a training step of ViT-B/16, entry by entry,
//                                   and the memory of the step; Markdown, as in docs/cuda.md
//   cuda_bench --serve              for another program's timings in turns (peer.h)
//
//   --device NAME                   such as cuda:1; usual: cuda
//   --small                         in sizes that an emulated GPU computes in seconds
//
// The ceilings (a copy of memory, cuBLASLt's products) are measured first. On an emulated GPU
// everything runs and nothing is timed. Without a GPU the program says so and ends well, since
// there is nothing to measure; with --device it fails.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstring>
#include <iostream>
#include <optional>
#include <vector>

#include "cases.h"
#include "ops/devices.h"
#include "passes.h"
#include "peer.h"

namespace ata::bench {
namespace {

struct Arguments {
  std::optional<std::string> device;
  bool passes = false;
  bool serve = false;
  bool small = false;
};

// Takes out what is the program's own.
Arguments parse(int& argc, char** argv) {
  Arguments result;
  int kept = 1;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--passes") == 0) {
      result.passes = true;
    } else if (std::strcmp(argv[i], "--serve") == 0) {
      result.serve = true;
    } else if (std::strcmp(argv[i], "--small") == 0) {
      result.small = true;
    } else if (std::strcmp(argv[i], "--device") == 0 && i + 1 < argc) {
      result.device = argv[++i];
    } else {
      argv[kept++] = argv[i];
    }
  }
  argc = kept;
  return result;
}

int run(int argc, char** argv) {
  const Arguments arguments = parse(argc, argv);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  Device* gpu = nullptr;
  try {
    gpu = &device_by_name(arguments.device.value_or("cuda"));
  } catch (const Error& error) {
    std::fprintf(stderr, "cuda_bench: %s\n", error.what());
    return arguments.device || arguments.passes || arguments.serve ? 1 : 0;
  }
  MeteredDevice device(*gpu);
  const Setting setting = {
      .device = device, .small = arguments.small, .emulated = is_emulated(*gpu)};
  // Else bounds are those of an H200.
  if (!setting.emulated) device.set_ceilings(measure_ceilings(device));
  if (arguments.passes) {
    print_passes(setting);
    return 0;
  }
  if (arguments.serve) {
    serve(setting, std::cin, std::cout);
    return 0;
  }
  benchmark::AddCustomContext("device", gpu->info().description);
  benchmark::AddCustomContext("measured", setting.emulated ? "no" : "yes");
  benchmark::AddCustomContext("bytes_per_second", std::to_string(device.ceilings().bytes));
  benchmark::AddCustomContext("bf16_operations_per_second",
                              std::to_string(device.ceilings().bf16_operations));
  benchmark::AddCustomContext("f32_operations_per_second",
                              std::to_string(device.ceilings().f32_operations));
  register_assignments(setting);
  register_operations(setting);
  register_passes(setting);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

}  // namespace
}  // namespace ata::bench

int main(int argc, char** argv) {
  try {
    return ata::bench::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "cuda_bench: %s\n", error.what());
    return 1;
  }
}
