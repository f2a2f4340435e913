#include "video/sampling.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "base/error.h"
#include "support/errors.h"

namespace ata {
namespace {

ata_video_info video_of(int64_t frames, double fps) {
  ata_video_info info = {};
  info.width = 320;
  info.height = 240;
  info.fps = fps;
  info.frame_count = frames;
  info.duration = static_cast<double>(frames) / fps;
  return info;
}

/// The frames of a video of constant rate that the times fall into.
std::vector<int64_t> frames_at(const std::vector<double>& times, double fps) {
  std::vector<int64_t> frames;
  for (const double time : times) {
    frames.push_back(static_cast<int64_t>(std::floor(time * fps + 0.01)));
  }
  return frames;
}

using Frames = std::vector<int64_t>;

TEST(DenseSampling, IsInTheMiddleByDefault) {
  ata_clip_options options = default_clip_options();
  // 8 frames, 4 apart, span 29 frames; 71 are left, 35 of them before the clip.
  const auto times = clip_times(options, video_of(100, 25), "v");
  EXPECT_EQ(frames_at(times, 25), (Frames{35, 39, 43, 47, 51, 55, 59, 63}));
}

TEST(DenseSampling, SpreadsClipsFromTheFirstFrameToTheLast) {
  ata_clip_options options = default_clip_options();
  options.clip_count = 3;
  Frames firsts;
  for (options.clip_index = 0; options.clip_index < 3; ++options.clip_index) {
    const auto times = clip_times(options, video_of(100, 30000.0 / 1001), "v");
    const Frames frames = frames_at(times, 30000.0 / 1001);
    firsts.push_back(frames.front());
    EXPECT_EQ(frames.back() - frames.front(), 28);
  }
  EXPECT_EQ(firsts, (Frames{0, 35, 71}));
}

TEST(DenseSampling, StartsAtAnOffsetAndCountsInAnotherRate) {
  ata_clip_options options = default_clip_options();
  options.frames = 3;
  options.offset = 1.0;
  options.stride = 2;
  options.fps = 10;
  const auto times = clip_times(options, video_of(100, 25), "v");
  ASSERT_EQ(times.size(), 3u);
  EXPECT_DOUBLE_EQ(times[0], 1.0);
  EXPECT_DOUBLE_EQ(times[1], 1.2);
  EXPECT_DOUBLE_EQ(times[2], 1.4);
}

TEST(DenseSampling, FitsAVideoOfExactlyItsLength) {
  const ata_clip_options options = default_clip_options();
  const auto times = clip_times(options, video_of(29, 25), "v");
  EXPECT_EQ(frames_at(times, 25), (Frames{0, 4, 8, 12, 16, 20, 24, 28}));
}

TEST(DenseSampling, SaysHowShortAVideoIs) {
  const ata_clip_options options = default_clip_options();
  expect_mentions(
      error_of(ATA_BAD_VIDEO, [&] { clip_times(options, video_of(28, 25), "walk.avi"); }),
      {"walk.avi", "need 1.16 s", "lasts 1.12 s", "28 frames", "stride", "short policy",
       "--short"});
}

TEST(DenseSampling, RepeatsTheLastFrameOrLoops) {
  ata_clip_options options = default_clip_options();
  options.short_policy = ATA_SHORT_REPEAT_LAST;
  EXPECT_EQ(frames_at(clip_times(options, video_of(10, 25), "v"), 25),
            (Frames{0, 4, 8, 9, 9, 9, 9, 9}));
  options.short_policy = ATA_SHORT_LOOP;
  EXPECT_EQ(frames_at(clip_times(options, video_of(10, 25), "v"), 25),
            (Frames{0, 4, 8, 2, 6, 0, 4, 8}));
  // A rate whose frames do not start at round numbers.
  EXPECT_EQ(frames_at(clip_times(options, video_of(4, 30000.0 / 1001), "v"), 30000.0 / 1001),
            (Frames{0, 0, 0, 0, 0, 0, 0, 0}));
  options.offset = 0.2;
  EXPECT_EQ(frames_at(clip_times(options, video_of(10, 25), "v"), 25),
            (Frames{5, 9, 3, 7, 1, 5, 9, 3}));
}

TEST(SegmentSampling, TakesTheMiddleOfEachPart) {
  ata_clip_options options = default_clip_options();
  options.sampling = ATA_SAMPLING_SEGMENTS;
  options.frames = 4;
  EXPECT_EQ(frames_at(clip_times(options, video_of(80, 25), "v"), 25), (Frames{10, 30, 50, 70}));
  options.clip_count = 2;
  EXPECT_EQ(frames_at(clip_times(options, video_of(80, 25), "v"), 25), (Frames{5, 25, 45, 65}));
  options.clip_index = 1;
  EXPECT_EQ(frames_at(clip_times(options, video_of(80, 25), "v"), 25), (Frames{15, 35, 55, 75}));
}

TEST(SegmentSampling, TakesEachFrameOfAVideoWithFewer) {
  ata_clip_options options = default_clip_options();
  options.sampling = ATA_SAMPLING_SEGMENTS;
  EXPECT_EQ(frames_at(clip_times(options, video_of(8, 25), "v"), 25),
            (Frames{0, 1, 2, 3, 4, 5, 6, 7}));
  EXPECT_THROW(clip_times(options, video_of(5, 25), "v"), Error);
  options.short_policy = ATA_SHORT_REPEAT_LAST;
  EXPECT_EQ(frames_at(clip_times(options, video_of(5, 25), "v"), 25),
            (Frames{0, 1, 2, 3, 4, 4, 4, 4}));
  options.short_policy = ATA_SHORT_LOOP;
  EXPECT_EQ(frames_at(clip_times(options, video_of(5, 25), "v"), 25),
            (Frames{0, 1, 2, 3, 4, 0, 1, 2}));
}

struct BadOption {
  const char* name;
  std::function<void(ata_clip_options&)> spoil;
};

TEST(Interval, IsSampledAsAVideoOfItsOwn) {
  ata_clip_options options = default_clip_options();
  options.frames = 4;
  options.stride = 3;
  options.clip_count = 3;
  options.short_policy = ATA_SHORT_LOOP;
  for (const ata_sampling_kind kind : {ATA_SAMPLING_DENSE, ATA_SAMPLING_SEGMENTS}) {
    options.sampling = kind;
    for (const int64_t length : {40, 7, 3}) {
      for (options.clip_index = 0; options.clip_index < 3; ++options.clip_index) {
        ata_clip_options part = options;
        part.interval_start = 2.0;
        part.interval_end = 2.0 + static_cast<double>(length) / 25;
        const auto within = clip_times(part, video_of(200, 25), "v");
        const auto alone = clip_times(options, video_of(length, 25), "v");
        ASSERT_EQ(within.size(), alone.size());
        for (size_t i = 0; i < alone.size(); ++i) EXPECT_NEAR(within[i], alone[i] + 2.0, 1e-9);
      }
    }
  }
}

TEST(Interval, EndsWithTheVideoAndMustBeginInIt) {
  ata_clip_options options = default_clip_options();
  options.frames = 2;
  options.stride = 24;
  options.interval_start = 3.0;
  EXPECT_EQ(frames_at(clip_times(options, video_of(100, 25), "v"), 25), (Frames{75, 99}));
  options.interval_end = 1000;
  EXPECT_EQ(frames_at(clip_times(options, video_of(100, 25), "v"), 25), (Frames{75, 99}));
  options.interval_start = 4.0;
  expect_error(ATA_BAD_VIDEO, "begins at 4 s",
               [&] { clip_times(options, video_of(100, 25), "v"); });
}

TEST(ClipOptions, NamesTheFieldThatIsWrong) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  const BadOption cases[] = {
      {"sampling", [](auto& o) { o.sampling = static_cast<ata_sampling_kind>(7); }},
      {"frames", [](auto& o) { o.frames = 0; }},
      {"frames", [](auto& o) { o.frames = INT32_MAX; }},
      {"stride", [](auto& o) { o.stride = 0; }},
      {"stride", [=](auto& o) { o.stride = nan; }},
      {"stride", [](auto& o) { o.stride = 1e300; }},
      {"fps", [](auto& o) { o.fps = 1e300; }},
      {"fps", [=](auto& o) { o.fps = nan; }},
      {"offset", [](auto& o) { o.offset = 1e300; }},
      {"size", [](auto& o) { o.size = ATA_MAX_IMAGE_SIZE + 1; }},
      {"frames", [](auto& o) { o.frames = ATA_MAX_FRAMES + 1; }},
      {"fps", [](auto& o) { o.fps = -1; }},
      {"offset", [=](auto& o) { o.offset = nan; }},
      {"clip_count", [](auto& o) { o.clip_count = 0; }},
      {"clip_index", [](auto& o) { o.clip_index = 1; }},
      {"short_policy", [](auto& o) { o.short_policy = static_cast<ata_short_policy>(-1); }},
      {"resize", [](auto& o) { o.resize = 223; }},
      {"size", [](auto& o) { o.size = 0; }},
      {"crop_count", [](auto& o) { o.crop_count = 2; }},
      {"crop_index", [](auto& o) { o.crop_index = 1; }},
      {"flip", [](auto& o) { o.flip = 2; }},
      {"interpolation", [](auto& o) { o.interpolation = static_cast<ata_interpolation>(2); }},
      {"mean[1]", [=](auto& o) { o.mean[1] = infinity; }},
      {"std[2]", [](auto& o) { o.std[2] = 0; }},
      {"interval_start", [](auto& o) { o.interval_start = -1; }},
      {"interval_start", [=](auto& o) { o.interval_start = nan; }},
      {"interval_end", [](auto& o) { o.interval_start = o.interval_end = 2; }},
      {"interval_end", [=](auto& o) { o.interval_end = nan; }},
      {"crop_rectangle", [](auto& o) { o.crop_rectangle[2] = 0.5f; }},
      {"crop_rectangle",
       [](auto& o) {
         o.crop_rectangle[0] = 0.75f;
         o.crop_rectangle[2] = o.crop_rectangle[3] = 0.5f;
       }},
      {"crop_rectangle",
       [=](auto& o) {
         o.crop_rectangle[0] = static_cast<float>(nan);
         o.crop_rectangle[2] = o.crop_rectangle[3] = 0.5f;
       }},
  };
  for (const BadOption& bad : cases) {
    ata_clip_options options = default_clip_options();
    bad.spoil(options);
    expect_error(ATA_INVALID_ARGUMENT, bad.name, [&] { check_clip_options(options); });
  }
  EXPECT_NO_THROW(check_clip_options(default_clip_options()));
}

}  // namespace
}  // namespace ata
