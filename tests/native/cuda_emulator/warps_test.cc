// What threads compute together.
#include <algorithm>
#include <cstring>
#include <random>

#include "test_device.h"
#include "test_kernels.h"

namespace emu_test {
namespace {

class Warps : public EmulatedGpu, public ::testing::WithParamInterface<emu::Order> {
 protected:
  Warps() { emu::options().order = GetParam(); }
};
INSTANTIATE_TEST_SUITE_P(Orders, Warps,
                         ::testing::Values(emu::Order::kAscending, emu::Order::kDescending,
                                           emu::Order::kRandom));

TEST_P(Warps, FunctionsOfLanes) {
  for (const int threads : {32, 16, 8}) {
    SCOPED_TRACE(threads);
    std::vector<int> values;
    for (int i = 0; i < threads; ++i) values.push_back(i * i % 23 + (i == 2 ? 100 : 0));
    int* const rows = make(std::vector<int>(size_t{kRows} * kLanes, -1));
    launch_warp_functions(make(values), threads, rows, nullptr);
    const std::vector<int> got = read(rows, size_t{kRows} * kLanes);
    int ballot = 0, least = 1000, most = 0, sum = 0, odd_sum = 0, any = 0;
    for (int i = 0; i < threads; ++i) {
      ballot |= values[i] % 2 << i;
      least = std::min(least, values[i]);
      most = std::max(most, values[i]);
      sum += values[i];
      if (i % 2 == 1) odd_sum += values[i];
      any |= values[i] == 7;
    }
    for (int i = 0; i < threads; ++i) {
      const auto at = [&](Row row) { return got[static_cast<size_t>(row * kLanes + i)]; };
      int match = 0;
      for (int j = 0; j < threads; ++j) match |= (values[j] % 3 == values[i] % 3) << j;
      EXPECT_EQ(at(kShuffle), values[3]);
      EXPECT_EQ(at(kShuffleWidth8), values[i / 8 * 8 + 2]);
      EXPECT_EQ(at(kXor), values[i ^ 1]);
      EXPECT_EQ(at(kUp), values[i < 2 ? i : i - 2]);
      EXPECT_EQ(at(kUpWidth4), values[i % 4 == 0 ? i : i - 1]);
      EXPECT_EQ(at(kDown), values[i % 8 < 4 ? i + 4 : i]);
      EXPECT_EQ(at(kBallot), ballot);
      EXPECT_EQ(at(kAny), any);
      EXPECT_EQ(at(kAll), 1);
      EXPECT_EQ(at(kMatch), match);
      EXPECT_EQ(at(kReduceMin), least);
      EXPECT_EQ(at(kReduceMax), most);
      EXPECT_EQ(at(kReduceAdd), sum);
      EXPECT_EQ(at(kOddLanesSum), i % 2 == 1 ? odd_sum : -1);
      EXPECT_EQ(at(kSmallMask), i < 4 ? values[i ^ 3] : values[5]);
    }
  }
}

TEST_P(Warps, ShuffleEightBytes) {
  std::vector<double> values(32);
  for (int i = 0; i < 32; ++i) values[i] = 1e10 + i * 0.125;
  double* const results = make<double>(32);
  launch_wide_shuffle(make(values), results, nullptr);
  const auto got = read(results, 32);
  for (int i = 0; i < 32; ++i) EXPECT_EQ(got[i], values[31 - i]);
}

TEST_P(Warps, VotesOfABlock) {
  for (const int threads : {1, 31, 33, 197, 1024}) {
    std::vector<int> values(static_cast<size_t>(threads), 1);
    int* const results = make<int>(3);
    launch_block_votes(make(values), threads, results, nullptr);
    EXPECT_EQ(read(results, 3), (std::vector<int>{threads, 1, 1}));
    values[values.size() / 2] = 0;
    launch_block_votes(make(values), threads, results, nullptr);
    EXPECT_EQ(read(results, 3), (std::vector<int>{threads - 1, threads > 1, 0}));
  }
}

TEST_P(Warps, Atomics) {
  int* const results = make(std::vector<int>{0, -5, 1000, 0, -1, 0, 0, 0});
  auto* const wide = make(std::vector<unsigned long long>{5});
  float* const sum = make(std::vector<float>{1});
  launch_atomics(3, results, wide, sum, nullptr);
  int parity = 0;
  for (int i = 0; i < 300; ++i) parity ^= i;
  EXPECT_EQ(read(results, 8),
            (std::vector<int>{300, 299, 0, (1 << 20) - 1, -1 << 20, parity, 9, 4}));
  EXPECT_EQ(read(wide, 1)[0], 5 + (300ULL << 32));
  EXPECT_EQ(read(sum, 1)[0], 151);
}

TEST_P(Warps, MultiplyTiles) {
  std::mt19937 random(1);
  std::vector<ata::BFloat16> a(256), b(128);
  const auto small = [&](ata::BFloat16& value) {
    const float number = static_cast<float>(random() % 17) - 8;  // exact in bf16
    uint32_t bits = 0;
    std::memcpy(&bits, &number, sizeof bits);
    value.bits = static_cast<uint16_t>(bits >> 16);
    return number;
  };
  std::vector<float> wide_a(256), wide_b(128);
  for (size_t i = 0; i < 256; ++i) wide_a[i] = small(a[i]);
  for (size_t i = 0; i < 128; ++i) wide_b[i] = small(b[i]);
  float* const c = make<float>(128);
  launch_mma(make(a), make(b), c, nullptr);
  const auto got = read(c, 128);
  for (size_t row = 0; row < 16; ++row) {
    for (size_t column = 0; column < 8; ++column) {
      float sum = 0;
      for (size_t k = 0; k < 16; ++k) sum += wide_a[row * 16 + k] * wide_b[column * 16 + k];
      EXPECT_EQ(got[row * 8 + column], sum);
    }
  }
}

TEST_P(Warps, LoadTiles) {
  std::vector<unsigned short> matrix(256);
  for (size_t i = 0; i < 256; ++i) matrix[i] = static_cast<unsigned short>(7 * i);
  unsigned* const plain = make<unsigned>(128);
  unsigned* const transposed = make<unsigned>(128);
  launch_tiles(make(matrix), plain, transposed, nullptr);
  const auto got = read(plain, 128), got_transposed = read(transposed, 128);
  for (size_t i = 0; i < 128; ++i) {
    const size_t tile = i / 32, row = i % 32 / 4, column = i % 4 * 2;
    const auto at = [&](size_t r, size_t c) {
      return unsigned{matrix[(tile / 2 * 8 + r) * 16 + tile % 2 * 8 + c]};
    };
    EXPECT_EQ(got[i], at(row, column) | at(row, column + 1) << 16);
    EXPECT_EQ(got_transposed[i], at(column, row) | at(column + 1, row) << 16);
  }
}

TEST_P(Warps, EveryThreadOfAGridRunsOnce) {
  struct Case {
    dim3 grid, block;
  };
  for (const Case& shape : {Case{dim3(1), dim3(1)}, Case{dim3(7), dim3(33)},
                            Case{dim3(3, 4, 5), dim3(5, 3, 2)}, Case{dim3(2), dim3(1024)}}) {
    const size_t count = size_t{shape.grid.x} * shape.grid.y * shape.grid.z * shape.block.x *
                         shape.block.y * shape.block.z;
    int64_t* const out = make<int64_t>(count);
    EXPECT_EQ(cudaMemset(out, 0, count * sizeof(int64_t)), cudaSuccess);
    launch_indices(shape.grid, shape.block, out, nullptr);
    const auto got = read(out, count);
    for (size_t i = 0; i < count; ++i) ASSERT_EQ(got[i], static_cast<int64_t>(i));
  }
}

}  // namespace
}  // namespace emu_test
