#include "fibers.h"

#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace emu {
namespace {

constexpr size_t kGuard = 4096;

char* reserve_stacks() {
  void* const base = mmap(nullptr, kMaxFibers * kStackBytes, PROT_NONE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) {
    std::perror("the emulated GPU: stacks");
    std::abort();
  }
  for (int i = 0; i < kMaxFibers; ++i) {
    mprotect(static_cast<char*>(base) + i * kStackBytes + kGuard, kStackBytes - kGuard,
             PROT_READ | PROT_WRITE);
  }
  return static_cast<char*>(base);
}

char* const stacks = reserve_stacks();

}  // namespace

char* stack_of(int fiber) {
  return stacks + static_cast<size_t>(fiber) * kStackBytes;
}

int fiber_at(uintptr_t address) {
  const uintptr_t offset = address - reinterpret_cast<uintptr_t>(stacks);
  return offset < kMaxFibers * kStackBytes ? static_cast<int>(offset / kStackBytes) : -1;
}

#if defined(__x86_64__)

extern "C" void emu_switch_context(void** save, void* load);
// What the calling convention keeps over a call goes to the stack that is left.
asm(R"(
.text
.hidden emu_switch_context
.globl emu_switch_context
.type emu_switch_context,@function
emu_switch_context:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size emu_switch_context, .-emu_switch_context
)");

void prepare(Context& context, int fiber, void (*entry)()) {
  // Tops at the same distance from a power of two would share a few sets of the caches.
  const size_t stagger = static_cast<size_t>(fiber % 128) * 256;
  auto** top = reinterpret_cast<void**>(stack_of(fiber) + kStackBytes - 64 - stagger);
  *--top = nullptr;  // where `entry` would return to
  *--top = reinterpret_cast<void*>(entry);
  top -= 6;
  std::memset(top, 0, 6 * sizeof(void*));
  context.stack_pointer = top;
}

void switch_context(Context& from, Context& to) {
  emu_switch_context(&from.stack_pointer, to.stack_pointer);
}

#else

void prepare(Context& context, int fiber, void (*entry)()) {
  getcontext(&context.context);
  context.context.uc_stack.ss_sp = stack_of(fiber) + kGuard;
  context.context.uc_stack.ss_size = kStackBytes - kGuard;
  context.context.uc_link = nullptr;
  makecontext(&context.context, entry, 0);
}

void switch_context(Context& from, Context& to) {
  swapcontext(&from.context, &to.context);
}

#endif

}  // namespace emu
