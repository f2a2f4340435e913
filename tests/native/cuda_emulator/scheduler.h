#ifndef ATA_CUDA_EMULATOR_SCHEDULER_H_
#define ATA_CUDA_EMULATOR_SCHEDULER_H_

#include <functional>
#include <string>
#include <vector>

#include "emulator.h"
#include "fibers.h"

/// Runs the blocks of a launch one after the other, and their threads in turns: a thread runs until
/// it waits for others or, where accesses are checked, is made to let another one go first.
namespace emu {

constexpr int kWarp = 32;
constexpr int kMaxThreads = 1024;
constexpr size_t kMaxSharedBytes = size_t{227} << 10;

enum class State : uint8_t { kReady, kBarrier, kCollective, kDone };

struct Thread {
  dim3 index;
  int number = 0;
  int fiber = -1;  // none before its first turn and after its last
  State state = State::kReady;
  int barriers = 0;  // that it came through
  uint64_t result = 0;

  // What it waits for.
  Site site;
  Op op = Op::kSyncWarp;
  uint32_t mask = 0;
  uint64_t value = 0;
  int argument = 0;
  int width = kWarp;
  // Operands of tensor cores, on its stack; `row` is one in shared memory.
  const void* row = nullptr;
  uint32_t* tiles = nullptr;
  float* d = nullptr;
  const uint32_t* a = nullptr;
  const uint32_t* b = nullptr;
  const float* c = nullptr;

  struct Copy {
    void* to;
    const void* from;
    int bytes;
    int group;
    Site site;
  };
  std::vector<Copy> copies;
  int groups = 0;

  int lane() const { return number % kWarp; }
  int warp() const { return number / kWarp; }
};

struct Warp {
  uint32_t alive = 0;
  uint32_t waiting = 0;
};

/// The block that runs.
struct Block {
  const Launch* launch = nullptr;
  uint32_t number = 0;  // in the grid
  std::vector<Thread> threads;
  std::vector<Warp> warps;
  int size = 0;
  int alive = 0;
  int current = -1;

  int at_barrier = 0;
  int barrier_sum = 0;
  int first_at_barrier = -1;
  int left_after_barrier = -1;  // a thread that ended behind some barrier
};
extern Block block;
extern char* shared_base;

/// Runs every thread of a grid. Under the emulator's lock.
void run_launch(const Launch& launch);

/// The thread that runs, for calls from kernels.
inline Thread& current_thread() {
  return block.threads[static_cast<size_t>(block.current)];
}
inline Thread* lanes_of(int warp) {
  return block.threads.data() + static_cast<size_t>(warp) * kWarp;
}
std::string name_of(int thread);

/// Gives up the processor: `suspend` until somebody makes the thread ready, `yield` for a while.
void suspend();
void yield();
/// Makes lanes of a warp go on, before other threads where the order is theirs.
void make_ready(int warp, uint32_t lanes);
/// A number below `count`, from the options' seed.
uint64_t random_below(uint64_t count);

/// Completes what the lanes of a warp wait for, where all have come to it (collectives.cc).
void try_collective(int warp);
const char* name_of(Op op);

/// Of the kernel that runs, or empty.
std::string running_kernel();
/// Ends the launch; does not come back to the thread that calls it. Nothing outside a kernel.
void abandon_launch();
void run_on_host_stack(const std::function<void()>& function);

}  // namespace emu

#endif  // ATA_CUDA_EMULATOR_SCHEDULER_H_
