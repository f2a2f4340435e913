#include <gtest/gtest.h>

#include "base/simd_targets.h"
#include "hwy/highway.h"
#include "op_check.h"
#include "ops/attention.h"
#include "ops/layer_norm.h"
#include "ops/linear.h"
#include "ops/temporal_attention.h"

namespace ata::testing {
namespace {

constexpr ClipLayout kLayout{1, 2, 290};

// Runs vector code of one instruction set while it lives.
class InstructionSetScope {
 public:
  explicit InstructionSetScope(int64_t target) {
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(target);
  }
  ~InstructionSetScope() {
    hwy::SetSupportedTargetsForTest(0);
    hwy::GetChosenTarget().DeInit();
  }
};

OpCase case_of(std::vector<Tensor> inputs,
               std::function<Variable(const Context&, const std::vector<Variable>&)> op) {
  return {std::move(inputs), std::move(op), nullptr};
}

std::vector<OpCase> all_cases(DType dtype) {
  return {case_of({random_tensor({kLayout.token_rows(), 3 * 40}, 1, dtype)},
                  [](const Context& context, const std::vector<Variable>& in) {
                    return attention(context, in[0], kLayout, 2);
                  }),
          case_of({random_tensor({2 * 9 * 5, 3 * 38}, 1, dtype)},
                  [](const Context& context, const std::vector<Variable>& in) {
                    return temporal_attention(context, in[0], {2, 9, 5}, 2, {});
                  }),
          case_of({random_tensor({6, 45}, 1), random_tensor({45}, 2), random_tensor({45}, 3)},
                  [dtype](const Context& context, const std::vector<Variable>& in) {
                    return layer_norm(context, in[0], in[1], in[2], dtype);
                  }),
          case_of({random_tensor({7, 13}, 1, dtype), random_tensor({19, 13}, 2)},
                  [dtype](const Context& context, const std::vector<Variable>& in) {
                    LinearWeights weights;
                    weights.weight = in[1];
                    weights.out_features = 19;
                    weights.in_features = 13;
                    LinearOptions options;
                    options.activation = Activation::kGelu;
                    options.out_dtype = dtype;
                    return linear(context, in[0], weights, options);
                  })};
}

std::vector<Tensor> results_of(const OpCase& op_case) {
  std::vector<Variable> inputs;
  for (const Tensor& input : op_case.inputs) inputs.emplace_back(input);
  const Tensor y = op_case.op(test_context(), inputs).value();
  std::vector<Tensor> results = gradients(op_case, random_tensor(y.shape(), 5));
  results.push_back(y);
  return results;
}

class InstructionSets : public ::testing::TestWithParam<DType> {};

TEST_P(InstructionSets, AllComputeTheSame) {
  const std::vector<OpCase> cases = all_cases(GetParam());
  std::vector<std::vector<Tensor>> best;
  for (const OpCase& op_case : cases) best.push_back(results_of(op_case));
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    SCOPED_TRACE(hwy::TargetName(target));
    const InstructionSetScope scope(target);
    for (size_t i = 0; i < cases.size(); ++i) {
      const std::vector<Tensor> results = results_of(cases[i]);
      for (size_t r = 0; r < results.size(); ++r) {
        EXPECT_LE(relative_error(doubles(results[r]), doubles(best[i][r])),
                  tolerance_of(GetParam()).gradient)
            << "result " << r << " of case " << i;
      }
    }
  }
}

std::string type_name(const ::testing::TestParamInfo<DType>& type) {
  return dtype_name(type.param);
}

INSTANTIATE_TEST_SUITE_P(Types, InstructionSets, ::testing::Values(DType::kF32, DType::kBF16),
                         type_name);

}  // namespace
}  // namespace ata::testing
