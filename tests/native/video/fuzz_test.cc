// Damaged files: whatever is in them, reading ends with frames or with an Error.
#include <gtest/gtest.h>

#include <random>

#include "base/error.h"
#include "clips.h"
#include "support/mentions.h"
#include "video/sampling.h"
#include "video/video.h"

namespace ata::test {
namespace {

/// Opens, describes, samples; returns whether it came to a clip.
bool survives(const std::string& path) {
  try {
    const auto reader = VideoReader::open(path, default_video_options());
    EXPECT_GT(reader->info().fps, 0);
    EXPECT_GT(reader->info().duration, 0);
    EXPECT_GE(reader->info().frame_count, 1);
    ata_clip_options options = default_clip_options();
    options.size = 32;
    options.sampling = ATA_SAMPLING_SEGMENTS;
    options.short_policy = ATA_SHORT_LOOP;
    const Tensor clip = reader->sample(options, nullptr, nullptr);
    for (const float value : clip.values<float>()) EXPECT_TRUE(value >= -2.1f && value <= 2.5f);
    return true;
  } catch (const Error& error) {
    const ata_status status = error.status();
    EXPECT_TRUE(status == ATA_BAD_VIDEO || status == ATA_UNSUPPORTED) << error.what();
    EXPECT_MENTIONS(error.what(), path);
    return false;
  }
}

class Damage : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!have_ffmpeg()) GTEST_SKIP() << "needs the ffmpeg program";
    const std::string name = std::string("clip") + GetParam();
    path_ = scratch_.path(name);
    ffmpeg(moving_picture(96, 64, 25, 1) + " -g 8 -pix_fmt yuv420p '" + path_ + "'");
    bytes_ = read_file(path_);
    ASSERT_FALSE(bytes_.empty());
    ASSERT_TRUE(survives(path_)) << "the intact clip must be read";
  }

  Scratch scratch_;
  std::string path_;
  std::string bytes_;
};

TEST_P(Damage, OfTruncation) {
  std::mt19937 random(11);
  for (int i = 0; i < 25; ++i) {
    write_file(path_, bytes_.substr(0, random() % bytes_.size()));
    survives(path_);
  }
}

TEST_P(Damage, OfFlippedBits) {
  std::mt19937 random(12);
  for (int i = 0; i < 40; ++i) {
    std::string damaged = bytes_;
    // Headers are where lies are told: aim half of the flips at the first kilobyte.
    const size_t reach = i % 2 ? damaged.size() : std::min<size_t>(damaged.size(), 1024);
    const size_t flips = 1 + random() % 12;
    for (size_t k = 0; k < flips; ++k) {
      char& byte = damaged[random() % reach];
      byte = static_cast<char>(byte ^ (1 << (random() % 8)));
    }
    write_file(path_, damaged);
    survives(path_);
  }
}

INSTANTIATE_TEST_SUITE_P(Containers, Damage,
                         testing::Values(".mp4", ".mkv", ".avi", ".webm", ".mov", ".ts"),
                         [](const auto& extension) { return std::string(extension.param + 1); });

}  // namespace
}  // namespace ata::test
