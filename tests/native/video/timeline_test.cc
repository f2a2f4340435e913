// The frame at a time does not depend on how it is reached, whatever the container's timestamps
// are. Frames have their number in their pixels, so that it is known which frame is shown.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "clips.h"
#include "video/video.h"

namespace ata::test {
namespace {

constexpr int kWidth = 64;
constexpr int kHeight = 32;
constexpr int kBits = 8;
constexpr int kColumn = kWidth / kBits;
constexpr size_t kFrameBytes = size_t{kWidth} * kHeight * 3;

/// Frames from number `first` on, at 25 frames a second, as an input for ffmpeg(): bit b of the
/// number is the brightness of column b.
std::string numbered_frames(int first, int count) {
  return "-f lavfi -i \"color=black:size=64x32:rate=25:duration=" + std::to_string(count / 25.0) +
         ",geq=lum='if(mod(floor((N+" + std::to_string(first) +
         ")/pow(2,floor(X/8))),2),215,40)':cb=128:cr=128,format=yuv420p\" ";
}

int number_of(const uint8_t* rgb) {
  int number = 0;
  for (int bit = 0; bit < kBits; ++bit) {
    int sum = 0;
    for (int y = 8; y < kHeight - 8; ++y) {
      for (int x = bit * kColumn + 2; x < (bit + 1) * kColumn - 2; ++x) {
        sum += rgb[(y * kWidth + x) * 3];
      }
    }
    if (sum > 128 * (kHeight - 16) * (kColumn - 4)) number |= 1 << bit;
  }
  return number;
}

struct Shown {
  int number;
  double start;
  std::string pixels;
  bool operator==(const Shown&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Shown& frame) {
  return out << "frame " << frame.number << " at " << frame.start;
}

std::unique_ptr<VideoReader> open(const std::string& clip, int threads, int64_t keep_bytes = 0) {
  ata_video_options options = default_video_options();
  options.threads = threads;
  options.keep_bytes = keep_bytes;
  return VideoReader::open(clip, options);
}

std::vector<Shown> read(VideoReader& reader, const std::vector<double>& times) {
  std::vector<double> starts;
  const Tensor frames = reader.read(times, nullptr, &starts);
  std::vector<Shown> result;
  for (size_t i = 0; i < times.size(); ++i) {
    const uint8_t* pixels = frames.data<uint8_t>() + i * kFrameBytes;
    result.push_back({number_of(pixels), starts[i],
                      std::string(reinterpret_cast<const char*>(pixels), kFrameBytes)});
  }
  return result;
}

std::vector<int> numbers_of(const std::vector<Shown>& frames) {
  std::vector<int> numbers;
  for (const Shown& frame : frames) numbers.push_back(frame.number);
  return numbers;
}

/// The numbers of the frames that `ffmpeg` shows, in order.
std::vector<int> numbers_by_ffmpeg(const std::string& clip) {
  std::vector<int> numbers;
  const std::string pixels = ffmpeg(
      "-i '" + clip + "' -vsync passthrough -map 0:V:0 -pix_fmt rgb24 -f rawvideo - 2>/dev/null");
  for (size_t at = 0; at + kFrameBytes <= pixels.size(); at += kFrameBytes) {
    numbers.push_back(number_of(reinterpret_cast<const uint8_t*>(pixels.data()) + at));
  }
  return numbers;
}

/// Every frame of a clip, read in order; checked to be what `ffmpeg` shows.
std::vector<Shown> all_frames(const std::string& clip) {
  const auto reader = open(clip, 1);
  constexpr double kFinest = 0.04 / 16;
  std::vector<double> times(
      static_cast<size_t>(std::lround((reader->info().duration + 0.1) / kFinest)));
  for (size_t i = 0; i < times.size(); ++i) times[i] = static_cast<double>(i) * kFinest;
  std::vector<Shown> frames = read(*reader, times);
  frames.erase(std::unique(frames.begin(), frames.end()), frames.end());
  for (size_t i = 1; i < frames.size(); ++i) {
    EXPECT_LT(frames[i - 1].start, frames[i].start) << clip << ", frame " << i;
  }
  EXPECT_EQ(frames.empty() ? -1 : frames[0].start, 0) << clip;
  EXPECT_EQ(numbers_of(frames), numbers_by_ffmpeg(clip)) << clip;
  EXPECT_EQ(reader->info().frame_count, static_cast<int64_t>(frames.size())) << clip;
  EXPECT_GT(reader->info().duration, frames.back().start) << clip;
  return frames;
}

/// Reads `frames` of a clip in every other way.
void expect_same_frames_on_every_way(const std::string& clip, const std::vector<Shown>& frames) {
  std::mt19937 random(9);
  std::vector<size_t> order(frames.size());
  std::iota(order.begin(), order.end(), size_t{0});
  // Somewhere within the time that a frame is shown, but for the tolerance at the end.
  const auto time_in = [&](size_t i) {
    const double end = i + 1 < frames.size() ? frames[i + 1].start : frames[i].start + 0.04;
    const double part = static_cast<double>(random() % 4) / 5;
    return frames[i].start + part * std::max(0.0, end - frames[i].start - 0.001);
  };
  const auto expect = [&](VideoReader& reader, size_t i, const char* how) {
    const double time = time_in(i);
    const std::vector<Shown> got = read(reader, {time});
    EXPECT_EQ(got[0], frames[i]) << clip << ", " << how << ", at " << time;
  };
  // After a seek: each frame is the first that its reader reads.
  std::shuffle(order.begin(), order.end(), random);
  for (size_t k = 0; k < order.size(); k += 3) expect(*open(clip, 1), order[k], "at once");
  // At random.
  for (const int threads : {1, 3}) {
    const auto reader = open(clip, threads);
    std::shuffle(order.begin(), order.end(), random);
    for (const size_t i : order) expect(*reader, i, "at random");
  }
  // Backwards.
  const auto backwards = open(clip, 1);
  for (size_t i = frames.size(); i-- > 0;) expect(*backwards, i, "backwards");
  // In order with gaps, which are skipped or sought over.
  for (const size_t stride : {size_t{7}, size_t{31}}) {
    const auto reader = open(clip, 2);
    for (size_t i = stride / 2; i < frames.size(); i += stride) expect(*reader, i, "with gaps");
  }
  // From memory.
  const auto kept = open(clip, 1, int64_t{1} << 30);
  std::shuffle(order.begin(), order.end(), random);
  for (const size_t i : order) expect(*kept, i, "from kept frames");
  EXPECT_EQ(kept->kept_bytes(), static_cast<int64_t>(frames.size() * kFrameBytes)) << clip;
}

void expect_gap(const std::vector<Shown>& frames, double longest) {
  for (size_t i = 1; i < frames.size(); ++i) {
    EXPECT_LE(frames[i].start - frames[i - 1].start, longest) << "before frame " << i;
  }
}

struct Recipe {
  const char* file;
  const char* codec;
  /// Options of a second pass, which copies; none if empty.
  const char* copy = "";
  /// How far apart frames may be, in seconds.
  double longest_gap = 0.0801;
};

std::ostream& operator<<(std::ostream& out, const Recipe& recipe) {
  return out << recipe.file;
}

class OneFile : public testing::TestWithParam<Recipe> {};

TEST_P(OneFile, HasTheSameFramesHoweverTheyAreReached) {
  if (!have_ffmpeg()) GTEST_SKIP() << "needs the ffmpeg program";
  const Recipe recipe = GetParam();
  Scratch scratch;
  const std::string clip = scratch.path(recipe.file);
  const std::string source = numbered_frames(0, 100) + recipe.codec;
  if (*recipe.copy) {
    const std::string first = scratch.path(std::string("first_") + recipe.file);
    ffmpeg(source + " '" + first + "'");
    ffmpeg("-i '" + first + "' -c copy " + recipe.copy + " '" + clip + "' 2>/dev/null");
  } else {
    ffmpeg(source + " '" + clip + "'");
  }
  const std::vector<Shown> frames = all_frames(clip);
  EXPECT_GE(frames.size(), 50u);
  expect_gap(frames, recipe.longest_gap);
  expect_same_frames_on_every_way(clip, frames);
}

#define H264 "-c:v libx264 -g 20 "
#define ONE_AHEAD "-bsf:v 'setts=pts=if(eq(N\\,55)\\,PTS+25/TB\\,PTS)'"
#define ONE_BACK "-bsf:v 'setts=pts=if(eq(N\\,55)\\,PTS-1/TB\\,PTS)'"
#define NEARBY "-bsf:v 'setts=pts=if(eq(N\\,55)\\,PTS+0.1/TB\\,PTS)'"
#define TWICE "-bsf:v 'setts=pts=if(eq(mod(N\\,30)\\,11)\\,PTS+0.04/TB\\,PTS)'"
#define NEGATIVE "-avoid_negative_ts disabled -output_ts_offset -2"

INSTANTIATE_TEST_SUITE_P(
    Timestamps, OneFile,
    testing::Values(
        // As encoders write them.
        Recipe{"plain.mp4", H264 "-bf 0"}, Recipe{"bframes.mp4", H264 "-bf 3 -b_strategy 0"},
        Recipe{"open_gop.mp4", H264 "-bf 3 -x264-params open-gop=1"},
        Recipe{"one_group.mkv", "-c:v libx264 -g 1000 -bf 2"}, Recipe{"bframes.mkv", H264 "-bf 2"},
        Recipe{"bframes.flv", H264 "-bf 2"}, Recipe{"bframes.ts", H264 "-bf 2"},
        Recipe{"bframes.avi", H264 "-bf 2"},
        Recipe{"fragments.mp4", H264 "-bf 2 -movflags frag_keyframe+empty_moov"},
        Recipe{"hevc.mp4",
               "-c:v libx265 -preset ultrafast -x265-params "
               "log-level=none:keyint=20:bframes=3:open-gop=1"},
        Recipe{"mpeg4.avi", "-c:v mpeg4 -q:v 2 -g 20 -bf 2"},
        Recipe{"mpeg4_no_bframes.avi", "-c:v mpeg4 -q:v 2 -g 20 -bf 0"},
        Recipe{"mpeg4.mkv", "-c:v mpeg4 -q:v 2 -g 20 -bf 2"},
        Recipe{"mpeg2.mpg", "-c:v mpeg2video -q:v 2 -g 20 -bf 2"},
        Recipe{"mpeg2.ts", "-c:v mpeg2video -q:v 2 -g 20 -bf 2"},
        Recipe{"mpeg1.mpg", "-c:v mpeg1video -q:v 2 -g 20 -bf 2"},
        Recipe{"mjpeg.avi", "-c:v mjpeg -q:v 2"}, Recipe{"flv1.flv", "-c:v flv1 -q:v 2 -g 20"},
        Recipe{"vp8.webm",
               "-c:v libvpx -b:v 1M -deadline good -cpu-used 5 -g 20 -auto-alt-ref 1 "
               "-lag-in-frames 16"},
        Recipe{"vp9.webm", "-c:v libvpx-vp9 -b:v 1M -deadline realtime -cpu-used 8 -g 20"},
        Recipe{"edit_list.mp4", H264 "-bf 2", "-ss 0.9"},
        Recipe{"cut.mkv", H264 "-bf 2", "-ss 0.9"},
        // Bare streams have no times at all.
        Recipe{"bare.h264", H264 "-bf 2"}, Recipe{"bare.m2v", "-c:v mpeg2video -g 20 -bf 2 -q:v 2"},
        // One time too far ahead, the last of which may as well be true.
        Recipe{"ahead.mp4", H264 "-bf 0", ONE_AHEAD},
        Recipe{"ahead_bframes.mp4", H264 "-bf 2 -b_strategy 0", ONE_AHEAD},
        Recipe{"ahead.mkv", H264 "-bf 0", ONE_AHEAD}, Recipe{"ahead.flv", H264 "-bf 0", ONE_AHEAD},
        Recipe{"ahead.ts", H264 "-bf 2", ONE_AHEAD},
        Recipe{"ahead.webm", "-c:v libvpx-vp9 -b:v 1M -deadline realtime -cpu-used 8 -g 20",
               ONE_AHEAD},
        Recipe{"ahead.mpg", "-c:v mpeg2video -q:v 2 -g 20 -bf 2", ONE_AHEAD},
        Recipe{"ahead_mpeg4.mkv", "-c:v mpeg4 -q:v 2 -g 20 -bf 2", ONE_AHEAD},
        Recipe{"ahead_hevc.mkv",
               "-c:v libx265 -preset ultrafast -x265-params "
               "log-level=none:keyint=20:bframes=3",
               ONE_AHEAD},
        // One too early, one a little late among B-frames, and pairs that are equal.
        Recipe{"back.mkv", H264 "-bf 0", ONE_BACK},
        Recipe{"back_bframes.mkv", H264 "-bf 2 -b_strategy 0", ONE_BACK},
        Recipe{"nearby.mp4", H264 "-bf 0", NEARBY},
        Recipe{"nearby_bframes.mp4", H264 "-bf 3 -b_strategy 0", NEARBY},
        Recipe{"nearby_bframes.mkv", H264 "-bf 3 -b_strategy 0", NEARBY},
        Recipe{"twice.mp4", H264 "-bf 0", TWICE}, Recipe{"twice.mkv", H264 "-bf 2", TWICE},
        Recipe{"twice.flv", H264 "-bf 2", TWICE}, Recipe{"twice.ts", H264 "-bf 2", TWICE},
        // Negative, and far from zero.
        Recipe{"negative.mkv", H264 "-bf 2", NEGATIVE},
        Recipe{"negative.mp4", H264 "-bf 2", NEGATIVE},
        Recipe{"late.mkv", H264 "-bf 2", "-output_ts_offset 5000"},
        Recipe{"late.ts", H264 "-bf 2", "-output_ts_offset 95440"},
        // Uneven, with a long rest that is meant.
        Recipe{"uneven.mp4", "-vf \"select='lt(mod(n,10),6)+eq(mod(n,10),8)'\" -vsync vfr " H264,
               "", 0.1201},
        Recipe{"rest.mkv", "-vf \"setpts='PTS+if(gte(N,50),12/TB,0)'\" -vsync vfr " H264 "-bf 2",
               "", 12.0501}),
    [](const auto& clip) {
      std::string name = clip.param.file;
      std::replace(name.begin(), name.end(), '.', '_');
      return name;
    });

/// Two files, one appended to the other: times start again.
class Joined : public testing::TestWithParam<Recipe> {};

TEST_P(Joined, ShowsAllFrames) {
  if (!have_ffmpeg()) GTEST_SKIP() << "needs the ffmpeg program";
  const Recipe recipe = GetParam();
  Scratch scratch;
  const std::string clip = scratch.path(recipe.file);
  std::string bytes;
  int first = 0;
  for (const int count : {60, 30, 90}) {
    const std::string part = scratch.path("part_" + std::to_string(count) + "_" + recipe.file);
    ffmpeg(numbered_frames(first, count) + recipe.codec + " " + recipe.copy + " '" + part + "'");
    bytes += read_file(part);
    first += count;
  }
  write_file(clip, bytes);
  const std::vector<Shown> frames = all_frames(clip);
  EXPECT_GE(frames.size(), 175u);
  expect_gap(frames, recipe.longest_gap);
  expect_same_frames_on_every_way(clip, frames);
}

INSTANTIATE_TEST_SUITE_P(Timestamps, Joined,
                         testing::Values(Recipe{"h264.ts", H264 "-bf 0"},
                                         Recipe{"bframes.ts", H264 "-bf 2"},
                                         Recipe{"mpeg2.ts", "-c:v mpeg2video -q:v 2 -g 20 -bf 2"},
                                         Recipe{"mpeg2.mpg", "-c:v mpeg2video -q:v 2 -g 20 -bf 2"},
                                         Recipe{"mpeg1.mpg", "-c:v mpeg1video -q:v 2 -g 20 -bf 0"},
                                         Recipe{"bare.h264", H264 "-bf 2"}),
                         [](const auto& clip) {
                           std::string name = clip.param.file;
                           std::replace(name.begin(), name.end(), '.', '_');
                           return name;
                         });

}  // namespace
}  // namespace ata::test
