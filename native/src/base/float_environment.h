#ifndef ATA_BASE_FLOAT_ENVIRONMENT_H_
#define ATA_BASE_FLOAT_ENVIRONMENT_H_

#include <cstdint>

namespace ata {

/// While it lives, its thread computes as IEEE 754 has it by default: rounding to nearest, denormal
/// numbers kept as they are, no traps. Programs may have set their threads otherwise (to flush
/// denormals to zero, for speed), and threads take that over from the one that starts them. What
/// was set before comes back when it goes, whatever was set meanwhile.
class DefaultFloatEnvironment {
 public:
  DefaultFloatEnvironment();
  ~DefaultFloatEnvironment();
  DefaultFloatEnvironment(const DefaultFloatEnvironment&) = delete;
  DefaultFloatEnvironment& operator=(const DefaultFloatEnvironment&) = delete;

 private:
  uint64_t saved_;
};

}  // namespace ata

#endif  // ATA_BASE_FLOAT_ENVIRONMENT_H_
