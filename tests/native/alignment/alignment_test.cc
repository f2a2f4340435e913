#include "alignment/alignment.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <numeric>

#include "base/threads.h"
#include "clips.h"
#include "support/errors.h"
#include "support/matrices.h"
#include "support/targets.h"

namespace ata {
namespace {

// Clips whose patches move by one place from frame to frame, with noise.
Tensor moving_features(const ClipLayout& shape, int64_t channels, float noise, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  Tensor features({shape.clips, shape.frames, shape.patches, channels}, DType::kF32);
  float* out = features.data<float>();
  for (int64_t b = 0; b < shape.clips; ++b) {
    const std::vector<float> base =
        random_features(static_cast<int>(shape.patches), static_cast<int>(channels), random);
    for (int64_t t = 0; t < shape.frames; ++t) {
      for (int64_t n = 0; n < shape.patches; ++n) {
        const int64_t from = (n + t) % shape.patches;
        for (int64_t d = 0; d < channels; ++d) {
          *out++ = base[static_cast<size_t>(from * channels + d)] + noise * normal(random);
        }
      }
    }
  }
  return features;
}

Matrix pair_cosines(const Tensor& features, int64_t clip, int64_t frame) {
  const int64_t size = features.dim(2) * features.dim(3);
  const float* now = features.data<float>() + (clip * features.dim(1) + frame) * size;
  return cosines({now, now + size}, {now + size, now + 2 * size},
                 static_cast<int>(features.dim(3)));
}

int32_t at(const Tensor& trajectories, int64_t b, int64_t t, int64_t n) {
  return trajectories.data<int32_t>()[(b * trajectories.dim(1) + t) * trajectories.dim(2) + n];
}

void expect_permutations(const Tensor& trajectories) {
  for (int64_t b = 0; b < trajectories.dim(0); ++b) {
    for (int64_t t = 0; t < trajectories.dim(1); ++t) {
      std::vector<bool> seen(static_cast<size_t>(trajectories.dim(2)));
      for (int64_t n = 0; n < trajectories.dim(2); ++n) {
        const int32_t patch = at(trajectories, b, t, n);
        ASSERT_GE(patch, 0);
        ASSERT_LT(patch, trajectories.dim(2));
        EXPECT_FALSE(seen[static_cast<size_t>(patch)]);
        seen[static_cast<size_t>(patch)] = true;
        EXPECT_TRUE(t > 0 || patch == n);
      }
    }
  }
}

class AlignmentTargets : public EveryTarget {};
INSTANTIATE_TEST_SUITE_P(, AlignmentTargets, ::testing::ValuesIn(machine_targets()), target_name);

TEST_P(AlignmentTargets, ExactFollowsMovingPatches) {
  const ClipLayout shape = {2, 5, 49};
  const int64_t channels = 64;
  AlignmentWorkspace workspace;
  const Alignment result = align(moving_features(shape, channels, 0.3F, 1), {}, workspace);
  expect_permutations(result.trajectories);
  for (int64_t b = 0; b < shape.clips; ++b) {
    for (int64_t t = 0; t < shape.frames; ++t) {
      for (int64_t n = 0; n < shape.patches; ++n) {
        EXPECT_EQ(at(result.trajectories, b, t, n),
                  (n - t + shape.patches * shape.frames) % shape.patches);
      }
    }
  }
}

TEST_P(AlignmentTargets, ExactIsOptimalAndReportsSimilarities) {
  const ClipLayout shape = {2, 4, 30};
  const int64_t channels = 8;
  const Tensor features = moving_features(shape, channels, 3.0F, 2);
  AlignmentWorkspace workspace;
  const Alignment result = align(features, {}, workspace);
  expect_permutations(result.trajectories);
  for (int64_t b = 0; b < shape.clips; ++b) {
    for (int64_t t = 0; t + 1 < shape.frames; ++t) {
      const Matrix matrix = pair_cosines(features, b, t);
      double total = 0;
      for (int64_t n = 0; n < shape.patches; ++n) {
        const float expected =
            matrix(at(result.trajectories, b, t, n), at(result.trajectories, b, t + 1, n));
        const float reported =
            result.similarities.data<float>()[(b * (shape.frames - 1) + t) * shape.patches + n];
        EXPECT_NEAR(reported, expected, 1e-6);
        total += expected;
      }
      EXPECT_NEAR(total, best_total(matrix, true), 1e-5);
    }
  }
}

TEST(Alignment, NoneStaysInPlace) {
  const ClipLayout shape = {2, 3, 10};
  const int64_t channels = 4;
  const Tensor features = moving_features(shape, channels, 0.1F, 3);
  AlignmentWorkspace workspace;
  const Alignment result = align(features, {.method = AlignmentMethod::kNone}, workspace);
  for (int64_t n = 0; n < shape.patches; ++n) EXPECT_EQ(at(result.trajectories, 1, 2, n), n);
  const Matrix matrix = pair_cosines(features, 1, 1);
  for (int n = 0; n < shape.patches; ++n) {
    EXPECT_NEAR(result.similarities.data<float>()[3 * shape.patches + n], matrix(n, n), 1e-6);
  }
}

TEST(Alignment, NearestTakesTheMostSimilarPatch) {
  const ClipLayout shape = {1, 4, 40};
  const int64_t channels = 3;
  const Tensor features = moving_features(shape, channels, 1.0F, 4);
  AlignmentWorkspace workspace;
  const Alignment result = align(features, {.method = AlignmentMethod::kNearest}, workspace);
  for (int64_t t = 0; t + 1 < shape.frames; ++t) {
    const Matrix matrix = pair_cosines(features, 0, t);
    for (int64_t n = 0; n < shape.patches; ++n) {
      const int32_t now = at(result.trajectories, 0, t, n);
      const float chosen = matrix(now, at(result.trajectories, 0, t + 1, n));
      for (int j = 0; j < shape.patches; ++j) EXPECT_GE(chosen + 1e-6F, matrix(now, j));
    }
  }
}

// The window's matching is the optimum of the dense problem whose far pairs are forbidden.
TEST_P(AlignmentTargets, WindowIsOptimalAmongNearPairs) {
  for (const auto& [height, width, radius] : std::vector<std::array<int, 3>>{
           {1, 1, 3}, {7, 7, 0}, {7, 7, 1}, {6, 9, 2}, {5, 4, 100}, {1, 30, 2}}) {
    const ClipLayout shape = {2, 3, height * width};
    const int64_t channels = 5;
    const Tensor features = moving_features(shape, channels, 1.0F, 7);
    AlignmentWorkspace workspace;
    const Alignment result = align(features,
                                   {.method = AlignmentMethod::kWindow,
                                    .window_radius = radius,
                                    .grid_height = height,
                                    .grid_width = width},
                                   workspace);
    expect_permutations(result.trajectories);
    for (int64_t b = 0; b < shape.clips; ++b) {
      for (int64_t t = 0; t + 1 < shape.frames; ++t) {
        Matrix matrix = pair_cosines(features, b, t);
        const auto is_near = [&, w = width, r = radius](int i, int j) {
          return std::abs(i / w - j / w) <= r && std::abs(i % w - j % w) <= r;
        };
        double total = 0;
        for (int64_t n = 0; n < shape.patches; ++n) {
          const int i = at(result.trajectories, b, t, n);
          const int j = at(result.trajectories, b, t + 1, n);
          EXPECT_TRUE(is_near(i, j));
          total += matrix(i, j);
          EXPECT_NEAR(
              result.similarities.data<float>()[(b * (shape.frames - 1) + t) * shape.patches + n],
              matrix(i, j), 1e-6);
        }
        for (int i = 0; i < matrix.rows; ++i) {
          for (int j = 0; j < matrix.columns; ++j) {
            if (!is_near(i, j)) matrix(i, j) = -std::numeric_limits<float>::infinity();
          }
        }
        EXPECT_NEAR(total, best_total(matrix, true), 1e-5);
      }
    }
  }
}

TEST_P(AlignmentTargets, SinkhornAtLowTemperatureIsExact) {
  const ClipLayout shape = {1, 4, 50};
  const int64_t channels = 32;
  const Tensor features = moving_features(shape, channels, 0.5F, 8);
  AlignmentWorkspace workspace;
  const Alignment exact = align(features, {}, workspace);
  const Alignment cold = align(
      features, {.method = AlignmentMethod::kSinkhorn, .temperature = 0.01F, .iterations = 500},
      workspace);
  expect_permutations(cold.trajectories);
  EXPECT_TRUE(std::equal(exact.trajectories.values<int32_t>().begin(),
                         exact.trajectories.values<int32_t>().end(),
                         cold.trajectories.values<int32_t>().begin()));
  // At any temperature, and after one iteration, it is a matching.
  for (const float temperature : {1e-6F, 1e-3F, 1.0F, 1e6F}) {
    expect_permutations(
        align(features,
              {.method = AlignmentMethod::kSinkhorn, .temperature = temperature, .iterations = 1},
              workspace)
            .trajectories);
  }
}

TEST(Alignment, WarmStartGivesTheSameTrajectories) {
  const ClipLayout shape = {1, 6, 100};
  const int64_t channels = 16;
  AlignmentWorkspace workspace;
  std::vector<double> duals(static_cast<size_t>(shape.pairs() * shape.patches));
  for (uint32_t layer = 0; layer < 3; ++layer) {
    // The same clip with growing noise stands for successive layers.
    const Tensor features =
        moving_features(shape, channels, 0.5F + 0.5F * static_cast<float>(layer), 5);
    std::vector<int32_t> warm(static_cast<size_t>(shape.frames * shape.patches));
    align_features(features.data<float>(), shape, channels, {}, workspace, warm.data(), nullptr,
                   duals.data());
    const Alignment cold = align(features, {}, workspace, false);
    EXPECT_TRUE(std::equal(warm.begin(), warm.end(), cold.trajectories.data<int32_t>()));
    EXPECT_NE(*std::min_element(duals.begin(), duals.end()),
              *std::max_element(duals.begin(), duals.end()));
  }
}

TEST(Alignment, DoesNotDependOnTheNumberOfThreads) {
  const ClipLayout shape = {2, 6, 100};
  const int64_t channels = 16;
  const Tensor features = moving_features(shape, channels, 2.0F, 6);
  for (const AlignmentMethod method : {AlignmentMethod::kExact, AlignmentMethod::kNearest,
                                       AlignmentMethod::kWindow, AlignmentMethod::kSinkhorn}) {
    std::vector<int32_t> reference;
    for (const int threads : {1, 2, 3, 8}) {
      set_thread_count(threads);
      AlignmentWorkspace workspace;
      const Alignment result = align(features, {.method = method}, workspace);
      const auto values = result.trajectories.values<int32_t>();
      const std::vector<int32_t> actual(values.begin(), values.end());
      if (reference.empty()) reference = actual;
      EXPECT_EQ(actual, reference);
    }
  }
  set_thread_count(0);
}

TEST(Alignment, OneFrameAndConstantFeatures) {
  AlignmentWorkspace workspace;
  const Tensor one = Tensor::zeros({1, 1, 9, 4}, DType::kF32);
  expect_permutations(align(one, {}, workspace).trajectories);
  const Tensor black = Tensor::zeros({1, 3, 196, 4}, DType::kF32);
  const Alignment result = align(black, {}, workspace);
  expect_permutations(result.trajectories);
  for (const float s : result.similarities.values<float>()) EXPECT_EQ(s, 0.0F);
}

// Two clips in parts of 1, 3, 1 and 2 frames; the second part is refused first.
TEST(Alignment, PartsGiveWhatTheWholeGives) {
  const ClipLayout whole = {2, 7, 16};
  const int64_t channels = 6, frame_size = whole.patches * channels;
  const Tensor features = moving_features(whole, channels, 0.5F, 12);
  for (const AlignmentMethod method :
       {AlignmentMethod::kExact, AlignmentMethod::kNone, AlignmentMethod::kNearest,
        AlignmentMethod::kWindow, AlignmentMethod::kSinkhorn}) {
    SCOPED_TRACE(static_cast<int>(method));
    const AlignmentOptions options{.method = method};
    AlignmentWorkspace workspace;
    const Alignment expected = align(features, options, workspace);
    AlignmentWorkspace of_parts;
    int64_t before = 0;
    for (const int64_t frames : {1, 3, 1, 2}) {
      const ClipLayout layout = {whole.clips, frames, whole.patches};
      const int64_t pairs = before > 0 ? frames : frames - 1;
      std::vector<float> values;
      for (int64_t b = 0; b < whole.clips; ++b) {
        const float* clip = features.data<float>() + (b * whole.frames + before) * frame_size;
        values.insert(values.end(), clip, clip + frames * frame_size);
      }
      std::vector<int32_t> trajectories(static_cast<size_t>(layout.patch_rows()));
      std::vector<float> similarities(static_cast<size_t>(whole.clips * pairs * whole.patches));
      const auto align_part = [&] {
        align_features(values.data(), layout, channels, options, of_parts, trajectories.data(),
                       similarities.data(), nullptr, {before, before + frames < whole.frames});
      };
      if (before == 1) {
        std::vector<float> intact = values;
        values[static_cast<size_t>((2 * frames - 2) * frame_size)] = std::nanf("");
        EXPECT_THROW(align_part(), Error);
        values = intact;
      }
      align_part();
      for (int64_t b = 0; b < whole.clips; ++b) {
        for (int64_t t = 0; t < frames; ++t) {
          for (int64_t n = 0; n < whole.patches; ++n) {
            EXPECT_EQ(trajectories[static_cast<size_t>((b * frames + t) * whole.patches + n)],
                      at(expected.trajectories, b, before + t, n));
          }
        }
        const float* along =
            expected.similarities.data<float>() +
            (b * (whole.frames - 1) + std::max<int64_t>(before - 1, 0)) * whole.patches;
        EXPECT_TRUE(std::equal(along, along + pairs * whole.patches,
                               similarities.begin() + b * pairs * whole.patches));
      }
      before += frames;
    }
  }
}

TEST(Alignment, PartsGoOnOnlyWhereLikeOnesEnded) {
  const std::vector<float> features(2 * 9 * 4, 1.0F);
  std::vector<int32_t> trajectories(2 * 9);
  AlignmentWorkspace workspace;
  const auto part = [&](const ClipLayout& layout, int64_t before) {
    align_features(features.data(), layout, 4, {}, workspace, trajectories.data(), nullptr, nullptr,
                   {before, true});
  };
  EXPECT_THROW(part({1, 1, 9}, 1), Error);
  part({1, 1, 9}, 0);
  EXPECT_THROW(part({2, 1, 9}, 1), Error);
  EXPECT_THROW(part({1, 1, 4}, 1), Error);
  part({1, 1, 9}, 1);
}

TEST(Alignment, RejectsBadInput) {
  AlignmentWorkspace workspace;
  const Tensor features = Tensor::zeros({1, 2, 10, 4}, DType::kF32);
  const auto status = [&](const Tensor& tensor, const AlignmentOptions& options) {
    return status_of([&] { align(tensor, options, workspace); });
  };
  EXPECT_EQ(status(features, {}), ATA_OK);
  EXPECT_EQ(status(features, {.method = AlignmentMethod::kSoft}), ATA_UNSUPPORTED);
  EXPECT_EQ(status(features, {.method = static_cast<AlignmentMethod>(9)}), ATA_INVALID_ARGUMENT);
  EXPECT_EQ(status(features, {.window_radius = -1}), ATA_INVALID_ARGUMENT);
  EXPECT_EQ(status(features, {.temperature = 0}), ATA_INVALID_ARGUMENT);
  EXPECT_EQ(status(features, {.temperature = std::nanf("")}), ATA_INVALID_ARGUMENT);
  EXPECT_EQ(status(features, {.iterations = 0}), ATA_INVALID_ARGUMENT);
  EXPECT_EQ(status(features, {.grid_height = -1}), ATA_INVALID_ARGUMENT);
  // Ten patches are no square.
  EXPECT_EQ(status(features, {.method = AlignmentMethod::kWindow}), ATA_INVALID_ARGUMENT);
  Tensor nan = Tensor::zeros({1, 2, 10, 4}, DType::kF32);
  nan.data<float>()[50] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(status(nan, {}), ATA_INVALID_ARGUMENT);
  EXPECT_EQ(status(nan, {.method = AlignmentMethod::kNone}), ATA_INVALID_ARGUMENT);
}

}  // namespace
}  // namespace ata
