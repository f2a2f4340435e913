// How VideoReader behaves: seeking, sampling, several at once, and what it says about bad input.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <random>
#include <thread>

#include "base/error.h"
#include "base/log.h"
#include "base/threads.h"
#include "clips.h"
#include "video/sampling.h"
#include "video/transform.h"
#include "video/video.h"

namespace ata::test {
namespace {

std::unique_ptr<VideoReader> open(const std::string& path, int threads = 0) {
  ata_video_options options = default_video_options();
  options.threads = threads;
  return VideoReader::open(path, options);
}

bool equal(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
}

class Reader : public testing::Test {
 protected:
  void SetUp() override {
    if (!have_ffmpeg()) GTEST_SKIP() << "needs the ffmpeg program";
  }
  /// 100 frames at 25 fps, 160 x 120, H.264 with B-frames and keyframes 12 apart.
  std::string clip(const std::string& name = "clip.mp4") {
    const std::string path = scratch_.path(name);
    ffmpeg(moving_picture(160, 120, 25, 4) + " -c:v libx264 -pix_fmt yuv420p -g 12 -bf 3 '" + path +
           "'");
    return path;
  }
  Scratch scratch_;
};

TEST_F(Reader, DescribesTheVideo) {
  const auto reader = open(clip());
  const ata_video_info& info = reader->info();
  EXPECT_EQ(info.width, 160);
  EXPECT_EQ(info.height, 120);
  EXPECT_DOUBLE_EQ(info.fps, 25);
  EXPECT_DOUBLE_EQ(info.duration, 4);
  EXPECT_EQ(info.frame_count, 100);
  EXPECT_EQ(info.rotation, 0);
  EXPECT_EQ(info.bit_depth, 8);
  EXPECT_STREQ(info.codec, "h264");
}

TEST_F(Reader, GivesTheSameBitsHoweverAFrameIsReached) {
  const std::string path = clip();
  std::vector<double> times(100);
  for (size_t i = 0; i < times.size(); ++i) times[i] = static_cast<double>(i) / 25;
  const Tensor all = open(path, 1)->read(times, nullptr, nullptr);
  const size_t frame_bytes = all.bytes() / 100;
  std::mt19937 random(3);
  for (const int threads : {1, 2, 5}) {
    const auto reader = open(path, threads);
    for (int round = 0; round < 25; ++round) {
      std::vector<double> wanted(1 + random() % 6);
      for (double& time : wanted) time = static_cast<double>(random() % 100) / 25;
      std::sort(wanted.begin(), wanted.end());
      std::vector<double> starts;
      const Tensor frames = reader->read(wanted, nullptr, &starts);
      for (size_t i = 0; i < wanted.size(); ++i) {
        ASSERT_NEAR(starts[i], wanted[i], 1e-9);
        const auto index = static_cast<size_t>(std::lround(wanted[i] * 25));
        ASSERT_EQ(std::memcmp(frames.data<uint8_t>() + i * frame_bytes,
                              all.data<uint8_t>() + index * frame_bytes, frame_bytes),
                  0)
            << "frame " << index << ", " << threads << " threads";
      }
    }
  }
}

TEST_F(Reader, ShowsTheFirstFrameBeforeAndTheLastAfterTheVideo) {
  const auto reader = open(clip());
  const double times[] = {-3, 0, 0.02, 0.0398, 0.03997, 3.9601, 3.99, 4, 1e300};
  std::vector<double> starts;
  const Tensor frames = reader->read(times, nullptr, &starts);
  EXPECT_EQ(frames.shape(), (Shape{9, 120, 160, 3}));
  const double expected[] = {0, 0, 0, 0, 0.04, 3.96, 3.96, 3.96, 3.96};
  for (size_t i = 0; i < 9; ++i) EXPECT_NEAR(starts[i], expected[i], 1e-9) << times[i];
  EXPECT_TRUE(equal(frames.slice(5, 6), frames.slice(8, 9)));
}

TEST_F(Reader, RefusesBadTimes) {
  const auto reader = open(clip());
  const double descending[] = {1, 0.5};
  expect_mentions(
      error_of(ATA_INVALID_ARGUMENT, [&] { reader->read(descending, nullptr, nullptr); }),
      {"times[1]", "ascending"});
  const double nan[] = {std::nan("")};
  error_of(ATA_INVALID_ARGUMENT, [&] { reader->read(nan, nullptr, nullptr); });
  error_of(ATA_INVALID_ARGUMENT, [&] { reader->read({}, nullptr, nullptr); });
}

TEST_F(Reader, StopsWhenCancelledAndGoesOnAfterwards) {
  const auto reader = open(clip());
  const std::atomic<bool> cancelled{true};
  const double times[] = {3.5};
  error_of(ATA_CANCELLED, [&] { reader->read(times, &cancelled, nullptr); });
  std::vector<double> starts;
  reader->read(times, nullptr, &starts);
  EXPECT_NEAR(starts[0], 3.48, 1e-9);
}

TEST_F(Reader, SamplesWhatReadingAndTransformingGive) {
  const auto reader = open(clip());
  for (const ata_short_policy policy : {ATA_SHORT_ERROR, ATA_SHORT_LOOP, ATA_SHORT_REPEAT_LAST}) {
    ata_clip_options options = default_clip_options();
    options.frames = policy == ATA_SHORT_ERROR ? 8 : 40;  // 157 frames: too long
    options.size = 64;
    options.resize = 72;
    options.flip = 1;
    options.short_policy = policy;
    std::vector<double> starts;
    const Tensor sampled = reader->sample(options, nullptr, &starts);
    ASSERT_EQ(sampled.shape(), (Shape{1, 3, options.frames, 64, 64}));
    const std::vector<double> times = clip_times(options, reader->info(), "clip");
    const FrameTransform transform(options, 120, 160);
    const int64_t plane = 64 * 64;
    for (int t = 0; t < options.frames; ++t) {
      const double time = times[static_cast<size_t>(t)];
      std::vector<double> start;
      const Tensor frame = reader->read({&time, 1}, nullptr, &start);
      EXPECT_EQ(start[0], starts[static_cast<size_t>(t)]);
      std::vector<float> expected(static_cast<size_t>(3 * plane));
      transform.apply(frame.data<uint8_t>(), expected.data(), plane);
      for (int c = 0; c < 3; ++c) {
        ASSERT_EQ(std::memcmp(sampled.data<float>() + (c * options.frames + t) * plane,
                              expected.data() + c * plane, sizeof(float) * plane),
                  0)
            << "frame " << t << ", channel " << c;
      }
    }
  }
}

TEST_F(Reader, SaysThatAVideoIsTooShort) {
  const auto reader = open(clip("short.mp4"));
  ata_clip_options options = default_clip_options();
  options.frames = 32;
  expect_mentions(error_of(ATA_BAD_VIDEO, [&] { reader->sample(options, nullptr, nullptr); }),
                  {"short.mp4", "need 5 s", "lasts 4 s", "100 frames"});
}

TEST_F(Reader, SeveralAtOnceGiveTheSameBits) {
  const std::string path = clip();
  const ata_clip_options options = default_clip_options();
  const Tensor expected = open(path)->sample(options, nullptr, nullptr);
  std::vector<Tensor> clips(4);
  std::vector<std::thread> threads;
  for (Tensor& result : clips) {
    threads.emplace_back([&] { result = open(path)->sample(options, nullptr, nullptr); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const Tensor& result : clips) EXPECT_TRUE(equal(result, expected));
}

TEST_F(Reader, ReadsAFolderAsAVideo) {
  for (const char* extension : {"png", "jpg"}) {
    const std::string folder = scratch_.path(std::string("frames_") + extension);
    std::filesystem::create_directory(folder);
    ffmpeg(moving_picture(96, 64, 10, 1.2) + " -q:v 2 '" + folder + "/img_%05d." + extension + "'");
    ata_video_options options = default_video_options();
    options.folder_fps = 10;
    const auto reader = VideoReader::open(folder, options);
    EXPECT_EQ(reader->info().frame_count, 12);
    EXPECT_DOUBLE_EQ(reader->info().duration, 1.2);
    const double times[] = {0, 0.1, 0.1, 0.35, 1.1, 7};
    std::vector<double> starts;
    const Tensor frames = reader->read(times, nullptr, &starts);
    const std::vector<double> expected = {0, 0.1, 0.1, 0.3, 1.1, 1.1};
    for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(starts[i], expected[i], 1e-9);
    const ReferenceFrames reference =
        reference_frames(folder + "/img_%05d." + extension, 96, 64, "");
    ASSERT_EQ(reference.frames.size(), 12u);
    const size_t bytes = reference.frames[0].size();
    for (size_t i = 0; i < expected.size(); ++i) {
      const auto index = static_cast<size_t>(std::lround(expected[i] * 10));
      EXPECT_GT(psnr(frames.data<uint8_t>() + i * bytes,
                     reinterpret_cast<const uint8_t*>(reference.frames[index].data()), bytes),
                40)
          << extension << " " << i;
    }
  }
}

TEST_F(Reader, NamesTheBrokenImageOfAFolder) {
  const std::string folder = scratch_.path("frames");
  std::filesystem::create_directory(folder);
  ffmpeg(moving_picture(96, 64, 10, 0.5) + " '" + folder + "/img_%05d.png'");
  const std::string third = folder + "/img_00003.png";
  const double times[] = {0.2};
  const auto message = [&] {
    return error_of(ATA_BAD_VIDEO, [&] { open(folder)->read(times, nullptr, nullptr); });
  };
  ata_video_options options = default_video_options();
  options.folder_fps = 10;
  const auto failing = [&] {
    return error_of(ATA_BAD_VIDEO,
                    [&] { VideoReader::open(folder, options)->read(times, nullptr, nullptr); });
  };
  const std::string intact = read_file(third);
  write_file(third, intact.substr(0, intact.size() / 2));
  expect_mentions(failing(), {"img_00003.png", "corrupt"});
  write_file(third, "no image at all");
  expect_mentions(failing(), {"img_00003.png", "neither a JPEG nor a PNG"});
  write_file(third, "");
  expect_mentions(failing(), {"img_00003.png", "empty"});
  ffmpeg(moving_picture(64, 64, 10, 0.1) + " -frames:v 1 '" + third + "'");
  expect_mentions(failing(), {"img_00003.png", "64 x 64", "one size"});
  // A header that claims a picture of 100000 x 100000 pixels.
  std::string huge = intact;
  for (size_t i = 0; i < 8; ++i) huge[16 + i] = std::string("\0\1\x86\xa0\0\1\x86\xa0", 8)[i];
  write_file(third, huge);
  expect_mentions(failing(), {"img_00003.png"});
  std::filesystem::remove(third);
  expect_mentions(message(), {"lacks frame 3"});
}

TEST_F(Reader, NamesWhatIsWrongWithAFile) {
  expect_mentions(error_of(ATA_NOT_FOUND, [&] { open(scratch_.path("absent.mp4")); }),
                  {"absent.mp4"});
  const auto failing = [&](const std::string& name) {
    return error_of(ATA_BAD_VIDEO, [&] { open(scratch_.path(name)); });
  };
  write_file(scratch_.path("empty.mp4"), "");
  expect_mentions(failing("empty.mp4"), {"empty.mp4", "is empty"});
  write_file(scratch_.path("text.mp4"), "This is no video, only a few words.\n");
  expect_mentions(failing("text.mp4"), {"text.mp4", "not a video"});
  ffmpeg("-f lavfi -i sine=duration=1 '" + scratch_.path("sound.m4a") + "'");
  expect_mentions(failing("sound.m4a"), {"sound.m4a", "no video stream, only audio"});
  ffmpeg("-f lavfi -i sine=duration=1 " + moving_picture(64, 64, 25, 0.2) +
         " -map 0 -map 1 -c:a libmp3lame -c:v png -frames:v 1 -disposition:v attached_pic '" +
         scratch_.path("cover.mp3") + "'");
  expect_mentions(failing("cover.mp3"), {"cover.mp3", "no video stream, only audio"});
  ffmpeg(moving_picture(64, 64, 25, 1) + " -c:v libx264 -pix_fmt yuv420p -frames:v 0 '" +
         scratch_.path("no_frames.mkv") + "' 2>/dev/null");
  expect_mentions(failing("no_frames.mkv"), {"no_frames.mkv"});
  std::filesystem::create_directory(scratch_.path("folder"));
  expect_mentions(failing("folder"), {"folder", "no numbered frames"});
  ASSERT_EQ(std::system(("mkfifo '" + scratch_.path("pipe.mp4") + "'").c_str()), 0);
  expect_mentions(failing("pipe.mp4"), {"pipe.mp4", "neither a file nor a folder"});
}

TEST_F(Reader, GivesTheReasonThatFfmpegGives) {
  const std::string path = clip("cut.mp4");
  const std::string intact = read_file(path);
  write_file(path, intact.substr(0, intact.size() / 2));
  expect_mentions(error_of(ATA_BAD_VIDEO, [&] { open(path); }), {"cut.mp4", "moov atom not found"});
  // Several readers that fail at once do not mix up their reasons.
  write_file(scratch_.path("text.mp4"), "This is no video, only a few words.\n");
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int k = 0; k < 20; ++k) {
        const std::string name = scratch_.path(i % 2 ? "cut.mp4" : "text.mp4");
        const std::string message = error_of(ATA_BAD_VIDEO, [&] { open(name); });
        EXPECT_EQ(message.find("moov atom") != std::string::npos, i % 2 == 1) << message;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

/// Warnings and what is more serious while it lives.
class LogLines {
 public:
  LogLines() {
    set_log_sink(
        [](ata_log_level, const char* message, void* self) {
          static_cast<LogLines*>(self)->text_ += std::string(message) + "\n";
        },
        this, ATA_LOG_WARNING);
  }
  ~LogLines() { set_log_sink(nullptr, nullptr, ATA_LOG_OFF); }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

TEST_F(Reader, TakesTheStreamThatFfmpegTakesAndSaysSo) {
  const std::string path = scratch_.path("three.mkv");
  const auto colour = [](const char* name, const char* size) {
    return std::string("-f lavfi -i color=") + name + ":size=" + size + ":rate=25:duration=1 ";
  };
  const std::string inputs = colour("red", "64x48") + colour("lime", "128x96") +
                             colour("blue", "96x64") + "-map 0 -map 1 -map 2 -c:v libx264 ";
  // The largest, unless another is the default; a cover is none of them.
  for (const char* disposition : {"", "-disposition:v:0 0 -disposition:v:2 default "}) {
    ffmpeg(inputs + disposition + "'" + path + "'");
    const std::string shown = ffmpeg("-i '" + path + "' -frames:v 1 -f rawvideo -pix_fmt rgb24 -");
    const LogLines lines;
    const auto reader = open(path);
    const double times[] = {0};
    const Tensor frame = reader->read(times, nullptr, nullptr);
    ASSERT_EQ(frame.bytes(), shown.size());
    EXPECT_EQ(std::memcmp(frame.raw(), shown.data(), shown.size()), 0);
    expect_mentions(lines.text(), {"three.mkv", "3 video streams", "as `ffmpeg` does"});
  }
  const LogLines lines;
  open(clip());
  EXPECT_EQ(lines.text(), "");
}

TEST_F(Reader, SaysWhatItRepairsAndWhatItDoesNotApply) {
  const std::string path = clip();
  const std::string jump = scratch_.path("jump.mkv");
  ffmpeg("-i '" + path + "' -c copy -bsf:v 'setts=pts=if(eq(N\\,55)\\,PTS+25/TB\\,PTS)' '" + jump +
         "'");
  {
    const LogLines lines;
    EXPECT_NEAR(open(jump)->info().duration, 4, 0.01);
    expect_mentions(lines.text(), {"jump.mkv", "repaired", "1 frame has a wrong one"});
  }
  const std::string turned = scratch_.path("turned.mp4");
  ffmpeg("-i '" + path + "' -c copy -metadata:s:v:0 rotate=30 '" + turned + "'");
  const LogLines lines;
  EXPECT_EQ(open(turned)->info().rotation, 0);
  expect_mentions(lines.text(), {"turned.mp4", "30 degrees", "quarter turns"});
}

TEST_F(Reader, ReportsDamageInsteadOfWrongFrames) {
  // Cuts through the middle: what is there is read, the rest is no part of the video.
  const std::string path = clip("cut.mkv");
  const std::string intact = read_file(path);
  write_file(path, intact.substr(0, intact.size() * 6 / 10));
  {
    const auto reader = open(path);
    EXPECT_LT(reader->info().duration, 3.5);
    EXPECT_GT(reader->info().duration, 1);
    ata_clip_options options = default_clip_options();
    options.frames = 24;
    expect_mentions(error_of(ATA_BAD_VIDEO, [&] { reader->sample(options, nullptr, nullptr); }),
                    {"cut.mkv", "too short"});
  }
  // A packet that cannot be decoded: frames before it are read, later ones of its group are not.
  const std::string broken = clip("broken.mp4");
  const std::string rows =
      ffprobe("-select_streams v -show_entries packet=pos,size -of csv=p=0:nk=1 '" + broken + "'");
  std::vector<std::pair<size_t, size_t>> packets;  // size, position
  for (const char* at = rows.c_str(); *at;) {
    char* end = nullptr;
    const size_t size = std::strtoull(at, &end, 10);
    const size_t position = std::strtoull(end + 1, &end, 10);
    packets.emplace_back(size, position);
    at = std::strchr(end, '\n');
    if (!at) break;
    ++at;
  }
  ASSERT_EQ(packets.size(), 100u);
  std::string bytes = read_file(broken);
  for (size_t i = 0; i < 4; ++i) bytes[packets[30].second + i] = '\x7f';  // length of a NAL unit
  write_file(broken, bytes);
  const auto reader = open(broken);
  std::vector<double> starts;
  const double good[] = {0.5, 3.5};  // before it, and in a later group
  reader->read(good, nullptr, &starts);
  EXPECT_NEAR(starts[1], 3.48, 1e-9);
  const double bad[] = {1.36};
  expect_mentions(error_of(ATA_BAD_VIDEO, [&] { reader->read(bad, nullptr, nullptr); }),
                  {"broken.mp4", "corrupt after"});
  reader->read(good, nullptr, &starts);
  EXPECT_NEAR(starts[1], 3.48, 1e-9);
}

TEST_F(Reader, OpensNothingButTheFileItself) {
  const std::string target = clip("secret.mp4");
  write_file(scratch_.path("list.mp4"), "ffconcat version 1.0\nfile secret.mp4\n");
  error_of(ATA_BAD_VIDEO, [&] { open(scratch_.path("list.mp4")); });
  write_file(scratch_.path("list.m3u8"),
             "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n" + target + "\n#EXT-X-ENDLIST\n");
  error_of(ATA_BAD_VIDEO, [&] { open(scratch_.path("list.m3u8")); });
}

TEST_F(Reader, RefusesBadOptions) {
  const std::string path = clip();
  ata_video_options options = default_video_options();
  options.threads = -1;
  error_of(ATA_INVALID_ARGUMENT, [&] { VideoReader::open(path, options); });
  options = default_video_options();
  options.folder_fps = 0;
  error_of(ATA_INVALID_ARGUMENT, [&] { VideoReader::open(path, options); });
}

TEST(VideoSupport, KnowsTheLibraries) {
  const VideoSupport support = video_support();
  ASSERT_TRUE(support.available) << support.reason;
  expect_mentions(support.library_versions, {"libavformat ", "libavcodec ", "libswscale "});
  expect_mentions(support.path, {"ata_video"});
}

}  // namespace
}  // namespace ata::test
