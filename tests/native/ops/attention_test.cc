#include "ops/attention.h"

#include <gtest/gtest.h>

#include "oracles.h"

namespace ata::testing {
namespace {

OpCase attention_case(const ClipLayout& layout, int64_t dim, int heads, DType dtype,
                      float scale = 1.0f) {
  OpCase op_case;
  Tensor qkv = random_tensor({layout.token_rows(), 3 * dim}, 1, dtype);
  if (scale != 1.0f) {
    qkv = mapped(qkv, [scale](float value) { return value * scale; });
  }
  op_case.inputs = {qkv};
  op_case.op = [layout, heads](const Context& context, const std::vector<Variable>& inputs) {
    return attention(context, inputs[0], layout, heads);
  };
  op_case.oracle = [layout, dim, heads](const std::vector<Doubles>& inputs) {
    return attention_oracle(inputs[0], layout.clips, layout.frames, layout.patches, dim, heads);
  };
  return op_case;
}

class Attention : public ::testing::TestWithParam<DType> {};

TEST_P(Attention, AgreesWithTheOracle) {
  struct Case {
    ClipLayout layout;
    int64_t dim;
    int heads;
  };
  // One token; several frames that share the class token; head sizes off the vector length.
  for (const Case& c : {Case{{1, 1, 0}, 4, 2}, Case{{1, 1, 1}, 1, 1}, Case{{2, 3, 4}, 12, 4},
                        Case{{1, 2, 9}, 24, 2}, Case{{3, 1, 5}, 17, 1}, Case{{1, 1, 33}, 16, 1}}) {
    SCOPED_TRACE(concat(c.layout.clips, "x", c.layout.frames, "x", c.layout.patches, ", ", c.dim));
    check_op(attention_case(c.layout, c.dim, c.heads, GetParam()), tolerance_of(GetParam()));
  }
}

TEST_P(Attention, AgreesWithTheOracleOverManyTiles) {
  check_op_along_directions(attention_case({1, 2, 300}, 24, 2, GetParam()),
                            tolerance_of(GetParam()));
  check_op_along_directions(attention_case({1, 1, 1100}, 12, 1, GetParam()),
                            tolerance_of(GetParam()));
}

// Heads as tensor cores take them, of each width that a kernel is made for and between; wider than
// any tile; and of odd widths; sequences that end at, before and after a tile's end.
TEST_P(Attention, TakesHeadsOfAnyWidthAndSequencesOfAnyLength) {
  struct Case {
    ClipLayout layout;
    int64_t width;
    int heads;
  };
  for (const Case& c : {Case{{1, 1, 196}, 64, 1}, Case{{1, 3, 30}, 64, 2}, Case{{2, 1, 31}, 24, 1},
                        Case{{1, 1, 32}, 80, 1}, Case{{1, 1, 63}, 88, 1}, Case{{1, 1, 64}, 128, 1},
                        Case{{1, 1, 17}, 136, 2}, Case{{1, 1, 65}, 65, 1}}) {
    SCOPED_TRACE(concat(c.layout.clips, "x", c.layout.frames, "x", c.layout.patches, ", ", c.heads,
                        " heads of ", c.width));
    check_op_along_directions(attention_case(c.layout, c.width * c.heads, c.heads, GetParam()),
                              tolerance_of(GetParam()));
  }
}

std::string type_name(const ::testing::TestParamInfo<DType>& type) {
  return dtype_name(type.param);
}

INSTANTIATE_TEST_SUITE_P(Types, Attention, ::testing::Values(DType::kF32, DType::kBF16), type_name);

TEST(AttentionOp, SurvivesLargeScores) {
  const OpCase op_case = attention_case({1, 1, 600}, 16, 1, DType::kF32, 30.0f);
  const Variable y = op_case.op(test_context(), {Variable(op_case.inputs[0])});
  const Doubles expected = op_case.oracle({doubles(op_case.inputs[0])});
  // Scores of several thousand have an f32 spacing of 5e-4, which the softmax sees in full.
  EXPECT_LE(relative_error(doubles(y.value()), expected), 1e-3);
}

TEST(AttentionOp, TakesNoClips) {
  const Variable qkv(random_tensor({0, 12}, 1));
  EXPECT_EQ(attention(test_context(), qkv, {0, 2, 3}, 2).value().shape(), Shape({0, 4}));
}

TEST(AttentionOp, RejectsWhatDoesNotFit) {
  const Context context = test_context();
  const Variable qkv(random_tensor({9, 12}, 1));
  expect_error(ATA_INVALID_ARGUMENT, "its layout needs 10", [&] {
    attention(context, qkv, {2, 2, 2}, 2);
  });
  expect_error(ATA_INVALID_ARGUMENT, "heads", [&] { attention(context, qkv, {1, 2, 4}, 3); });
  expect_error(ATA_INVALID_ARGUMENT, "heads", [&] { attention(context, qkv, {1, 2, 4}, 0); });
  expect_error(ATA_INVALID_ARGUMENT, "not possible", [&] {
    attention(context, qkv, {1, 0, 4}, 1);
  });
}

}  // namespace
}  // namespace ata::testing
