#include "base/threads.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/float_environment.h"

#if !defined(_WIN32)
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#endif
#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace ata {
namespace {

class ThreadsTest : public testing::TestWithParam<int> {
 protected:
  void SetUp() override { set_thread_count(GetParam()); }
  void TearDown() override { set_thread_count(0); }
};

TEST_P(ThreadsTest, ParallelForCoversEveryItemOnce) {
  for (const int64_t count : {0, 1, 2, 7, 1000}) {
    for (const int64_t grain : {1, 3, 5000}) {
      std::vector<std::atomic<int>> visits(static_cast<size_t>(count));
      parallel_for(count, grain, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) ++visits[static_cast<size_t>(i)];
      });
      for (const auto& visit : visits) EXPECT_EQ(visit, 1);
    }
  }
}

TEST_P(ThreadsTest, DynamicCoversEveryItemOnceWithinItsWorkers) {
  std::vector<std::atomic<int>> visits(100);
  std::atomic<int> largest{0};
  parallel_for_dynamic(100, [&](int64_t item, int worker) {
    ++visits[static_cast<size_t>(item)];
    int seen = largest;
    while (worker > seen && !largest.compare_exchange_weak(seen, worker)) {
    }
  });
  for (const auto& visit : visits) EXPECT_EQ(visit, 1);
  EXPECT_LT(largest, thread_count());
}

TEST_P(ThreadsTest, ExceptionsReachTheCaller) {
  const auto throwing = [](int64_t, int64_t) { fail(ATA_IO_ERROR, "deliberate"); };
  EXPECT_THROW(parallel_for(10, 1, throwing), Error);
  EXPECT_THROW(parallel_for_dynamic(10, [](int64_t, int) { fail(ATA_IO_ERROR, "deliberate"); }),
               Error);
}

INSTANTIATE_TEST_SUITE_P(Counts, ThreadsTest, testing::Values(1, 2, 5));

TEST(Threads, ZeroRestoresTheDefault) {
  const int initial = thread_count();
  EXPECT_GE(initial, 1);
  set_thread_count(3);
  EXPECT_EQ(thread_count(), 3);
  set_thread_count(0);
  EXPECT_EQ(thread_count(), initial);
}

TEST(Threads, ALimitConcernsItsThreadAndNests) {
  set_thread_count(8);
  {
    const ThreadLimit outer(3);
    EXPECT_EQ(thread_count(), 3);
    {
      const ThreadLimit none(0);
      EXPECT_EQ(thread_count(), 3);
      const ThreadLimit wider(5);
      EXPECT_EQ(thread_count(), 3);
      const ThreadLimit narrower(2);
      EXPECT_EQ(thread_count(), 2);
    }
    EXPECT_EQ(thread_count(), 3);
    int elsewhere = 0;
    std::thread([&] { elsewhere = thread_count(); }).join();
    EXPECT_EQ(elsewhere, 8);
  }
  EXPECT_EQ(thread_count(), 8);
  set_thread_count(0);
}

// Sums 0..count-1 on up to `workers` threads.
int64_t sum_in_pool(int workers, int64_t count) {
  std::atomic<int64_t> sum{0};
  parallel_for_dynamic(count, workers, [&](int64_t item, int) { sum += item; });
  return sum;
}

