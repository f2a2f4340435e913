#include "memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <iterator>
#include <map>
#include <mutex>
#include <string>

#include "defects.h"
#include "options.h"

namespace emu {
namespace {

constexpr size_t kRange = size_t{64} << 30;
constexpr size_t kPage = 4096;
// As far apart as cudaMalloc puts them, and more where a kernel that leaves its block shall be
// seen.
constexpr size_t kAlignment = 256;
constexpr size_t kZone = 256;

size_t round_up(size_t value, size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

struct Memory {
  char* base = static_cast<char*>(reserve(kRange, false));
  ByteState* states = checked() ? static_cast<ByteState*>(reserve(kRange, true)) : nullptr;
  size_t extent = kZone;
  size_t readable = 0;  // of the extent, while open
  int open = 0;
  // By offset, with sizes as asked for; and free ranges below `extent`, never neighbours.
  std::map<size_t, size_t> live;
  std::map<size_t, size_t> free;
  std::deque<std::pair<size_t, size_t>> quarantine;
  size_t quarantined = 0;
  std::map<const char*, size_t> pinned;
};

Memory& memory() {
  static Memory& memory = *new Memory;
  return memory;
}

// Of an allocation with the zone behind it.
size_t span_of(size_t bytes) {
  return round_up(std::max<size_t>(bytes, 1) + kZone, kAlignment);
}

void give_back(Memory& m, size_t offset, size_t size) {
  auto next = m.free.upper_bound(offset);
  if (next != m.free.end() && offset + size == next->first) {
    size += next->second;
    next = m.free.erase(next);
  }
  if (next != m.free.begin()) {
    const auto before = std::prev(next);
    if (before->first + before->second == offset) {
      before->second += size;
      return;
    }
  }
  m.free[offset] = size;
}

// The offset of `size` free bytes; kRange when there are none.
size_t take(Memory& m, size_t size) {
  auto best = m.free.end();
  for (auto it = m.free.begin(); it != m.free.end(); ++it) {
    if (it->second >= size && (best == m.free.end() || it->second < best->second)) best = it;
  }
  if (best != m.free.end()) {
    const auto [offset, room] = *best;
    m.free.erase(best);
    if (room > size) m.free[offset + size] = room - size;
    return offset;
  }
  if (size > kRange - m.extent) return kRange;
  const size_t offset = m.extent;
  m.extent += size;
  return offset;
}

void release_oldest(Memory& m) {
  const auto [offset, size] = m.quarantine.front();
  m.quarantine.pop_front();
  m.quarantined -= size;
  give_back(m, offset, size);
}

// Hands whole pages within back to the system; they read as zeros.
void drop_pages(char* begin, size_t bytes) {
  if (!checked()) return;
  const uintptr_t first = round_up(reinterpret_cast<uintptr_t>(begin), kPage);
  const uintptr_t last = (reinterpret_cast<uintptr_t>(begin) + bytes) / kPage * kPage;
  if (first < last) madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

void set_states(Memory& m, const void* address, size_t bytes, ByteState state) {
  if (m.states == nullptr) return;
  std::memset(m.states + (static_cast<const char*>(address) - m.base), static_cast<int>(state),
              bytes);
}

// Reports a copy that leaves its allocation.
bool is_inside(const void* address, size_t bytes, const char* what) {
  if (!is_device_address(address)) return true;
  const DeviceBlock block = block_at(address);
  if (block.base != nullptr &&
      bytes <= block.size - static_cast<size_t>(static_cast<const char*>(address) - block.base)) {
    return true;
  }
  report_defect(std::string(what) + " " + std::to_string(bytes) +
                " bytes of device memory that are not, or no longer, one allocation");
  return false;
}

}  // namespace

void* reserve(size_t bytes, bool accessible) {
  void* const base = mmap(nullptr, bytes, accessible ? PROT_READ | PROT_WRITE : PROT_NONE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) {
    std::perror("the emulated GPU: reserving addresses");
    std::abort();
  }
  return base;
}

void* device_malloc(size_t bytes) {
  Memory& m = memory();
  if (bytes > kRange) return nullptr;
  const size_t size = span_of(bytes);
  size_t offset = take(m, size);
  while (offset == kRange && !m.quarantine.empty()) {
    release_oldest(m);
    offset = take(m, size);
  }
  if (offset == kRange) return nullptr;
  m.live[offset] = bytes;
  char* const block = m.base + offset;
  if (options().idle) return block;
  const DeviceAccess access;
  std::memset(block, 0xff, bytes);  // NaN, so that who reads it before it is written sees it
  set_states(m, block, bytes, ByteState::kUnwritten);
  return block;
}

bool device_free(void* pointer) {
  Memory& m = memory();
  const auto found = m.live.find(static_cast<size_t>(static_cast<char*>(pointer) - m.base));
  if (found == m.live.end()) return false;
  const auto [offset, bytes] = *found;
  m.live.erase(found);
  set_states(m, pointer, bytes, ByteState::kNone);
  const size_t size = span_of(bytes);
  if (!checked()) {
    give_back(m, offset, size);
    return true;
  }
  drop_pages(m.base + offset, size);
  drop_pages(reinterpret_cast<char*>(m.states + offset), size);  // the same as ByteState::kNone
  m.quarantine.emplace_back(offset, size);
  m.quarantined += size;
  while (m.quarantined > options().quarantine) release_oldest(m);
  return true;
}

DeviceBlock block_at(const void* address) {
  Memory& m = memory();
  if (!is_device_address(address)) return {};
  const auto offset = static_cast<size_t>(static_cast<const char*>(address) - m.base);
  auto found = m.live.upper_bound(offset);
  if (found == m.live.begin()) return {};
  --found;
  if (offset - found->first > found->second) return {};
  return {m.base + found->first, found->second};
}

bool is_device_address(const void* address) {
  return reinterpret_cast<uintptr_t>(address) - reinterpret_cast<uintptr_t>(memory().base) < kRange;
}

long long live_blocks() {
  return static_cast<long long>(memory().live.size());
}

char* device_base() {
  return memory().base;
}

size_t device_extent() {
  return memory().extent;
}

ByteState* device_states(const void* address) {
  return memory().states + (static_cast<const char*>(address) - memory().base);
}

DeviceAccess::DeviceAccess() {
  Memory& m = memory();
  ++m.open;
  if (m.readable >= m.extent) return;
  m.readable = round_up(m.extent, kPage);
  mprotect(m.base, m.readable, PROT_READ | PROT_WRITE);
}

DeviceAccess::~DeviceAccess() {
  Memory& m = memory();
  // Closing costs more than many a kernel; whoever looks for such accesses checks all.
  if (--m.open > 0 || !checked()) return;
  mprotect(m.base, m.readable, PROT_NONE);
  m.readable = 0;
}

void copy_bytes(void* to, const void* from, size_t bytes) {
  Memory& m = memory();
  if (!is_inside(to, bytes, "a copy writes") || !is_inside(from, bytes, "a copy reads")) return;
  if (options().idle) {
    if (!is_device_address(to)) std::memset(to, 0, bytes);
    return;
  }
  const DeviceAccess access;
  std::memmove(to, from, bytes);
  if (m.states == nullptr) return;
  const bool from_device = is_device_address(from);
  if (!is_device_address(to)) {
    if (!from_device) return;
    const ByteState* const states = device_states(from);
    const ByteState* const unwritten = std::find(states, states + bytes, ByteState::kUnwritten);
    if (unwritten == states + bytes) return;
    report_defect("a copy to the host reads device memory that nobody wrote, at byte " +
                  std::to_string(unwritten - states) + " of " + std::to_string(bytes));
  } else if (from_device) {
    std::memmove(device_states(to), device_states(from), bytes);
  } else {
    set_states(m, to, bytes, ByteState::kWritten);
  }
}

void fill_bytes(void* to, int byte, size_t bytes) {
  if (!is_inside(to, bytes, "a fill writes") || options().idle) return;
  const DeviceAccess access;
  std::memset(to, byte, bytes);
  if (is_device_address(to)) set_states(memory(), to, bytes, ByteState::kWritten);
}

void* host_malloc(size_t bytes) {
  void* const block = std::aligned_alloc(64, round_up(std::max<size_t>(bytes, 1), 64));
  if (block != nullptr) memory().pinned[static_cast<char*>(block)] = bytes;
  return block;
}

bool host_free(void* pointer) {
  if (memory().pinned.erase(static_cast<char*>(pointer)) == 0) return false;
  std::free(pointer);
  return true;
}

DeviceBlock host_block_at(const void* address) {
  const auto& pinned = memory().pinned;
  auto found = pinned.upper_bound(static_cast<const char*>(address));
  if (found == pinned.begin()) return {};
  --found;
  if (static_cast<const char*>(address) >= found->first + found->second) return {};
  return {const_cast<char*>(found->first), found->second};
}

}  // namespace emu
