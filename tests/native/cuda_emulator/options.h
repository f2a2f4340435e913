#ifndef ATA_CUDA_EMULATOR_OPTIONS_H_
#define ATA_CUDA_EMULATOR_OPTIONS_H_

#include <cstddef>
#include <cstdint>
#include <string>

namespace emu {

/// Which of the threads that can go on does: the first, so that a warp goes ahead as far as it can,
/// the last, or any.
enum class Order { kAscending, kDescending, kRandom };

/// How the emulated GPU works and what it is. README.md says how a program sets them.
struct Options {
  Order order = Order::kAscending;
  uint64_t seed = 1;
  /// Chance to switch threads at a checked access to memory.
  double preempt = 0;
  /// Work runs when somebody waits for it; else at once.
  bool deferred = true;
  /// Nothing is computed, copied or filled, and all that is read is 0: only what the plugin asks
  /// for, allocates and launches is seen, in sizes that would take days to compute.
  bool idle = false;

  int devices = 1;
  /// Version of the driver, such as 13000; an older one is too old, and 0 none.
  int driver = 13000;
  /// Compute capability, such as 90 for 9.0.
  int architecture = 90;
  /// Bytes of the GPU's memory.
  size_t memory = size_t{16} << 30;
  /// Where accesses are checked, bytes of freed blocks that are kept from being used again.
  size_t quarantine = size_t{4} << 30;
  /// File that the counts of memory accesses are written to at the end; empty for none.
  std::string counts;
};
Options& options();
/// Sets those that a text names ("order=random,seed=5"); ends the process for what is none.
void set_options(Options& options, const char* text);

/// Whether instrumented kernels are in this library, so that accesses are checked.
bool checked();
void set_checked();

/// The error that a test asked for in the place of this call of `function`; 0 for none.
int injected_failure(const char* function, int usual_error);
/// Makes the n-th call from now fail, or every one for 0. `error` 0 is the usual one of the call.
void fail_nth(const char* function, int n, int error);
void fail_none();
/// How often `function` was called since the process began.
int64_t calls_of(const char* function);

}  // namespace emu

#endif  // ATA_CUDA_EMULATOR_OPTIONS_H_
