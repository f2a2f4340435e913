// Kernel files hold host code too: its reference counts call these where -fsanitize=thread
// instruments the whole file, as libtsan would have them, and no kernel does.
#include <cstdint>

extern "C" {
int32_t __tsan_atomic32_fetch_add(int32_t* value, int32_t operand, int /*order*/) {
  return __atomic_fetch_add(value, operand, __ATOMIC_SEQ_CST);
}
int32_t __tsan_atomic32_fetch_sub(int32_t* value, int32_t operand, int /*order*/) {
  return __atomic_fetch_sub(value, operand, __ATOMIC_SEQ_CST);
}
int32_t __tsan_atomic32_load(const int32_t* value, int /*order*/) {
  return __atomic_load_n(value, __ATOMIC_SEQ_CST);
}
int64_t __tsan_atomic64_load(const int64_t* value, int /*order*/) {
  return __atomic_load_n(value, __ATOMIC_SEQ_CST);
}
int8_t __tsan_atomic8_load(const int8_t* value, int /*order*/) {
  return __atomic_load_n(value, __ATOMIC_SEQ_CST);
}
}
