#include "base/threads.h"

#include <algorithm>
#include <atomic>

#include "base/cores.h"
#include "base/thread_pool.h"

namespace ata {
namespace {

std::atomic<int> configured_count{0};
thread_local int limit_of_thread = 0;

// The process's, without the limits of threads.
int configured_thread_count() {
  const int count = configured_count.load(std::memory_order_relaxed);
  return count > 0 ? count : default_thread_count();
}

}  // namespace

int thread_count() {
  const int count = configured_thread_count();
  return limit_of_thread > 0 ? std::min(limit_of_thread, count) : count;
}

void set_thread_count(int count) {
  configured_count.store(std::max(count, 0), std::memory_order_relaxed);
}

ThreadLimit::ThreadLimit(int count) : previous_(limit_of_thread) {
  if (count > 0) limit_of_thread = previous_ > 0 ? std::min(previous_, count) : count;
}

ThreadLimit::~ThreadLimit() {
  limit_of_thread = previous_;
}

void parallel_for(int64_t count, int64_t grain,
                  const std::function<void(int64_t begin, int64_t end)>& body) {
  if (count <= 0) return;
  const int64_t ranges =
      std::min<int64_t>(thread_count(), std::max<int64_t>(1, count / std::max<int64_t>(1, grain)));
  const auto run_range = [&](int64_t range, int) {
    body(count * range / ranges, count * (range + 1) / ranges);
  };
  // By reference: a copy of what it captures would be allocated.
  parallel_for_dynamic(ranges, static_cast<int>(ranges), std::cref(run_range));
}

void parallel_for_dynamic(int64_t count,
                          const std::function<void(int64_t item, int worker)>& body) {
  parallel_for_dynamic(count, thread_count(), body);
}

void parallel_for_dynamic(int64_t count, int workers,
                          const std::function<void(int64_t item, int worker)>& body) {
  if (count > 0) run_in_pool(count, workers, configured_thread_count() - 1, body);
}

}  // namespace ata
