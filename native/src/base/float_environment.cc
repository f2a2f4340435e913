#include "base/float_environment.h"

#if defined(__SSE2__) || defined(_M_X64)
#include <xmmintrin.h>
#elif defined(_M_ARM64)
#include <intrin.h>
#elif !defined(__aarch64__)
#error "which register controls floating-point arithmetic here?"
#endif

namespace ata {
namespace {

// The default, and the bits that say how to compute; others say what has happened.
#if defined(__SSE2__) || defined(_M_X64)
constexpr uint64_t kDefault = 0x1F80;
constexpr uint64_t kControl = 0xFFC0;
uint64_t control_register() {
  return _mm_getcsr();
}
void set_control_register(uint64_t value) {
  _mm_setcsr(static_cast<unsigned>(value));
}
#elif defined(_M_ARM64)
constexpr uint64_t kDefault = 0;
constexpr uint64_t kControl = ~uint64_t{0};
uint64_t control_register() {
  return static_cast<uint64_t>(_ReadStatusReg(ARM64_FPCR));
}
void set_control_register(uint64_t value) {
  _WriteStatusReg(ARM64_FPCR, static_cast<__int64>(value));
}
#else
constexpr uint64_t kDefault = 0;
constexpr uint64_t kControl = ~uint64_t{0};
uint64_t control_register() {
  uint64_t value = 0;
  asm volatile("mrs %0, fpcr" : "=r"(value));
  return value;
}
void set_control_register(uint64_t value) {
  asm volatile("msr fpcr, %0" : : "r"(value));
}
#endif

}  // namespace

DefaultFloatEnvironment::DefaultFloatEnvironment() : saved_(control_register()) {
  if ((saved_ & kControl) != kDefault) set_control_register(kDefault);
}

DefaultFloatEnvironment::~DefaultFloatEnvironment() {
  if (((control_register() ^ saved_) & kControl) != 0) set_control_register(saved_);
}

}  // namespace ata
