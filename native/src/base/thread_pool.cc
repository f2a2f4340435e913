#include "base/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <new>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/float_environment.h"
#include "base/log.h"

#if !defined(_WIN32)
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#endif
#if defined(__SSE2__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace ata {
namespace {

// How long a thread looks out for work, or for the end of others' work, before it sleeps. The
// operations of a forward pass follow each other within microseconds, and waking a thread costs
// tens of them.
constexpr std::chrono::microseconds kSpin(100);
// How long the system is not asked again for a thread that it refused.
constexpr std::chrono::seconds kPause(1);

// Whether this thread is inside a body.
thread_local bool in_body = false;

void relax() {
#if defined(__SSE2__) || defined(_M_X64)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Waits until `ready()`, but no longer than kSpin; whether it is.
template <typename Ready>
bool spin_until(const Ready& ready) {
  if (ready()) return true;
  const auto end = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < 16; ++i) {
      if (ready()) return true;
      relax();
    }
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

// Threads take over the signal mask of the one that starts them; a host's handlers are not to run
// on ours. Only what a thread's own instructions raise stays, so that crashes are reported as ever.
class SignalsBlocked {
 public:
#if defined(_WIN32)
  SignalsBlocked() {}
#else
  SignalsBlocked() {
    sigset_t signals;
    sigfillset(&signals);
    for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT}) {
      sigdelset(&signals, own);
    }
    pthread_sigmask(SIG_SETMASK, &signals, &previous_);
  }
  ~SignalsBlocked() {
    pthread_sigmask(SIG_SETMASK, &previous_, nullptr);
  }

 private:
  sigset_t previous_;
#endif
};

// Whether the process may have the memory of another thread, and what its work then needs: threads
// are not to take the last of the addresses that it is allowed (RLIMIT_AS). The C library alone
// reserves 64 MiB for the allocations of each of several threads.
bool has_room_for_a_thread() {
#if defined(_WIN32)
  return true;
#else
  constexpr size_t kRoom = size_t{1280} << 20;
  void* const room = mmap(nullptr, kRoom, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room == MAP_FAILED) return false;
  munmap(room, kRoom);
  return true;
#endif
}

void name_this_thread() {
#if defined(__linux__)
  pthread_setname_np(pthread_self(), "ata-worker");
#endif
}

// One parallel region. It lives on the stack of the thread that started it.
struct Region {
  Region(int64_t items, int helpers, const std::function<void(int64_t, int)>& what)
      : count(items), body(what), most_helpers(helpers), places(helpers) {}

  // Computes items until none is left, or `stop` is set.
  void work(int worker, const std::atomic<bool>& stop) noexcept {
    const DefaultFloatEnvironment environment;
    in_body = true;
    while (!stop.load(std::memory_order_relaxed)) {
      const int64_t item = next.fetch_add(1, std::memory_order_relaxed);
      if (item >= count) break;
      try {
        body(item, worker);
      } catch (...) {
        next.store(count, std::memory_order_relaxed);
        const std::lock_guard lock(failure_mutex);
        if (!failure) failure = std::current_exception();
      }
    }
    in_body = false;
  }

  const int64_t count;
  const std::function<void(int64_t, int)>& body;
  const int most_helpers;
  std::atomic<int64_t> next{0};
  std::mutex failure_mutex;
  std::exception_ptr failure;

  // The pool's mutex guards what follows. `inside`, the threads of the pool that work here, is also
  // read without it by the owner.
  int places;  // how many more may join
  int joined = 0;
  std::atomic<int> inside{0};
  bool owner_sleeps = false;
  Region* following = nullptr;
};

class Pool {
 public:
  void run(Region& region, int most) {
    static constexpr std::atomic<bool> kNever{false};
    enter(region, most);
    region.work(0, kNever);
    leave(region);
  }

