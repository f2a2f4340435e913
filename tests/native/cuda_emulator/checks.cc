#include "checks.h"

#include <link.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>

#include "access_counts.h"
#include "memory.h"
#include "options.h"

namespace emu {
namespace {

// Barriers of a block, its start, and the start of a launch begin a new time; clocks order the
// lanes of one warp within it.
using Time = uint32_t;
using Clock = uint32_t;

// Who wrote a word of four bytes last, and who has read it since. Times before the launch's first
// one are of no interest: launches come after one another.
struct Cell {
  Time write_time;
  Clock write_clock;  // of the writer; or the number of a Split
  Time read_time;
  Clock read_clock;  // of every lane in read_lanes; or the number of a ClockVector
  uint32_t read_lanes;
  uint32_t writer : 10;
  uint32_t read_warp : 5;
  uint32_t bytes : 4;  // that all this is about
  uint32_t written_atomically : 1;
  uint32_t read_by_warps : 1;   // by several, in read_time
  uint32_t read_by_blocks : 1;  // by several, in this launch
  uint32_t read_clocks_differ : 1;
  uint32_t split : 1;  // into its bytes, which were not used alike
};
static_assert(sizeof(Cell) == 24);
using Split = std::array<Cell, 4>;
using ClockVector = std::array<Clock, kWarp>;

// What lane a of a warp knows of lane b.
struct WarpClocks {
  Clock known[kWarp][kWarp];
};

struct Checks {
  Cell* global_cells = nullptr;
  std::vector<Cell> shared_cells = std::vector<Cell>(kMaxSharedBytes / 4);
  std::vector<ByteState> shared_states = std::vector<ByteState>(kMaxSharedBytes);
  size_t shared_used = kMaxSharedBytes;  // by the block before
  Time launch_start = 1, block_start = 1, now = 1;
  std::vector<std::pair<Time, uint32_t>> blocks;  // of the launch: when each one started
  std::vector<WarpClocks> warps;
  std::deque<Split> splits;
  std::deque<ClockVector> clock_vectors;
};

Checks& checks() {
  static Checks& checks = *new Checks;
  return checks;
}

void advance(Checks& c) {
  if (++c.now != 0) return;
  // The times start again: what was recorded under the old ones is forgotten.
  if (c.global_cells != nullptr) {
    std::memset(static_cast<void*>(c.global_cells), 0, device_extent() / 4 * sizeof(Cell));
  }
  std::fill(c.shared_cells.begin(), c.shared_cells.end(), Cell{});
  c.now = c.launch_start = c.block_start = 1;
  c.blocks.clear();
}

std::string block_of(const Checks& c, Time time) {
  auto found = std::upper_bound(c.blocks.begin(), c.blocks.end(), std::make_pair(time, UINT32_MAX));
  if (found == c.blocks.begin()) return "another block";
  return "block " + std::to_string(std::prev(found)->second);
}

struct Accessor {
  Thread& thread;
  int lane;
  int warp;
  Clock* known;  // of its warp's lanes
  Access access;
  const char* space;
  const Place& place;
  Time since;  // of what is older, nothing counts: another launch's, or another block's shared
               // memory
};

bool knows_readers(const Checks& c, const Accessor& by, const Cell& cell) {
  for (uint32_t rest = cell.read_lanes; rest != 0; rest &= rest - 1) {
    const int lane = __builtin_ctz(rest);
    const Clock clock = cell.read_clocks_differ
                            ? c.clock_vectors[cell.read_clock][static_cast<size_t>(lane)]
                            : cell.read_clock;
    if (lane != by.lane && by.known[lane] < clock) return false;
  }
  return true;
}

void check_writer(const Checks& c, const Accessor& by, const Cell& cell) {
  if (cell.write_time < by.since) return;
  if (by.access == Access::kAtomic && cell.written_atomically) return;
  const int writer = static_cast<int>(cell.writer);
  if (cell.write_time >= c.block_start) {
    if (cell.write_time < c.now || writer == by.thread.number) return;
    if (writer / kWarp == by.warp && by.known[writer % kWarp] >= cell.write_clock) return;
  }
  report_defect("race in " + std::string(by.space) + " memory: " + name_of(by.thread.number) +
                    (by.access == Access::kRead ? " reads" : " writes") + " what thread " +
                    std::to_string(writer) + " of " + block_of(c, cell.write_time) +
                    " wrote, with nothing between that orders them",
                by.place);
}

void check_readers(const Checks& c, const Accessor& by, const Cell& cell) {
  if (cell.read_time < by.since) return;
  bool ordered = cell.read_time >= c.block_start && !cell.read_by_blocks;
  if (ordered && cell.read_time == c.now) {
    ordered = !cell.read_by_warps && static_cast<int>(cell.read_warp) == by.warp &&
              knows_readers(c, by, cell);
  }
  if (ordered) return;
  report_defect("race in " + std::string(by.space) + " memory: " + name_of(by.thread.number) +
                    " writes what another thread (of warp " + std::to_string(cell.read_warp) +
                    " of " + block_of(c, cell.read_time) +
                    ") read, with nothing between that orders them",
                by.place);
}

void record_write(const Checks& c, const Accessor& by, Cell& cell) {
  cell.write_time = c.now;
  cell.write_clock = by.known[by.lane];
  cell.writer = static_cast<uint32_t>(by.thread.number) & 0x3ffU;
  cell.written_atomically = by.access == Access::kAtomic;
  cell.read_time = 0;  // these came before
  cell.read_by_blocks = cell.read_by_warps = 0;
}

void record_read(Checks& c, const Accessor& by, Cell& cell) {
  const Clock clock = by.known[by.lane];
  const uint32_t bit = 1U << by.lane;
  if (cell.read_time == c.now) {
    if (static_cast<int>(cell.read_warp) != by.warp) {
      cell.read_by_warps = 1;
      return;
    }
    if (!cell.read_clocks_differ && cell.read_clock != clock) {
      ClockVector clocks;
      clocks.fill(cell.read_clock);
      cell.read_clock = static_cast<Clock>(c.clock_vectors.size());
      cell.read_clocks_differ = 1;
      c.clock_vectors.push_back(clocks);
    }
    if (cell.read_clocks_differ) {
      c.clock_vectors[cell.read_clock][static_cast<size_t>(by.lane)] = clock;
    }
    cell.read_lanes |= bit;
    return;
  }
  cell.read_by_blocks =
      cell.read_time >= by.since && (cell.read_by_blocks || cell.read_time < c.block_start);
  cell.read_by_warps = cell.read_clocks_differ = 0;
  cell.read_time = c.now;
  cell.read_clock = clock;
  cell.read_lanes = bit;
  cell.read_warp = static_cast<uint32_t>(by.warp) & 0x1fU;
}

void check_cell(Checks& c, const Accessor& by, Cell& cell) {
  check_writer(c, by, cell);
  if (by.access == Access::kRead) {
    record_read(c, by, cell);
    return;
  }
  check_readers(c, by, cell);
  record_write(c, by, cell);
}

// An access to some bytes of a word. A word whose bytes are used alike has one record.
void check_word(Checks& c, const Accessor& by, Cell& cell, uint32_t bytes) {
  const bool used = std::max(cell.write_time, cell.read_time) >= by.since;
  if (!used) {
    cell.split = 0;
    cell.bytes = bytes & 0xfU;
  }
  if (!cell.split && cell.bytes == bytes) {
    check_cell(c, by, cell);
    return;
  }
  if (!cell.split) {
    Split split{};
    for (uint32_t i = 0; i < 4; ++i) {
      if (cell.bytes >> i & 1) split[i] = cell;
    }
    cell.write_clock = static_cast<Clock>(c.splits.size());
    cell.split = 1;
    c.splits.push_back(split);
  }
  Split& split = c.splits[cell.write_clock];
  for (uint32_t i = 0; i < 4; ++i) {
    if (bytes >> i & 1) check_cell(c, by, split[i]);
  }
  cell.write_time = c.now;  // in use
}

// Memory that kernels may read besides the GPU's: constants of the program.
bool is_constant(uintptr_t address) {
  struct Search {
    uintptr_t address;
    bool found;
  } search = {address, false};
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* data) {
        auto& wanted = *static_cast<Search*>(data);
        for (int i = 0; i < info->dlpi_phnum; ++i) {
          const auto& header = info->dlpi_phdr[i];
          const uintptr_t begin = info->dlpi_addr + header.p_vaddr;
          // Constants with addresses in them are made read-only after loading.
          const bool constant = header.p_type == PT_GNU_RELRO ||
                                (header.p_type == PT_LOAD && (header.p_flags & PF_W) == 0);
          if (constant && wanted.address - begin < header.p_memsz) wanted.found = true;
        }
        return wanted.found ? 1 : 0;
      },
      &search);
  return search.found;
}

