#include "base/threads.h"

#include <gtest/gtest.h>

#include <atomic>
#include <vector>

#include "base/error.h"

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

}  // namespace
}  // namespace ata
