// Repairing the times of frames.
#include "video/frame_times.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace ata::test {
namespace {

using Times = std::vector<int64_t>;

constexpr int64_t kStep = 40;

Times even(int count, int64_t first = 0) {
  Times times;
  for (int i = 0; i < count; ++i) times.push_back(first + i * kStep);
  return times;
}

Times repaired(Times times, int64_t longest_step = INT64_MAX) {
  repair_times(times, kStep, longest_step);
  return times;
}

TEST(FrameTimes, StandWhereTheyAscend) {
  for (const Times& times : {even(30), even(3, -200), Times{0, 40, 41, 5000, 5001}, Times{7}}) {
    EXPECT_EQ(repaired(times), times);
    Times copy = times;
    EXPECT_FALSE(repair_times(copy, kStep, INT64_MAX).any());
  }
  EXPECT_EQ(repaired({}), Times{});
}

TEST(FrameTimes, AreInterpolatedWhereFewAreWrong) {
  for (const int64_t error : {100000, 1000, 60, 40, -40, -60, -1000, -100000}) {
    for (size_t wrong = 1; wrong <= 4; ++wrong) {
      Times times = even(60);
      for (size_t i = 0; i < wrong; ++i) times[30 + i] += error;
      if (std::is_sorted(times.begin(), times.end(), std::less_equal<>())) continue;
      // Two equally good explanations are possible for small errors of several.
      if (wrong > 1 && std::abs(error) <= 60) continue;
      const TimeRepairs repairs = repair_times(times, kStep, INT64_MAX);
      EXPECT_EQ(times, even(60)) << wrong << " off by " << error;
      EXPECT_EQ(repairs.misplaced, static_cast<int64_t>(wrong));
      EXPECT_EQ(repairs.missing + repairs.restarts, 0);
    }
  }
}

TEST(FrameTimes, AreInterpolatedWhereTheyAreMissing) {
  for (const size_t begin : {size_t{0}, size_t{20}, size_t{50}}) {
    Times times = even(60);
    for (size_t i = begin; i < begin + 10; ++i) times[i] = kNoTime;
    EXPECT_EQ(repair_times(times, kStep, INT64_MAX).missing, 10);
    EXPECT_EQ(times, even(60));
  }
  EXPECT_EQ(repaired(Times(5, kNoTime)), even(5));
}

TEST(FrameTimes, GoOnWhereTheyStartAgain) {
  // A part of a few frames may as well be frames with wrong times.
  for (const int first : {30, 12, 8}) {
    for (const int second : {30, 7, 90}) {
      for (const int64_t begin : {0, 20, 4000000, -4000000}) {
        Times times = even(first);
        const Times more = even(second, begin);
        times.insert(times.end(), more.begin(), more.end());
        const int64_t longest = begin > first * kStep ? 10000 : INT64_MAX;
        const TimeRepairs repairs = repair_times(times, kStep, longest);
        EXPECT_EQ(times, even(first + second)) << first << " " << second << " " << begin;
        EXPECT_EQ(repairs.restarts, 1);
        EXPECT_EQ(repairs.misplaced, 0);
      }
    }
  }
}

TEST(FrameTimes, KeepLongStepsUnlessTheFormatIsMadeToBeCut) {
  Times times = even(30);
  for (size_t i = 15; i < 30; ++i) times[i] += 20000;
  EXPECT_EQ(repaired(times), times);
  EXPECT_EQ(repaired(times, 10000), even(30));
}

TEST(FrameTimes, AscendWhateverTheyAre) {
  std::mt19937_64 random(4);
  for (int round = 0; round < 3000; ++round) {
    Times times(1 + random() % 40);
    const int kind = static_cast<int>(random() % 4);
    for (size_t i = 0; i < times.size(); ++i) {
      const auto any = static_cast<int64_t>(random());
      switch (random() % (kind + 2)) {
        case 0:
          times[i] = kNoTime;
          break;
        case 1:
          times[i] = static_cast<int64_t>(i) * 64 + any % 3 * 64;
          break;
        case 2:
          times[i] = any % 4000;
          break;
        default:
          times[i] = any >> 12;
      }
    }
    repair_times(times, 1 + static_cast<int64_t>(random() % 100), round % 2 ? 1000 : INT64_MAX);
    for (size_t i = 0; i < times.size(); ++i) {
      ASSERT_LE(times[i], kMaxTick);
      if (i > 0) {
        ASSERT_LT(times[i - 1], times[i]) << "round " << round << ", " << i;
      }
    }
  }
}

TEST(FrameTimes, SurviveTheLargestNumbers) {
  Times times = {kMaxTick / 2, -kMaxTick / 2, kMaxTick / 2, -kMaxTick / 2, 0, kMaxTick / 2};
  repair_times(times, kMaxTick / 2, INT64_MAX);
  for (const int64_t time : times) {
    EXPECT_LE(time, kMaxTick);
    EXPECT_GE(time, -kMaxTick);
  }
}

TEST(FrameTimes, HaveAUsualStep) {
  EXPECT_EQ(usual_step({0, 40, 80, 85, 1000, 1040}, 7), 40);
  EXPECT_EQ(usual_step({0, kNoTime, 5, 5}, 7), 7);
}

}  // namespace
}  // namespace ata::test