void check_other_memory(uintptr_t address, Access access, const Place& place) {
  const std::string verb = access == Access::kRead ? " reads " : " writes ";
  const Thread& thread = current_thread();
  if (const int fiber = fiber_at(address); fiber >= 0) {
    if (fiber == thread.fiber) return;
    report_defect(name_of(thread.number) + verb + "a local variable of another thread", place);
  }
  const Launch& launch = *block.launch;
  const auto closure = reinterpret_cast<uintptr_t>(launch.closure.get());
  if (access == Access::kRead && address - closure < launch.closure_bytes) return;
  const auto* const pointer = reinterpret_cast<const void*>(address);
  if (host_block_at(pointer).base != nullptr) return;
  if (access == Access::kRead && is_constant(address)) return;
  report_defect(name_of(thread.number) + verb +
                    (address < 4096 ? "address " : "memory of the host") +
                    (address < 4096 ? std::to_string(address) : ""),
                place);
}

// Bounds, and whether somebody wrote what is read.
void check_states(ByteState* states, size_t size, const Accessor& by) {
  const auto describe = [&by] {
    return name_of(by.thread.number) + (by.access == Access::kRead ? " reads " : " writes ") +
           by.space + " memory ";
  };
  for (size_t i = 0; i < size; ++i) {
    switch (states[i]) {
      case ByteState::kNone:
        report_defect(describe() + "outside every allocation", by.place);
        break;
      case ByteState::kUnwritten:
        if (by.access == Access::kWrite) break;
        report_defect(describe() + "that nobody wrote", by.place);
        break;
      case ByteState::kInFlight:
        report_defect(describe() + "that an asynchronous copy fills, which was not waited for",
                      by.place);
        break;
      case ByteState::kWritten:
        break;
    }
    if (by.access != Access::kRead) states[i] = ByteState::kWritten;
  }
}

