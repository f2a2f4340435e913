// Several views of a video, sampled together.
#include "video/views.h"

#include <gtest/gtest.h>

#include <cstring>
#include <numeric>

#include "base/error.h"
#include "clips.h"
#include "support/errors.h"
#include "video/sampling.h"
#include "video/video.h"

namespace ata::test {
namespace {

bool equal(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
}

/// A video of frames that are decoded one after another only: going back means starting again.
class Tape : public FrameDecoder {
 public:
  explicit Tape(int64_t frames) {
    info_.width = 48;
    info_.height = 32;
    info_.fps = 25;
    info_.frame_count = frames;
    info_.duration = static_cast<double>(frames) / 25;
  }
  const ata_video_info& info() const override { return info_; }
  FrameClock clock() const override { return {25, 0.1}; }
  void walk(const std::atomic<bool>*, const FrameVisitor&) override { FAIL(); }
  void read(std::span<const double> times, const std::atomic<bool>* cancelled,
            const FrameSink& sink) override {
    const auto frame_at = [&](size_t i) {
      return std::min(clock().tick_of(times[i]), info_.frame_count - 1);
    };
    for (size_t first = 0; first < times.size();) {
      if (cancelled && *cancelled) fail(ATA_CANCELLED, "cancelled");
      const int64_t frame = frame_at(first);
      decoded += frame >= position_ ? frame - position_ : frame + 1;
      position_ = frame;
      size_t end = first + 1;
      while (end < times.size() && frame_at(end) == frame) ++end;
      std::vector<uint8_t> rgb(48 * 32 * 3);
      for (size_t i = 0; i < rgb.size(); ++i) rgb[i] = static_cast<uint8_t>(i * 7 + frame * 11);
      sink({rgb.data(), static_cast<double>(frame) / 25, first, end - first});
      first = end;
    }
  }
  int64_t decoded = 0;

 private:
  ata_video_info info_ = {};
  int64_t position_ = -1;
};

/// `clips` x `crops` views.
std::vector<ata_clip_options> views_of(int clips, int crops, const ata_clip_options& of) {
  std::vector<ata_clip_options> views;
  for (int i = 0; i < clips * crops; ++i) {
    views.push_back(of);
    views.back().clip_count = clips;
    views.back().clip_index = i / crops;
    views.back().crop_count = crops;
    views.back().crop_index = i % crops;
  }
  return views;
}

ata_clip_options small() {
  ata_clip_options options = default_clip_options();
  options.size = 16;
  return options;
}

/// Samples all views and compares each with what it is alone. Returns how many frames it took.
int64_t sample_all(int64_t frames, const std::vector<ata_clip_options>& views, int64_t max_bytes) {
  Tape tape(frames), alone(frames);
  ViewSampler sampler(tape, "tape", views, max_bytes);
  for (const ata_clip_options& view : views) {
    const auto sampled = sampler.next(nullptr);
    EXPECT_TRUE(sampled.has_value());
    const SampledClip expected = *ViewSampler(alone, "tape", {view}).next(nullptr);
    EXPECT_TRUE(equal(sampled->clip, expected.clip));
    EXPECT_EQ(sampled->times, expected.times);
  }
  EXPECT_FALSE(sampler.next(nullptr).has_value());
  EXPECT_FALSE(sampler.next(nullptr).has_value());
  return tape.decoded;
}

TEST(Views, DecodeTheVideoOnce) {
  EXPECT_LE(sample_all(300, views_of(1, 3, small()), kMaxViewBytes), 300);
  EXPECT_LE(sample_all(300, views_of(10, 3, small()), kMaxViewBytes), 300);
  // Overlapping clips.
  EXPECT_LE(sample_all(300, views_of(100, 3, small()), kMaxViewBytes), 300);
  ata_clip_options segments = small();
  segments.sampling = ATA_SAMPLING_SEGMENTS;
  EXPECT_LE(sample_all(300, views_of(10, 3, segments), kMaxViewBytes), 300);
}

TEST(Views, MayComeInAnyOrderAndOfAnySort) {
  std::vector<ata_clip_options> views = views_of(5, 3, small());
  std::reverse(views.begin(), views.end());
  for (size_t i = 0; i < views.size(); i += 2) {
    views[i].frames = static_cast<int32_t>(3 + i);
    views[i].size = static_cast<int32_t>(8 + i);
    views[i].stride = 0.4;  // frames repeat
  }
  views.push_back(small());
  views.back().frames = 500;
  views.back().short_policy = ATA_SHORT_LOOP;
  EXPECT_LE(sample_all(200, views, kMaxViewBytes), 200);
}

TEST(Views, TakeBoundedMemory) {
  ata_clip_options segments = small();
  segments.sampling = ATA_SAMPLING_SEGMENTS;
  const int64_t clip = int64_t{8} * 3 * 16 * 16 * 4;
  // As each of 30 clips lasts as long as the video, it goes by as often as memory demands.
  const int64_t decoded = sample_all(300, views_of(10, 3, segments), 15 * clip);
  EXPECT_GT(decoded, 300);
  EXPECT_LE(decoded, 900);
  EXPECT_LE(sample_all(300, views_of(10, 1, segments), 1), 3000);
  // Clips that follow one another take no more memory however many they are.
  EXPECT_LE(sample_all(3000, views_of(50, 3, small()), 6 * clip), 3000);
}

TEST(Views, GoOnAfterACancellation) {
  Tape tape(300);
  ViewSampler sampler(tape, "tape", views_of(3, 1, small()));
  const Tensor first = sampler.next(nullptr)->clip;
  const std::atomic<bool> cancelled{true};
  EXPECT_THROW(sampler.next(&cancelled), Error);
  const Tensor second = sampler.next(nullptr)->clip;
  EXPECT_FALSE(equal(first, second));
  EXPECT_TRUE(sampler.next(nullptr).has_value());
  EXPECT_FALSE(sampler.next(nullptr).has_value());
}

TEST(Views, NameAVideoThatIsTooShort) {
  Tape tape(20);
  expect_error(ATA_BAD_VIDEO, "--short", [&] { ViewSampler(tape, "tape", {small()}); });
}

}  // namespace
}  // namespace ata::test