  // Ends all threads, as soon as they are through with their items. Regions that run or come later
  // do without them.
  void shut_down() {
    std::vector<std::thread> threads;
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
      threads.swap(threads_);
    }
    work_came_.notify_all();
    for (std::thread& thread : threads) {
      // A body may be what ends the process.
      if (thread.get_id() == std::this_thread::get_id()) {
        thread.detach();
      } else {
        thread.join();
      }
    }
  }

 private:
  void enter(Region& region, int most) {
    std::string refusal;
    int wake = 0;
    {
      const std::lock_guard lock(mutex_);
      refusal =
          grow(std::max(std::min(asked_for_ + region.most_helpers, most), region.most_helpers));
      asked_for_ += region.most_helpers;
      region.following = first_;
      first_ = &region;
      arrivals_.fetch_add(1, std::memory_order_release);
      wake = std::min(region.places, sleepers_);
    }
    for (; wake > 0; --wake) work_came_.notify_one();
    if (!refusal.empty()) log(ATA_LOG_WARNING, refusal);
  }

  void leave(Region& region) {
    {
      const std::lock_guard lock(mutex_);
      Region** place = &first_;
      while (*place != &region) place = &(*place)->following;
      *place = region.following;
      asked_for_ -= region.most_helpers;
    }
    const auto alone = [&] { return region.inside.load(std::memory_order_acquire) == 0; };
    if (spin_until(alone)) return;
    std::unique_lock lock(mutex_);
    region.owner_sleeps = true;
    helper_left_.wait(lock, alone);
  }

  // Starts threads until there are `count`. Returns a message when the system refuses for the first
  // time; it is asked again later, since what it lacks may be there then.
  std::string grow(int count) {
    while (!closed_ && static_cast<int>(threads_.size()) < count) {
      if (refused_ && std::chrono::steady_clock::now() < next_attempt_) break;
      const SignalsBlocked blocked;
      try {
        if (!has_room_for_a_thread()) throw std::bad_alloc();
        threads_.emplace_back([this] { serve(); });
      } catch (const std::exception& error) {
        next_attempt_ = std::chrono::steady_clock::now() + kPause;
        if (std::exchange(refused_, true)) break;
        return concat("a thread could not be started (", error.what(), "): operations run on ",
                      threads_.size() + 1, " threads instead of ", count + 1);
      }
    }
    return {};
  }

  // What a thread of the pool does.
  void serve() {
    name_this_thread();
    std::unique_lock lock(mutex_);
    while (!closed_) {
      Region* region = first_;
      while (region && region->places == 0) region = region->following;
      if (!region) {
        wait(lock);
        continue;
      }
      --region->places;
      const int worker = ++region->joined;
      region->inside.fetch_add(1, std::memory_order_relaxed);
      lock.unlock();
      region->work(worker, closed_);
      lock.lock();
      // The region may end as soon as nobody is inside.
      const bool wake = region->owner_sleeps;
      region->inside.fetch_sub(1, std::memory_order_release);
      if (wake) helper_left_.notify_all();
    }
  }

  // Waits for another region, or the end.
  void wait(std::unique_lock<std::mutex>& lock) {
    const uint64_t seen = arrivals_.load(std::memory_order_relaxed);
    const auto arrived = [&] { return arrivals_.load(std::memory_order_acquire) != seen; };
    lock.unlock();
    const bool now = spin_until(arrived);
    lock.lock();
    if (now) return;
    ++sleepers_;
    work_came_.wait(lock, [&] { return closed_ || arrived(); });
    --sleepers_;
  }

  std::mutex mutex_;
  std::condition_variable work_came_;
  std::condition_variable helper_left_;
  Region* first_ = nullptr;
  // The helpers that the regions which run have asked for.
  int asked_for_ = 0;
  // Counts the regions that came, so that a thread sees a new one without the mutex.
  alignas(64) std::atomic<uint64_t> arrivals_{0};
  int sleepers_ = 0;
  std::atomic<bool> closed_{false};
  bool refused_ = false;
  std::chrono::steady_clock::time_point next_attempt_;
  std::vector<std::thread> threads_;
};

// Never destroyed, since threads of the host may run regions until the process ends.
alignas(Pool) unsigned char pool_storage[sizeof(Pool)];

Pool& pool() {
  static Pool* const instance = [] {
    Pool* made = new (pool_storage) Pool;
#if !defined(_WIN32)
    // A child of fork() has this memory, in whatever state it was, and none of the threads.
    pthread_atfork(nullptr, nullptr, [] { new (pool_storage) Pool; });
#endif
    return made;
  }();
#if !defined(_WIN32)  // where a library must not wait for threads when it is unloaded
  static const struct Closer {
    ~Closer() { instance->shut_down(); }
  } closer;
#endif
  return *instance;
}

}  // namespace

void run_in_pool(int64_t count, int workers, int most,
                 const std::function<void(int64_t item, int worker)>& body) {
  const int helpers = static_cast<int>(std::min<int64_t>(workers, count)) - 1;
  if (helpers <= 0 || in_body) {
    const DefaultFloatEnvironment environment;
    for (int64_t item = 0; item < count; ++item) body(item, 0);
    return;
  }
  Region region(count, helpers, body);
  pool().run(region, most);
  if (region.failure) std::rethrow_exception(region.failure);
}

}  // namespace ata