void set_shared_states(const void* address, size_t size, ByteState state) {
  const auto offset = static_cast<size_t>(static_cast<const char*>(address) - shared_base);
  if (offset + size > kMaxSharedBytes) return;
  std::memset(checks().shared_states.data() + offset, static_cast<int>(state), size);
}

}  // namespace

void check_access(uintptr_t address, size_t size, Access access, const Place& place) {
  if (block.current < 0 || fiber_at(reinterpret_cast<uintptr_t>(__builtin_frame_address(0))) < 0) {
    return;  // host code of the same file
  }
  Thread& thread = current_thread();
  const auto stack = reinterpret_cast<uintptr_t>(stack_of(thread.fiber));
  if (address - stack < kStackBytes) return;
  Checks& c = checks();
  const auto* const pointer = reinterpret_cast<const char*>(address);
  const size_t shared_offset = address - reinterpret_cast<uintptr_t>(shared_base);
  const bool shared = shared_offset < kMaxSharedBytes;
  if (!shared && !is_device_address(pointer)) {
    check_other_memory(address, access, place);
    return;
  }
  const int warp = thread.warp(), lane = thread.lane();
  const Accessor by = {thread, lane,
                       warp,   c.warps[static_cast<size_t>(warp)].known[lane],
                       access, shared ? "shared" : "global",
                       place,  shared ? c.block_start : c.launch_start};
  if (address % std::min<size_t>(size, 16) != 0) {
    report_defect(
        name_of(thread.number) + " makes a misaligned access of " + std::to_string(size) + " bytes",
        place);
  }
  const size_t limit =
      shared ? kMaxSharedBytes - shared_offset
             : device_extent() -
                   std::min(device_extent(), static_cast<size_t>(pointer - device_base()));
  if (size > limit) {
    report_defect(name_of(thread.number) + (access == Access::kRead ? " reads " : " writes ") +
                      by.space + " memory outside every allocation",
                  place);
  }
  check_states(shared ? c.shared_states.data() + shared_offset : device_states(pointer), size, by);
  Cell* const cells = shared ? c.shared_cells.data() : c.global_cells;
  const size_t offset = shared ? shared_offset : static_cast<size_t>(pointer - device_base());
  for (size_t done = 0; done < size;) {
    const size_t within = (offset + done) % 4, part = std::min(size - done, 4 - within);
    check_word(c, by, cells[(offset + done) / 4], ((1U << part) - 1) << within);
    done += part;
  }
  count_access(thread, address, size, shared, access, place);
  const double preempt = options().preempt;
  if (preempt > 0 && static_cast<double>(random_below(1 << 20)) < preempt * (1 << 20)) yield();
}

