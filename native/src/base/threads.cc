#include "base/threads.h"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>

namespace ata {
namespace {

std::atomic<int> configured_count{0};

// Exceptions must not leave an OpenMP region; the first one waits here for its end.
class FirstException {
 public:
  template <typename Body>
  void run(const Body& body) noexcept {
    try {
      body();
    } catch (...) {
      std::lock_guard lock(mutex_);
      if (!exception_) exception_ = std::current_exception();
    }
  }
  void rethrow() {
    if (exception_) std::rethrow_exception(exception_);
  }

 private:
  std::mutex mutex_;
  std::exception_ptr exception_;
};

}  // namespace

int thread_count() {
  const int count = configured_count.load(std::memory_order_relaxed);
  return count > 0 ? count : std::max(1, omp_get_num_procs());
}

void set_thread_count(int count) {
  configured_count.store(std::max(count, 0), std::memory_order_relaxed);
}

void parallel_for(int64_t count, int64_t grain,
                  const std::function<void(int64_t begin, int64_t end)>& body) {
  if (count <= 0) return;
  const int64_t ranges =
      std::min<int64_t>(thread_count(), std::max<int64_t>(1, count / std::max<int64_t>(1, grain)));
  if (ranges == 1) {
    body(0, count);
    return;
  }
  FirstException failure;
#pragma omp parallel for num_threads(static_cast <int>(ranges)) schedule(static)
  for (int64_t range = 0; range < ranges; ++range) {
    failure.run([&] { body(count * range / ranges, count * (range + 1) / ranges); });
  }
  failure.rethrow();
}

void parallel_for_dynamic(int64_t count,
                          const std::function<void(int64_t item, int worker)>& body) {
  parallel_for_dynamic(count, thread_count(), body);
}

void parallel_for_dynamic(int64_t count, int workers,
                          const std::function<void(int64_t item, int worker)>& body) {
  workers = static_cast<int>(std::min<int64_t>(workers, count));
  if (workers <= 1) {
    for (int64_t item = 0; item < count; ++item) body(item, 0);
    return;
  }
  FirstException failure;
#pragma omp parallel for num_threads(workers) schedule(dynamic, 1)
  for (int64_t item = 0; item < count; ++item) {
    failure.run([&] { body(item, omp_get_thread_num()); });
  }
  failure.rethrow();
}

}  // namespace ata
