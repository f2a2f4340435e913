// What code compiled with -fsanitize=thread calls. This takes the place of the sanitizer's own
// library, which is not linked: accesses of kernels go to the checks, all else does nothing but
// what it says.
#include <cstddef>
#include <cstdint>

#include "checks.h"
#include "options.h"

using emu::Access;
using emu::check_access;

#define EMU_HERE \
  { .address = __builtin_return_address(0) }
#define EMU_HOOKS(n)                                         \
  void __tsan_read##n(void* a) {                             \
    check_access(uintptr_t(a), n, Access::kRead, EMU_HERE);  \
  }                                                          \
  void __tsan_write##n(void* a) {                            \
    check_access(uintptr_t(a), n, Access::kWrite, EMU_HERE); \
  }                                                          \
  void __tsan_unaligned_read##n(void* a) {                   \
    check_range(uintptr_t(a), n, Access::kRead, EMU_HERE);   \
  }                                                          \
  void __tsan_unaligned_write##n(void* a) {                  \
    check_range(uintptr_t(a), n, Access::kWrite, EMU_HERE);  \
  }

// Atomic operations are those of std::atomic in host code: the order asked for may be stronger.
#define EMU_ATOMICS(bits, type)                                                                    \
  type __tsan_atomic##bits##_load(const volatile type* a, int) {                                   \
    return __atomic_load_n(a, __ATOMIC_SEQ_CST);                                                   \
  }                                                                                                \
  void __tsan_atomic##bits##_store(volatile type* a, type v, int) {                                \
    __atomic_store_n(a, v, __ATOMIC_SEQ_CST);                                                      \
  }                                                                                                \
  type __tsan_atomic##bits##_exchange(volatile type* a, type v, int) {                             \
    return __atomic_exchange_n(a, v, __ATOMIC_SEQ_CST);                                            \
  }                                                                                                \
  type __tsan_atomic##bits##_fetch_add(volatile type* a, type v, int) {                            \
    return __atomic_fetch_add(a, v, __ATOMIC_SEQ_CST);                                             \
  }                                                                                                \
  type __tsan_atomic##bits##_fetch_sub(volatile type* a, type v, int) {                            \
    return __atomic_fetch_sub(a, v, __ATOMIC_SEQ_CST);                                             \
  }                                                                                                \
  type __tsan_atomic##bits##_fetch_and(volatile type* a, type v, int) {                            \
    return __atomic_fetch_and(a, v, __ATOMIC_SEQ_CST);                                             \
  }                                                                                                \
  type __tsan_atomic##bits##_fetch_or(volatile type* a, type v, int) {                             \
    return __atomic_fetch_or(a, v, __ATOMIC_SEQ_CST);                                              \
  }                                                                                                \
  type __tsan_atomic##bits##_fetch_xor(volatile type* a, type v, int) {                            \
    return __atomic_fetch_xor(a, v, __ATOMIC_SEQ_CST);                                             \
  }                                                                                                \
  type __tsan_atomic##bits##_fetch_nand(volatile type* a, type v, int) {                           \
    return __atomic_fetch_nand(a, v, __ATOMIC_SEQ_CST);                                            \
  }                                                                                                \
  int __tsan_atomic##bits##_compare_exchange_strong(volatile type* a, type* expected, type v, int, \
                                                    int) {                                         \
    return __atomic_compare_exchange_n(a, expected, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
  }                                                                                                \
  int __tsan_atomic##bits##_compare_exchange_weak(volatile type* a, type* expected, type v, int,   \
                                                  int) {                                           \
    return __atomic_compare_exchange_n(a, expected, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
  }                                                                                                \
  type __tsan_atomic##bits##_compare_exchange_val(volatile type* a, type expected, type v, int,    \
                                                  int) {                                           \
    __atomic_compare_exchange_n(a, &expected, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);       \
    return expected;                                                                               \
  }

namespace {

void check_range(uintptr_t address, size_t size, Access access, const emu::Place& place) {
  while (size > 0) {
    const size_t part = address % 4 == 0 && size >= 4 ? 4 : 1;
    check_access(address, part, access, place);
    address += part;
    size -= part;
  }
}

}  // namespace

extern "C" {

EMU_HOOKS(1)
EMU_HOOKS(2)
EMU_HOOKS(4)
EMU_HOOKS(8)
EMU_HOOKS(16)

// Structures, in words where they hold whole ones.
void __tsan_read_range(void* a, size_t size) {
  check_range(uintptr_t(a), size, Access::kRead, EMU_HERE);
}
void __tsan_write_range(void* a, size_t size) {
  check_range(uintptr_t(a), size, Access::kWrite, EMU_HERE);
}

// Called while the library is loaded, before any kernel runs.
void __tsan_init() {
  emu::set_checked();
}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}
void __tsan_ignore_thread_begin() {}
void __tsan_ignore_thread_end() {}

EMU_ATOMICS(8, uint8_t)
EMU_ATOMICS(16, uint16_t)
EMU_ATOMICS(32, uint32_t)
EMU_ATOMICS(64, uint64_t)
void __tsan_atomic_thread_fence(int) {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
}
void __tsan_atomic_signal_fence(int) {}

}  // extern "C"