void note_copy_begin(void* to, size_t size, Site site) {
  check_access(reinterpret_cast<uintptr_t>(to), size, Access::kWrite, {site});
  set_shared_states(to, size, ByteState::kInFlight);
}

void note_copy_end(void* to, size_t size, Site site) {
  set_shared_states(to, size, ByteState::kWritten);
  // Ordered from here on, not from where the copy began; and not one more access to count.
  Checks& c = checks();
  Thread& thread = current_thread();
  const size_t offset = static_cast<size_t>(static_cast<char*>(to) - shared_base);
  if (offset + size > kMaxSharedBytes) return;
  const Place place = {site};
  const Accessor by = {
      thread,         thread.lane(),
      thread.warp(),  c.warps[static_cast<size_t>(thread.warp())].known[thread.lane()],
      Access::kWrite, "shared",
      place,          c.block_start};
  for (size_t i = 0; i < size; i += 4) check_word(c, by, c.shared_cells[(offset + i) / 4], 0xf);
}

void note_launch_start(const Launch& launch) {
  if (!checked()) return;
  Checks& c = checks();
  if (c.global_cells == nullptr) {
    constexpr size_t kMost = size_t{64} << 30;
    c.global_cells = static_cast<Cell*>(reserve(kMost / 4 * sizeof(Cell), true));
  }
  advance(c);
  c.launch_start = c.now;
  c.blocks.clear();
  c.splits.clear();
  c.clock_vectors.clear();
  c.warps.resize(block.warps.size());
  start_counting(launch);
}

void note_launch_end() {
  if (checked()) end_counting();
}

void note_block_start() {
  if (!checked()) return;
  Checks& c = checks();
  advance(c);
  c.block_start = c.now;
  c.blocks.emplace_back(c.now, block.number);
  for (WarpClocks& warp : c.warps) {
    std::memset(&warp, 0, sizeof warp);
    for (int lane = 0; lane < kWarp; ++lane) warp.known[lane][lane] = 1;
  }
  const size_t bytes = block.launch->shared_bytes;
  std::memset(shared_base, 0xff, bytes);  // NaN
  std::fill_n(c.shared_states.begin(), c.shared_used, ByteState::kNone);
  std::fill_n(c.shared_states.begin(), bytes, ByteState::kUnwritten);
  c.shared_used = bytes;
}

void note_block_end() {
  if (checked()) flush_counts();
}

void note_block_barrier() {
  if (!checked()) return;
  advance(checks());
  flush_counts();
}

void note_thread_end(const Thread&) {}

void note_collective(int warp, uint32_t lanes, bool orders_memory) {
  if (!checked()) return;
  if (lanes == block.warps[static_cast<size_t>(warp)].alive) flush_counts(warp);
  if (!orders_memory) return;
  WarpClocks& clocks = checks().warps[static_cast<size_t>(warp)];
  Clock joined[kWarp] = {};
  for (uint32_t rest = lanes; rest != 0; rest &= rest - 1) {
    const Clock* const known = clocks.known[__builtin_ctz(rest)];
    for (int i = 0; i < kWarp; ++i) joined[i] = std::max(joined[i], known[i]);
  }
  for (uint32_t rest = lanes; rest != 0; rest &= rest - 1) {
    const int lane = __builtin_ctz(rest);
    std::memcpy(clocks.known[lane], joined, sizeof joined);
    ++clocks.known[lane][lane];
  }
}

void report_misaligned(const void*, size_t bytes, Site site) {
  report_defect(
      name_of(block.current) + " makes a misaligned access of " + std::to_string(bytes) + " bytes",
      {site});
}

void note_read(const void* address, size_t bytes, Site site) {
  if (checked()) check_access(reinterpret_cast<uintptr_t>(address), bytes, Access::kRead, {site});
}

void note_write(const void* address, size_t bytes, Site site) {
  if (checked()) check_access(reinterpret_cast<uintptr_t>(address), bytes, Access::kWrite, {site});
}

void note_atomic(const void* address, size_t bytes, Site site) {
  if (checked()) check_access(reinterpret_cast<uintptr_t>(address), bytes, Access::kAtomic, {site});
}

}  // namespace emu
