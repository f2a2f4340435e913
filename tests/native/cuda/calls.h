#ifndef ATA_TESTS_CUDA_CALLS_H_
#define ATA_TESTS_CUDA_CALLS_H_

#include <cstdint>

#include "emulated_gpu.h"

namespace ata {

/// Calls of a function of the runtime since this was made.
class Calls {
 public:
  explicit Calls(const char* function) : function_(function), before_(total()) {}
  int64_t count() const { return total() - before_; }

 private:
  int64_t total() const { return ON_EMULATOR(ata_emulator_calls)(function_); }
  const char* function_;
  int64_t before_;
};

}  // namespace ata

#endif  // ATA_TESTS_CUDA_CALLS_H_
