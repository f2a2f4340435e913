#ifndef ATA_CUDA_EMULATOR_CHECKS_H_
#define ATA_CUDA_EMULATOR_CHECKS_H_

#include "defects.h"
#include "scheduler.h"

/// Judges every access of kernels to memory: bounds, alignment, memory that nobody wrote, and
/// races. Two accesses to a byte, one of them a write, are a race unless something orders them: the
/// same thread, a block barrier or, within a warp, __syncwarp between them; or both are atomic.
/// Shuffles and votes order nothing. Only what the execution at hand shows is judged, whatever the
/// order in which its threads happened to run.
namespace emu {

enum class Access : uint8_t { kRead, kWrite, kAtomic };

/// From a thread of a kernel; returns at once elsewhere, and where nothing is checked.
void check_access(uintptr_t address, size_t size, Access access, const Place& place);

/// An asynchronous copy begins, and arrives.
void note_copy_begin(void* to, size_t size, Site site);
void note_copy_end(void* to, size_t size, Site site);

void note_launch_start(const Launch& launch);
void note_launch_end();
void note_block_start();
void note_block_end();
void note_block_barrier();
void note_thread_end(const Thread& thread);
/// Lanes of a warp came through a collective, which orders their accesses where it is __syncwarp.
void note_collective(int warp, uint32_t lanes, bool orders_memory);

}  // namespace emu

#endif  // ATA_CUDA_EMULATOR_CHECKS_H_
