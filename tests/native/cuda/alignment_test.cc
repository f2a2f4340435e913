#include "alignment/alignment.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "cuda_device.h"
#include "ops/alignment.h"
#include "ops/online_aligner.h"
#include "support/errors.h"

// Alignment on the GPU against the CPU's, at sizes that fill no tile, warp or vector.
namespace ata {
namespace {

constexpr AlignmentMethod kMethods[] = {AlignmentMethod::kExact, AlignmentMethod::kNone,
                                        AlignmentMethod::kNearest, AlignmentMethod::kWindow,
                                        AlignmentMethod::kSinkhorn};

// Frames that move by a patch each, with noise; some patches of length 0, and some whose squares
// leave the range of float32.
Tensor moving_frames(const ClipLayout& layout, int64_t channels, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  Tensor features({layout.patch_rows(), channels}, DType::kF32);
  std::vector<float> scene(static_cast<size_t>(layout.patches * channels));
  float* to = features.data<float>();
  for (int64_t clip = 0; clip < layout.clips; ++clip) {
    for (float& x : scene) x = normal(random);
    for (int64_t t = 0; t < layout.frames; ++t) {
      for (int64_t n = 0; n < layout.patches; ++n) {
        const int64_t from = (n + t) % layout.patches;
        const float scale = n % 29 == 3 ? 0.0F : n % 31 == 4 ? 1e-25F : n % 37 == 5 ? 1e25F : 1.0F;
        for (int64_t c = 0; c < channels; ++c) {
          *to++ = scale * (scene[static_cast<size_t>(from * channels + c)] + 0.3F * normal(random));
        }
      }
    }
  }
  return features;
}

struct Aligned {
  std::vector<int32_t> trajectories;
  std::vector<float> similarities;
};

Aligned on_cpu(const Tensor& features, const ClipLayout& layout, const AlignmentOptions& options) {
  Aligned result;
  result.trajectories.resize(static_cast<size_t>(layout.patch_rows()));
  result.similarities.resize(static_cast<size_t>(layout.pairs() * layout.patches));
  AlignmentWorkspace workspace;
  align_features(features.data<float>(), layout, features.dim(1), options, workspace,
                 result.trajectories.data(), result.similarities.data());
  return result;
}

Aligned on_gpu(const Context& context, const Tensor& features, const ClipLayout& layout,
               const AlignmentOptions& options, AlignmentState& state) {
  Tensor along;
  const Tensor index = context.download(
      align(context, context.copy(features), layout, options, state, &along).index);
  context.check_status("alignment");
  along = context.download(along);
  Aligned result;
  result.trajectories.assign(index.values<int32_t>().begin(), index.values<int32_t>().end());
  result.similarities.assign(along.values<float>().begin(), along.values<float>().end());
  return result;
}

double sum_of(const std::vector<float>& values) {
  double sum = 0;
  for (const float x : values) sum += x;
  return sum;
}

void expect_same(const Aligned& actual, const Aligned& expected, const ClipLayout& layout,
                 AlignmentMethod method) {
  // Patches of length 0 have no best match: which one they get is a matter of order.
  const bool has_ties = layout.patches > 3;
  if (!has_ties || method == AlignmentMethod::kNone || method == AlignmentMethod::kNearest) {
    EXPECT_EQ(actual.trajectories, expected.trajectories);
    ASSERT_EQ(actual.similarities.size(), expected.similarities.size());
    for (size_t k = 0; k < expected.similarities.size(); ++k) {
      ASSERT_NEAR(actual.similarities[k], expected.similarities[k], 1e-6);
    }
  }
  EXPECT_NEAR(sum_of(actual.similarities), sum_of(expected.similarities),
              2e-6 * static_cast<double>(expected.similarities.size()));
  if (method == AlignmentMethod::kNearest) return;
  for (int64_t frame = 0; frame < layout.frame_count(); ++frame) {
    std::vector<int> uses(static_cast<size_t>(layout.patches));
    for (int64_t n = 0; n < layout.patches; ++n) {
      const int32_t patch = actual.trajectories[static_cast<size_t>(frame * layout.patches + n)];
      ASSERT_TRUE(patch >= 0 && patch < layout.patches);
      EXPECT_EQ(++uses[static_cast<size_t>(patch)], 1);
    }
  }
}

struct Sizes {
  ClipLayout layout;
  int64_t channels;
  int grid_width;
};
constexpr Sizes kSizes[] = {{{1, 2, 1}, 4, 1},   {{2, 3, 31}, 5, 31}, {{2, 2, 33}, 20, 11},
                            {{3, 3, 49}, 64, 7}, {{1, 3, 197}, 7, 1}, {{1, 2, 196}, 48, 14}};

TEST(CudaAlign, IsThatOfTheCpu) {
  const Context context = make_context(cuda_device());
  for (const auto& [layout, channels, width] : kSizes) {
    const Tensor features = moving_frames(layout, channels, 1);
    for (const AlignmentMethod method : kMethods) {
      SCOPED_TRACE(::testing::Message()
                   << layout.patches << " patches, method " << static_cast<int>(method));
      const AlignmentOptions options = {.method = method,
                                        .window_radius = 2,
                                        .temperature = 0.1F,
                                        .iterations = 4,
                                        .grid_height = static_cast<int>(layout.patches) / width,
                                        .grid_width = width};
      const Aligned expected = on_cpu(features, layout, options);
      AlignmentState state;
      expect_same(on_gpu(context, features, layout, options, state), expected, layout, method);
      state.warm_start = true;
      for (int run = 0; run < 2 && method == AlignmentMethod::kExact; ++run) {
        expect_same(on_gpu(context, features, layout, options, state), expected, layout, method);
      }
    }
  }
}

TEST(CudaAlign, OfMorePatchesThanAWarpTakes) {
  const Context context = make_context(cuda_device());
  const ClipLayout layout = {1, 2, 289};
  const Tensor features = moving_frames(layout, 16, 2);
  for (const AlignmentMethod method : {AlignmentMethod::kExact, AlignmentMethod::kWindow}) {
    AlignmentState state;
    const AlignmentOptions options = {.method = method, .window_radius = 2};
    expect_same(on_gpu(context, features, layout, options, state),
                on_cpu(features, layout, options), layout, method);
  }
}

// By tensor cores: other last bits.
TEST(CudaAlign, ByTheFastestProductIsNearThatOfTheCpu) {
  const Context context = make_context(cuda_device());
  for (const auto& [layout, channels, width] : kSizes) {
    SCOPED_TRACE(layout.patches);
    const Tensor features = moving_frames(layout, channels, 5);
    for (const AlignmentMethod method : {AlignmentMethod::kExact, AlignmentMethod::kNearest}) {
      AlignmentState state;
      const Aligned expected = on_cpu(features, layout, {.method = method});
      const Aligned actual =
          on_gpu(context, features, layout,
                 {.method = method, .product = SimilarityProduct::kFastest}, state);
      EXPECT_NEAR(sum_of(actual.similarities), sum_of(expected.similarities),
                  1e-5 * static_cast<double>(expected.similarities.size()));
      if (method != AlignmentMethod::kNearest) continue;
      // The greatest similarity of a patch is what it is, whichever patch has it.
      const ClipLayout pair = {1, 2, layout.patches};
      const Tensor two = features.slice(0, pair.patch_rows());
      const Aligned first = on_cpu(two, pair, {.method = method});
      AlignmentState of_pair;
      const Aligned second = on_gpu(
          context, two, pair, {.method = method, .product = SimilarityProduct::kFastest}, of_pair);
      for (size_t k = 0; k < first.similarities.size(); ++k) {
        ASSERT_NEAR(first.similarities[k], second.similarities[k], 1.6e-5);
      }
    }
  }
}

// No pair outside the window, although those are the best.
TEST(CudaAlign, StaysInsideTheWindow) {
  const Context context = make_context(cuda_device());
  const ClipLayout layout = {1, 2, 36};
  const Tensor features = moving_frames(layout, 8, 3);
  AlignmentState state;
  const AlignmentOptions options = {.method = AlignmentMethod::kWindow, .window_radius = 1};
  const Aligned aligned = on_gpu(context, features, layout, options, state);
  for (int32_t n = 0; n < 36; ++n) {
    const int32_t to = aligned.trajectories[static_cast<size_t>(36 + n)];
    EXPECT_LE(std::abs(to / 6 - n / 6), 1);
    EXPECT_LE(std::abs(to % 6 - n % 6), 1);
  }
}

TEST(CudaAlign, ClipsInPartsGiveTheWhole) {
  Device& device = cuda_device();
  const Context context = make_context(device);
  const ClipLayout whole = {2, 7, 33};
  constexpr int64_t kChannels = 12;
  const Tensor features = moving_frames(whole, kChannels, 4);
  const int64_t frame_size = whole.patches * kChannels;
  for (const AlignmentMethod method : kMethods) {
    SCOPED_TRACE(static_cast<int>(method));
    const AlignmentOptions options = {
        .method = method, .iterations = 4, .grid_height = 3, .grid_width = 11};
    AlignmentState state;
    const Aligned expected = on_gpu(context, features, whole, options, state);
    std::shared_ptr<AlignmentScratch> scratch;
    int64_t before = 0;
    for (const int64_t frames : {1, 3, 2, 1}) {
      const ClipLayout layout = {whole.clips, frames, whole.patches};
      const int64_t pairs = frames - (before > 0 ? 0 : 1);
      Tensor part({layout.patch_rows(), kChannels}, DType::kF32);
      for (int64_t clip = 0; clip < whole.clips; ++clip) {
        std::copy_n(features.data<float>() + (clip * whole.frames + before) * frame_size,
                    frames * frame_size, part.data<float>() + clip * frames * frame_size);
      }
      Tensor duals, index = context.empty({whole.clips, frames, whole.patches}, DType::kI32);
      Tensor along = context.empty({whole.clips, pairs, whole.patches});
      // A part that is refused leaves the parts before as they were.
      Tensor broken = part.clone();
      broken.data<float>()[part.count() - 3] = std::nanf("");
      const ClipPart place = {.frames_before = before, .continues = true};
      if (before > 0) {
        context.run(&Kernels::align, context.copy(broken), layout, options, place, scratch, duals,
                    index, along);
        EXPECT_EQ(ATA_NOT_FINITE, status_of([&] { context.check_status("alignment"); }));
      }
      context.run(&Kernels::align, context.copy(part), layout, options, place, scratch, duals,
                  index, along);
      context.check_status("alignment");
      const Tensor got = context.download(index), similar = context.download(along);
      for (int64_t clip = 0; clip < whole.clips; ++clip) {
        EXPECT_TRUE(
            std::equal(got.data<int32_t>() + clip * frames * whole.patches,
                       got.data<int32_t>() + (clip + 1) * frames * whole.patches,
                       expected.trajectories.begin() + (clip * whole.frames + before) * 33));
        const int64_t first = clip * (whole.frames - 1) + before - (before > 0 ? 1 : 0);
        EXPECT_TRUE(std::equal(similar.data<float>() + clip * pairs * whole.patches,
                               similar.data<float>() + (clip + 1) * pairs * whole.patches,
                               expected.similarities.begin() + first * 33));
      }
      before += frames;
    }
  }
}

TEST(CudaAlign, OfNothingIsNothing) {
  const Context context = make_context(cuda_device());
  for (const AlignmentMethod method : kMethods) {
    AlignmentState state;
    Tensor along;
    const AlignmentOptions options = {.method = method};
    const Tensor features = context.copy(Tensor({0, 4}, DType::kF32));
    const Trajectories result = align(context, features, {0, 3, 9}, options, state, &along);
    EXPECT_EQ(result.index.count(), 0);
    EXPECT_EQ(along.count(), 0);
  }
}

TEST(CudaVisits, AreCountedAndChecked) {
  const Context context = make_context(cuda_device());
  Tensor index({1, 2, 33}, DType::kI32);
  for (int32_t k = 0; k < 66; ++k) index.data<int32_t>()[k] = k % 33 / 2;
  Tensor visits = context.empty(index.shape(), DType::kI32), rows = context.empty({66});
  context.run(&Kernels::count_visits, context.copy(index), visits);
  context.check_status("visits");
  context.run(&Kernels::visited_rows, visits, rows);
  const Tensor counted = context.download(visits), marked = context.download(rows);
  for (int32_t k = 0; k < 66; ++k) {
    const int32_t n = k % 33;
    EXPECT_EQ(counted.data<int32_t>()[k], n < 16 ? 2 : n == 16 ? 1 : 0);
    EXPECT_EQ(marked.data<float>()[k], n <= 16 ? 1.0F : 0.0F);
  }
  for (const int32_t bad : {-1, 33}) {
    index.data<int32_t>()[40] = bad;
    context.run(&Kernels::count_visits, context.copy(index), visits);
    expect_error(ATA_INVALID_ARGUMENT, "outside the patches",
                 [&] { context.check_status("visits"); });
  }
}

}  // namespace
}  // namespace ata
