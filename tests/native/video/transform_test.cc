#include "video/transform.h"

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "video/sampling.h"

namespace ata {
namespace {

std::vector<uint8_t> random_frame(int64_t height, int64_t width, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<uint8_t> frame(static_cast<size_t>(height * width * 3));
  for (uint8_t& value : frame) value = static_cast<uint8_t>(random());
  return frame;
}

std::vector<float> transformed(const ata_clip_options& options, const std::vector<uint8_t>& frame,
                               int64_t height, int64_t width) {
  const int64_t plane = int64_t{options.size} * options.size;
  std::vector<float> out(static_cast<size_t>(3 * plane));
  FrameTransform(options, height, width).apply(frame.data(), out.data(), plane);
  return out;
}

// --- An independent statement of the whole transform, pixel by pixel in double precision. -------

double kernel(double x, bool linear) {
  x = std::fabs(x);
  if (linear) return x < 1 ? 1 - x : 0;
  if (x < 1) return 1.5 * x * x * x - 2.5 * x * x + 1;
  if (x < 2) return -0.5 * x * x * x + 2.5 * x * x - 4 * x + 2;
  return 0;
}

/// Weights of all `length` inputs for output `i` of `scaled`.
std::vector<double> naive_weights(int64_t length, int64_t scaled, int64_t i, bool linear) {
  const double ratio = static_cast<double>(length) / static_cast<double>(scaled);
  const double stretch = ratio > 1 ? ratio : 1;
  const double centre = (static_cast<double>(i) + 0.5) * ratio;
  std::vector<double> weights;
  double sum = 0;
  for (int64_t j = 0; j < length; ++j) {
    weights.push_back(kernel((static_cast<double>(j) + 0.5 - centre) / stretch, linear));
    sum += weights.back();
  }
  for (double& weight : weights) weight /= sum;
  return weights;
}

struct NaiveAxis {
  int64_t begin, length, scaled, offset;
};

double naive_value(const ata_clip_options& options, const std::vector<uint8_t>& frame,
                   int64_t width, NaiveAxis tall, NaiveAxis wide, int64_t y, int64_t x, int c) {
  const bool linear = options.interpolation == ATA_BILINEAR;
  if (options.flip) x = options.size - 1 - x;
  const auto rows = naive_weights(tall.length, tall.scaled, tall.offset + y, linear);
  const auto columns = naive_weights(wide.length, wide.scaled, wide.offset + x, linear);
  double sum = 0;
  for (int64_t j = 0; j < tall.length; ++j) {
    if (rows[static_cast<size_t>(j)] == 0) continue;
    for (int64_t i = 0; i < wide.length; ++i) {
      sum += rows[static_cast<size_t>(j)] * columns[static_cast<size_t>(i)] *
             frame[static_cast<size_t>(((tall.begin + j) * width + wide.begin + i) * 3 + c)];
    }
  }
  sum = std::clamp(sum, 0.0, 255.0);
  return (sum / 255 - options.mean[c]) / options.std[c];
}

struct Case {
  int64_t height, width;
  int32_t resize, size;
  ata_interpolation interpolation;
  int32_t crop_index, crop_count, flip;
};

class TransformOracle : public testing::TestWithParam<Case> {};

TEST_P(TransformOracle, EqualsTheDefinition) {
  const Case& test = GetParam();
  ata_clip_options options = default_clip_options();
  options.resize = test.resize;
  options.size = test.size;
  options.interpolation = test.interpolation;
  options.crop_index = test.crop_index;
  options.crop_count = test.crop_count;
  options.flip = test.flip;
  options.mean[0] = 0.485f;
  options.std[2] = 0.3f;
  const auto frame = random_frame(test.height, test.width, 5);

  const bool portrait = test.height > test.width;
  const int64_t shorter = std::min(test.height, test.width);
  const int64_t longer = std::max(test.height, test.width);
  const int64_t scaled = test.resize * longer / shorter;
  const auto position = [&](int64_t total, bool along) {
    const double slack = static_cast<double>(total - test.size);
    const double part = along && test.crop_count == 3 ? test.crop_index / 2.0 : 0.5;
    return static_cast<int64_t>(std::ceil(slack * part));
  };
  NaiveAxis tall = {0, test.height, portrait ? scaled : test.resize, 0};
  NaiveAxis wide = {0, test.width, portrait ? test.resize : scaled, 0};
  tall.offset = position(tall.scaled, portrait);
  wide.offset = position(wide.scaled, !portrait);
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    hwy::SetSupportedTargetsForTest(target);
    const auto out = transformed(options, frame, test.height, test.width);
    hwy::SetSupportedTargetsForTest(0);
    double worst = 0;
    for (int64_t y = 0; y < test.size; y += 3) {
      for (int64_t x = 0; x < test.size; ++x) {
        for (int c = 0; c < 3; ++c) {
          const double expected = naive_value(options, frame, test.width, tall, wide, y, x, c);
          const double actual =
              out[static_cast<size_t>((int64_t{c} * test.size + y) * test.size + x)];
          worst = std::max(worst, std::fabs(actual - expected));
        }
      }
    }
    EXPECT_LT(worst, 2e-5) << hwy::TargetName(target);
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, TransformOracle,
                         testing::Values(Case{48, 64, 24, 24, ATA_BILINEAR, 0, 1, 0},
                                         Case{48, 64, 24, 24, ATA_BICUBIC, 0, 1, 0},
                                         Case{64, 48, 24, 24, ATA_BICUBIC, 0, 3, 1},
                                         Case{48, 65, 30, 21, ATA_BILINEAR, 2, 3, 0},
                                         Case{65, 48, 30, 21, ATA_BILINEAR, 1, 3, 0},
                                         Case{20, 33, 37, 32, ATA_BILINEAR, 0, 1, 1},  // enlarged
                                         Case{20, 33, 37, 32, ATA_BICUBIC, 1, 3, 0},   // enlarged
                                         Case{32, 32, 32, 32, ATA_BICUBIC, 0, 1, 0},   // as it is
                                         Case{131, 7, 16, 16, ATA_BICUBIC, 2, 3, 0},   // thin
                                         Case{1, 1, 8, 8, ATA_BILINEAR, 0, 1, 0},      // one pixel
                                         Case{97, 131, 5, 5, ATA_BILINEAR, 0, 1,
                                              0}));  // far smaller

TEST(Transform, CropRectangleIsCropThenResize) {
  ata_clip_options options = default_clip_options();
  options.size = 20;
  options.resize = 0;
  options.flip = 1;
  const int64_t height = 40, width = 50;
  const float rectangle[4] = {0.2f, 0.25f, 0.5f, 0.6f};  // columns 10..34, rows 10..33
  std::copy(rectangle, rectangle + 4, options.crop_rectangle);
  const auto frame = random_frame(height, width, 3);
  const auto out = transformed(options, frame, height, width);
  const NaiveAxis tall = {10, 24, 20, 0}, wide = {10, 25, 20, 0};
  for (int64_t y = 0; y < 20; ++y) {
    for (int64_t x = 0; x < 20; ++x) {
      for (int c = 0; c < 3; ++c) {
        EXPECT_NEAR(out[static_cast<size_t>((int64_t{c} * 20 + y) * 20 + x)],
                    naive_value(options, frame, width, tall, wide, y, x, c), 2e-5);
      }
    }
  }
}

TEST(Transform, AConstantImageStaysConstant) {
  for (const ata_interpolation interpolation : {ATA_BILINEAR, ATA_BICUBIC}) {
    ata_clip_options options = default_clip_options();
    options.interpolation = interpolation;
    const std::vector<uint8_t> frame(size_t{240} * 321 * 3, 200);
    const float expected = (200.0f / 255 - 0.45f) / 0.225f;
    for (const float value : transformed(options, frame, 240, 321)) {
      ASSERT_NEAR(value, expected, 1e-5f);
    }
  }
}

TEST(Transform, CubicOvershootIsClamped) {
  ata_clip_options options = default_clip_options();
  options.interpolation = ATA_BICUBIC;
  options.size = 64;
  std::fill(std::begin(options.mean), std::end(options.mean), 0.0f);
  std::fill(std::begin(options.std), std::end(options.std), 1.0f);
  std::vector<uint8_t> frame(size_t{16} * 16 * 3);
  for (size_t i = 0; i < frame.size(); ++i) frame[i] = i % 96 < 48 ? 255 : 0;
  const auto out = transformed(options, frame, 16, 16);
  const auto [low, high] = std::minmax_element(out.begin(), out.end());
  EXPECT_EQ(*low, 0.0f);
  EXPECT_EQ(*high, 1.0f);
}

TEST(Transform, FlipMirrors) {
  ata_clip_options options = default_clip_options();
  options.size = options.resize = 33;
  const auto frame = random_frame(50, 70, 9);
  const auto plain = transformed(options, frame, 50, 70);
  options.flip = 1;
  const auto flipped = transformed(options, frame, 50, 70);
  for (size_t row = 0; row < 3 * 33; ++row) {
    for (size_t x = 0; x < 33; ++x) ASSERT_EQ(flipped[row * 33 + x], plain[row * 33 + 32 - x]);
  }
}

TEST(Transform, ThreeCropsShareTheirOverlap) {
  ata_clip_options options = default_clip_options();
  options.size = options.resize = 40;
  options.crop_count = 3;
  // 40 x 80 after resizing: crops begin at columns 0, 20 and 40.
  const auto frame = random_frame(60, 120, 4);
  std::vector<std::vector<float>> crops;
  for (options.crop_index = 0; options.crop_index < 3; ++options.crop_index) {
    crops.push_back(transformed(options, frame, 60, 120));
  }
  for (size_t row = 0; row < 3 * 40; ++row) {
    for (size_t x = 0; x < 20; ++x) {
      ASSERT_NEAR(crops[0][row * 40 + 20 + x], crops[1][row * 40 + x], 1e-5f);
      ASSERT_NEAR(crops[1][row * 40 + 20 + x], crops[2][row * 40 + x], 1e-5f);
    }
  }
}

}  // namespace
}  // namespace ata
