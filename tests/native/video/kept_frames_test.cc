// Frames kept in memory against the same video read without keeping.
#include "video/kept_frames.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <random>

#include "base/error.h"
#include "clips.h"
#include "video/video.h"

namespace ata::test {
namespace {

std::unique_ptr<VideoReader> open(const std::string& path, int64_t keep_bytes) {
  ata_video_options options = default_video_options();
  options.threads = 1;
  options.keep_bytes = keep_bytes;
  return VideoReader::open(path, options);
}

constexpr int64_t kPlenty = int64_t{1} << 30;

/// What reading gave: the frames' bytes and start times, or the error.
struct Outcome {
  std::string bytes;
  std::vector<double> starts;
  std::string error;
  bool operator==(const Outcome&) const = default;
};

Outcome read(VideoReader& reader, std::span<const double> times) {
  Outcome outcome;
  try {
    const Tensor frames = reader.read(times, nullptr, &outcome.starts);
    outcome.bytes.assign(reinterpret_cast<const char*>(frames.raw()), frames.bytes());
  } catch (const Error& error) {
    outcome.error = error.what();
  }
  return outcome;
}

/// Reads both, at times on, around and between the starts of frames. Returns how many reads failed.
int compare(const std::string& path, VideoReader& kept) {
  const auto plain = open(path, 0);
  std::mt19937 random(5);
  const double frame = 1 / plain->info().fps;
  std::uniform_real_distribution<double> anywhere(-frame, plain->info().duration + 2 * frame);
  int failures = 0;
  for (int round = 0; round < 40; ++round) {
    std::vector<double> times(1 + random() % 6);
    for (double& time : times) {
      time = anywhere(random);
      // Near starts of frames, where tolerance decides.
      if (round % 2 == 0) time = std::round(time / frame) * frame + 0.0004 * (round % 3 - 1);
    }
    std::sort(times.begin(), times.end());
    const Outcome expected = read(*plain, times);
    EXPECT_EQ(read(kept, times), expected) << path << ", round " << round;
    failures += !expected.error.empty();
  }
  return failures;
}

class Kept : public testing::Test {
 protected:
  void SetUp() override {
    if (!have_ffmpeg()) GTEST_SKIP() << "needs the ffmpeg program";
  }
  /// 50 frames of 96 x 64 pixels at 25 fps, unless `options` choose among them.
  std::string clip(const std::string& name, const std::string& options = "-c:v libx264 -bf 3") {
    const std::string path = scratch_.path(name);
    ffmpeg(moving_picture(96, 64, 25, 2) + " " + options + " -pix_fmt yuv420p -g 12 '" + path +
           "'");
    return path;
  }
  static constexpr int64_t kFrame = 96 * 64 * 3;
  Scratch scratch_;
};

TEST_F(Kept, GivesTheSameFramesAtTheSameTimes) {
  const std::string uneven = "-vf \"select='lt(mod(n,10),3)+eq(mod(n,10),6)'\" -vsync vfr ";
  for (const std::string& path :
       {clip("even.mp4"), clip("late.mkv", "-c:v libx264 -output_ts_offset 7.5"),
        clip("uneven.mp4", uneven + "-c:v libx264 -bf 2"), clip("uneven.mkv", uneven),
        clip("old.avi", "-c:v mpeg4")}) {
    const auto kept = open(path, kPlenty);
    EXPECT_EQ(kept->kept_bytes(), 0);
    EXPECT_EQ(compare(path, *kept), 0);
    EXPECT_GE(kept->kept_bytes(), 15 * kFrame) << path;
  }
}

TEST_F(Kept, NeedsNoFileOnceAllIsKept) {
  const std::string path = clip("gone.mp4");
  const auto kept = open(path, 50 * kFrame);
  const double times[] = {0, 1.5};
  const Outcome before = read(*kept, times);
  EXPECT_EQ(kept->kept_bytes(), 50 * kFrame);
  write_file(path, "");
  EXPECT_EQ(read(*kept, times), before);
  EXPECT_EQ(before.error, "");
}

TEST_F(Kept, KeepsNothingOfAVideoThatIsTooLarge) {
  const std::string path = clip("large.mp4");
  const auto kept = open(path, 50 * kFrame - 1);
  EXPECT_EQ(compare(path, *kept), 0);
  EXPECT_EQ(kept->kept_bytes(), 0);
}

TEST_F(Kept, FailsOnlyWhereADamagedVideoFails) {
  const std::string path = clip("damaged.mp4", "-c:v libx264 -bf 0 -sc_threshold 0");
  const std::string row =
      ffprobe("-select_streams v -read_intervals 1.6 -show_entries packet=pos -of csv=p=0:nk=1 '" +
              path + "'");
  std::string bytes = read_file(path);
  // The lengths of the NAL units of the packets from there on.
  for (const char* at = row.c_str(); *at;) {
    char* end = nullptr;
    const size_t position = std::strtoull(at, &end, 10);
    ASSERT_LT(position + 4, bytes.size());
    for (size_t i = 0; i < 4; ++i) bytes[position + i] = '\x7f';
    at = std::strchr(end, '\n');
    if (!at) break;
    ++at;
  }
  write_file(path, bytes);
  const auto kept = open(path, kPlenty);
  const int failures = compare(path, *kept);
  EXPECT_GT(failures, 0);
  EXPECT_LT(failures, 40);
  EXPECT_EQ(kept->kept_bytes(), 0);
}

TEST_F(Kept, ReadsAFolder) {
  const std::string folder = scratch_.path("frames");
  std::filesystem::create_directory(folder);
  ffmpeg(moving_picture(96, 64, 25, 0.4) + " '" + folder + "/img_%05d.png'");
  const auto kept = open(folder, kPlenty);
  EXPECT_EQ(compare(folder, *kept), 0);
  EXPECT_EQ(kept->kept_bytes(), 10 * kFrame);
}

/// Ten black frames, a tick each. Cancels itself in the middle of its first walk.
class Cancelling : public FrameDecoder {
 public:
  explicit Cancelling(std::atomic<bool>* cancelled) : cancelled_(cancelled) {
    info_.width = info_.height = 1;
  }
  const ata_video_info& info() const override { return info_; }
  FrameClock clock() const override { return {}; }
  void read(std::span<const double>, const std::atomic<bool>*, const FrameSink&) override {
    FAIL() << "all frames are kept";
  }
  void walk(const std::atomic<bool>* cancelled, const FrameVisitor& visit) override {
    const uint8_t black[3] = {};
    for (int64_t i = 0; i < 10; ++i) {
      if (i == 5 && walks++ == 0) *cancelled_ = true;
      if (*cancelled) fail(ATA_CANCELLED, "cancelled");
      if (!visit(black, i, static_cast<double>(i))) return;
    }
  }
  int walks = 0;

 private:
  ata_video_info info_ = {};
  std::atomic<bool>* cancelled_;
};

TEST(KeptFrames, CanBeUsedAfterAWalkWasCancelled) {
  std::atomic<bool> cancelled{false};
  KeptFrames kept("video", std::make_unique<Cancelling>(&cancelled), 30);
  const double times[] = {7.5, 7.6, 100};
  std::vector<double> starts;
  const auto sink = [&](const DecodedFrame& frame) { starts.push_back(frame.time); };
  EXPECT_THROW(kept.read(times, &cancelled, sink), Error);
  EXPECT_EQ(kept.bytes(), 0);
  EXPECT_TRUE(starts.empty());
  cancelled = false;
  kept.read(times, &cancelled, sink);
  EXPECT_EQ(starts, (std::vector<double>{7, 9}));
  EXPECT_EQ(kept.bytes(), 30);
}

TEST_F(Kept, RefusesANegativeLimit) {
  const std::string path = clip("clip.mp4");
  EXPECT_THROW(open(path, -1), Error);
}

}  // namespace
}  // namespace ata::test
