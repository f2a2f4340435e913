#include "access_counts.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <tuple>

#include "options.h"

namespace emu {
namespace {

constexpr int kSector = 32;
constexpr int kBanks = 32;
constexpr int kBankBytes = 4;
// Bytes of shared memory that a warp reaches in one turn: wider accesses take several, by groups of
// lanes that stand side by side.
constexpr size_t kTurnBytes = size_t{kBanks} * kBankBytes;

using Key = std::tuple<const void*, const char*, int, int, bool, Access>;

struct Entry {
  uint32_t occurrence;
  uint8_t lane;
  uint8_t size;
  uintptr_t address;
};
// What the lanes of a warp did at one place since they met last.
struct Pending {
  std::array<uint32_t, kWarp> occurrences{};
  std::vector<Entry> entries;
};

struct KernelCounts {
  std::vector<AccessCounts> sites;
  std::map<Key, size_t> index;
};

struct Counting {
  bool on = false;
  bool decided = false;
  std::map<std::string, KernelCounts> kernels;
  KernelCounts* kernel = nullptr;
  std::vector<std::vector<Pending>> warps;  // by warp and site
};

Counting& counting() {
  static Counting& counting = *new Counting;
  return counting;
}

void write_table() {
  std::ofstream file(options().counts);
  file << access_table();
  if (!file.flush()) {
    std::fprintf(stderr, "the emulated GPU's counts could not be written to %s\n",
                 options().counts.c_str());
  }
}

// Turns that one group of lanes takes: the most different words in one bank.
uint64_t turns_of(const Entry* first, const Entry* last) {
  std::array<std::vector<uintptr_t>, kBanks> words;
  for (const Entry* entry = first; entry != last; ++entry) {
    const uintptr_t end = entry->address + entry->size;
    for (uintptr_t word = entry->address / kBankBytes; word * kBankBytes < end; ++word) {
      auto& bank = words[word % kBanks];
      if (std::find(bank.begin(), bank.end(), word) == bank.end()) bank.push_back(word);
    }
  }
  uint64_t most = 0;
  for (const auto& bank : words) most = std::max<uint64_t>(most, bank.size());
  return most;
}

void count_shared(const Entry* first, const Entry* last, AccessCounts& counts) {
  const size_t lanes = std::min<size_t>(kWarp, kTurnBytes / first->size);
  while (first != last) {
    const size_t group = first->lane / lanes;
    const Entry* const end =
        std::find_if(first, last, [&](const Entry& entry) { return entry.lane / lanes != group; });
    const uint64_t turns = turns_of(first, end);
    counts.turns += turns;
    ++counts.least_turns;
    counts.worst_conflict = std::max(counts.worst_conflict, turns);
    first = end;
  }
}

// Lengths of the union of the entries' ranges, and of the sectors that they touch.
void count_bytes(const Entry* first, const Entry* last, AccessCounts& counts) {
  std::array<std::pair<uintptr_t, uintptr_t>, kWarp> ranges;
  size_t n = 0;
  for (const Entry* entry = first; entry != last; ++entry) {
    ranges[n++] = {entry->address, entry->address + entry->size};
    counts.asked_bytes += entry->size;
  }
  std::sort(ranges.begin(), ranges.begin() + static_cast<std::ptrdiff_t>(n));
  uintptr_t end = 0, next_sector = 0;
  for (size_t i = 0; i < n; ++i) {
    const auto [begin, stop] = ranges[i];
    if (stop > end) counts.distinct_bytes += stop - std::max(begin, end);
    end = std::max(end, stop);
    const uintptr_t sector = std::max(begin / kSector, next_sector);
    const uintptr_t after = (stop - 1) / kSector + 1;
    if (after > sector) counts.sectors += after - sector;
    next_sector = std::max(next_sector, after);
  }
}

void count_request(const Entry* first, const Entry* last, AccessCounts& counts) {
  ++counts.requests;
  counts.lanes += static_cast<uint64_t>(last - first);
  count_bytes(first, last, counts);
  if (counts.shared) {
    counts.sectors = 0;
    count_shared(first, last, counts);
  }
}

void flush(Pending& pending, AccessCounts& counts) {
  auto& entries = pending.entries;
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.occurrence, a.lane) < std::tie(b.occurrence, b.lane);
  });
  const Entry* first = entries.data();
  const Entry* const end = first + entries.size();
  while (first != end) {
    const Entry* const last = std::find_if(
        first, end, [&](const Entry& entry) { return entry.occurrence != first->occurrence; });
    count_request(first, last, counts);
    first = last;
  }
  entries.clear();
  pending.occurrences = {};
}

