#include "scheduler.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <random>

#include "checks.h"
#include "defects.h"
#include "memory.h"
#include "options.h"

namespace emu {

Running running;
Block block;
char* shared_base = static_cast<char*>(reserve(kMaxSharedBytes, true));

namespace {

// Threads that can go on. Each is in it once at most.
class ReadyThreads {
 public:
  void clear() { first_ = last_ = 0; }
  bool empty() const { return first_ == last_; }
  void push_back(int thread) { slots_[last_++ % kSlots] = static_cast<uint16_t>(thread); }
  void push_front(int thread) { slots_[--first_ % kSlots] = static_cast<uint16_t>(thread); }
  int pop_front() { return slots_[first_++ % kSlots]; }
  int pop_back() { return slots_[--last_ % kSlots]; }
  int pop_any() {
    const uint32_t count = last_ - first_;
    std::swap(slots_[first_ % kSlots],
              slots_[(first_ + static_cast<uint32_t>(random_below(count))) % kSlots]);
    return pop_front();
  }

 private:
  static constexpr uint32_t kSlots = 2 * kMaxThreads;
  uint16_t slots_[kSlots];
  uint32_t first_ = 0, last_ = 0;
};

ReadyThreads ready;
Order order = Order::kAscending;
std::mt19937_64 random_numbers;
uint64_t launches = 0;

Context host;
Context contexts[kMaxFibers];
std::vector<int> free_fibers;
int prepared = 0;
bool abandoned = false;
const std::function<void()>* host_request = nullptr;

int next_thread() {
  switch (order) {
    case Order::kAscending:
      return ready.pop_front();
    case Order::kDescending:
      return ready.pop_back();
    case Order::kRandom:
      return ready.pop_any();
  }
  return -1;
}

void finish_thread();

// What runs on a fiber: one thread after the other. While threads end without waiting, the same
// fiber takes the next, and nothing is switched.
void run_threads() {
  while (true) {
    block.launch->run(block.launch->closure.get());
    finish_thread();
  }
}

int take_fiber() {
  if (!free_fibers.empty()) {
    const int fiber = free_fibers.back();
    free_fibers.pop_back();
    return fiber;
  }
  prepare(contexts[prepared], prepared, run_threads);
  return prepared++;
}

void make_current(int thread) {
  block.current = thread;
  running.thread = block.threads[static_cast<size_t>(thread)].index;
}

// Leaves `from` for the next thread that can go on, or for the scheduler when there is none.
void switch_from(Context& from) {
  if (ready.empty()) {
    switch_context(from, host);
    return;
  }
  const int thread = next_thread();
  Thread& next = block.threads[static_cast<size_t>(thread)];
  make_current(thread);
  if (next.fiber < 0) next.fiber = take_fiber();
  Context& to = contexts[next.fiber];
  if (&to != &from) switch_context(from, to);
}

void try_barrier() {
  if (block.at_barrier == 0 || block.at_barrier < block.alive) return;
  if (block.left_after_barrier >= 0) {
    const Thread& waiting = block.threads[static_cast<size_t>(block.first_at_barrier)];
    const Thread& left = block.threads[static_cast<size_t>(block.left_after_barrier)];
    report_defect("divergent __syncthreads: " + name_of(left.number) + " ended after " +
                      std::to_string(left.barriers) + " of them, and " + name_of(waiting.number) +
                      " waits in another one",
                  {waiting.site});
  }
  note_block_barrier();
  const int warps = static_cast<int>(block.warps.size());
  for (int i = 0; i < warps; ++i) {
    const int warp = order == Order::kAscending ? warps - 1 - i : i;
    uint32_t lanes = block.warps[static_cast<size_t>(warp)].alive;
    for (int lane = 0; lane < kWarp; ++lane) {
      if ((lanes >> lane & 1) == 0) continue;
      Thread& thread = lanes_of(warp)[lane];
      thread.result = static_cast<uint64_t>(block.barrier_sum);
      ++thread.barriers;
    }
    make_ready(warp, lanes);
  }
  block.at_barrier = block.barrier_sum = 0;
  block.first_at_barrier = -1;
}

void finish_thread() {
  Thread& thread = current_thread();
  if (!thread.copies.empty()) async_wait(0);  // what is on its way arrives nevertheless
  thread.state = State::kDone;
  if (thread.barriers > 0) block.left_after_barrier = thread.number;
  Warp& warp = block.warps[static_cast<size_t>(thread.warp())];
  warp.alive &= ~(1U << static_cast<unsigned>(thread.lane()));
  --block.alive;
  note_thread_end(thread);
  if (warp.waiting != 0) try_collective(thread.warp());
  try_barrier();
  const int fiber = std::exchange(thread.fiber, -1);
  free_fibers.push_back(fiber);
  switch_from(contexts[fiber]);
}

// Every thread that is left waits for another one.
void report_deadlock() {
  std::string text = "deadlock:";
  const Thread* told = nullptr;
  int count = 0;
  for (int i = 0; i < block.size && count < 4; ++i) {
    const Thread& thread = block.threads[static_cast<size_t>(i)];
    if (thread.state == State::kDone) continue;
    if (told != nullptr && told->state == thread.state && told->site.line == thread.site.line &&
        told->site.column == thread.site.column && told->mask == thread.mask) {
      continue;
    }
    told = &thread;
    text += (count++ > 0 ? "; " : " ") + name_of(i) + " waits in ";
    if (thread.state == State::kBarrier) {
      text += "__syncthreads";
    } else {
      char mask[16];
      std::snprintf(mask, sizeof mask, "%08x", thread.mask);
      text += std::string(name_of(thread.op)) + " with mask " + mask;
    }
    text += " at " + to_text({thread.site});
  }
  report_defect(text);
}

void start_block(uint32_t number) {
  const Launch& launch = *block.launch;
  const dim3 grid = launch.grid;
  block.number = number;
  running.block = dim3(number % grid.x, number / grid.x % grid.y, number / grid.x / grid.y);
  block.alive = block.size;
  block.at_barrier = block.barrier_sum = 0;
  block.first_at_barrier = block.left_after_barrier = -1;
  ready.clear();
  for (int i = 0; i < block.size; ++i) {
    Thread& thread = block.threads[static_cast<size_t>(i)];
    thread.fiber = -1;
    thread.state = State::kReady;
    thread.barriers = thread.groups = 0;
    if (!thread.copies.empty()) thread.copies.clear();
    ready.push_back(i);
  }
  for (int i = 0; i < static_cast<int>(block.warps.size()); ++i) {
    const int lanes = std::min(kWarp, block.size - i * kWarp);
    block.warps[static_cast<size_t>(i)] = {
        lanes == kWarp ? ~0U : (1U << static_cast<unsigned>(lanes)) - 1, 0};
  }
  note_block_start();
}

void run_block(uint32_t number) {
  start_block(number);
  switch_from(host);
  while (host_request != nullptr) {  // of the current thread, which goes on then
    (*std::exchange(host_request, nullptr))();
    switch_context(host, contexts[current_thread().fiber]);
  }
  block.current = -1;
  if (!abandoned && block.alive > 0) report_deadlock();
  note_block_end();
}

}  // namespace

void run_launch(const Launch& launch) {
  const DeviceAccess access;
  order = options().order;
  random_numbers.seed(options().seed * 1000003 + ++launches);
  const dim3 grid = launch.grid, size = launch.block;
  block.launch = &launch;
  block.size = static_cast<int>(size.x * size.y * size.z);
  block.threads.resize(static_cast<size_t>(block.size));
  block.warps.resize(static_cast<size_t>((block.size + kWarp - 1) / kWarp));
  for (int i = 0; i < block.size; ++i) {
    const auto linear = static_cast<unsigned>(i);
    Thread& thread = block.threads[static_cast<size_t>(i)];
    thread.number = i;
    thread.index = dim3(linear % size.x, linear / size.x % size.y, linear / (size.x * size.y));
  }
  running.block_dim = size;
  running.grid_dim = grid;
  abandoned = false;
  note_launch_start(launch);
  const uint64_t blocks = uint64_t{grid.x} * grid.y * grid.z;
  std::vector<uint32_t> shuffled;
  if (order == Order::kRandom) {
    shuffled.resize(blocks);
    std::iota(shuffled.begin(), shuffled.end(), 0U);
    std::shuffle(shuffled.begin(), shuffled.end(), random_numbers);
  }
  for (uint64_t i = 0; i < blocks && !abandoned; ++i) {
    run_block(order == Order::kRandom       ? shuffled[i]
              : order == Order::kDescending ? static_cast<uint32_t>(blocks - 1 - i)
                                            : static_cast<uint32_t>(i));
  }
  if (abandoned) {  // threads that were left in the middle hold their fibers
    free_fibers.clear();
    prepared = 0;
  }
  note_launch_end();
  block.launch = nullptr;
}

std::string name_of(int thread) {
  return "thread " + std::to_string(thread) + " of block " + std::to_string(block.number);
}

void suspend() {
  switch_from(contexts[current_thread().fiber]);
}

void yield() {
  if (order == Order::kDescending) {
    ready.push_front(block.current);
  } else {
    ready.push_back(block.current);
  }
  suspend();
}

void make_ready(int warp, uint32_t lanes) {
  const bool ascending = order == Order::kAscending;
  for (int i = 0; i < kWarp; ++i) {
    const int lane = ascending ? kWarp - 1 - i : i;
    if ((lanes >> lane & 1) == 0) continue;
    Thread& thread = lanes_of(warp)[lane];
    thread.state = State::kReady;
    if (ascending) {
      ready.push_front(thread.number);
    } else {
      ready.push_back(thread.number);
    }
  }
}

uint64_t random_below(uint64_t count) {
  return random_numbers() % count;
}

std::string running_kernel() {
  return block.launch != nullptr ? block.launch->name : "";
}

void abandon_launch() {
  if (block.launch == nullptr) return;
  abandoned = true;
  if (block.current >= 0) switch_context(contexts[current_thread().fiber], host);
}

void run_on_host_stack(const std::function<void()>& function) {
  if (block.current < 0) {
    function();
    return;
  }
  host_request = &function;
  switch_context(contexts[current_thread().fiber], host);
}

int block_barrier_count(int predicate, Site site) {
  Thread& thread = current_thread();
  thread.site = site;
  thread.state = State::kBarrier;
  block.barrier_sum += predicate != 0;
  if (block.at_barrier++ == 0) {
    block.first_at_barrier = thread.number;
  } else {
    const Thread& first = block.threads[static_cast<size_t>(block.first_at_barrier)];
    if (first.site.line != site.line || first.site.column != site.column ||
        std::strcmp(first.site.file, site.file) != 0) {
      report_defect("divergent __syncthreads: " + name_of(thread.number) + " and " +
                        name_of(first.number) + ", which waits at " + to_text({first.site}) +
                        ", meet in different ones",
                    {site});
    }
  }
  try_barrier();
  suspend();
  return static_cast<int>(current_thread().result);
}

void* shared_memory(size_t bytes, Site site) {
  if (bytes > block.launch->shared_bytes) {
    report_defect("the kernel uses " + std::to_string(bytes) +
                      " bytes of shared memory and was launched with " +
                      std::to_string(block.launch->shared_bytes),
                  {site});
  }
  return shared_base;
}

void trap(Site site) {
  report_defect(name_of(block.current) + " stops the kernel by __trap", {site});
  std::abort();  // never reached from a kernel
}

}  // namespace emu
