#include "model/temporal_step.h"

#include <gtest/gtest.h>

#include "../ops/oracles.h"

namespace ata::testing {
namespace {

constexpr ClipLayout kLayout = {.clips = 2, .frames = 3, .patches = 4};
constexpr int64_t kDim = 6;
constexpr int kHeads = 2;

// Of two clips; frames 1 and 2 of the second meet in patches and leave others out.
const std::vector<int32_t> kFixed = {0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3,
                                     0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3};
const std::vector<int32_t> kMatched = {0, 1, 2, 3, 2, 0, 1, 3, 3, 1, 0, 2,
                                       0, 1, 2, 3, 1, 0, 3, 2, 0, 2, 1, 3};
const std::vector<int32_t> kMeeting = {0, 1, 2, 3, 2, 0, 1, 3, 3, 1, 0, 2,
                                       0, 1, 2, 3, 1, 1, 3, 1, 0, 0, 0, 0};

struct StepCase {
  const char* name;
  bool fixed;
  std::vector<int32_t> trajectories;
  DType compute;
};

LinearWeights layer(const Variable& weight, const Variable& bias) {
  return {.weight = weight,
          .bias = bias,
          .packed = nullptr,
          .out_features = weight.value().dim(0),
          .in_features = weight.value().dim(1)};
}

// Inputs: x, gamma, beta, and weight and bias of qkv, proj and fc.
OpCase step_case(const StepCase& c) {
  OpCase op_case;
  op_case.inputs = {random_tensor({kLayout.patch_rows(), kDim}, 1),
                    random_tensor({kDim}, 2),
                    random_tensor({kDim}, 3),
                    random_tensor({3 * kDim, kDim}, 4),
                    random_tensor({3 * kDim}, 5),
                    random_tensor({kDim, kDim}, 6),
                    random_tensor({kDim}, 7),
                    random_tensor({kDim, kDim}, 8),
                    random_tensor({kDim}, 9)};
  op_case.op = [c](const Context& context, const std::vector<Variable>& in) {
    const TemporalWeights weights = {.norm1 = {in[1], in[2]},
                                     .qkv = layer(in[3], in[4]),
                                     .proj = layer(in[5], in[6]),
                                     .fc = layer(in[7], in[8])};
    TemporalStep step = {.layout = kLayout, .heads = kHeads, .compute = c.compute};
    if (!c.fixed) {
      const Shape shape = {kLayout.clips, kLayout.frames, kLayout.patches};
      step.trajectories = trajectories_along(context, on_host(indices_of(shape, c.trajectories)));
    }
    return run_temporal_step(context, in[0], weights, step);
  };
  op_case.oracle = [c](const std::vector<Doubles>& in) {
    Doubles y = layer_norm_oracle(in[0], in[1], in[2]);
    y = linear_oracle(y, in[3], in[4], kDim, 3 * kDim);
    y = temporal_attention_oracle(y, kLayout.clips, kLayout.frames, kLayout.patches, kDim, kHeads,
                                  c.trajectories);
    y = linear_oracle(y, in[5], in[6], kDim, kDim);
    y = linear_oracle(y, in[7], in[8], kDim, kDim);
    std::vector<bool> visited(static_cast<size_t>(kLayout.patch_rows()));
    for (size_t i = 0; i < c.trajectories.size(); ++i) {
      const size_t frame = i / static_cast<size_t>(kLayout.patches);
      visited[frame * static_cast<size_t>(kLayout.patches) +
              static_cast<size_t>(c.trajectories[i])] = true;
    }
    for (size_t i = 0; i < y.size(); ++i) {
      y[i] = in[0][i] + (visited[i / static_cast<size_t>(kDim)] ? y[i] : 0.0);
    }
    return y;
  };
  return op_case;
}

std::string step_name(const ::testing::TestParamInfo<StepCase>& info) {
  return info.param.name;
}

class TemporalStepTest : public ::testing::TestWithParam<StepCase> {};

TEST_P(TemporalStepTest, AgreesWithTheOracle) {
  Tolerance tolerance = tolerance_of(GetParam().compute);
  // Five operations one after another, each of which rounds.
  if (GetParam().compute == DType::kBF16) tolerance.gradient *= 3;
  check_op(step_case(GetParam()), tolerance);
}

INSTANTIATE_TEST_SUITE_P(Cases, TemporalStepTest,
                         ::testing::Values(StepCase{"fixed", true, kFixed, DType::kF32},
                                           StepCase{"matched", false, kMatched, DType::kF32},
                                           StepCase{"meeting", false, kMeeting, DType::kF32},
                                           StepCase{"fixed_bf16", true, kFixed, DType::kBF16},
                                           StepCase{"matched_bf16", false, kMatched, DType::kBF16},
                                           StepCase{"meeting_bf16", false, kMeeting, DType::kBF16}),
                         step_name);

}  // namespace
}  // namespace ata::testing
