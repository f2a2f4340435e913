#ifndef ATA_BASE_THREADS_H_
#define ATA_BASE_THREADS_H_

#include <cstdint>
#include <functional>

namespace ata {

/// Number of threads that one parallel region of the library uses, the calling one included: the
/// limit of the innermost ThreadLimit of this thread, else what set_thread_count() said, else
/// default_thread_count() (base/cores.h).
int thread_count();

/// Sets thread_count() for regions that start later. `count` <= 0 restores the default.
void set_thread_count(int count);

/// While it lives, regions that its thread starts use at most `count` threads; 0 sets no limit.
class ThreadLimit {
 public:
  explicit ThreadLimit(int count);
  ~ThreadLimit();
  ThreadLimit(const ThreadLimit&) = delete;
  ThreadLimit& operator=(const ThreadLimit&) = delete;

 private:
  int previous_;
};

// All regions share the threads of one pool (base/thread_pool.h): a caller works on its own region,
// and those of the pool that are idle help. A region that is started inside another runs on the
// thread that starts it. Every item is computed in the default floating-point environment.

/// Calls `body(begin, end)` over a partition of [0, count) into contiguous ranges of at least
/// `grain` items. Runs inline when one range suffices. How the work is split must not change the
/// result: bodies write disjoint outputs. The first exception thrown by a body is rethrown here.
void parallel_for(int64_t count, int64_t grain,
                  const std::function<void(int64_t begin, int64_t end)>& body);

/// As parallel_for, but items are handed out one by one; for items of uneven cost.
/// `body(item, worker)`: `worker` < `workers` indexes per-thread scratch. Pass the count that the
/// scratch was made for: thread_count() may change at any time.
void parallel_for_dynamic(int64_t count, int workers,
                          const std::function<void(int64_t item, int worker)>& body);

/// The same with thread_count() workers, for bodies without scratch of their own.
void parallel_for_dynamic(int64_t count, const std::function<void(int64_t item, int worker)>& body);

}  // namespace ata

#endif  // ATA_BASE_THREADS_H_