TEST(Threads, ManyCallersShareThePool) {
  std::vector<std::thread> callers;
  std::atomic<int> wrong{0};
  for (int caller = 0; caller < 8; ++caller) {
    callers.emplace_back([&] {
      for (int round = 0; round < 500; ++round) {
        if (sum_in_pool(4, 100) != 4950) ++wrong;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Threads, ARegionInsideAnotherRunsWhereItIsStarted) {
  std::atomic<int> wrong{0};
  parallel_for_dynamic(16, 4, [&](int64_t, int) {
    const auto self = std::this_thread::get_id();
    parallel_for_dynamic(10, 4, [&](int64_t, int worker) {
      if (worker != 0 || std::this_thread::get_id() != self) ++wrong;
    });
  });
  EXPECT_EQ(wrong, 0);
}

// Callers with one thread each do not wait for one another: the body of each waits for the other's.
TEST(Threads, CallersOfOneThreadRunBesideOneAnother) {
  std::atomic<int> arrived{0};
  const auto meet = [&] {
    const ThreadLimit one(1);
    parallel_for(1 << 20, 1, [&](int64_t begin, int64_t end) {
      EXPECT_EQ(end - begin, 1 << 20);
      ++arrived;
      const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
      while (arrived < 2 && std::chrono::steady_clock::now() < give_up) std::this_thread::yield();
      EXPECT_EQ(arrived, 2);
    });
  };
  std::thread other(meet);
  meet();
  other.join();
}

// All four threads are in a body at the same time, or nobody gets through.
TEST(Threads, CallersWithLimitsDoNotTakeOneAnothersHelpers) {
  set_thread_count(4);
  std::atomic<int> arrived{0};
  const auto meet = [&] {
    const ThreadLimit two(2);
    parallel_for_dynamic(2, [&](int64_t, int) {
      ++arrived;
      const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
      while (arrived < 4 && std::chrono::steady_clock::now() < give_up) std::this_thread::yield();
      EXPECT_EQ(arrived, 4);
    });
  };
  std::thread other(meet);
  meet();
  other.join();
  set_thread_count(0);
}

TEST(Threads, HelpersComeToLongRegions) {
  std::atomic<int> arrived{0};
  // Each item waits for the other: one thread alone would not get through.
  parallel_for_dynamic(2, 2, [&](int64_t, int) {
    ++arrived;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (arrived < 2 && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  });
  EXPECT_EQ(arrived, 2);
}

#if defined(__SSE2__)
TEST(Threads, ItemsComputeInTheDefaultFloatingPointMode) {
  constexpr unsigned kFlush = 0x8040;  // denormals are zero, and flushed to it
  const unsigned before = _mm_getcsr();
  for (const unsigned mode : {before | kFlush, before & ~kFlush, before | kFlush}) {
    _mm_setcsr(mode);
    std::atomic<int> flushed{0};
    for (const int workers : {1, 2, 4}) {
      parallel_for_dynamic(64, workers, [&](int64_t, int) {
        if (_mm_getcsr() & kFlush) ++flushed;
      });
    }
    const unsigned after = _mm_getcsr();
    _mm_setcsr(before);
    EXPECT_EQ(flushed, 0);
    EXPECT_EQ(after & kFlush, mode & kFlush);
  }
}
#endif

#if !defined(_WIN32)

TEST(Threads, HelpersBlockSignals) {
  std::atomic<int> open{0};
  std::atomic<int> arrived{0};
  const auto caller = std::this_thread::get_id();
  parallel_for_dynamic(2, 2, [&](int64_t, int) {
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    if (std::this_thread::get_id() != caller) {
      for (const int signal : {SIGINT, SIGTERM, SIGCHLD, SIGUSR1, SIGALRM}) {
        if (!sigismember(&mask, signal)) ++open;
      }
      // What reports crashes is to hear of them.
      for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) {
        if (sigismember(&mask, signal)) ++open;
      }
    }
    ++arrived;
    while (arrived < 2) std::this_thread::yield();
  });
  EXPECT_EQ(open, 0);
}

#if !defined(ATA_SANITIZED)  // Sanitizers keep threads and memory of their own.

// Runs `body` in a child of this process; its exit code, or -1 when it had to be killed.
template <typename Body>
int run_in_child(const Body& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  for (int waits = 0; waits < 6000; ++waits) {
    int status = 0;
    if (waitpid(child, &status, WNOHANG) == child)
      return WIFEXITED(status) ? WEXITSTATUS(status) : -2;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  return -1;
}

TEST(Threads, AForkedChildHasAPoolOfItsOwn) {
  EXPECT_EQ(sum_in_pool(4, 1000), 499500);
  const auto child = [] {
    if (sum_in_pool(4, 1000) != 499500) return 1;
    return run_in_child([] { return sum_in_pool(4, 1000) == 499500 ? 0 : 1; });
  };
  EXPECT_EQ(run_in_child(child), 0);
  EXPECT_EQ(sum_in_pool(4, 1000), 499500);
}

TEST(Threads, GoesOnWithFewerThreadsWhenTheSystemRefuses) {
  EXPECT_EQ(run_in_child([] {
              rlimit limit = {};
              getrlimit(RLIMIT_AS, &limit);
              limit.rlim_cur = rlim_t{4} << 30;  // room for the stacks of some threads
              if (setrlimit(RLIMIT_AS, &limit) != 0) return 2;
              return sum_in_pool(1024, 100000) == 4999950000 ? 0 : 1;
            }),
            0);
}

TEST(Threads, IdleHelpersSleep) {
  const auto processor_seconds = [] {
    timespec time = {};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
  };
  sum_in_pool(4, 1000);
  const double before = processor_seconds();
  for (int round = 0; round < 10; ++round) {
    sum_in_pool(4, 1000);
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
  }
  EXPECT_LT(processor_seconds() - before, 0.1);  // of 0.3 s, on four threads
}

#endif
#endif

}  // namespace
}  // namespace ata
