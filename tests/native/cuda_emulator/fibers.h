#ifndef ATA_CUDA_EMULATOR_FIBERS_H_
#define ATA_CUDA_EMULATOR_FIBERS_H_

#include <cstddef>
#include <cstdint>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

/// Stacks that the threads of a block take turns on, all of one host thread.
namespace emu {

constexpr int kMaxFibers = 1025;
constexpr size_t kStackBytes = size_t{128} << 10;

/// A place where execution was left and goes on.
struct Context {
#if defined(__x86_64__)
  void* stack_pointer = nullptr;
#else
  ucontext_t context;
#endif
};

/// The stacks, in one range of addresses, each with a page below that nobody may touch: a kernel
/// whose local variables do not fit dies there.
char* stack_of(int fiber);
/// Which stack an address lies in; -1 for none.
int fiber_at(uintptr_t address);

/// Makes `entry` what a switch to `context` begins, on the stack of `fiber`. It never returns.
void prepare(Context& context, int fiber, void (*entry)());
void switch_context(Context& from, Context& to);

}  // namespace emu

#endif  // ATA_CUDA_EMULATOR_FIBERS_H_
