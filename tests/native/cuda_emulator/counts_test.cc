// Sectors, banks and lanes of kernels whose answer is known.
#include "access_counts.h"
#include "test_device.h"
#include "test_kernels.h"

namespace emu_test {
namespace {

class Counts : public EmulatedGpu {
 protected:
  void SetUp() override {
    if (!emu::checked()) GTEST_SKIP() << "accesses are not checked here";
    x_ = make(std::vector<float>(2048, 1));
    y_ = make(std::vector<float>(2048, 1));
    emu::set_counting(true);
  }
  void TearDown() override { emu::set_counting(false); }

  emu::AccessCounts counts(const std::string& kernel, emu::Access access, bool shared = false) {
    EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
    emu::AccessCounts sum;
    int sites = 0;
    const auto kernels = emu::access_counts();
    for (const emu::AccessCounts& site : kernels.at(kernel)) {
      if (site.access != access || site.shared != shared || site.requests == 0) continue;
      sum = site;
      ++sites;
    }
    EXPECT_EQ(sites, 1);
    return sum;
  }
  float* x_ = nullptr;
  float* y_ = nullptr;
};

TEST_F(Counts, Contiguous) {
  launch_contiguous(x_, y_, nullptr);
  for (const auto access : {emu::Access::kRead, emu::Access::kWrite}) {
    const auto found = counts("contiguous", access);
    EXPECT_EQ(found.requests, 1U);
    EXPECT_EQ(found.lanes, 32U);
    EXPECT_EQ(found.asked_bytes, 128U);
    EXPECT_EQ(found.distinct_bytes, 128U);
    EXPECT_EQ(found.sectors, 4U);
  }
}

TEST_F(Counts, Strided) {
  struct Case {
    int stride;
    uint64_t sectors;
  };
  for (const Case& wanted : {Case{2, 8}, Case{8, 32}, Case{33, 32}}) {
    emu::set_counting(true);
    launch_strided(x_, wanted.stride, y_, nullptr);
    const auto found = counts("strided", emu::Access::kRead);
    EXPECT_EQ(found.sectors, wanted.sectors) << wanted.stride;
    EXPECT_EQ(found.distinct_bytes, 128U);
  }
}

TEST_F(Counts, Broadcast) {
  launch_broadcast(x_, y_, nullptr);
  const auto found = counts("broadcast", emu::Access::kRead);
  EXPECT_EQ(found.sectors, 1U);
  EXPECT_EQ(found.asked_bytes, 128U);
  EXPECT_EQ(found.distinct_bytes, 4U);
}

TEST_F(Counts, Vectors) {
  launch_vectors(x_, y_, nullptr);
  for (const auto access : {emu::Access::kRead, emu::Access::kWrite}) {
    const auto found = counts("vectors", access);
    EXPECT_EQ(found.requests, 1U);
    EXPECT_EQ(found.asked_bytes, 512U);
    EXPECT_EQ(found.sectors, 16U);
  }
}

TEST_F(Counts, NotAtTheStartOfASector) {
  launch_offset(x_, y_, nullptr);
  EXPECT_EQ(counts("offset_by_one", emu::Access::kRead).sectors, 5U);
}

TEST_F(Counts, HalfAWarp) {
  launch_half_warp(x_, y_, nullptr);
  const auto found = counts("half_warp", emu::Access::kRead);
  EXPECT_EQ(found.requests, 1U);
  EXPECT_EQ(found.lanes, 16U);
  EXPECT_EQ(found.sectors, 2U);
}

TEST_F(Counts, Loops) {
  launch_loop(x_, 10, y_, nullptr);
  const auto found = counts("loop", emu::Access::kRead);
  EXPECT_EQ(found.requests, 10U);
  EXPECT_EQ(found.lanes, 320U);
  EXPECT_EQ(found.sectors, 40U);
}

TEST_F(Counts, BanksOfColumns) {
  struct Case {
    int row_length;
    uint64_t turns;
  };
  // Rows of 32 words lie in one bank below each other; a word more sets them apart.
  for (const Case& wanted : {Case{1, 1}, Case{32, 32}, Case{33, 1}, Case{2, 2}, Case{8, 8}}) {
    emu::set_counting(true);
    launch_columns(wanted.row_length, y_, nullptr);
    for (const auto access : {emu::Access::kRead, emu::Access::kWrite}) {
      const auto found = counts("columns", access, true);
      EXPECT_EQ(found.requests, 1U);
      EXPECT_EQ(found.turns, wanted.turns) << wanted.row_length;
      EXPECT_EQ(found.least_turns, 1U);
      EXPECT_EQ(found.worst_conflict, wanted.turns);
    }
  }
}

TEST_F(Counts, BanksOfVectors) {
  struct Case {
    int stride;
    uint64_t turns;
  };
  // Eight lanes of 16 bytes a turn.
  for (const Case& wanted : {Case{4, 4}, Case{8, 8}, Case{32, 32}, Case{36, 4}}) {
    emu::set_counting(true);
    launch_shared_vectors(wanted.stride, y_, nullptr);
    const auto found = counts("shared_vectors", emu::Access::kRead, true);
    EXPECT_EQ(found.turns, wanted.turns) << wanted.stride;
    EXPECT_EQ(found.least_turns, 4U);
  }
}

TEST_F(Counts, TableNamesKernelsAndLines) {
  launch_strided(x_, 8, y_, nullptr);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  const std::string table = ata_emulator_counts();
  EXPECT_EQ(table.find("strided\n"), 0U) << table;
  EXPECT_NE(table.find("count_kernels.cu:"), std::string::npos) << table;
  EXPECT_NE(table.find("12.5%"), std::string::npos) << table;
}

}  // namespace
}  // namespace emu_test
