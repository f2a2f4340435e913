#include "ops/temporal_attention.h"

#include <gtest/gtest.h>

#include <numeric>

#include "oracles.h"

namespace ata::testing {
namespace {

enum class Paths { kIdentity, kPermutation, kMeeting };

std::vector<int32_t> make_trajectories(Paths paths, int64_t batch, int64_t frames,
                                       int64_t patches) {
  std::vector<int32_t> result;
  Random random(7);
  for (int64_t frame = 0; frame < batch * frames; ++frame) {
    std::vector<int32_t> order(static_cast<size_t>(patches));
    std::iota(order.begin(), order.end(), 0);
    if (frame % frames != 0) {
      for (size_t n = order.size(); n-- > 1 && paths != Paths::kIdentity;) {
        std::swap(order[n], order[random.below(static_cast<uint32_t>(n + 1))]);
      }
      if (paths == Paths::kMeeting) {
        for (int32_t& patch : order) patch = patch / 2;
      }
    }
    result.insert(result.end(), order.begin(), order.end());
  }
  return result;
}

Trajectories along(const ClipLayout& layout, const std::vector<int32_t>& paths) {
  return trajectories_along(
      make_context(test_device()),
      on_host(indices_of({layout.clips, layout.frames, layout.patches}, paths)));
}

struct TemporalCase {
  DType dtype;
  Paths paths;
};

OpCase temporal_case(const TemporalCase& c, int64_t batch, int64_t frames, int64_t patches,
                     int64_t dim, int heads) {
  const std::vector<int32_t> paths = make_trajectories(c.paths, batch, frames, patches);
  const Trajectories trajectories =
      c.paths == Paths::kIdentity ? Trajectories() : along({batch, frames, patches}, paths);
  OpCase op_case;
  op_case.inputs = {random_tensor({batch * frames * patches, 3 * dim}, 1, c.dtype)};
  op_case.op = [=](const Context& context, const std::vector<Variable>& inputs) {
    return temporal_attention(context, inputs[0], {batch, frames, patches}, heads, trajectories);
  };
  op_case.oracle = [=](const std::vector<Doubles>& inputs) {
    return temporal_attention_oracle(inputs[0], batch, frames, patches, dim, heads, paths);
  };
  return op_case;
}

class TemporalAttention : public ::testing::TestWithParam<TemporalCase> {};

TEST_P(TemporalAttention, AgreesWithTheOracle) {
  const Tolerance tolerance = tolerance_of(GetParam().dtype);
  check_op(temporal_case(GetParam(), 1, 1, 1, 2, 1), tolerance);
  check_op(temporal_case(GetParam(), 2, 3, 5, 12, 4), tolerance);
  check_op(temporal_case(GetParam(), 1, 8, 4, 18, 2), tolerance);
  check_op(temporal_case(GetParam(), 1, 19, 3, 16, 1), tolerance);
}

// Heads of each width that a kernel is made for, between, and wider; clips on both sides of the
// length where kernels change.
TEST_P(TemporalAttention, TakesHeadsOfAnyWidthAndClipsOfAnyLength) {
  struct Case {
    int64_t frames, patches, width;
    int heads;
  };
  for (const Case& c :
       {Case{8, 5, 64, 2}, Case{2, 31, 32, 1}, Case{31, 1, 64, 1}, Case{32, 2, 40, 1},
        Case{33, 2, 64, 1}, Case{16, 1, 128, 1}, Case{4, 3, 8, 3}, Case{3, 2, 136, 1},
        Case{9, 2, 97, 1}, Case{40, 1, 13, 2}}) {
    SCOPED_TRACE(concat(c.frames, " frames of ", c.patches, ", ", c.heads, " heads of ", c.width));
    check_op_along_directions(
        temporal_case(GetParam(), 1, c.frames, c.patches, c.width * c.heads, c.heads),
        tolerance_of(GetParam().dtype));
  }
}

TEST_P(TemporalAttention, AgreesWithTheOracleForLongClips) {
  check_op_along_directions(temporal_case(GetParam(), 1, 96, 10, 24, 2),
                            tolerance_of(GetParam().dtype));
}

std::string case_name(const ::testing::TestParamInfo<TemporalCase>& info) {
  const char* const names[] = {"identity", "permutation", "meeting"};
  return concat(dtype_name(info.param.dtype), "_", names[static_cast<int>(info.param.paths)]);
}

INSTANTIATE_TEST_SUITE_P(Cases, TemporalAttention,
                         ::testing::Values(TemporalCase{DType::kF32, Paths::kIdentity},
                                           TemporalCase{DType::kF32, Paths::kPermutation},
                                           TemporalCase{DType::kF32, Paths::kMeeting},
                                           TemporalCase{DType::kBF16, Paths::kIdentity},
                                           TemporalCase{DType::kBF16, Paths::kPermutation},
                                           TemporalCase{DType::kBF16, Paths::kMeeting}),
                         case_name);

TEST(TemporalAttentionOp, IdentityTrajectoriesChangeNothing) {
  const Variable qkv(random_tensor({2 * 4 * 6, 36}, 1));
  const Trajectories identity = along({2, 4, 6}, make_trajectories(Paths::kIdentity, 2, 4, 6));
  const Context context = test_context();
  const Variable with = temporal_attention(context, qkv, {2, 4, 6}, 3, identity);
  const Variable without = temporal_attention(context, qkv, {2, 4, 6}, 3, {});
  EXPECT_TRUE(same_bits(with.value(), without.value()));
}

TEST(TemporalAttentionOp, UnvisitedRowsAreZeroAndReported) {
  const Trajectories paths = along({1, 2, 3}, {0, 1, 2, 1, 1, 0});
  const Context context = test_context();
  const Variable qkv(random_tensor({6, 12}, 1));
  const Doubles y = doubles(temporal_attention(context, qkv, {1, 2, 3}, 2, paths).value());
  for (size_t c = 0; c < 4; ++c) EXPECT_EQ(y[5 * 4 + c], 0.0);
  EXPECT_TRUE(same_bits(visited_rows(context, paths), tensor_of({6}, {1, 1, 1, 1, 1, 0})));
  EXPECT_FALSE(visited_rows(context, along({1, 2, 2}, {0, 1, 1, 0})));
  EXPECT_FALSE(visited_rows(context, {}));
}

TEST(TemporalAttentionOp, TakesNoClipsAndNoPatches) {
  const Variable qkv(random_tensor({0, 12}, 1));
  for (const ClipLayout& layout : {ClipLayout{0, 2, 3}, ClipLayout{2, 3, 0}}) {
    const Variable y = temporal_attention(test_context(), qkv, layout, 2, {});
    EXPECT_EQ(y.value().shape(), Shape({0, 4}));
  }
}

// A grid is at most 65,535 high.
TEST(TemporalAttentionOp, TakesMoreSequencesThanAGridIsHigh) {
  const OpCase op_case = temporal_case({DType::kF32, Paths::kPermutation}, 1, 2, 65600, 2, 1);
  const Variable y = op_case.op(test_context(), {Variable(op_case.inputs[0])});
  EXPECT_LE(relative_error(doubles(y.value()), op_case.oracle({doubles(op_case.inputs[0])})),
            tolerance_of(DType::kF32).value);
}

TEST(TemporalAttentionOp, RejectsWhatDoesNotFit) {
  const Context context = test_context();
  const Variable qkv(random_tensor({6, 12}, 1));
  const auto run = [&](const Trajectories& paths) {
    temporal_attention(context, qkv, {1, 2, 3}, 2, paths);
  };
  expect_error(ATA_INVALID_ARGUMENT, "has the patches 0 to 2", [&] {
    along({1, 2, 3}, {0, 1, 2, 3, 1, 0});
  });
  expect_error(ATA_INVALID_ARGUMENT, "has the patches 0 to 2", [&] {
    along({1, 2, 3}, {0, 1, 2, -1, 1, 0});
  });
  expect_error(ATA_INVALID_ARGUMENT, "not [1, 2, 3]", [&] {
    run(along({1, 3, 2}, {0, 1, 0, 1, 0, 1}));
  });
  expect_error(ATA_INVALID_ARGUMENT, "must be i32", [&] {
    trajectories_along(context, Tensor({1, 2, 3}, DType::kF32));
  });
  expect_error(ATA_INVALID_ARGUMENT, "need 8", [&] {
    temporal_attention(context, qkv, {1, 2, 4}, 2, {});
  });
}

TEST(CountVisits, ReportsIndicesThatOnlyTheDeviceSees) {
  const Context context = test_context();
  Tensor visits = context.empty({1, 2, 3}, DType::kI32);
  context.run(&Kernels::count_visits, indices_of({1, 2, 3}, {0, 1, 2, 1, 1, 7}), visits);
  EXPECT_TRUE(same_bits(visits, indices_of({1, 2, 3}, {1, 1, 1, 0, 2, 0})));
  expect_error(ATA_INVALID_ARGUMENT, "outside the patches", [&] { context.check_status("it"); });
}

}  // namespace
}  // namespace ata::testing
