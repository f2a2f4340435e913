// Calls of the runtime and of cuBLASLt that fail, one after the other, in everything that uses a
// GPU.
#include <gtest/gtest.h>

#include <algorithm>
#include <exception>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "cuda_device.h"
#include "emulated_gpu.h"
#include "model/session.h"
#include "ops/alignment.h"
#include "ops/assigner.h"
#include "small_model.h"
#include "support/errors.h"
#include "support/scratch.h"
#include "train/trainer.h"

namespace ata {
namespace {

// Passes by the thousand.
constexpr SmallModel kTiny = {.pixels = 16};

int64_t calls_of(const std::string& function) {
  return ON_EMULATOR(ata_emulator_calls)(function.c_str());
}
int64_t live_blocks() {
  return ON_EMULATOR(ata_emulator_live_blocks)();
}
void set_options(const std::string& options) {
  ON_EMULATOR(ata_emulator_set_options)(options.c_str());
}

// Ends every failure that a test asked for.
class FailuresTest : public ::testing::Test {
 protected:
  void TearDown() override { ON_EMULATOR(ata_emulator_fail_none)(); }
};

// What everything does.
const std::vector<std::string> kCommon = {"cudaGetDevice",
                                          "cudaStreamCreateWithFlags",
                                          "cudaEventCreateWithFlags",
                                          "cudaEventRecord",
                                          "cudaStreamWaitEvent",
                                          "cudaMallocHost",
                                          "cudaMallocFromPoolAsync",
                                          "cudaFreeAsync",
                                          "cudaMemcpyAsync",
                                          "cudaMemsetAsync",
                                          "cudaStreamSynchronize",
                                          "cudaLaunchKernel"};
const std::vector<std::string> kOfPasses = {"cudaMalloc",
                                            "cudaStreamBeginCapture",
                                            "cudaStreamEndCapture",
                                            "cudaGraphInstantiate",
                                            "cudaGraphLaunch",
                                            "cublasLtMatmulDescCreate",
                                            "cublasLtMatmulDescSetAttribute",
                                            "cublasLtMatrixLayoutCreate",
                                            "cublasLtMatmul"};
// What is asked for once for each shape.
const std::vector<std::string> kOfShapes = {"cublasLtMatmulPreferenceCreate",
                                            "cublasLtMatmulPreferenceSetAttribute",
                                            "cublasLtMatmulAlgoGetHeuristic"};

// One error, in one line, that says what was tried.
void expect_clear(const Error& error) {
  const std::string message = error.what();
  SCOPED_TRACE(message);
  EXPECT_EQ(message.find('\n'), std::string::npos);
  if (error.status() == ATA_OUT_OF_MEMORY) {
    EXPECT_MENTIONS(message, "memory");
    EXPECT_MENTIONS(message, "; use ");
    return;
  }
  EXPECT_EQ(error.status(), ATA_DEVICE_UNAVAILABLE);
  EXPECT_MENTIONS(message, " failed: ");
}

// What releasing memory calls: it has no error, and succeeds in another way.
bool belongs_to_release(const std::string& function) {
  return function == "cudaFreeAsync" || function == "cudaStreamWaitEvent" ||
         function == "cudaEventRecord";
}

// The error that a call fails with; 0 for the usual one.
int error_of_call(const std::string& function) {
  // The usual ones are no failures: memory that ran out is looked for again, and a library may have
  // no algorithm for a product.
  if (function == "cudaMallocFromPoolAsync") return 999;        // cudaErrorUnknown
  if (function == "cublasLtMatmulAlgoGetHeuristic") return 14;  // CUBLAS_STATUS_INTERNAL_ERROR
  return 0;
}

// Makes the n-th call fail for n = first, first + step, ... up to `last`, or until `work` makes
// fewer: it throws a clear error or does what it shall all the same, and memory is as it was.
void fail_each_call(const std::string& function, int step, const std::function<void()>& work,
                    int first = 1, int last = std::numeric_limits<int>::max()) {
  SCOPED_TRACE(function);
  int errors = 0;
  for (int n = first; n <= last; n += step) {
    SCOPED_TRACE(n);
    const int64_t blocks = live_blocks(), before = calls_of(function);
    ON_EMULATOR(ata_emulator_fail_nth)(function.c_str(), n, error_of_call(function));
    try {
      work();
    } catch (const Error& error) {
      expect_clear(error);
      ++errors;
    }
    const bool reached = calls_of(function) - before >= n;
    ON_EMULATOR(ata_emulator_fail_none)();
    EXPECT_EQ(live_blocks(), blocks);
    if (!reached) {
      EXPECT_GT(n, first) << "never called";
      break;
    }
    if (::testing::Test::HasFailure()) return;
  }
  if (!belongs_to_release(function)) {
    EXPECT_GT(errors, 0);
  }
}

// Runs it until one run succeeds after an error, of which there may be one, and passes that on.
void run_to_the_end(int times, const std::function<void()>& run) {
  std::exception_ptr failure;
  for (int i = 0; i < times; ++i) {
    try {
      run();
    } catch (const Error&) {
      EXPECT_FALSE(failure) << "more than one error";
      failure = std::current_exception();
    }
  }
  run();
  if (failure) std::rethrow_exception(failure);
}

int step_of(const std::string& function) {
  // Hundreds of calls, alike.
  if (function == "cudaGetDevice") return 41;
  return function == "cudaLaunchKernel" || function.starts_with("cublasLt") ? 11 : 3;
}

TEST_F(FailuresTest, OfPassesTheirRecordingAndTheirRepetition) {
  const auto model = load_small(kTiny, cuda_device());
  const Tensor clip = small_clip(1, 1, kTiny.pixels);
  const Tensor expected = Session(model).forward(clip);
  std::vector<std::string> functions = kCommon;
  functions.insert(functions.end(), kOfPasses.begin(), kOfPasses.end());
  for (const std::string& function : functions) {
    fail_each_call(function, step_of(function), [&] {
      // The session that saw the failure goes on.
      Session session(model);
      run_to_the_end(3, [&] { EXPECT_TRUE(same_bits(session.forward(clip), expected)); });
    });
  }
}

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Two batches accumulated before each of three updates: as they come, recorded, and repeated.
TEST_F(FailuresTest, OfTrainingSteps) {
  TrainOptions options;
  options.clip_norm = 0.01f;
  options.stochastic_depth = 0.4f;
  options.dropout = 0.2f;
  options.ema_decay = 0.9f;
  const Tensor clips[] = {small_clip(1, 1, kTiny.pixels), small_clip(1, 2, kTiny.pixels)};
  Tensor label = Tensor::zeros({1}, DType::kI64);
  const Scratch scratch;
  const auto state_of = [&](const Trainer& trainer) {
    const std::string path = scratch.path("state");
    trainer.save(path, nullptr);
    return content_of(path);
  };
  // The states that an undisturbed training goes through.
  std::vector<std::string> states;
  std::vector<std::string> functions = kCommon;
  functions.insert(functions.end(), kOfPasses.begin(), kOfPasses.end());
  // Calls of each when the last step is done; what saves the state makes some, too.
  std::map<std::string, int64_t> calls_at_the_end;
  const auto train = [&](bool disturbed) {
    Trainer trainer(trainable_small(kTiny, cuda_device()), options);
    if (!disturbed) states.push_back(state_of(trainer));
    std::exception_ptr failure;
    for (size_t call = 0; call < 9; ++call) {
      const auto make = [&] {
        if (call % 3 == 2) {
          trainer.update(1e-3);
        } else {
          trainer.accumulate(clips[call % 3], label, 0.5f);
        }
      };
      try {
        make();
      } catch (const Error&) {
        EXPECT_FALSE(failure) << "more than one error";
        failure = std::current_exception();
        // Nothing has changed, and the call can be made again.
        ON_EMULATOR(ata_emulator_fail_none)();
        EXPECT_EQ(trainer.update_count(), static_cast<int64_t>(call / 3));
        EXPECT_TRUE(state_of(trainer) == states[call]) << "call " << call;
        make();
      }
      if (!disturbed) states.push_back(state_of(trainer));
    }
    if (disturbed) {
      ON_EMULATOR(ata_emulator_fail_none)();
      for (const std::string& function : functions) {
        calls_at_the_end[function] = calls_of(function);
      }
      EXPECT_TRUE(state_of(trainer) == states.back());
    }
    if (failure) std::rethrow_exception(failure);
  };
  train(/*disturbed=*/false);
  const auto disturbed = [&] { train(/*disturbed=*/true); };
  std::map<std::string, int64_t> before;
  for (const std::string& function : functions) before[function] = calls_of(function);
  disturbed();
  std::map<std::string, int> calls;
  for (const std::string& function : functions) {
    calls[function] = static_cast<int>(calls_at_the_end[function] - before[function]);
  }
  // Some of each, which are mostly those of the first passes.
  for (const std::string& function : functions) {
    ASSERT_GT(calls[function], 0) << function;
    fail_each_call(function, std::max(1, calls[function] / 3), disturbed, 1, calls[function]);
  }
  // And the last ones: those of a repeated pass, of what accumulates it, and of an update.
  for (const char* const function :
       {"cudaMemcpyAsync", "cudaStreamSynchronize", "cudaGraphLaunch", "cudaLaunchKernel"}) {
    fail_each_call(function, 1, disturbed, std::max(1, calls[function] - 7), calls[function]);
  }
  for (const char* const kernel : {"scale_by", "clip_scale", "adamw"}) {
    fail_each_call(kernel, 1, disturbed);
  }
}

TEST_F(FailuresTest, AGpuThatIsLostInAnUpdateLeavesNothingButSavedStates) {
  const Tensor clip = small_clip(1, 1, kTiny.pixels);
  const Tensor label = Tensor::zeros({1}, DType::kI64);
  const Scratch scratch;
  const std::string saved = scratch.path("saved"), other = scratch.path("other");
  Trainer trainer(trainable_small(kTiny, cuda_device()), TrainOptions());
  // An update that has memory to make first would fail before anything is under way.
  trainer.accumulate(clip, label, 1.0f);
  trainer.update(1e-3);
  trainer.accumulate(clip, label, 1.0f);
  trainer.save(saved, nullptr);
  ON_EMULATOR(ata_emulator_fail_nth)("cudaStreamSynchronize", 0, 719);
  EXPECT_MENTIONS(error_of(ATA_DEVICE_UNAVAILABLE, [&] { trainer.update(1e-3); }), "start it anew");
  ON_EMULATOR(ata_emulator_fail_none)();
  const std::function<void()> calls[] = {
      [&] { trainer.accumulate(clip, label, 1.0f); }, [&] { trainer.update(1e-3); },
      [&] { trainer.save(other, nullptr); }, [&] { trainer.averaged_model(); }};
  for (const auto& call : calls) {
    EXPECT_MENTIONS(error_of(ATA_INVALID_STATE, call), "load a saved state");
  }
  trainer.load(saved);
  EXPECT_EQ(trainer.update_count(), 1);
  trainer.save(other, nullptr);
  EXPECT_TRUE(content_of(other) == content_of(saved));
  trainer.update(1e-3);
}

TEST_F(FailuresTest, OfChoosingAlgorithms) {
  const auto model = load_small(kTiny, cuda_device());
  int64_t batch = 1;
  for (const std::string& function : kOfShapes) {
    fail_each_call(function, 5, [&] {
      // Of a shape that was not seen yet.
      const Tensor clip = small_clip(++batch, 1, kTiny.pixels);
      Session session(model);
      run_to_the_end(1, [&] { session.forward(clip); });
    });
  }
}

TEST_F(FailuresTest, OfStartingTheLibrary) {
  // Which happens once for each GPU, here at the latest.
  const auto model = load_small(kTiny, cuda_device(1));
  const Tensor clip = small_clip(1, 1, kTiny.pixels);
  Session session(model);
  const int64_t before = calls_of("cublasLtCreate");
  ON_EMULATOR(ata_emulator_fail_nth)("cublasLtCreate", 1, 0);
  try {
    session.forward(clip);
  } catch (const Error& error) {
    expect_clear(error);
    EXPECT_MENTIONS(error.what(), "cuBLASLt: starting failed");
  }
  ON_EMULATOR(ata_emulator_fail_none)();
  session.forward(clip);
  const int64_t started = calls_of("cublasLtCreate") - before;
  EXPECT_TRUE(started == 0 || started == 2) << started;
}

TEST_F(FailuresTest, OfAlignments) {
  Device& device = cuda_device();
  constexpr ClipLayout kLayout = {2, 3, 16};
  Tensor features({kLayout.patch_rows(), 8}, DType::kF32);
  const Tensor values = small_clip(1, 3);
  std::copy_n(values.data<float>(), features.count(), features.data<float>());
  const auto run = [&] {
    const Context context = make_context(device);
    AlignmentState state;
    Tensor similarities;
    const Trajectories found =
        align(context, context.upload(features), kLayout, {}, state, &similarities);
    const Tensor index = context.download(found.index);
    context.check_status("align");
    return index;
  };
  const Tensor expected = run();
  for (const std::string& function : kCommon) {
    fail_each_call(function, 1,
                   [&] { run_to_the_end(1, [&] { EXPECT_TRUE(same_bits(run(), expected)); }); });
  }
}

TEST_F(FailuresTest, OfAssignments) {
  Device& device = cuda_device();
  // Wide ones are solved as they are, tall ones as their transposes.
  Tensor values({3, 20, 11}, DType::kF32);
  const Tensor numbers = small_clip(1, 4);
  std::copy_n(numbers.data<float>(), values.count(), values.data<float>());
  const auto solve = [&](Assigner& assigner) {
    Tensor matching({3, 20}, DType::kI32);
    assigner.solve(values, matching.data<int32_t>(), nullptr, nullptr);
    return matching;
  };
  Assigner first(device, {});
  const Tensor expected = solve(first);
  for (const std::string& function : kCommon) {
    fail_each_call(function, 1, [&] {
      Assigner assigner(device, {});
      run_to_the_end(1, [&] { EXPECT_TRUE(same_bits(solve(assigner), expected)); });
    });
  }
}

TEST_F(FailuresTest, ErrorsSayWhatWasTried) {
  const auto model = load_small(kTiny, cuda_device());
  const Tensor clip = small_clip(1, 1, kTiny.pixels);
  const struct {
    const char* call;
    ata_status status;
    const char* what;
  } cases[] = {
      {"cudaMemcpyAsync", ATA_DEVICE_UNAVAILABLE, "an upload failed: "},
      {"cudaStreamSynchronize", ATA_DEVICE_UNAVAILABLE, " failed: unknown error"},
      {"cudaLaunchKernel", ATA_DEVICE_UNAVAILABLE, "kernel "},
      {"extract_patches", ATA_DEVICE_UNAVAILABLE, "kernel extract_patches failed: "},
      {"cublasLtMatmul", ATA_DEVICE_UNAVAILABLE, "cuBLASLt: a product failed: "},
      {"cudaMalloc", ATA_OUT_OF_MEMORY, "33554432 bytes"},
      {"cudaMallocHost", ATA_OUT_OF_MEMORY, "2097152 bytes"},
      {"cudaStreamBeginCapture", ATA_DEVICE_UNAVAILABLE, "recording work failed: "},
      {"cudaGraphInstantiate", ATA_OUT_OF_MEMORY, "preparing recorded work failed: "},
      {"cudaGraphLaunch", ATA_DEVICE_UNAVAILABLE, "repeating recorded work failed: "},
  };
  for (const auto& row : cases) {
    SCOPED_TRACE(row.call);
    Session session(model);
    ON_EMULATOR(ata_emulator_fail_nth)(row.call, 1, 0);
    EXPECT_MENTIONS(error_of(row.status,
                             [&] {
                               for (int pass = 0; pass < 3; ++pass) session.forward(clip);
                             }),
                    row.what);
    ON_EMULATOR(ata_emulator_fail_none)();
  }
}

TEST_F(FailuresTest, OutOfMemoryNamesTheSizeAndARemedy) {
  const auto model = load_small(kTiny, cuda_device());
  Session session(model);
  const Tensor expected = session.forward(small_clip(1, 1, kTiny.pixels));
  const DeviceCapacity capacity = cuda_device().capacity();
  set_options(concat("memory=", capacity.total_bytes - capacity.free_bytes + (1 << 20)));
  const std::string message =
      error_of(ATA_OUT_OF_MEMORY, [&] { session.forward(small_clip(64, 1, kTiny.pixels)); });
  EXPECT_MENTIONS(message, "device 'cuda:0'");
  EXPECT_MENTIONS(message, " bytes, while tensors hold ");
  EXPECT_MENTIONS(message, "use smaller batches, fewer frames, or bf16");
  set_options(concat("memory=", capacity.total_bytes));
  EXPECT_TRUE(same_bits(session.forward(small_clip(1, 1, kTiny.pixels)), expected));
  session.forward(small_clip(64, 1, kTiny.pixels));
}

TEST_F(FailuresTest, AGpuThatIsLostIsSaidToBe) {
  const auto model = load_small(kTiny, cuda_device());
  Session session(model);
  const Tensor clip = small_clip(1, 1, kTiny.pixels), expected = session.forward(clip);
  for (const int error : {700, 719, 716, 214}) {  // illegal address, launch, misaligned, ECC
    SCOPED_TRACE(error);
    ON_EMULATOR(ata_emulator_fail_nth)("cudaStreamSynchronize", 0, error);
    for (int i = 0; i < 2; ++i) {
      EXPECT_MENTIONS(error_of(ATA_DEVICE_UNAVAILABLE, [&] { session.forward(clip); }),
                      "this process can use the GPU no more: start it anew");
    }
    ON_EMULATOR(ata_emulator_fail_none)();
    EXPECT_TRUE(same_bits(session.forward(clip), expected));
  }
}

}  // namespace
}  // namespace ata
