#include "ops/patches.h"

#include <gtest/gtest.h>

#include "op_check.h"

namespace ata::testing {
namespace {

OpCase patches_case(int64_t batch, int64_t frames, int64_t height, int64_t width, int64_t patch,
                    DType out) {
  OpCase op_case;
  op_case.inputs = {random_tensor({batch, 3, frames, height, width}, 1)};
  op_case.op = [=](const Context& context, const std::vector<Variable>& in) {
    return extract_patches(context, in[0], patch, out);
  };
  op_case.oracle = [=](const std::vector<Doubles>& in) {
    Doubles rows;
    for (int64_t b = 0; b < batch; ++b) {
      for (int64_t t = 0; t < frames; ++t) {
        for (int64_t n = 0; n < height / patch * (width / patch); ++n) {
          for (int64_t i = 0; i < 3 * patch * patch; ++i) {
            const int64_t channel = i / (patch * patch);
            const int64_t y = n / (width / patch) * patch + i / patch % patch;
            const int64_t x = n % (width / patch) * patch + i % patch;
            rows.push_back(in[0][static_cast<size_t>(
                (((b * 3 + channel) * frames + t) * height + y) * width + x)]);
          }
        }
      }
    }
    return rows;
  };
  return op_case;
}

TEST(ExtractPatches, AgreesWithTheOracle) {
  check_op(patches_case(2, 3, 4, 6, 2, DType::kF32), tolerance_of(DType::kF32));
  check_op(patches_case(1, 2, 3, 3, 3, DType::kF32), tolerance_of(DType::kF32));
  check_op(patches_case(1, 1, 2, 3, 1, DType::kF32), tolerance_of(DType::kF32));
  check_op(patches_case(1, 2, 8, 4, 4, DType::kBF16),
           {tolerance_of(DType::kBF16).value, tolerance_of(DType::kF32).gradient});
}

TEST(ExtractPatches, RejectsWhatDoesNotFit) {
  const auto run = [](Shape shape, int64_t patch) {
    extract_patches(test_context(), Variable(random_tensor(shape, 1)), patch);
  };
  expect_error(ATA_INVALID_ARGUMENT, "[B, 3, T, H, W]", [&] { run({1, 1, 2, 4, 4}, 2); });
  expect_error(ATA_INVALID_ARGUMENT, "5 x 4 pixels", [&] { run({1, 3, 2, 5, 4}, 2); });
  expect_error(ATA_INVALID_ARGUMENT, "at least 1", [&] { run({1, 3, 2, 4, 4}, 0); });
}

}  // namespace
}  // namespace ata::testing