const char* verb(Access access) {
  return access == Access::kRead ? "read" : access == Access::kWrite ? "write" : "atomic";
}

}  // namespace

void set_counting(bool on) {
  Counting& c = counting();
  c.on = on;
  c.decided = true;
  c.kernels.clear();
}

void start_counting(const Launch& launch) {
  Counting& c = counting();
  if (!c.decided) {
    c.decided = true;
    c.on = !options().counts.empty();
    if (c.on) std::atexit(write_table);
  }
  if (!c.on) return;
  c.kernel = &c.kernels[launch.name];
  c.warps.resize(block.warps.size());
}

void end_counting() {
  Counting& c = counting();
  for (auto& warp : c.warps) warp.clear();
  c.kernel = nullptr;
}

void count_access(const Thread& thread, uintptr_t address, size_t size, bool shared, Access access,
                  const Place& place) {
  Counting& c = counting();
  if (c.kernel == nullptr) return;
  const Key key = {place.address,     place.site.file, place.site.line,
                   place.site.column, shared,          access};
  const auto [found, added] = c.kernel->index.try_emplace(key, c.kernel->sites.size());
  if (added) c.kernel->sites.push_back({.shared = shared, .access = access, .place = place});
  auto& warp = c.warps[static_cast<size_t>(thread.warp())];
  if (warp.size() <= found->second) warp.resize(found->second + 1);
  Pending& pending = warp[found->second];
  const auto lane = static_cast<size_t>(thread.lane());
  pending.entries.push_back({pending.occurrences[lane]++, static_cast<uint8_t>(lane),
                             static_cast<uint8_t>(size), address});
}

void flush_counts(int warp) {
  Counting& c = counting();
  if (c.kernel == nullptr) return;
  auto& sites = c.warps[static_cast<size_t>(warp)];
  for (size_t i = 0; i < sites.size(); ++i) {
    if (!sites[i].entries.empty()) flush(sites[i], c.kernel->sites[i]);
  }
}

void flush_counts() {
  if (counting().kernel == nullptr) return;
  for (int warp = 0; warp < static_cast<int>(block.warps.size()); ++warp) flush_counts(warp);
}

std::map<std::string, std::vector<AccessCounts>> access_counts() {
  std::map<std::string, std::vector<AccessCounts>> all;
  for (const auto& [name, kernel] : counting().kernels) all[name] = kernel.sites;
  return all;
}

std::string access_table() {
  std::ostringstream table;
  char line[512];
  for (const auto& [name, kernel] : counting().kernels) {
    table << name << '\n';
    std::snprintf(line, sizeof line, "  %-28s %-13s %10s %6s %12s %12s %12s %6s %10s %6s %6s\n",
                  "place", "access", "requests", "lanes", "asked B", "distinct B", "sectors",
                  "used", "turns", "ways", "worst");
    table << line;
    for (const AccessCounts& site : kernel.sites) {
      if (site.requests == 0) continue;
      const double requests = static_cast<double>(site.requests);
      char moved[64], banks[64];
      if (site.shared) {
        std::snprintf(moved, sizeof moved, "%12s %6s", "-", "-");
        std::snprintf(banks, sizeof banks, "%10llu %6.2f %6llu",
                      static_cast<unsigned long long>(site.turns),
                      static_cast<double>(site.turns) / static_cast<double>(site.least_turns),
                      static_cast<unsigned long long>(site.worst_conflict));
      } else {
        std::snprintf(moved, sizeof moved, "%12llu %5.1f%%",
                      static_cast<unsigned long long>(site.sectors),
                      100.0 * static_cast<double>(site.distinct_bytes) /
                          static_cast<double>(site.sectors * kSector));
        std::snprintf(banks, sizeof banks, "%10s %6s %6s", "-", "-", "-");
      }
      std::snprintf(line, sizeof line, "  %-28s %-6s %-6s %10llu %6.2f %12llu %12llu %s %s\n",
                    to_text(site.place).c_str(), site.shared ? "shared" : "global",
                    verb(site.access), static_cast<unsigned long long>(site.requests),
                    static_cast<double>(site.lanes) / requests,
                    static_cast<unsigned long long>(site.asked_bytes),
                    static_cast<unsigned long long>(site.distinct_bytes), moved, banks);
      table << line;
    }
  }
  return table.str();
}

}  // namespace emu
