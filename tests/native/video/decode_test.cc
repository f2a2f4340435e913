// Frames, times and descriptions of clips against those of the `ffmpeg` program.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "clips.h"
#include "video/video.h"

namespace ata::test {
namespace {

constexpr double kMinimumPsnr = 40;      // dB
constexpr double kTimeTolerance = 1e-4;  // ffmpeg prints six digits

#define REQUIRE_FFMPEG() \
  if (!have_ffmpeg()) GTEST_SKIP() << "needs the ffmpeg and ffprobe programs"

/// Reads every frame of `clip`, in order and jumping about, and compares with `ffmpeg`. Returns the
/// lowest PSNR.
double compare_with_ffmpeg(const std::string& clip, bool count_is_estimate) {
  const auto reader = VideoReader::open(clip, default_video_options());
  const ata_video_info& info = reader->info();
  const std::string filter =
      "scale=" + std::to_string(info.width) + ":" + std::to_string(info.height);
  const ReferenceFrames reference = reference_frames(clip, info.width, info.height, filter);
  EXPECT_FALSE(reference.frames.empty()) << clip;
  if (reference.frames.empty()) return 0;
  if (!count_is_estimate) {
    EXPECT_EQ(info.frame_count, static_cast<int64_t>(reference.frames.size())) << clip;
  }
  EXPECT_NEAR(info.duration, reference.times.back() + 1 / info.fps, 1.5 / info.fps) << clip;

  const size_t frame_bytes = reference.frames[0].size();
  double lowest = INFINITY;
  const auto check = [&](const Tensor& frames, size_t row, size_t index) {
    const auto* expected = reinterpret_cast<const uint8_t*>(reference.frames[index].data());
    const double value = psnr(frames.data<uint8_t>() + row * frame_bytes, expected, frame_bytes);
    EXPECT_GT(value, kMinimumPsnr) << clip << ", frame " << index;
    lowest = std::min(lowest, value);
  };

  // One after another, a few at a time.
  constexpr size_t kBatch = 16;
  for (size_t at = 0; at < reference.times.size(); at += kBatch) {
    const size_t count = std::min(kBatch, reference.times.size() - at);
    std::vector<double> starts;
    const Tensor frames = reader->read({&reference.times[at], count}, nullptr, &starts);
    for (size_t i = 0; i < count; ++i) {
      check(frames, i, at + i);
      EXPECT_NEAR(starts[i], reference.times[at + i], kTimeTolerance)
          << clip << ", frame " << at + i;
    }
  }
  // Anywhere: forwards, backwards, between frames.
  std::mt19937 random(1);
  const auto jumper = VideoReader::open(clip, default_video_options());
  for (int i = 0; i < 20; ++i) {
    const size_t index = random() % reference.times.size();
    const double next = index + 1 < reference.times.size() ? reference.times[index + 1]
                                                           : reference.times[index] + 1;
    const double time = reference.times[index] + 0.4 * (next - reference.times[index]);
    std::vector<double> starts;
    check(jumper->read({&time, 1}, nullptr, &starts), 0, index);
    EXPECT_NEAR(starts[0], reference.times[index], kTimeTolerance) << clip << " at " << time;
  }
  return lowest;
}

/// A clip and how the `ffmpeg` program makes it: options after the input.
struct Recipe {
  const char* file;
  const char* options;
  int width = 192;
  int height = 128;
  /// Options of a second pass over the result of the first; none if empty.
  const char* remux = "";
  /// The container does not say how many frames there are.
  bool count_is_estimate = false;
};

std::ostream& operator<<(std::ostream& out, const Recipe& recipe) {
  return out << recipe.file;
}

class Decoding : public testing::TestWithParam<Recipe> {};

TEST_P(Decoding, GivesTheFramesThatFfmpegGives) {
  REQUIRE_FFMPEG();
  const Recipe recipe = GetParam();
  Scratch scratch;
  const std::string clip = scratch.path(recipe.file);
  const std::string source = moving_picture(recipe.width, recipe.height, 25, 2.4) + " ";
  if (*recipe.remux) {
    const std::string first = scratch.path(std::string("first_") + recipe.file);
    ffmpeg(source + recipe.options + " '" + first + "'");
    ffmpeg("-i '" + first + "' " + recipe.remux + " '" + clip + "'");
  } else {
    ffmpeg(source + recipe.options + " '" + clip + "'");
  }
  const double lowest = compare_with_ffmpeg(clip, recipe.count_is_estimate);
  RecordProperty("psnr", std::to_string(lowest));
}

INSTANTIATE_TEST_SUITE_P(
    Clips, Decoding,
    testing::Values(
        Recipe{"h264_bframes.mp4", "-c:v libx264 -pix_fmt yuv420p -g 12 -bf 3 -b_strategy 0"},
        Recipe{"h264_open_gop.mp4",
               "-c:v libx264 -pix_fmt yuv420p -g 12 -bf 3 -x264-params open-gop=1:b-pyramid=2"},
        Recipe{"h264_one_gop.mkv", "-c:v libx264 -pix_fmt yuv420p -g 1000 -bf 2"},
        Recipe{"h264_10bit.mp4", "-c:v libx264 -pix_fmt yuv420p10le -g 10"},
        Recipe{"h264_444.mp4", "-c:v libx264 -pix_fmt yuv444p -g 10"},
        Recipe{"h264_full_range.mp4",
               "-vf scale=out_range=pc -c:v libx264 -pix_fmt yuvj420p -color_range pc -g 10"},
        Recipe{"h264_bt709.mov",
               "-vf scale=out_color_matrix=bt709 -c:v libx264 -pix_fmt yuv420p "
               "-colorspace bt709 -color_primaries bt709 -color_trc bt709 -g 10"},
        Recipe{"h264_anamorphic.mp4", "-vf setsar=64/51 -c:v libx264 -pix_fmt yuv420p -g 10"},
        Recipe{"h264_narrow_pixels.mkv", "-vf setsar=8/9 -c:v libx264 -pix_fmt yuv420p -g 10"},
        Recipe{"h264_odd.mkv", "-c:v libx264 -pix_fmt yuv444p -g 10", 101, 67},
        Recipe{"h264_fragmented.mp4",
               "-c:v libx264 -pix_fmt yuv420p -g 12 -movflags frag_keyframe+empty_moov"},
        Recipe{"h264.ts", "-c:v libx264 -pix_fmt yuv420p -g 12 -bf 2"},
        Recipe{"h264_in.avi", "-c:v libx264 -pix_fmt yuv420p -g 12 -bf 0"},
        Recipe{"mpeg4_bframes.avi", "-c:v mpeg4 -q:v 3 -g 12 -bf 2"},
        Recipe{"mpeg4.mp4", "-c:v mpeg4 -q:v 3 -g 12 -bf 2"},
        Recipe{"mpeg2.mpg", "-c:v mpeg2video -q:v 3 -g 12 -bf 2"},
        Recipe{"mjpeg.avi", "-c:v mjpeg -q:v 3"},
        Recipe{"vp8.webm", "-c:v libvpx -b:v 2M -deadline realtime -cpu-used 8 -g 12"},
        Recipe{"vp9.webm", "-c:v libvpx-vp9 -b:v 2M -deadline realtime -cpu-used 8 -g 12"},
        Recipe{"hevc_10bit.mkv",
               "-c:v libx265 -preset ultrafast -pix_fmt yuv420p10le -x265-params "
               "log-level=none:keyint=12:bframes=3:open-gop=1"},
        Recipe{"bt2020.mkv",
               "-vf scale=out_color_matrix=bt2020 -c:v libx264 -pix_fmt yuv420p10le "
               "-colorspace bt2020nc -g 10"},
        Recipe{"rotated_90.mp4", "-c:v libx264 -pix_fmt yuv420p -g 10", 192, 128,
               "-c copy -metadata:s:v:0 rotate=90"},
        Recipe{"rotated_180.mov", "-c:v libx264 -pix_fmt yuv420p -g 10", 192, 128,
               "-c copy -metadata:s:v:0 rotate=180"},
        Recipe{"rotated_270.mp4", "-c:v libx264 -pix_fmt yuv420p -g 10", 192, 128,
               "-c copy -metadata:s:v:0 rotate=270"},
        Recipe{"rotated_anamorphic.mp4", "-vf setsar=4/3 -c:v libx264 -pix_fmt yuv444p -g 10", 192,
               128, "-c copy -metadata:s:v:0 rotate=90"},
        Recipe{"edit_list.mp4", "-c:v libx264 -pix_fmt yuv420p -g 12 -bf 2", 192, 128,
               "-ss 0.3 -c copy -avoid_negative_ts disabled"},
        Recipe{"late_start.mkv", "-c:v libx264 -pix_fmt yuv420p -g 12 -bf 2", 192, 128,
               "-c copy -output_ts_offset 7.5"},
        Recipe{"uneven.mp4",
               "-vf \"select='lt(mod(n,10),3)+eq(mod(n,10),6)'\" -vsync vfr -c:v libx264 "
               "-pix_fmt yuv420p -g 6 -bf 2"},
        Recipe{"uneven.mkv",
               "-vf \"select='lt(mod(n,20),3)+eq(mod(n,20),6)'\" -vsync vfr -c:v libx264 "
               "-pix_fmt yuv420p -g 6 -bf 2",
               192, 128, "", true},
        Recipe{"ntsc.mkv", "-r 30000/1001 -vsync cfr -c:v libx264 -pix_fmt yuv420p -g 12 -bf 2"},
        Recipe{"raw.h264", "-c:v libx264 -pix_fmt yuv420p -g 12 -bf 2"},
        Recipe{"raw.m4v", "-c:v mpeg4 -q:v 3 -g 12 -bf 0"},
        Recipe{"longer_sound.mkv",
               "-f lavfi -i sine=duration=5 -c:v libx264 -pix_fmt yuv420p -g 12 -c:a pcm_s16le"},
        Recipe{"one_frame.mp4", "-frames:v 1 -c:v libx264 -pix_fmt yuv420p"},
        Recipe{"animation.gif", "", 64, 48}),
    [](const auto& clip) {
      std::string name = clip.param.file;
      std::replace(name.begin(), name.end(), '.', '_');
      return name;
    });

TEST(DecodingDirectory, GivesTheFramesThatFfmpegGives) {
  REQUIRE_FFMPEG();
  const char* directory = std::getenv("ATA_TEST_CLIPS");
  if (!directory) GTEST_SKIP() << "set ATA_TEST_CLIPS to a directory of videos";
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    const std::string clip = entry.path().string();
    if (clip.find("corrupt") != std::string::npos) continue;
    try {
      std::printf("%7.2f dB  %s\n", compare_with_ffmpeg(clip, false), clip.c_str());
    } catch (const Error& error) {
      ADD_FAILURE() << error.what();
    }
  }
}

}  // namespace
}  // namespace ata::test
