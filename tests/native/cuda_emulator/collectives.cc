// What the lanes of a warp do together.
#include <algorithm>
#include <cstring>

#include "checks.h"
#include "defects.h"
#include "options.h"
#include "scheduler.h"

namespace emu {
namespace {

constexpr int kTensorCores = 80;  // compute capability of what the dialect's mma and cp.async need

bool is_shuffle(Op op) {
  return op == Op::kShflIdx || op == Op::kShflXor || op == Op::kShflUp || op == Op::kShflDown;
}

// The lane that `lane` gets the value of.
int source_of(const Thread& thread) {
  const int lane = thread.lane();
  const int base = lane & ~(thread.width - 1), end = base + thread.width;
  switch (thread.op) {
    case Op::kShflIdx:
      return base + (thread.argument & (thread.width - 1));
    case Op::kShflXor: {
      const int source = lane ^ thread.argument;
      return source < end ? source : lane;
    }
    case Op::kShflUp:
      return lane - thread.argument < base ? lane : lane - thread.argument;
    case Op::kShflDown:
      return lane + thread.argument >= end ? lane : lane + thread.argument;
    default:
      return lane;
  }
}

void shuffle(Thread* lanes, uint32_t group) {
  for (int lane = 0; lane < kWarp; ++lane) {
    if ((group >> lane & 1) == 0) continue;
    Thread& thread = lanes[lane];
    const int source = source_of(thread);
    if (source < 0 || source >= kWarp || (group >> source & 1) == 0) {
      report_defect(name_of(thread.number) + " shuffles from lane " + std::to_string(source) +
                        ", which does not take part",
                    {thread.site});
    }
    thread.result = lanes[source].value;
  }
}

uint64_t combine(Op op, uint64_t all, uint64_t value) {
  const auto a = static_cast<uint32_t>(all), b = static_cast<uint32_t>(value);
  switch (op) {
    case Op::kMinS:
      return static_cast<uint32_t>(std::min<int32_t>(a, b));
    case Op::kMaxS:
      return static_cast<uint32_t>(std::max<int32_t>(a, b));
    case Op::kMinU:
      return std::min(a, b);
    case Op::kMaxU:
      return std::max(a, b);
    case Op::kAdd:
      return a + b;
    case Op::kAnd:
      return a & b;
    case Op::kOr:
      return a | b;
    case Op::kXor:
      return a ^ b;
    default:
      return 0;
  }
}

void reduce(Op op, Thread* lanes, uint32_t group) {
  uint64_t all = 0, votes = 0;
  bool first = true;
  for (int lane = 0; lane < kWarp; ++lane) {
    if ((group >> lane & 1) == 0) continue;
    all = first ? lanes[lane].value : combine(op, all, lanes[lane].value);
    votes |= (lanes[lane].value & 1) << lane;
    first = false;
  }
  for (int lane = 0; lane < kWarp; ++lane) {
    if ((group >> lane & 1) == 0) continue;
    uint64_t result = all;
    if (op == Op::kBallot) result = votes;
    if (op == Op::kAny) result = votes != 0;
    if (op == Op::kAll) result = votes == group;
    if (op == Op::kMatch) {
      result = 0;
      for (int other = 0; other < kWarp; ++other) {
        if ((group >> other & 1) != 0 && lanes[other].value == lanes[lane].value) {
          result |= uint64_t{1} << other;
        }
      }
    }
    lanes[lane].result = result;
  }
}

float half_of(uint32_t pair, int which) {
  return bits<float>(which == 0 ? pair << 16 : pair & 0xffff0000U);
}

// Fragments as the PTX manual draws them for m16n8k16.
void multiply(Thread* lanes) {
  float a[16][16], b[16][8], sums[16][8];
  for (int lane = 0; lane < kWarp; ++lane) {
    const Thread& thread = lanes[lane];
    const int row = lane / 4, column = lane % 4 * 2;
    for (int i = 0; i < 4; ++i) {
      for (int h = 0; h < 2; ++h) {
        a[row + i % 2 * 8][column + h + i / 2 * 8] = half_of(thread.a[i], h);
      }
      sums[row + i / 2 * 8][column + i % 2] = thread.c[i];
    }
    for (int i = 0; i < 2; ++i) {
      for (int h = 0; h < 2; ++h) b[column + h + i * 8][row] = half_of(thread.b[i], h);
    }
  }
  for (int row = 0; row < 16; ++row) {
    for (int k = 0; k < 16; ++k) {
      for (int column = 0; column < 8; ++column) sums[row][column] += a[row][k] * b[k][column];
    }
  }
  for (int lane = 0; lane < kWarp; ++lane) {
    const int row = lane / 4, column = lane % 4 * 2;
    for (int i = 0; i < 4; ++i) lanes[lane].d[i] = sums[row + i / 2 * 8][column + i % 2];
  }
}

// Lane 8 i + r names row r of tile i.
void gather_tiles(Thread* lanes, bool transposed) {
  uint16_t tiles[4][8][8];
  for (int lane = 0; lane < kWarp; ++lane) {
    std::memcpy(tiles[lane / 8][lane % 8], lanes[lane].row, sizeof tiles[0][0]);
  }
  for (int lane = 0; lane < kWarp; ++lane) {
    const int row = lane / 4, column = lane % 4 * 2;
    for (int i = 0; i < 4; ++i) {
      const uint32_t low = transposed ? tiles[i][column][row] : tiles[i][row][column];
      const uint32_t high = transposed ? tiles[i][column + 1][row] : tiles[i][row][column + 1];
      lanes[lane].tiles[i] = low | high << 16;
    }
  }
}

bool match(const Thread& a, const Thread& b) {
  if (a.state != b.state || a.op != b.op || a.mask != b.mask) return false;
  // Lanes may wait for each other from different branches; anything else is one instruction.
  return a.op == Op::kSyncWarp || (a.site.line == b.site.line && a.site.column == b.site.column &&
                                   std::strcmp(a.site.file, b.site.file) == 0);
}

void finish(int warp, uint32_t group) {
  Thread* const lanes = lanes_of(warp);
  const Thread& first = lanes[__builtin_ctz(group)];
  const Op op = first.op;
  if (is_shuffle(op)) {
    shuffle(lanes, group);
  } else if (op == Op::kMma || op == Op::kLoadTiles) {
    if (group != ~0U) {
      report_defect(std::string(name_of(op)) + " by a part of a warp: " + name_of(first.number),
                    {first.site});
    }
    if (op == Op::kMma) {
      multiply(lanes);
    } else {
      gather_tiles(lanes, first.value != 0);
    }
  } else if (op != Op::kSyncWarp) {
    reduce(op, lanes, group);
  }
  note_collective(warp, group, op == Op::kSyncWarp);
  block.warps[static_cast<size_t>(warp)].waiting &= ~group;
  make_ready(warp, group);
}

// Completes what the lanes of `mask` wait for, if all that are alive do.
bool try_group(int warp, uint32_t mask) {
  const Warp& state = block.warps[static_cast<size_t>(warp)];
  const uint32_t group = mask & state.alive;
  if ((group & ~state.waiting) != 0) return false;
  const Thread* const lanes = lanes_of(warp);
  const Thread& first = lanes[__builtin_ctz(group)];
  for (uint32_t rest = group; rest != 0; rest &= rest - 1) {
    if (!match(first, lanes[__builtin_ctz(rest)])) return false;
  }
  finish(warp, group);
  return true;
}

}  // namespace

const char* name_of(Op op) {
  switch (op) {
    case Op::kSyncWarp:
      return "__syncwarp";
    case Op::kShflIdx:
    case Op::kShflXor:
    case Op::kShflUp:
    case Op::kShflDown:
      return "a shuffle";
    case Op::kBallot:
    case Op::kAny:
    case Op::kAll:
      return "a vote";
    case Op::kMatch:
      return "__match_any_sync";
    case Op::kMma:
      return "mma";
    case Op::kLoadTiles:
      return "load_tiles";
    default:
      return "a reduction";
  }
}

void try_collective(int warp) {
  const uint32_t waiting = block.warps[static_cast<size_t>(warp)].waiting;
  for (uint32_t rest = waiting; rest != 0; rest &= rest - 1) {
    const Thread& thread = lanes_of(warp)[__builtin_ctz(rest)];
    if (thread.state == State::kCollective) try_group(warp, thread.mask);
  }
}

uint64_t collective(Op op, uint32_t mask, uint64_t value, int argument, int width, Site site) {
  Thread& thread = current_thread();
  const auto lane = static_cast<unsigned>(thread.lane());
  if ((mask >> lane & 1) == 0) {
    report_defect(name_of(thread.number) + " calls " + name_of(op) + " whose mask leaves it out",
                  {site});
  }
  if (width < 1 || width > kWarp || (width & (width - 1)) != 0) {
    report_defect("a shuffle of width " + std::to_string(width), {site});
  }
  thread.op = op;
  thread.mask = mask;
  thread.value = value;
  thread.argument = argument;
  thread.width = width;
  thread.site = site;
  thread.state = State::kCollective;
  block.warps[static_cast<size_t>(thread.warp())].waiting |= 1U << lane;
  try_group(thread.warp(), mask);
  suspend();
  return current_thread().result;
}

void mma_16x8x16_bf16(float* d, const uint32_t* a, const uint32_t* b, const float* c, Site site) {
  Thread& thread = current_thread();
  if (options().architecture < kTensorCores) {
    report_defect("mma of bf16 needs compute capability 8.0", {site});
  }
  thread.d = d;
  thread.a = a;
  thread.b = b;
  thread.c = c;
  collective(Op::kMma, ~0U, 0, 0, kWarp, site);
}

void load_tiles(uint32_t* d, const void* row, bool transposed, Site site) {
  check_aligned(row, 16, site);
  const auto offset = static_cast<size_t>(static_cast<const char*>(row) - shared_base);
  if (offset >= kMaxSharedBytes) {
    report_defect(name_of(block.current) + " loads tiles from other than shared memory", {site});
  }
  note_read(row, 16, site);
  Thread& thread = current_thread();
  thread.row = row;
  thread.tiles = d;
  collective(Op::kLoadTiles, ~0U, transposed, 0, kWarp, site);
}

void async_copy(void* to, const void* from, int bytes, Site site) {
  const auto size = static_cast<size_t>(bytes);
  check_aligned(to, size, site);
  check_aligned(from, size, site);
  if (!checked()) {
    std::memcpy(to, from, size);
    return;
  }
  note_read(from, size, site);
  note_copy_begin(to, size, site);
  Thread& thread = current_thread();
  thread.copies.push_back({to, from, bytes, thread.groups, site});
}

void async_commit() {
  ++current_thread().groups;
}

void async_wait(int pending) {
  Thread& thread = current_thread();
  if (thread.copies.empty()) return;
  const int arrived = thread.groups - pending;
  for (const Thread::Copy& copy : thread.copies) {
    if (copy.group >= arrived) continue;
    std::memcpy(copy.to, copy.from, static_cast<size_t>(copy.bytes));
    note_copy_end(copy.to, static_cast<size_t>(copy.bytes), copy.site);
  }
  std::erase_if(thread.copies, [arrived](const auto& copy) { return copy.group < arrived; });
}

}  // namespace emu
