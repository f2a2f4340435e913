#include "emulator.h"
#undef threadIdx
#undef blockIdx
#undef blockDim
#undef gridDim
#include <sys/mman.h>
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <vector>
#include <dlfcn.h>

extern "C" void emu_switch(void** save, void* load);
asm(R"(
.text
.globl emu_switch
.type emu_switch,@function
emu_switch:
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
)");

namespace emu {
namespace {
constexpr size_t kStack = 64 << 10, kArena = size_t(1) << 30, kZone = 256, kMaxShared = 227 << 10;
enum class State : uint8_t { kReady, kBarrier, kWarp, kDone };

struct Thread {
  void* sp; char* stack;
  dim3 idx; int tid, lane, warp; State state;
  Op op; uint32_t mask; uint64_t value, result; int arg, width; Site site; int predicate;
  uint32_t in[10]; float out[4];
  struct Copy { void* to; const void* from; int bytes, group; Site site; };
  std::vector<Copy> copies; int groups = 0;
};
struct Warp { uint32_t clock[32][32]; uint32_t waiting = 0, dead = 0; };  // clock[a][b]: what lane a knows of lane b

// What is known of four bytes: who wrote and who read them last. Reset by launch and by block epoch.
struct Cell {
  uint32_t w_launch, w_block; uint32_t w_clock; uint16_t w_tid, w_epoch;
  uint32_t r_launch, r_block; uint32_t r_clock; uint32_t r_lanes; uint16_t r_warp, r_epoch;
  uint8_t w_bytes, r_bytes, w_atomic, r_many;
};
struct Range { char* base; size_t size; std::vector<Cell> cells; std::vector<uint8_t> state; };  // state per byte: 0 none 1 unwritten 2 written

struct World {
  Options options;
  std::vector<Thread> threads; std::vector<Warp> warps; int alive = 0, n = 0, at_barrier = 0, barrier_sum = 0;
  dim3 block, block_dim, grid_dim; uint32_t block_id = 0, launch_id = 0; uint16_t epoch = 0;
  void* main_sp = nullptr; int current = -1; bool aborted = false; const std::function<void()>* body = nullptr;
  std::deque<int> ready; std::mt19937_64 random;
  char* arena = nullptr; size_t used = 0; Range global, shared; size_t shared_bytes = 0; int open = 0;
  std::map<char*, size_t> live; std::string error, kernel; Counts counts{};
};
World* g = nullptr;

World& world() {
  if (!g) {
    g = new World;
    g->arena = static_cast<char*>(mmap(nullptr, kArena, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    g->global.base = g->arena;
    g->shared.base = static_cast<char*>(aligned_alloc(4096, kMaxShared + 4096 - kMaxShared % 4096));
    g->shared.size = kMaxShared;
    g->shared.cells.resize(kMaxShared / 4); g->shared.state.resize(kMaxShared);
  }
  return *g;
}
// The host must not touch device memory: it is mapped only while the device works.
struct Open {
  Open() { World& w = world(); if (!w.open++ && w.used) mprotect(w.arena, (w.used + 4095) & ~4095ul, PROT_READ | PROT_WRITE); }
  ~Open() { World& w = world(); if (!--w.open && w.used) mprotect(w.arena, (w.used + 4095) & ~4095ul, PROT_NONE); }
};
std::string place(const void* site) {
  if (!site) return "an asynchronous copy";
  Dl_info info{}; char text[256];
  dladdr(site, &info);
  snprintf(text, sizeof text, "%s+0x%zx", info.dli_fname ? strrchr(info.dli_fname, '/') ? strrchr(info.dli_fname, '/') + 1 : info.dli_fname : "?", size_t(site) - size_t(info.dli_fbase));
  return text;
}
std::string place(Site site) { const char* slash = strrchr(site.file, '/'); return std::string(slash ? slash + 1 : site.file) + ":" + std::to_string(site.line); }
std::string who(int tid) { return "thread " + std::to_string(tid) + " of block " + std::to_string(g->block_id); }
void leave() {  // current thread gives up the processor
  World& w = *g; ++w.counts.switches;
  emu_switch(&w.threads[w.current].sp, w.main_sp);
}
[[gnu::noinline]] void defect(const std::string& text) {
  World& w = *g;
  if (w.error.empty()) w.error = w.kernel + ": " + text;
  w.aborted = true;
  if (w.current >= 0) leave();  // never resumed
}
void entry() {
  (*g->body)();
  Thread& t = g->threads[g->current];
  t.state = State::kDone;
  leave();
  abort();
}
void make_ready(int tid) { g->threads[tid].state = State::kReady; g->ready.push_back(tid); }

void finish_collective(int warp, uint32_t group, Op op, uint32_t mask) {
  World& w = *g; Thread* lanes = &w.threads[warp * 32]; ++w.counts.collectives;
  uint64_t all = 0; bool first = true; int64_t acc = 0;
  for (int l = 0; l < 32; ++l) if (group >> l & 1) {
    const Thread& t = lanes[l]; const uint32_t v = uint32_t(t.value);
    if (op == Op::kBallot || op == Op::kAny || op == Op::kAll) all |= uint64_t(t.value & 1) << l;
    const int64_t x = op == Op::kMinU || op == Op::kMaxU ? int64_t(v) : int64_t(int32_t(v));
    if (first) acc = x;
    else if (op == Op::kMinS || op == Op::kMinU) acc = std::min(acc, x);
    else if (op == Op::kMaxS || op == Op::kMaxU) acc = std::max(acc, x);
    else if (op == Op::kAdd) acc += x;
    else if (op == Op::kOr) acc |= x;
    first = false;
  }
  for (int l = 0; l < 32; ++l) if (group >> l & 1) {
    Thread& t = lanes[l];
    const int base = l & ~(t.width - 1); int source = l;
    switch (op) {
      case Op::kShflIdx: source = base + (t.arg & (t.width - 1)); break;
      case Op::kShflXor: source = l ^ t.arg; if (source >= base + t.width) source = l; break;
      case Op::kShflUp: source = l - t.arg < base ? l : l - t.arg; break;
      case Op::kShflDown: source = l + t.arg >= base + t.width ? l : l + t.arg; break;
      case Op::kBallot: t.result = all; break;
      case Op::kAny: t.result = all != 0; break;
      case Op::kAll: t.result = all == group; break;
      default: t.result = uint32_t(acc);
    }
    if (op == Op::kShflIdx || op == Op::kShflXor || op == Op::kShflUp || op == Op::kShflDown) {
      if (!(group >> source & 1)) return defect(who(t.tid) + " shuffles from lane " + std::to_string(source) + ", which does not take part (mask " + std::to_string(mask) + "), at " + place(t.site));
      t.result = lanes[source].value;
    }
  }
  if (op == Op::kMma) {  // fragments as the PTX manual draws them
    float A[16][16], B[16][8]; auto half = [](uint32_t r, int h) { return bits<float>(uint32_t((h ? r >> 16 : r & 0xffff) << 16)); };
    if (group != ~0u) return defect("mma by a part of a warp at " + place(lanes[__builtin_ctz(group)].site));
    for (int l = 0; l < 32; ++l) for (int i = 0; i < 8; ++i) A[l / 4 + (i / 2 % 2) * 8][l % 4 * 2 + i % 2 + (i / 4) * 8] = half(lanes[l].in[i / 2], i % 2);
    for (int l = 0; l < 32; ++l) for (int i = 0; i < 4; ++i) B[l % 4 * 2 + i % 2 + (i / 2) * 8][l / 4] = half(lanes[l].in[4 + i / 2], i % 2);
    for (int l = 0; l < 32; ++l) for (int i = 0; i < 4; ++i) {
      const int row = l / 4 + i / 2 * 8, column = l % 4 * 2 + i % 2; float sum = bits<float>(lanes[l].in[6 + i]);
      for (int k = 0; k < 16; ++k) sum += A[row][k] * B[k][column];
      lanes[l].out[i] = sum;
    }
  }
  if (op == Op::kSyncWarp) {  // only this orders memory; shuffles and votes do not (CUDA guide)
    uint32_t joined[32] = {}; Warp& clocks = w.warps[warp];
    for (int l = 0; l < 32; ++l) if (group >> l & 1) for (int k = 0; k < 32; ++k) joined[k] = std::max(joined[k], clocks.clock[l][k]);
    for (int l = 0; l < 32; ++l) if (group >> l & 1) { memcpy(clocks.clock[l], joined, sizeof joined); }
    for (int l = 0; l < 32; ++l) if (group >> l & 1) ++clocks.clock[l][l];
  }
  w.warps[warp].waiting &= ~group;
  for (int l = 0; l < 32; ++l) if (group >> l & 1) make_ready(warp * 32 + l);
}
// Releases a warp's collective once every living lane of its mask has come to it.
void try_collective(int warp) {
  World& w = *g; Thread* lanes = &w.threads[warp * 32]; const int count = std::min(32, w.n - warp * 32);
  const uint32_t missing = ~(w.warps[warp].waiting | w.warps[warp].dead) & (count == 32 ? ~0u : (1u << count) - 1);
  for (int l = 0; l < count; ++l) {
    if (lanes[l].mask & missing) continue;
    if (lanes[l].state != State::kWarp) continue;
    uint32_t group = 0; bool complete = true;
    for (int k = 0; k < count; ++k) if (lanes[l].mask >> k & 1) {
      if (lanes[k].state == State::kDone) continue;
      if (lanes[k].state != State::kWarp || lanes[k].op != lanes[l].op || lanes[k].mask != lanes[l].mask) complete = false;
      group |= 1u << k;
    }
    if (complete) { finish_collective(warp, group, lanes[l].op, lanes[l].mask); return; }
  }
}
void try_barrier() {
  World& w = *g;
  if (!w.at_barrier || w.at_barrier < w.alive) return;
  if (++w.epoch == 0xffff) w.epoch = 1;
  const Thread* first = nullptr;
  for (int i = 0; i < w.n; ++i) if (w.threads[i].state == State::kBarrier) {
    if (!first) first = &w.threads[i];
    else if (first->site.line != w.threads[i].site.line) return defect(who(first->tid) + " and thread " + std::to_string(i) + " meet in different __syncthreads: " + place(first->site) + " and " + place(w.threads[i].site));
  }
  for (int i = 0; i < w.n; ++i) if (w.threads[i].state == State::kBarrier) { w.threads[i].result = w.barrier_sum; make_ready(i); }
  w.at_barrier = w.barrier_sum = 0;
}
std::vector<char*> stacks;
void run_block() {
  World& w = *g;
  w.epoch = 1; w.alive = w.n; w.at_barrier = w.barrier_sum = 0; w.ready.clear();
  w.warps.assign((w.n + 31) / 32, Warp{});
  for (Warp& warp : w.warps) for (int l = 0; l < 32; ++l) warp.clock[l][l] = 1;
  memset(w.shared.base, 0xff, std::min(kMaxShared, w.shared_bytes));  // NaN
  static size_t before = kMaxShared; std::fill_n(w.shared.state.begin(), std::min(before, kMaxShared), 0); before = w.shared_bytes;
  std::fill_n(w.shared.state.begin(), w.shared_bytes, 1);
  std::fill_n(w.shared.cells.begin(), (w.shared_bytes + 3) / 4, Cell{});
  while (int(stacks.size()) < w.n) stacks.push_back(static_cast<char*>(aligned_alloc(64, kStack)));
  w.threads.resize(w.n);
  for (int i = 0; i < w.n; ++i) {
    Thread& t = w.threads[i];
    t.copies.clear(); t.groups = 0; t.tid = i; t.lane = i % 32; t.warp = i / 32; t.stack = stacks[i];
    t.idx = dim3(i % w.block_dim.x, i / w.block_dim.x % w.block_dim.y, i / (w.block_dim.x * w.block_dim.y));
    void** top = reinterpret_cast<void**>(t.stack + kStack - 64);
    *--top = nullptr; *--top = reinterpret_cast<void*>(&entry);
    top -= 6; memset(top, 0, 48); t.sp = top;
    make_ready(i);
  }
  while (!w.ready.empty() && !w.aborted) {
    size_t pick = 0;  // of the ready threads, which runs on
    if (w.options.order == Order::kDescending) pick = w.ready.size() - 1;
    if (w.options.order == Order::kRandom) pick = w.random() % w.ready.size();
    const int tid = w.ready[pick];
    if (w.options.order == Order::kAscending) w.ready.pop_front();
    else { w.ready[pick] = w.ready.back(); w.ready.pop_back(); }
    w.current = tid;
    emu_switch(&w.main_sp, w.threads[tid].sp);
    w.current = -1;
    Thread& t = w.threads[tid];
    if (w.aborted) break;
    if (t.state == State::kDone) { --w.alive; w.warps[t.warp].dead |= 1u << t.lane; if (w.warps[t.warp].waiting) try_collective(t.warp); try_barrier(); }
    else if (t.state == State::kWarp) {
      Warp& warp = w.warps[t.warp]; warp.waiting |= 1u << t.lane;
      if (!(t.mask & ~(warp.waiting | warp.dead)) || (w.n % 32 && t.warp == w.n / 32)) try_collective(t.warp);
    }
    else if (t.state == State::kBarrier) try_barrier();
    else w.ready.push_back(tid);  // preempted
  }
  if (!w.aborted && w.alive) {
    std::string text = "deadlock:";
    int told = 0;
    for (int i = 0; i < w.n && told < 4; ++i) {
      const Thread& t = w.threads[i];
      if (t.state == State::kDone) continue;
      if (i && told && w.threads[i - 1].state == t.state && w.threads[i - 1].site.line == t.site.line) continue;
      char mask[16]; snprintf(mask, sizeof mask, "%08x", t.mask);
      text += (told++ ? "; " : " ") + who(i) + (t.state == State::kBarrier ? " waits in __syncthreads" : std::string(" waits in a warp collective with mask ") + mask) + " at " + place(t.site);
    }
    defect(text);
  }
}
uint8_t byte_mask(uintptr_t a, size_t n) { return uint8_t(((1u << n) - 1) << (a & 3)); }

// One access of the running kernel. `atomic` accesses do not race with each other.
void access(uintptr_t address, size_t size, bool write, bool atomic, const void* site) {
  World& w = *g;
  if (!g || w.current < 0 || w.aborted) return;
  ++w.counts.accesses;
  const char* p = reinterpret_cast<const char*>(address);
  Thread& t = w.threads[w.current];
  if (p >= t.stack && p < t.stack + kStack) return;
  Range* range = p >= w.arena && p < w.arena + kArena ? &w.global : p >= w.shared.base && p < w.shared.base + kMaxShared ? &w.shared : nullptr;
  if (!range) {  // parameters and constants; anything that malloc owns is a mistake
    for (int i = 0; i < w.n; ++i) if (p >= w.threads[i].stack && p < w.threads[i].stack + kStack)
      return defect(who(t.tid) + " touches a local variable of thread " + std::to_string(i) + " at " + place(site));
    return;
  }
  const char* space = range == &w.global ? "global" : "shared";
  const size_t offset = p - range->base;
  if (range == &w.global ? offset + size > w.used : offset + size > kMaxShared) return defect(who(t.tid) + (write ? " writes " : " reads ") + std::string(space) + " memory outside every allocation at " + place(site));
  for (size_t i = 0; i < size; ++i) {
    uint8_t& s = range->state[offset + i];
    if (s == 0) return defect(who(t.tid) + (write ? " writes " : " reads ") + std::string(space) + " memory outside every allocation at " + place(site));
    if (s == 1 && (!write || atomic)) return defect(who(t.tid) + " reads " + space + " memory that nobody wrote at " + place(site));
    if (write) s = 2;
  }
  if (address % std::min<size_t>(size, 16)) return defect(who(t.tid) + " makes a misaligned access of " + std::to_string(size) + " bytes at " + place(site));
  for (size_t done = 0; done < size;) {
    const uintptr_t a = address + done; const size_t part = std::min(size - done, 4 - (a & 3));
    Cell& c = range->cells[(offset + done) / 4]; const uint8_t bytes = byte_mask(a, part);
    done += part;
    const Warp& clocks = w.warps[t.warp];
    // The last write comes before this access, or is this thread's own?
    if (c.w_launch == w.launch_id && (c.w_bytes & bytes) && !(atomic && c.w_atomic)) {
      const bool ordered = c.w_block == w.block_id && (c.w_tid == t.tid || c.w_epoch != w.epoch ||
          (c.w_tid / 32 == t.warp && clocks.clock[t.lane][c.w_tid % 32] >= c.w_clock));
      if (!ordered) return defect("race in " + std::string(space) + " memory: " + who(t.tid) + (write ? " writes" : " reads") + " what thread " + std::to_string(c.w_tid) + " of block " + std::to_string(c.w_block) + " wrote, with nothing between, at " + place(site));
    }
    if (write && c.r_launch == w.launch_id && (c.r_bytes & bytes)) {
      bool ordered = c.r_block == w.block_id && c.r_many != 3;
      if (ordered && c.r_epoch == w.epoch) {
        ordered = c.r_many == 0 && c.r_warp == t.warp;
        for (int l = 0; l < 32; ++l) if ((c.r_lanes >> l & 1) && l != t.lane && clocks.clock[t.lane][l] < c.r_clock) ordered = false;
      }
      if (!ordered) return defect("race in " + std::string(space) + " memory: " + who(t.tid) + " writes what another thread (warp " + std::to_string(c.r_warp) + " of block " + std::to_string(c.r_block) + ") read, with nothing between, at " + place(site));
    }
    if (write) {
      c.w_launch = w.launch_id; c.w_block = w.block_id; c.w_tid = uint16_t(t.tid); c.w_epoch = w.epoch;
      c.w_clock = clocks.clock[t.lane][t.lane]; c.w_bytes = (c.w_bytes & 0xf) | bytes; c.w_atomic = atomic;
      if (c.r_launch == w.launch_id) c.r_launch = 0;
    } else {
      const bool same = c.r_launch == w.launch_id && c.r_block == w.block_id && c.r_epoch == w.epoch;
      if (same && c.r_warp == t.warp) { c.r_lanes |= 1u << t.lane; c.r_clock = std::max(c.r_clock, clocks.clock[t.lane][t.lane]); c.r_bytes |= bytes; }
      else {
        const bool before = c.r_launch == w.launch_id;
        c.r_many = before && (c.r_block != w.block_id || c.r_many == 3) ? 3 : same ? 2 : 0;
        c.r_launch = w.launch_id; c.r_block = w.block_id; c.r_epoch = w.epoch; c.r_warp = uint16_t(t.warp);
        c.r_lanes = 1u << t.lane; c.r_clock = clocks.clock[t.lane][t.lane]; c.r_bytes = bytes;
      }
    }
  }
  if (w.options.preempt > 0 && double(w.random() >> 11) * 0x1p-53 < w.options.preempt) leave();
}
}  // namespace

} struct CUstream_st { std::deque<std::function<void()>> work; }; namespace emu {
namespace { Stream null_stream; std::vector<Stream*> streams; void drain(Stream* s) { while (!s->work.empty()) { auto f = std::move(s->work.front()); s->work.pop_front(); f(); } } 
void submit(Stream* s, std::function<void()> f) { if (!s) s = &null_stream; s->work.push_back(std::move(f)); if (!world().options.deferred) drain(s); } }

Options& options() { return world().options; }
Stream* create_stream() { streams.push_back(new Stream); return streams.back(); }
void synchronize(Stream* s) { drain(s ? s : &null_stream); }
void* device_malloc(size_t bytes) {
  World& w = world();
  const size_t begin = ((w.used + 255) & ~size_t(255)) + kZone, end = begin + bytes;
  if (end + kZone > kArena) return nullptr;
  w.used = end + kZone; w.global.size = w.used;
  w.global.cells.resize(w.used / 4 + 1); w.global.state.resize(w.used);
  std::fill_n(w.global.state.begin() + begin, bytes, 1);
  { Open o; memset(w.arena + begin, 0xff, bytes); }
  w.live[w.arena + begin] = bytes;
  return w.arena + begin;
}
void device_free(void* p) {  // never handed out again: use after free is seen
  World& w = world(); auto it = w.live.find(static_cast<char*>(p));
  if (it == w.live.end()) { if (p && w.error.empty()) w.error = "free of what is not allocated"; return; }
  std::fill_n(w.global.state.begin() + (it->first - w.arena), it->second, 0);
  w.live.erase(it);
}
void copy(void* to, const void* from, size_t bytes, Stream* s) {
  submit(s, [=] {
    World& w = world(); Open o; memcpy(to, from, bytes);
    const char* t = static_cast<char*>(to); if (t >= w.arena && t < w.arena + kArena) std::fill_n(w.global.state.begin() + (t - w.arena), bytes, 2);
  });
}
void fill(void* to, int byte, size_t bytes, Stream* s) {
  submit(s, [=] { World& w = world(); Open o; memset(to, byte, bytes); std::fill_n(w.global.state.begin() + (static_cast<char*>(to) - w.arena), bytes, 2); });
}
void host_work(Stream* s, std::function<void()> work) { submit(s, [=] { Open o; work(); World& w = world(); std::fill(w.global.state.begin(), w.global.state.end(), 2); }); }
void enqueue(Stream* s, dim3 grid, dim3 block, size_t shared, const char* name, std::function<void()> thread) {
  submit(s, [=] {
    World& w = world(); Open o;
    if (w.error.size()) return;
    ++w.counts.launches; ++w.launch_id; w.kernel = name; w.grid_dim = grid; w.block_dim = block; w.shared_bytes = shared; w.n = int(block.x * block.y * block.z);
    if (w.n > 1024 || w.n == 0 || !grid.x || grid.y > 65535 || grid.z > 65535 || shared > kMaxShared) { w.error = std::string(name) + ": invalid launch"; return; }
    w.body = &thread; w.aborted = false; w.random.seed(w.options.seed * 1000003 + w.launch_id);
    const uint32_t blocks = grid.x * grid.y * grid.z;
    std::vector<uint32_t> order(blocks);
    for (uint32_t i = 0; i < blocks; ++i) order[i] = w.options.order == Order::kDescending ? blocks - 1 - i : i;
    if (w.options.order == Order::kRandom) std::shuffle(order.begin(), order.end(), w.random);
    for (uint32_t b : order) {
      w.block_id = b; w.block = dim3(b % grid.x, b / grid.x % grid.y, b / (grid.x * grid.y));
      w.block.x = b % grid.x;
      run_block();
      if (w.aborted) break;
    }
  });
}
std::string take_error() { std::string e; std::swap(e, world().error); return e; }
Counts counts() { return world().counts; }
dim3 thread_idx() { return g->threads[g->current].idx; }
dim3 block_idx() { return g->block; }
dim3 block_dim() { return g->block_dim; }
dim3 grid_dim() { return g->grid_dim; }
void* shared_memory(size_t bytes) {
  if (bytes > g->shared_bytes) defect("kernel needs " + std::to_string(bytes) + " bytes of shared memory, launched with " + std::to_string(g->shared_bytes));
  return g->shared.base;
}
uint64_t collective(Op op, uint32_t mask, uint64_t value, int arg, int width, Site site) {
  Thread& t = g->threads[g->current];
  if (!(mask >> t.lane & 1)) defect(who(t.tid) + " calls a warp collective whose mask leaves it out, at " + place(site));
  t.op = op; t.mask = mask; t.value = value; t.arg = arg; t.width = width; t.site = site; t.state = State::kWarp;
  leave();
  return g->threads[g->current].result;
}
int block_barrier_count(int predicate, Site site) {
  World& w = *g; Thread& t = w.threads[w.current];
  t.site = site; t.state = State::kBarrier; ++w.at_barrier; w.barrier_sum += predicate != 0;
  leave();
  return int(g->threads[g->current].result);
}
void mma_16x8x16_bf16(float* d, const uint32_t* a, const uint32_t* b, const float* c, Site site) {
  Thread& t = g->threads[g->current];
  memcpy(t.in, a, 16); memcpy(t.in + 4, b, 8); memcpy(t.in + 6, c, 16);
  collective(Op::kMma, ~0u, 0, 0, 32, site);
  memcpy(d, g->threads[g->current].out, 16);
}
void async_copy(void* to, const void* from, int bytes, Site site) {
  check_aligned(to, bytes, site); check_aligned(from, bytes, site);
  Thread& t = g->threads[g->current]; t.copies.push_back({to, from, bytes, t.groups, site});
}
void async_commit() { ++g->threads[g->current].groups; }
void async_wait(int pending) {
  Thread& t = g->threads[g->current];
  std::erase_if(t.copies, [&](const Thread::Copy& c) {
    if (c.group >= t.groups - pending) return false;
    access(uintptr_t(c.from), c.bytes, false, false, nullptr); access(uintptr_t(c.to), c.bytes, true, false, nullptr);
    memcpy(c.to, c.from, c.bytes); return true;
  });
}
void check_aligned(const void* p, size_t bytes, Site site) {
  if (uintptr_t(p) % bytes) defect(who(g->current) + " makes a misaligned access of " + std::to_string(bytes) + " bytes at " + place(site));
}
uint32_t atomic_rmw(void* p, uint32_t (*f)(uint32_t, uint32_t), uint32_t operand) {
  access(uintptr_t(p), 4, true, true, __builtin_return_address(0));
  uint32_t old, now; memcpy(&old, p, 4); now = f(old, operand); memcpy(p, &now, 4); return old;
}
}  // namespace emu

// What g++ -fsanitize=thread calls for every access to memory in the kernels' files. This takes the
// place of libtsan, which is not linked.
using emu::access;
#define EMU_HOOK(n) \
  extern "C" void __tsan_read##n(void* a) { access(uintptr_t(a), n, false, false, __builtin_return_address(0)); } \
  extern "C" void __tsan_write##n(void* a) { access(uintptr_t(a), n, true, false, __builtin_return_address(0)); } \
  extern "C" void __tsan_unaligned_read##n(void* a) { access(uintptr_t(a), n, false, false, __builtin_return_address(0)); } \
  extern "C" void __tsan_unaligned_write##n(void* a) { access(uintptr_t(a), n, true, false, __builtin_return_address(0)); }
EMU_HOOK(1) EMU_HOOK(2) EMU_HOOK(4) EMU_HOOK(8) EMU_HOOK(16)
extern "C" void __tsan_read_range(void* a, size_t n) { for (size_t i = 0; i < n; i += 4) access(uintptr_t(a) + i, std::min<size_t>(4, n - i), false, false, __builtin_return_address(0)); }
extern "C" void __tsan_write_range(void* a, size_t n) { for (size_t i = 0; i < n; i += 4) access(uintptr_t(a) + i, std::min<size_t>(4, n - i), true, false, __builtin_return_address(0)); }
extern "C" void __tsan_init() {}
extern "C" void __tsan_func_entry(void*) {}
extern "C" void __tsan_func_exit() {}
extern "C" void __tsan_vptr_update(void**, void*) {}
extern "C" void __tsan_vptr_read(void**) {}
