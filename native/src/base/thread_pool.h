#ifndef ATA_BASE_THREAD_POOL_H_
#define ATA_BASE_THREAD_POOL_H_

#include <cstdint>
#include <functional>

namespace ata {

/// Calls `body(item, worker)` for every item of [0, count), in any order, on the calling thread
/// (worker 0) and on at most `workers` - 1 threads of the process's pool (workers 1 to `workers` -
/// 1); returns when all are done, and rethrows the first exception of a body. Inside a body it runs
/// all items on the calling thread, as worker 0.
///
/// Regions of several callers share the pool's threads, of which there are as many as the regions
/// that run at a time have asked for, but no more than `most`, or than one of them alone asks for.
///
/// The pool is a guest in somebody else's process. Its threads are started when a region first
/// needs them, and a region does with fewer when the system refuses one. They block all signals,
/// wait a moment for the next region, and then sleep. A child of fork() has a new pool. They end
/// when the library is unloaded or the process exits.
void run_in_pool(int64_t count, int workers, int most,
                 const std::function<void(int64_t item, int worker)>& body);

}  // namespace ata

#endif  // ATA_BASE_THREAD_POOL_H_
