#ifndef ATA_CUDA_EMULATOR_ACCESS_COUNTS_H_
#define ATA_CUDA_EMULATOR_ACCESS_COUNTS_H_

#include <map>
#include <string>
#include <vector>

#include "checks.h"

/// Counts what a GPU would do for the accesses of each warp: the 32-byte sectors of global memory
/// it moves, and the turns that the 32 banks of shared memory take. Lanes run one after another
/// here, so that what they do at one place between two points where the warp meets is put together:
/// the n-th access of every lane there is one access of the warp.
namespace emu {

/// Of one place in a kernel, for reads or writes of one kind of memory.
struct AccessCounts {
  bool shared = false;
  Access access = Access::kRead;
  Place place;
  /// Instructions of a warp, and lanes that took part in all of them.
  uint64_t requests = 0;
  uint64_t lanes = 0;
  /// Bytes that the lanes asked for, and the different ones among each request's.
  uint64_t asked_bytes = 0;
  uint64_t distinct_bytes = 0;
  /// Global memory: sectors of 32 bytes.
  uint64_t sectors = 0;
  /// Shared memory: turns that the banks took, and those of accesses without conflicts; the most
  /// that one of the latter took.
  uint64_t turns = 0;
  uint64_t least_turns = 0;
  uint64_t worst_conflict = 0;
};

/// By kernel, in the order of their places' first use.
std::map<std::string, std::vector<AccessCounts>> access_counts();
/// The same for people.
std::string access_table();

/// Begins or stops counting, and forgets what was counted.
void set_counting(bool on);

// For the checks.
void start_counting(const Launch& launch);
void end_counting();
void count_access(const Thread& thread, uintptr_t address, size_t size, bool shared, Access access,
                  const Place& place);
/// The lanes of a warp, or of all of them, have met.
void flush_counts(int warp);
void flush_counts();

}  // namespace emu

#endif  // ATA_CUDA_EMULATOR_ACCESS_COUNTS_H_
