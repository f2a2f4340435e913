#include "ops/alignment.h"

#include <gtest/gtest.h>

#include <limits>

#include "op_check.h"

namespace ata::testing {
namespace {

constexpr ClipLayout kLayout = {2, 4, 9};
constexpr int64_t kChannels = 5;
constexpr AlignmentMethod kMethods[] = {AlignmentMethod::kExact, AlignmentMethod::kNone,
                                        AlignmentMethod::kNearest, AlignmentMethod::kWindow,
                                        AlignmentMethod::kSinkhorn};

Tensor some_features() {
  return random_tensor({kLayout.patch_rows(), kChannels}, 21);
}

// The room `align` is tested by itself; here every device must agree with it.
TEST(Align, AgreesWithTheSolvers) {
  const Tensor features = some_features();
  const Tensor host = on_host(features);
  for (const AlignmentMethod method : kMethods) {
    SCOPED_TRACE(static_cast<int>(method));
    AlignmentOptions options;
    options.method = method;
    options.window_radius = 1;
    Tensor index({kLayout.clips, kLayout.frames, kLayout.patches}, DType::kI32);
    Tensor along({kLayout.clips, kLayout.frames - 1, kLayout.patches}, DType::kF32);
    AlignmentWorkspace workspace;
    align_features(host.data<float>(), kLayout, kChannels, options, workspace,
                   index.data<int32_t>(), along.data<float>());

    const Context context = test_context();
    AlignmentState state;
    Tensor similarities;
    const Trajectories result = align(context, features, kLayout, options, state, &similarities);
    context.check_status("alignment");
    EXPECT_TRUE(same_bits(result.index, on_device(index)));
    EXPECT_LE(relative_error(doubles(similarities), doubles(on_device(along))), 1e-6);
    if (method != AlignmentMethod::kNone) {
      EXPECT_TRUE(same_bits(align(context, features, kLayout, options, state).index, result.index));
    }
    state.warm_start = true;
    for (int run = 0; run < 3; ++run) {
      const Trajectories warm = align(context, features, kLayout, options, state, &similarities);
      EXPECT_TRUE(same_bits(warm.index, result.index)) << "warm run " << run;
    }
  }
}

TEST(Align, OnlyNearestCountsVisits) {
  const Tensor features = some_features();
  for (const AlignmentMethod method : kMethods) {
    SCOPED_TRACE(static_cast<int>(method));
    const Context context = test_context();
    AlignmentState state;
    AlignmentOptions options;
    options.method = method;
    const Trajectories result = align(context, features, kLayout, options, state);
    EXPECT_EQ(result.index.defined(), method != AlignmentMethod::kNone);
    ASSERT_EQ(result.visits.defined(), method == AlignmentMethod::kNearest);
    if (!result.visits) continue;
    const Tensor index = on_host(result.index), visits = on_host(result.visits);
    std::vector<int32_t> expected(static_cast<size_t>(visits.count()));
    for (int64_t i = 0; i < index.count(); ++i) {
      const int64_t frame = i / kLayout.patches;
      ++expected[static_cast<size_t>(frame * kLayout.patches + index.data<int32_t>()[i])];
    }
    const auto counted = visits.values<int32_t>();
    EXPECT_EQ(std::vector<int32_t>(counted.begin(), counted.end()), expected);
  }
}

TEST(Align, OfOneFrameIsTheIdentity) {
  const Context context = test_context();
  const ClipLayout one = {3, 1, 4};
  const Tensor features = random_tensor({one.patch_rows(), 2}, 1);
  for (const AlignmentMethod method : {AlignmentMethod::kExact, AlignmentMethod::kNearest}) {
    AlignmentState state;
    AlignmentOptions options;
    options.method = method;
    const Trajectories result = align(context, features, one, options, state);
    EXPECT_TRUE(same_bits(result.index, on_device(identity_trajectories(one))));
    EXPECT_FALSE(result.visits);
  }
}

TEST(Align, RejectsWhatDoesNotFit) {
  const Context context = test_context();
  const auto fails = [&](ata_status status, const std::string& text, const Tensor& features,
                         const AlignmentOptions& options) {
    expect_error(status, text, [&] {
      AlignmentState state;
      align(context, features, kLayout, options, state);
      context.check_status("alignment", ATA_INVALID_ARGUMENT);
    });
  };
  fails(ATA_INVALID_ARGUMENT, "are missing", Tensor(), {});
  fails(ATA_INVALID_ARGUMENT, "must be a matrix", random_tensor({2, 4, 9, 5}, 1), {});
  fails(ATA_INVALID_ARGUMENT, "are not 2 clips of 4 frames of 9 patches",
        random_tensor({71, kChannels}, 1), {});
  fails(ATA_INVALID_ARGUMENT, "must be f32", indices_of({1, 1}, {1}), {});
  fails(ATA_UNSUPPORTED, "soft", some_features(), {.method = AlignmentMethod::kSoft});
  fails(ATA_INVALID_ARGUMENT, "iterations", some_features(), {.iterations = 0});
  Tensor broken = on_host(some_features());
  broken.data<float>()[50] = std::numeric_limits<float>::quiet_NaN();
  // "NaN or infinity", and where; only "not finite" where just the device sees it.
  fails(ATA_INVALID_ARGUMENT, "finite", on_device(broken), {});
}

}  // namespace
}  // namespace ata::testing
