#include "base/random.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

namespace ata {
namespace {

TEST(Random, MatchesThePublishedVectors) {
  // Known answers of Philox4x32-10 from the Random123 distribution: zero key, zero counter.
  Random random(0);
  EXPECT_EQ(random.next_u32(), 0x6627e8d5u);
  EXPECT_EQ(random.next_u32(), 0xe169c58du);
  EXPECT_EQ(random.next_u32(), 0xbc57ac4cu);
  EXPECT_EQ(random.next_u32(), 0x9b00dbd8u);
}

TEST(Random, ResumesFromItsCounter) {
  Random whole(7, 3);
  for (int i = 0; i < 9; ++i) whole.next_u32();
  Random resumed(7, 3, whole.counter());
  for (int i = 0; i < 20; ++i) EXPECT_EQ(whole.next_u32(), resumed.next_u32()) << i;
}

TEST(Random, StreamsDiffer) {
  Random first(7, 0), second(7, 1);
  int equal = 0;
  for (int i = 0; i < 100; ++i) equal += first.next_u32() == second.next_u32();
  EXPECT_LE(equal, 1);
}

TEST(Random, MomentsAreThoseOfTheDistributions) {
  Random random(42);
  constexpr int kCount = 200000;
  double uniform = 0, mean = 0, square = 0;
  for (int i = 0; i < kCount; ++i) {
    const float u = random.uniform();
    ASSERT_GE(u, 0.0f);
    ASSERT_LT(u, 1.0f);
    uniform += u;
    const double z = random.normal();
    mean += z;
    square += z * z;
  }
  EXPECT_NEAR(uniform / kCount, 0.5, 0.005);
  EXPECT_NEAR(mean / kCount, 0.0, 0.01);
  EXPECT_NEAR(square / kCount, 1.0, 0.02);
}

TEST(Random, BelowIsUniform) {
  Random random(1);
  std::array<int, 6> counts = {};
  for (int i = 0; i < 60000; ++i) ++counts.at(random.below(6));
  for (const int count : counts) EXPECT_NEAR(count, 10000, 500);
}

}  // namespace
}  // namespace ata
